"""What Ray does to cohorts, by a stand-in that runs tasks at once and loses those that it is told to lose."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from distillab.errors import WorkError
from distillab.study.executors.dispatch import dispatch
from distillab.study.executors.ray import crew as module
from distillab.study.executors.ray_pool import TRIES, RayPool
from distillab.study.executors.ray_worker import Attempt
from distillab.study.queue import Load, Queue, Resources


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class Ray:
    """Stands for Ray.

    Args:
        outcome: of each attempt at a cohort, by its number from 1 and its students: an `Attempt`, or what is raised.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, OutOfMemoryError=OutOfMemoryError)

    def __init__(self, outcome: Callable[[int, int], Any]) -> None:
        self.outcome, self.numbers = outcome, itertools.count(1)
        self.results: dict[object, Any] = {"nothing new": {}}
        self.seats: list[int] = []
        self.cancelled = 0
        self.there: list[dict[str, Any]] = [{"Alive": True, "Resources": {"CPU": 1.0}}]

    def put(self, value: Any) -> Any:
        return value

    def remote(self, target: Any) -> Any:
        if isinstance(target, type):  # the board
            board = SimpleNamespace(read=SimpleNamespace(remote=lambda: "nothing new"))
            return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=lambda: board))
        return SimpleNamespace(options=lambda **needs: SimpleNamespace(remote=self.task))

    def task(self, dataset: Any, lesson: Any, students: Any, seats: int, terms: Any, board: Any, ticket: int) -> object:
        reference = object()
        self.seats.append(seats)
        self.results[reference] = self.outcome(next(self.numbers), len(students))
        return reference

    def wait(self, references: list[object], num_returns: int, timeout: float) -> tuple[list[object], list[object]]:
        return references[:1], references[1:]

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        found = self.results[reference]
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self, reference: object, force: bool) -> None:
        self.cancelled += 1

    def nodes(self) -> list[dict[str, Any]]:
        return self.there


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch, notes: list[str]) -> Callable[[Ray], RayPool]:
    monkeypatch.setattr(module, "_beside", lambda ray: None)
    monkeypatch.setattr(module, "WAIT", 0.0)
    monkeypatch.setattr(module.worker, "packed", lambda lesson, key: lesson)

    def make(ray: Ray) -> RayPool:
        executor = SimpleNamespace(ray=ray, devices=1, cpus=1, gpus=0, memory=None, needs={"num_cpus": 1})
        progress = SimpleNamespace(note=notes.append)
        return RayPool(executor, None, ["a"], lambda key: key, progress)  # type: ignore[arg-type]

    return make


def trained(crew: RayPool, students: int = 8) -> int:
    found: list[Any] = list(dispatch(Queue([Load("a", range(students))], Resources(1, 1, 8)), crew))  # type: ignore[arg-type]
    return sum(found)


def whole(number: int, students: int) -> Any:
    return Attempt(students, students)  # type: ignore[arg-type]


def test_what_workers_train_comes_back(crew: Callable[[Ray], RayPool]) -> None:
    assert trained(crew(Ray(whole)), 20) == 20


def test_a_cohort_that_is_lost_is_handed_out_again(crew: Callable[[Ray], RayPool]) -> None:
    ray = Ray(lambda number, students: RayError("node died") if number < 4 else whole(number, students))
    assert trained(crew(ray)) == 8
    assert next(ray.numbers) == 5


def test_one_that_is_lost_too_often_ends_the_run(crew: Callable[[Ray], RayPool]) -> None:
    ray = Ray(lambda number, students: RayError("node died"))
    with pytest.raises(WorkError, match=rf"A cohort of 8 students was lost {TRIES} times \(RayError\)"):
        trained(crew(ray))
    assert next(ray.numbers) == TRIES + 1


def test_what_a_node_cannot_hold_is_tried_in_halves(crew: Callable[[Ray], RayPool], notes: list[str]) -> None:
    ray = Ray(lambda number, students: OutOfMemoryError() if students > 2 else whole(number, students))
    assert trained(crew(ray)) == 8
    assert ray.seats == [8, 4, 4, 2, 2, 2, 2]  # both halves were on their way
    assert notes == [f"Memory ran out on a worker with {count} students; going on with half." for count in (8, 4)]


def test_what_a_worker_cannot_hold_is_handed_out_as_far_as_it_does(
    crew: Callable[[Ray], RayPool], notes: list[str]
) -> None:
    ray = Ray(lambda number, students: Attempt(min(students, 3), min(students, 3)))  # type: ignore[arg-type]
    assert trained(crew(ray)) == 8
    assert ray.seats == [8, 3, 3]
    assert notes == ["A worker's memory does not hold more students at a time than 3."]


def test_one_student_that_no_node_holds_ends_the_run(crew: Callable[[Ray], RayPool]) -> None:
    with pytest.raises(WorkError, match=r"Memory ran out on a worker with 1 students, one a device\. Lower batch_size"):
        trained(crew(Ray(lambda number, students: Attempt(None, 0))))


def test_an_error_of_the_work_ends_the_run_with_its_last_line(crew: Callable[[Ray], RayPool]) -> None:
    error = RayTaskError("Traceback ...\n\ndistillab.errors.WorkError: One student needs 9 GiB.\n")
    with pytest.raises(WorkError, match=r"^distillab\.errors\.WorkError: One student needs 9 GiB\.$"):
        trained(crew(Ray(lambda number, students: error)))


def test_a_cluster_without_nodes_ends_the_run_and_one_without_workers_is_waited_for(
    crew: Callable[[Ray], RayPool], notes: list[str]
) -> None:
    ray = Ray(whole)
    ray.there = [{"Alive": True, "Resources": {}}]
    some = crew(ray)
    assert some.workers == 0
    assert some.wait(lambda ticket, share: None) == []
    assert some.wait(lambda ticket, share: None) == []
    assert notes == ["The cluster has no worker just now; waiting for a node: ray start --address HOST:PORT"]
    ray.there = [{"Alive": False, "Resources": {"CPU": 1.0}}]
    with pytest.raises(WorkError, match="The cluster has no node left"):
        some.wait(lambda ticket, share: None)


def test_a_cancelled_cohort_is_forgotten(crew: Callable[[Ray], RayPool]) -> None:
    ray = Ray(whole)
    some = crew(ray)
    backlog = Queue([Load("a", range(2))], Resources(1, 1, 1))
    first, second = (some.submit(backlog.take()) for _ in range(2))  # type: ignore[arg-type]
    some.cancel(first)
    assert [one.ticket for one in some.wait(lambda ticket, share: None)] == [second]
    assert ray.cancelled == 1
