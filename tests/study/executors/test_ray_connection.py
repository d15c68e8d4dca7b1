"""Requests that a cluster cannot meet are refused in one line."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from distillab.errors import RequestError
from distillab.study.executors import ray as module
from distillab.study.executors.ray import RayExecutor
from distillab.study.executors.ray_connection import difference, versions


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
    """Stands for Ray: nodes as the test lists them, tasks run where they are asked for."""

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
    monkeypatch.setattr(module, "connected", lambda address: Cluster([node, node | {"Resources": {"CPU": 2.0}}]))
    with pytest.raises(RequestError, match=message):
        RayExecutor(**asked)


def test_nodes_of_other_versions_are_told_apart_with_the_command_that_mends_it() -> None:
    here = versions()
    assert difference(here, here) is None
    text = difference(here | {"keras": "3.15.1"}, here | {"keras": "3.14.0"})
    assert text is not None
    assert text.startswith("has keras 3.14.0, and this process 3.15.1")
    assert text.endswith("Install the same version there: pip install keras==3.15.1.")
    python = difference(here, here | {"python": "3.9.0"})
    assert python is not None
    assert python.endswith("Install the same version there.")
