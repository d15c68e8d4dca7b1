"""Handing a queue's cohorts to the workers of a Ray cluster, whatever dies or stands still there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from distillab.errors import WorkError
from distillab.study.cohorts import CohortResult
from distillab.study.executors import ray_worker as worker
from distillab.study.executors.ray_connection import Cluster, cause
from distillab.study.progress import Progress
from distillab.study.queue import Cohort, Queue

AHEAD = 2
"""Cohorts handed out for each worker: one in training, and one so that it need not wait for the next."""

LATE = 1.5
"""A cohort that takes this many times its estimate is also given to a worker that has nothing else to do."""

TRIES = 20
"""How often a cohort is tried where workers or nodes die."""

WAIT = 1.0
"""Seconds between two looks at the cluster while no cohort finishes."""


@dataclass(eq=False)
class _Task:
    """A cohort that Ray has."""

    number: int
    cohort: Cohort
    begun: float
    """When it was handed out; later, when a worker began."""
    references: list[Any] = field(default_factory=list)
    """Two where a second worker has been given it, too."""
    waits: bool = True
    share: float = 0.0
    losses: int = 0


class Dispatch:
    """Trains one queue on a cluster.

    Args:
        cluster: the connected cluster.
        packed, common: references to the training inputs by the group's key, and to what all cohorts share.
        queue, progress: as in `Executor.train`.
        clock: seconds since any moment.

    Source: J. Dean, S. Ghemawat, "MapReduce: simplified data processing on large clusters", OSDI 2004, section 3.6
    (late tasks at the end are done twice).
    """

    def __init__(
        self,
        cluster: Cluster,
        packed: Mapping[str, Any],
        common: Any,
        queue: Queue,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        ray = cluster.ray
        self._cluster, self._ray, self._packed, self._common = cluster, ray, packed, common
        self._queue, self._progress, self._clock = queue, progress, clock
        # Lost cohorts are handed out again here, not by Ray: it retries one that is too large for its node for ever.
        self._train = ray.remote(worker.train).options(max_retries=0, **cluster.needs)
        self._shares = ray.remote(worker.Shares).options(num_cpus=0, **cluster.here()).remote()
        self._students, self._trained = queue.trainings, 0
        self._tasks: dict[int, _Task] = {}
        self._references: dict[Any, _Task] = {}
        self._slots: dict[str, int] = {}
        """By group, the most students of a cohort: a worker's program is made for as many."""
        self._paces: list[float] = []
        self._handed_out, self._looked, self._workers, self._idle = 0, -WAIT, 0, False

    def results(self) -> Iterator[CohortResult]:
        """Train everything in the queue and yield each cohort's results as they come; no student twice."""
        while self._queue.trainings or self._tasks:
            with self._cluster.answers():
                self._look()
                self._hand_out()
                ready = self._ready()
            for reference in ready:
                result = self._finished(reference)
                if result is not None:
                    yield result
            self._report()

    def _look(self) -> None:
        """Ask the cluster for its workers and their progress, once a second: it is slower than all else here."""
        if self._clock() - self._looked < WAIT:
            return
        self._looked = self._clock()
        if not self._cluster.nodes():
            raise WorkError("The cluster has no node left. Start one, and run the same command again.")
        self._workers = self._cluster.workers()
        try:
            shares = self._ray.get(self._shares.read.remote(), timeout=WAIT)
        except self._ray.exceptions.RayError:  # only the progress bar needs them
            return
        for number, share in shares.items():
            task = self._tasks.get(number)
            if task is not None:
                if task.waits:
                    task.waits, task.begun = False, self._clock()
                task.share = max(share, task.share)

    def _hand_out(self) -> None:
        while len(self._references) < AHEAD * self._workers:
            cohort = self._queue.take(self._workers)
            if cohort is None:
                break
            self._slots.setdefault(cohort.key, len(cohort.trainings))
            self._handed_out += 1
            task = self._tasks[self._handed_out] = _Task(self._handed_out, cohort, self._clock())
            self._submit(task)
        if not self._queue.trainings and len(self._references) < self._workers:
            late = self._late()
            if late is not None:
                self._submit(late)

    def _submit(self, task: _Task) -> None:
        key = task.cohort.key
        reference = self._train.remote(
            self._common, self._packed[key], task.cohort.trainings, self._slots[key], self._shares, task.number
        )
        task.references.append(reference)
        self._references[reference] = task

    def _late(self) -> _Task | None:
        """The most overdue cohort that only one worker has."""
        if not self._paces:
            return None
        pace, now = LATE * statistics.median(self._paces), self._clock()
        overdue = [
            (now - task.begun - pace * task.cohort.seconds, task)
            for task in self._tasks.values()
            if len(task.references) == 1
        ]
        seconds, task = max(overdue, key=lambda pair: pair[0], default=(0.0, None))
        return task if seconds > 0 else None

    def _ready(self) -> list[Any]:
        """Wait for the next finished cohort, or for a moment."""
        if self._references:
            ready, _ = self._ray.wait(list(self._references), num_returns=1, timeout=WAIT)
            return list(ready)
        if not self._idle:
            self._idle = True
            self._progress.note("The cluster has no worker just now; waiting for a node: ray start --address HOST:PORT")
        time.sleep(WAIT)
        return []

    def _finished(self, reference: Any) -> CohortResult | None:
        """The result of a cohort; None where nothing was trained, and it has been handed out again."""
        ray, task = self._ray, self._references.pop(reference)
        task.references.remove(reference)
        try:
            result: CohortResult | None = ray.get(reference)
        except ray.exceptions.OutOfMemoryError:  # the node's memory ran out, and Ray ended the worker
            result = None
        except ray.exceptions.RayTaskError as error:
            raise WorkError(cause(error)) from error
        except ray.exceptions.RayError as error:
            task.losses += 1
            if task.losses >= TRIES:
                raise WorkError(
                    f"A cohort of {len(task.cohort.trainings)} students was lost {TRIES} times "
                    f"({type(error).__name__}). The same command continues; lower batch_size if "
                    "memory runs out."
                ) from error
            with self._cluster.answers():
                self._submit(task)
            return None
        del self._tasks[task.number]
        for other in task.references:  # another worker was faster
            del self._references[other]
            with self._cluster.answers():
                ray.cancel(other, force=True)
        trained = 0 if result is None else result.students
        self._trained += trained
        if trained < len(task.cohort.trainings):
            self._put_back(task.cohort, trained)
        elif task.cohort.seconds > 0:
            self._paces.append((self._clock() - task.begun) / task.cohort.seconds)
        return result

    def _put_back(self, cohort: Cohort, trained: int) -> None:
        """Put back the students of a cohort that its worker's memory did not hold."""
        size = len(cohort.trainings)
        if not trained and size <= self._queue.resources.devices:
            raise WorkError(
                f"Memory ran out on a worker with {size} students, one a device. Lower batch_size, or give workers "
                "more: a higher --worker-cpus leaves room for fewer of them on a node."
            )
        largest = trained or size // 2
        if largest < self._slots[cohort.key]:  # cohorts of the old size may still come back
            self._slots[cohort.key] = largest
            self._progress.note(
                f"A worker's memory holds at most {trained} students at a time."
                if trained
                else f"Memory ran out on a worker with {size} students; continuing with half."
            )
        self._queue.put_back(cohort, cohort.trainings[trained:], largest)

    def _report(self) -> None:
        begun = [task for task in self._tasks.values() if not task.waits]
        partly = sum(task.share * len(task.cohort.trainings) for task in begun)
        at_work = sum(len(task.cohort.trainings) for task in begun)
        self._progress.students(self._trained + partly, self._students, at_work)
