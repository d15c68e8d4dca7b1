"""Every executor gives the results of this process, in any order of its cohorts."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.study.conftest import TINY

from distillab.data import Dataset
from distillab.engine.devices import mesh
from distillab.engine.trainer import CohortTrainer
from distillab.errors import WorkError
from distillab.study.cohorts import CohortResult, TrainingInputs
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.local import Local
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources
from distillab.study.run import run_study
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.store import Store


def results(folder: Path) -> dict[str, list[object]]:
    with Store(folder / "study.db", read_only=True) as store:
        return store.results()


@dataclass
class Travelling:
    """A cluster's workers, all in this process: everything that they get has been packed and pickled.

    Args:
        workers: how many there seem to be.
        twice: whether every cohort is trained twice, as after a loss.
        backwards: whether the cohort that was handed out last is trained first.
    """

    workers: int = 3
    twice: bool = False
    backwards: bool = False
    sizes: list[int] = field(default_factory=list)
    where: tuple[int, str] = (3, "cpu")

    @property
    def resources(self) -> Resources:
        return Resources(self.workers, 2, 2)

    def train(
        self, queue: Queue, inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> Iterator[CohortResult]:
        packed = {key: worker.packed(inputs(key), key) for key in queue.keys}
        common = worker.Common(dataset, 2, False, None, worker.versions())
        slots: dict[str, int] = {}
        while queue.trainings:
            cohorts = list(iter(queue.take, None))
            for cohort in reversed(cohorts) if self.backwards else cohorts:
                assert cohort is not None
                self.sizes.append(len(cohort.trainings))
                slots.setdefault(cohort.key, self.resources.capacity)
                arrived = pickle.loads(pickle.dumps((common, packed[cohort.key], cohort.trainings)))
                for _ in range(1 + self.twice):
                    result = worker.train(*arrived, slots[cohort.key])
                trained = 0 if result is None else result.students
                if trained < len(cohort.trainings):
                    slots[cohort.key] = trained or len(cohort.trainings) // 2
                    queue.put_back(cohort, cohort.trainings[trained:], slots[cohort.key])
                if result is not None:
                    yield result


EXECUTORS: dict[str, Callable[[], Any]] = {
    "a device": lambda: Local(mesh(1), slots=2),
    "a worker": lambda: Travelling(workers=1),
    "backwards": lambda: Travelling(backwards=True),
    "twice": lambda: Travelling(twice=True),
}
DENSE: dict[str, Any] = {"student": {"model": "mlp-4"}, "seeds": 2}
STUDIES: dict[str, dict[str, Any]] = {
    "several programs": {"teacher": {"model": "mlp-8", "epochs": 1}, "epochs": [1, 2], "snapshot": 1},
    "live teachers": {"teacher": {"model": "mlp-8+mlp-4", "epochs": 1}, "augmentation": {"shift": 1, "flip": True}},
}


@pytest.fixture(scope="module", params=list(STUDIES))
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Spec, Path]:
    spec = read_spec(TINY | DENSE | STUDIES[request.param])
    folder = tmp_path_factory.mktemp("undisturbed") / "study"
    run_study(spec, folder)
    return spec, folder


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_executor_gives_the_same_results(undisturbed: tuple[Spec, Path], tmp_path: Path, name: str) -> None:
    spec, folder = undisturbed
    executor = EXECUTORS[name]()
    run_study(spec, tmp_path / "study", executor=executor)
    assert results(tmp_path / "study") == results(folder)
    assert len(results(folder)["trials"]) == spec.size


def test_a_cohort_too_large_for_a_workers_memory_is_split(
    undisturbed: tuple[Spec, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folder = undisturbed
    stages, tried = CohortTrainer.stages, []

    def small(self: CohortTrainer, students: Sequence[object], *more: object, **options: object) -> object:
        tried.append(len(students))
        if len(students) > 2:
            raise MemoryError
        return stages(self, students, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(CohortTrainer, "stages", small)
    run_study(spec, tmp_path / "little", executor=Travelling(workers=1))
    assert 4 in tried
    assert results(tmp_path / "little") == results(folder)


def test_a_worker_of_other_versions_trains_nothing(tiny: Callable[..., Spec], tmp_path: Path, monkeypatch: Any) -> None:
    mine = worker.versions()
    reported = iter([mine | {"jax": "0.1"}])
    monkeypatch.setattr(worker, "versions", lambda: next(reported, mine))
    with pytest.raises(worker.OtherVersionsError, match=r"has jax .*, and this process 0\.1: .* pip install jax==0\.1"):
        run_study(tiny(), tmp_path / "study", executor=Travelling())
    assert not results(tmp_path / "study")["trials"]


def test_what_an_executor_raises_ends_the_run_and_what_is_recorded_stays(
    tiny: Callable[..., Spec], tmp_path: Path
) -> None:
    class Leaving(Travelling):
        def train(self, *arguments: Any) -> Iterator[CohortResult]:
            yield next(super().train(*arguments))
            raise WorkError("The cluster has no node left.")

    with pytest.raises(WorkError, match="no node left"):
        run_study(tiny(), tmp_path / "study", executor=Leaving(workers=1))
    assert len(results(tmp_path / "study")["trials"]) == 4  # a cohort of two devices with two slots
