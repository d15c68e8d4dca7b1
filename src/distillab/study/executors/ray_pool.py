"""The workers of a Ray cluster, as a crew."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from distillab.data import Dataset
from distillab.errors import WorkError
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.dispatch import Finished
from distillab.study.executors.local import Done, Pupil, TrainingInputs
from distillab.study.executors.ray_connection import cause, nodes, workers
from distillab.study.progress import Progress
from distillab.study.queue import Cohort

if TYPE_CHECKING:
    from distillab.study.executors.ray import RayExecutor

TRIES = 20
"""How often a cohort is tried where workers or nodes die."""

WAIT = 1.0
"""Seconds between two looks at the cluster while nothing is finished."""


class RayPool:
    """Ray's workers; see `distillab.study.executors.dispatch.Crew`.

    Teachers are trained before anything is handed out: whoever trains them gathers no results.

    Args:
        executor: the cluster.
        dataset, keys, lesson, progress: as in `distillab.study.executors.local.Executor.crew`.
    """

    def __init__(
        self,
        executor: RayExecutor,
        dataset: Dataset,
        keys: Sequence[str],
        lesson: Callable[[str], TrainingInputs],
        progress: Progress,
    ) -> None:
        ray = self._ray = executor.ray
        self._executor, self._progress = executor, progress
        run = time.time_ns()
        self._lessons = {key: ray.put(worker.packed(lesson(key), f"{run} {key}")) for key in keys}
        self._dataset = ray.put(dataset)
        self._terms = ray.put(worker.Terms(executor.devices, executor.gpus > 0, executor.memory, worker.versions()))
        # A lost cohort is handed out again here: Ray itself would try one that is too large for its node for ever.
        self._task = ray.remote(worker.train).options(max_retries=0, **executor.needs)
        self._board = ray.remote(worker.Board).options(num_cpus=0, scheduling_strategy=_beside(ray)).remote()
        self._seats: dict[str, int] = {}
        self._waiting: dict[Any, _Task] = {}
        self._given, self._looked, self._read, self._workers = 0, -WAIT, -WAIT, 0
        self._told_of_nobody = False

    @property
    def workers(self) -> int:
        if time.monotonic() - self._looked >= WAIT:  # asking the cluster takes longer than all else here
            self._looked = time.monotonic()
            with _answering(self._ray):
                self._workers = workers(self._ray, cpus=self._executor.cpus, gpus=self._executor.gpus)
        return self._workers

    def submit(self, cohort: Cohort[Pupil]) -> int:
        self._seats.setdefault(cohort.key, len(cohort.students))  # a load's later cohorts are no larger than its first
        self._given += 1
        self._hand_out(_Task(self._given, cohort))
        return self._given

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Done]]:
        with _answering(self._ray):
            if time.monotonic() - self._read >= WAIT:
                self._read = time.monotonic()
                if not nodes(self._ray):
                    raise WorkError("The cluster has no node left. Start one, and run the same command again.")
                for ticket, share in self._shares().items():
                    report(ticket, share)
            if not self._waiting:
                self._wait_for_workers()
                return []
            ready, _ = self._ray.wait(list(self._waiting), num_returns=1, timeout=WAIT)
        found = [self._finished(reference) for reference in ready]
        return [one for one in found if one is not None]

    def cancel(self, ticket: Hashable) -> None:
        for reference in [reference for reference, task in self._waiting.items() if task.ticket == ticket]:
            del self._waiting[reference]
            with _answering(self._ray):
                self._ray.cancel(reference, force=True)

    def clock(self) -> float:
        return time.monotonic()

    def _hand_out(self, task: _Task) -> None:
        key, students = task.cohort.key, task.cohort.students
        with _answering(self._ray):
            reference = self._task.remote(
                self._dataset, self._lessons[key], students, self._seats[key], self._terms, self._board, task.ticket
            )
        self._waiting[reference] = task

    def _wait_for_workers(self) -> None:
        if not self._told_of_nobody:
            self._told_of_nobody = True
            self._progress.note("The cluster has no worker just now; waiting for a node: ray start --address HOST:PORT")
        time.sleep(WAIT)

    def _shares(self) -> dict[int, float]:
        """How far cohorts at work are."""
        try:
            found: dict[int, float] = self._ray.get(self._board.read.remote(), timeout=WAIT)
        except self._ray.exceptions.RayError:  # how far they are is nice to know: nothing depends on it
            return {}
        return found

    def _finished(self, reference: Any) -> Finished[Done] | None:
        """What came of a cohort; None where it was lost, and has been handed out again."""
        ray = self._ray
        task = self._waiting.pop(reference)
        students = len(task.cohort.students)
        try:
            attempt: worker.Attempt = ray.get(reference)
        except ray.exceptions.OutOfMemoryError as error:  # the node's own memory: Ray has ended the worker
            return self._fewer(task, error)
        except ray.exceptions.RayTaskError as error:
            raise WorkError(cause(error)) from error
        except ray.exceptions.RayError as error:
            if task.tries >= TRIES:
                raise WorkError(
                    f"A cohort of {students} students was lost {TRIES} times ({type(error).__name__}). The same "
                    "command goes on from what is recorded; lower batch_size if memory runs out."
                ) from error
            self._hand_out(_Task(task.ticket, task.cohort, task.tries + 1))
            return None
        if attempt.done is None:
            return self._fewer(task, None)
        if attempt.trained < students and attempt.trained < self._seats[task.cohort.key]:
            self._progress.note(f"A worker's memory does not hold more students at a time than {attempt.trained}.")
            self._seats[task.cohort.key] = attempt.trained
        return Finished(task.ticket, attempt.done, attempt.trained)

    def _fewer(self, task: _Task, error: Exception | None) -> Finished[Done]:
        """Nothing was trained, for memory ran out: try with half the students."""
        students, key = len(task.cohort.students), task.cohort.key
        if students <= self._executor.devices:
            raise WorkError(
                f"Memory ran out on a worker with {students} students, one a device. Lower batch_size, or give workers "
                "more: a higher --worker-cpus leaves room for fewer of them on a node."
            ) from error
        if students // 2 < self._seats[key]:  # others as large may be on their way
            self._progress.note(f"Memory ran out on a worker with {students} students; going on with half.")
            self._seats[key] = students // 2
        return Finished(task.ticket, None, 0)


class _Task(NamedTuple):
    """A cohort that Ray has been given."""

    ticket: int
    cohort: Cohort[Pupil]
    tries: int = 1


@contextmanager
def _answering(ray: Any) -> Iterator[None]:
    """Say in one line that the cluster itself does not answer any more."""
    try:
        yield
    except ray.exceptions.RayError as error:
        line = " ".join(str(error).split())[:200]
        raise WorkError(
            f"The cluster does not answer any more ({type(error).__name__}: {line}). When it does, run the same "
            "command again: it goes on from what is recorded."
        ) from error


def _beside(ray: Any) -> Any:
    """Where this process is: what reads from it is not to be elsewhere."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
