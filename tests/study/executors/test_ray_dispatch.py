"""Whatever happens to a cluster's workers, every student is trained once, and no longer than it must take."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks.simulation import OutOfMemoryError, RayError, RayTaskError, SimulatedRay, Weather, simulate
from hypothesis import given
from hypothesis import strategies as st

from distillab.errors import WorkError
from distillab.study.executors import ray_dispatch as module
from distillab.study.executors.ray_connection import Cluster
from distillab.study.executors.ray_dispatch import TRIES, Dispatch
from distillab.study.executors.ray_worker import Shares
from distillab.study.queue import Queue, Resources
from distillab.study.trials import Group

# A cohort takes two minutes on a slow worker. With ten failures an hour it survives two attempts of three; with many
# more it may be lost `TRIES` times, which ends a run.
weathers = st.builds(
    Weather,
    spread=st.floats(0, 1),
    slow=st.floats(0, 1),
    failures=st.sampled_from([0.0, 1.0, 10.0]),
    away=st.floats(0.1, 100),
    overhead=st.floats(0, 1),
    seed=st.integers(0, 99),
)


def simulated(groups: list[Group], workers: int, weather: Weather) -> tuple[list[int], SimulatedRay]:
    ray = SimulatedRay(workers, {group.key: group.seconds for group in groups}, weather)
    return [student for result in simulate(groups, ray) for student in result.results], ray


@given(st.integers(0, 100), st.integers(1, 30), weathers)
def test_every_student_is_trained_once_whatever_fails(students: int, workers: int, weather: Weather) -> None:
    groups = [Group("a", range(students), 5.0), Group("b", range(students, 2 * students), 1.0)]
    assert sorted(simulated(groups, workers, weather)[0]) == list(range(2 * students))


@given(st.integers(1, 300), st.integers(1, 50))
def test_without_failures_it_takes_at_most_a_cohort_longer_than_it_must(students: int, workers: int) -> None:
    """Graham's bound for any list of jobs: the even share, and at most the longest job on top."""
    _, ray = simulated([Group("a", range(students), 2.0)], workers, Weather())
    assert 2.0 * max(1.0, students / workers) - 1e-9 <= ray.now <= 2.0 * students / workers + 8 * 2.0


def test_a_worker_that_hangs_at_the_end_does_not_keep_the_others_waiting() -> None:
    """Of two workers one takes 100 times longer: the other does the last cohort of the slow one again."""
    _, ray = simulated([Group("a", range(100), 1.0)], 2, Weather(slow=0.5, slowness=100.0))
    assert ray.copies == 1
    assert ray.now < 150  # not 800, which eight students take on the slow one


def test_lost_cohorts_are_tried_again() -> None:
    students, ray = simulated([Group("a", range(100), 1.0)], 4, Weather(failures=200.0, away=5.0))
    assert ray.lost > 0
    assert sorted(students) == list(range(100))


class Ray:
    """A stand-in that runs tasks at once.

    Args:
        outcome: of each attempt at a cohort, by its number from 1 and its size: a result, or the error that is raised.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, OutOfMemoryError=OutOfMemoryError)

    def __init__(self, outcome: Callable[[int, int], Any]) -> None:
        self.outcome, self.numbers = outcome, itertools.count(1)
        self.results: dict[object, Any] = {}
        self.slots: list[int] = []
        self.workers = 1
        self.at_work: dict[int, float] = {}
        here = SimpleNamespace(get_node_id=lambda: "")
        self.get_runtime_context = lambda: here
        strategy = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: None)
        self.util = SimpleNamespace(scheduling_strategies=strategy)

    def remote(self, target: Any) -> Any:
        if target is Shares:
            actor = SimpleNamespace(read=SimpleNamespace(remote=lambda: "shares"))
            return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=lambda: actor))
        return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=self.task))

    def task(self, common: Any, inputs: Any, trainings: Any, slots: int, shares: Any, number: int) -> object:
        reference = object()
        self.slots.append(slots)
        self.at_work[number] = 0.5
        self.results[reference] = self.outcome(next(self.numbers), len(trainings))
        return reference

    def wait(self, references: list[object], num_returns: int, timeout: float) -> tuple[list[object], list[object]]:
        return references[:1], references[1:]

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        if reference == "shares":
            return self.at_work
        if isinstance(self.results[reference], Exception):
            raise self.results[reference]
        return self.results[reference]

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": self.workers >= 0, "Resources": {"CPU": self.workers}}]


class Listener:
    """Notes a run's progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counts: list[tuple[float, int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def teacher(self, name: str, epoch: int, epochs: int, loss: float | None) -> None:
        raise AssertionError(name)

    def students(self, trained: float, students: int, at_work: int) -> None:
        self.counts.append((trained, students, at_work))


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    monkeypatch.setattr(module, "WAIT", 0.0)  # a stand-in's tasks are finished at once
    return Listener()


