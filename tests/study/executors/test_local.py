"""What every executor must do: give the results that this process gives, whatever it loses, and in whatever order."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from distillab.study.executors.dispatch import Finished
from tests.study.conftest import TINY

from distillab.engine.devices import mesh
from distillab.engine.trainer import CohortTrainer
from distillab.errors import WorkError
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.local import Local
from distillab.study.queue import Cohort, Resources
from distillab.study.run import run_study
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.store import Store


def results(folder: Path) -> dict[str, list[object]]:
    with Store(folder / "study.db", read_only=True) as store:
        return store.results()


@dataclass
class Travelling:
    """A cluster's workers, all in this process: what they train has been packed, pickled and unpacked.

    Args:
        workers: that there are said to be.
        loses: every so many-th attempt is lost, and made again.
        backwards: what was handed out last is trained first.
    """

    workers: int = 3
    loses: int = 0
    backwards: bool = False
    attempts: int = 0
    lost: int = 0
    where: tuple[int, str] = (3, "cpu")
    waiting: deque[tuple[int, Cohort[Any]]] = field(default_factory=deque)
    seats: dict[str, int] = field(default_factory=dict)

    @property
    def team(self) -> Resources:
        return Resources(self.workers, 2, 2)

    def crew(self, dataset: Any, keys: Any, lesson: Callable[[str], Any], progress: Any) -> Travelling:
        self.dataset, self.lesson = dataset, lesson
        return self

    def submit(self, cohort: Cohort[Any]) -> int:
        self.attempts += 1
        self.waiting.append((self.attempts, cohort))
        return self.attempts

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Any]]:
        ticket, cohort = self.waiting.pop() if self.backwards else self.waiting.popleft()
        found = self.lesson(cohort.key)
        seats = self.seats.setdefault(cohort.key, self.team.capacity)
        terms = worker.Terms(2, False, None, worker.versions())
        arrived = pickle.loads(pickle.dumps((self.dataset, worker.packed(found, cohort.key), cohort.students)))
        attempt = worker.train(*arrived, seats, terms)
        if self.loses and ticket % self.loses == 0 and self.lost < ticket:
            self.lost = ticket
            self.waiting.appendleft((ticket, cohort))
            return []
        if attempt.trained < len(cohort.students):
            self.seats[cohort.key] = attempt.trained or len(cohort.students) // 2
        return [Finished(ticket, attempt.done, attempt.trained)]

    def cancel(self, ticket: Hashable) -> None:
        self.waiting = deque((other, cohort) for other, cohort in self.waiting if other != ticket)

    def clock(self) -> float:
        return float(self.attempts)


EXECUTORS: dict[str, Callable[[], Any]] = {
    "a device": lambda: Local(mesh(1), seats=2),
    "a worker": lambda: Travelling(workers=1),
    "backwards": lambda: Travelling(backwards=True),
    "losing": lambda: Travelling(loses=2),
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
    if name == "losing":
        assert executor.lost


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
    told = iter([mine | {"jax": "0.1"}])
    monkeypatch.setattr(worker, "versions", lambda: next(told, mine))
    with pytest.raises(worker.OtherVersionsError, match=r"has jax .*, and this process 0\.1: .* pip install jax==0\.1"):
        run_study(tiny(), tmp_path / "study", executor=Travelling())
    assert not results(tmp_path / "study")["trials"]


def test_what_an_executor_raises_ends_the_run_and_what_is_recorded_stays(
    tiny: Callable[..., Spec], tmp_path: Path
) -> None:
    class Leaving(Travelling):
        def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Any]]:
            if self.lost:
                raise WorkError("The cluster has no node left.")
            self.lost = 1
            return super().wait(report)

    with pytest.raises(WorkError, match="no node left"):
        run_study(tiny(), tmp_path / "study", executor=Leaving(workers=1))
    assert len(results(tmp_path / "study")["trials"]) == 4  # a cohort of two devices with two seats
