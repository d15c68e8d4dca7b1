"""Students on a Ray cluster: what is asked for wrongly is told in one line, and what travels is the same on arrival.

The cluster itself, and what happens when its parts are killed, is in benchmarks/cluster.py: it takes minutes.
"""

from __future__ import annotations

import builtins
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distillab.errors import RequestError
from distillab.study import ray_executor as module
from distillab.study.executor import Done, Group, Local
from distillab.study.ray_executor import RayExecutor
from distillab.study.runner import run_study
from distillab.study.spec import Spec
from distillab.study.store import Store


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "ray":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=r"--executor ray needs Ray. Install it: pip install 'distillab\[ray\]'"):
        RayExecutor()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"Nothing answers at 127.0.0.1:1 .*Start a cluster there: ray start --head"),
        ("nowhere", r"--address='nowhere' is not allowed: it must be 'auto', or the cluster's head as host:port"),
        ("127.0.0.1:99999", r"Nothing answers at 127.0.0.1:99999"),
    ],
)
def test_an_address_without_a_cluster_is_told_at_once(address: str, message: str) -> None:
    pytest.importorskip("ray", reason="pip install 'distillab[ray]'")
    with pytest.raises(RequestError, match=message):
        RayExecutor(address)


class Cluster:
    """Stands for Ray: nodes as they are told of, tasks run where they are asked for."""

    class exceptions:  # noqa: N801
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, nodes: list[dict[str, Any]]) -> None:
        self._nodes = nodes

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes

    def cluster_resources(self) -> dict[str, float]:
        names = {name for node in self._nodes for name in node["Resources"]}
        return {name: sum(node["Resources"].get(name, 0) for node in self._nodes) for name in names}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gpus": 1}, r"--worker-gpus 1 is not possible: the cluster's largest node has 0 GPUs"),
        ({"cpus": 8}, r"--worker-cpus 8 is not possible: the cluster's largest node has 4 CPUs"),
    ],
)
def test_more_than_any_node_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], message: str
) -> None:
    node = {"Alive": True, "Resources": {"CPU": 4.0}, "NodeID": "0" * 16, "NodeManagerAddress": "h"}
    monkeypatch.setattr(module, "_connected", lambda address: Cluster([node, node | {"Resources": {"CPU": 2.0}}]))
    with pytest.raises(RequestError, match=message):
        RayExecutor(**asked)


class Travelling(Local):
    """Trains what has been packed, pickled and unpacked, as a worker does."""

    def train(self, dataset: Any, groups: Any, cohorts: int, progress: Any) -> Any:
        for number, group in enumerate(groups):
            lesson = module._packed(group, number=number)
            for cohort in group.cohorts:
                arrived = pickle.loads(pickle.dumps((dataset, lesson, cohort)))
                yield from module._train(*arrived, self.grid.size, False, None)


@pytest.mark.parametrize("changes", [{}, {"augmentation": {"shift": 1, "flip": True}}], ids=["stored", "live"])
def test_what_has_travelled_is_trained_to_the_same_results(
    tiny: Callable[..., Spec], tmp_path: Path, changes: dict[str, Any]
) -> None:
    from distillab.engine.devices import mesh

    spec = tiny(seeds=2, **changes)
    run_study(spec, tmp_path / "here")
    run_study(spec, tmp_path / "there", executor=Travelling(mesh(), seats=1))
    found = []
    for name in ("here", "there"):
        with Store(tmp_path / name / "study.db", read_only=True) as store:
            found.append(store.results())
    assert found[0] == found[1]
    assert len(found[0]["trials"]) == spec.size


def test_cohorts_may_come_in_any_order(tiny: Callable[..., Spec], tmp_path: Path) -> None:
    from distillab.engine.devices import mesh

    class Backwards(Local):
        def train(self, dataset: Any, groups: Any, cohorts: int, progress: Any) -> Any:
            done: list[Done] = list(super().train(dataset, list[Group](groups), cohorts, progress))
            yield from reversed(done)

    spec = tiny(seeds=3)
    run_study(spec, tmp_path / "forwards", seats=1)
    run_study(spec, tmp_path / "backwards", executor=Backwards(mesh(), seats=1))
    found = []
    for name in ("forwards", "backwards"):
        with Store(tmp_path / name / "study.db", read_only=True) as store:
            found.append(store.results())
    assert found[0] == found[1]