def dispatch(ray: Ray, listener: Listener, students: int = 8) -> Dispatch:
    queue: Queue = Queue([Group("a", range(students))], Resources(1, 1, 8))
    return Dispatch(Cluster(ray, 1, 0), {"a": "a"}, None, queue, listener)


def trained(ray: Ray, listener: Listener, students: int = 8) -> int:
    return sum(result.students for result in dispatch(ray, listener, students).results())


def attempt(students: int) -> Any:
    return SimpleNamespace(students=students)


def whole(number: int, students: int) -> Any:
    return attempt(students)


def test_it_reports_how_many_are_trained_and_counts_those_at_work_in_part(listener: Listener) -> None:
    assert trained(Ray(whole), listener, 16) == 16
    # After the first of two cohorts, the other one is seen at work with half of its epochs.
    assert listener.counts == [(8, 16, 0), (16, 16, 0)] or listener.counts == [(8 + 4, 16, 8), (16, 16, 0)]


def test_a_cohort_that_is_lost_is_handed_out_again(listener: Listener) -> None:
    ray = Ray(lambda number, students: RayError("node died") if number < 4 else attempt(students))
    assert trained(ray, listener) == 8
    assert next(ray.numbers) == 5


def test_one_that_is_lost_too_often_ends_the_run(listener: Listener) -> None:
    ray = Ray(lambda number, students: RayError("node died"))
    with pytest.raises(WorkError, match=rf"A cohort of 8 students was lost {TRIES} times \(RayError\)"):
        trained(ray, listener)
    assert next(ray.numbers) == TRIES + 1


def test_a_cohort_that_a_node_cannot_hold_is_tried_in_halves(listener: Listener) -> None:
    ray = Ray(lambda number, students: OutOfMemoryError() if students > 2 else attempt(students))
    assert trained(ray, listener) == 8
    assert ray.slots == [8, 4, 4, 2, 2, 2, 2]  # both halves were handed out already
    assert listener.notes == [
        f"Memory ran out on a worker with {count} students; continuing with half." for count in (8, 4)
    ]


def test_a_worker_trains_as_many_of_a_cohort_as_it_holds(listener: Listener) -> None:
    ray = Ray(lambda number, students: attempt(min(students, 3)))
    assert trained(ray, listener) == 8
    assert ray.slots == [8, 3, 3]
    assert listener.notes == ["A worker's memory holds at most 3 students at a time."]


def test_one_student_that_no_node_holds_ends_the_run(listener: Listener) -> None:
    with pytest.raises(WorkError, match=r"Memory ran out on a worker with 1 students, one a device\. Lower batch_size"):
        trained(Ray(lambda number, students: None), listener)


def test_an_error_of_the_work_ends_the_run_with_its_last_line(listener: Listener) -> None:
    error = RayTaskError("Traceback ...\n\ndistillab.errors.WorkError: One student needs 9 GiB.\n")
    with pytest.raises(WorkError, match=r"^distillab\.errors\.WorkError: One student needs 9 GiB\.$"):
        trained(Ray(lambda number, students: error), listener)


def test_a_cluster_that_does_not_answer_ends_the_run_in_one_line(listener: Listener) -> None:
    ray = Ray(whole)

    def broken(*more: Any, **options: Any) -> Any:
        raise RayError("the head\nis gone")

    ray.wait = broken  # type: ignore[method-assign]
    with pytest.raises(WorkError, match=r"no longer answers \(RayError: the head is gone\)\. When it does, run"):
        trained(ray, listener)


def test_a_cluster_without_nodes_ends_the_run_and_one_without_workers_is_waited_for(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray, waited = Ray(whole), itertools.count(1)
    ray.workers = 0

    def sleep(seconds: float) -> None:
        ray.workers = int(next(waited) == 3)

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert trained(ray, listener) == 8
    assert listener.notes == ["The cluster has no worker just now; waiting for a node: ray start --address HOST:PORT"]
    ray.workers = -1
    with pytest.raises(WorkError, match="The cluster has no node left"):
        trained(ray, listener)
