"""The executor for a Ray cluster.

Data and teachers' answers lie in Ray's object store, once on each node. A worker, or a node, may die at any moment: Ray
trains its cohorts again elsewhere, to the same results. This process alone records them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from distillab.data import Dataset
from distillab.errors import WorkError
from distillab.study.backlog import Cohort, Team
from distillab.study.cluster import worker
from distillab.study.cluster.connection import cause, check_nodes, check_resources, connected, nodes, workers
from distillab.study.dispatch import Crew, Finished
from distillab.study.executor import SEATS, Done, Lesson, Pupil
from distillab.study.progress import Progress

TRIES = 20
"""How often a cohort is tried again where workers or nodes die."""

WAIT = 1.0
"""Seconds between two looks at the cluster while nothing is finished."""


@dataclass
class RayExecutor:
    """A Ray cluster that is there already.

    Args:
        address: "auto", or "host:port" of the cluster's head.
        cpus: cores for each cohort; its students are spread over them.
        gpus: GPUs for each cohort.
        seats: students a core or GPU trains in a cohort; decides no result.
        memory: bytes that each device may use; None: by the device's own account.

    Raises:
        RequestError: Ray is not installed, there is no cluster, its nodes differ in versions or have too little.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: int = 0
    seats: int | None = None
    memory: int | None = None
    _ray: Any = field(init=False, repr=False)
    _processors: tuple[str, ...] = field(init=False, repr=False)
    _ready: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ray = connected(self.address)
        check_resources(self._ray, cpus=self.cpus, gpus=self.gpus)
        self._processors = check_nodes(self._ray)
        # Workers start and import what they need while teachers are still being trained.
        ready = self._ray.remote(worker.get_ready).options(**self.needs)
        self._ready = [ready.remote(self.devices, self.gpus > 0) for _ in range(self.team.workers)]

    @property
    def ray(self) -> Any:
        """Ray itself, connected."""
        return self._ray

    @property
    def needs(self) -> dict[str, int]:
        """What Ray must set aside for a worker."""
        return {"num_cpus": 0 if self.gpus else self.cpus, "num_gpus": self.gpus}

    @property
    def devices(self) -> int:
        """Of each worker."""
        return self.gpus or self.cpus

    @property
    def team(self) -> Team:
        seats = self.seats or SEATS["vmap" if self.gpus else "loop"]
        return Team(workers(self._ray, cpus=self.cpus, gpus=self.gpus), self.devices, seats, shrinks=not self.gpus)

    @property
    def where(self) -> tuple[int, str]:
        return self.team.workers * self.devices, "gpu" if self.gpus else "cpu"

    def crew(self, dataset: Dataset, lesson: Callable[[str], Lesson], progress: Progress) -> Crew[Pupil, Done]:
        if len(self._processors) > 1:
            progress.note(
                f"The nodes have different processors ({', '.join(self._processors)}): numbers may differ in rounding "
                "from those of one machine."
            )
        return _RayCrew(self, dataset, lesson, progress)


class _RayCrew:
    """Ray's workers; see `distillab.study.dispatch.Crew`."""

    def __init__(
        self, executor: RayExecutor, dataset: Dataset, lesson: Callable[[str], Lesson], progress: Progress
    ) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ray = self._ray = executor.ray
        self._executor, self._lesson, self._progress = executor, lesson, progress
        self._run = time.time_ns()
        self._dataset = ray.put(dataset)
        self._lessons: dict[str, Any] = {}
        self._seats: dict[str, int] = {}
        self._task = ray.remote(worker.train).options(max_retries=TRIES, retry_exceptions=False, **executor.needs)
        self._waiting: dict[Any, tuple[int, Cohort[Pupil]]] = {}
        self._given, self._looked, self._read, self._workers = 0, 0.0, 0.0, 0
        beside = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board = ray.remote(worker.Board).options(num_cpus=0, scheduling_strategy=beside).remote()
        self._terms = ray.put(worker.Terms(executor.devices, executor.gpus > 0, executor.memory, worker.versions()))

    @property
    def workers(self) -> int:
        if time.monotonic() - self._looked > WAIT:  # asking the cluster takes longer than all else here
            self._looked = time.monotonic()
            self._workers = workers(self._ray, cpus=self._executor.cpus, gpus=self._executor.gpus)
        return self._workers

    def submit(self, cohort: Cohort[Pupil]) -> int:
        if cohort.key not in self._lessons:
            lesson = self._lesson(cohort.key)
            self._seats[cohort.key] = lesson.largest
            self._lessons[cohort.key] = self._ray.put(worker.packed(lesson, f"{self._run} {cohort.key}"))
        self._given += 1
        reference = self._task.remote(
            self._dataset,
            self._lessons[cohort.key],
            cohort.students,
            self._seats[cohort.key],
            self._terms,
            self._board,
            self._given,
        )
        self._waiting[reference] = self._given, cohort
        return self._given

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Done]]:
        ray = self._ray
        ready, _ = ray.wait(list(self._waiting), num_returns=1, timeout=WAIT)
        if time.monotonic() - self._read > WAIT:
            self._read = time.monotonic()
            if not nodes(ray):
                raise WorkError("The cluster has no node left. Start one, and run the same command again.")
            for ticket, share in self._shares().items():
                report(ticket, share)
        return [self._finished(reference) for reference in ready]

    def cancel(self, ticket: Hashable) -> None:
        for reference in [reference for reference, (given, _) in self._waiting.items() if given == ticket]:
            del self._waiting[reference]
            self._ray.cancel(reference, force=True)

    def clock(self) -> float:
        return time.monotonic()

    def _shares(self) -> dict[int, float]:
        """How far cohorts at work are."""
        try:
            found: dict[int, float] = self._ray.get(self._board.read.remote(), timeout=WAIT)
        except self._ray.exceptions.RayError:  # how far they are is nice to know: nothing depends on it
            return {}
        return found

    def _finished(self, reference: Any) -> Finished[Done]:
        ray = self._ray
        ticket, cohort = self._waiting.pop(reference)
        try:
            attempt: worker.Attempt = ray.get(reference)
        except ray.exceptions.OutOfMemoryError as error:  # the node's own memory: Ray has ended the worker
            return self._fewer(ticket, cohort, error)
        except ray.exceptions.RayTaskError as error:
            raise WorkError(cause(error)) from error
        except ray.exceptions.RayError as error:
            raise WorkError(
                f"A cohort of {len(cohort.students)} students was lost {TRIES} times or more ({type(error).__name__}). "
                "The same command goes on from what is recorded; lower --worker-cpus or batch_size if memory runs out."
            ) from error
        if attempt.done is None:
            return self._fewer(ticket, cohort, None)
        if attempt.trained < len(cohort.students) and attempt.trained < self._seats[cohort.key]:
            self._progress.note(f"A worker's memory does not hold more students at a time than {attempt.trained}.")
            self._seats[cohort.key] = attempt.trained
        return Finished(ticket, attempt.done, attempt.trained)

    def _fewer(self, ticket: int, cohort: Cohort[Pupil], error: Exception | None) -> Finished[Done]:
        """Nothing was trained, for memory ran out: try with half the students."""
        if len(cohort.students) <= self._executor.devices:
            raise WorkError(
                f"Memory ran out on a worker with {len(cohort.students)} students, one a device. Lower batch_size, or "
                "give workers more: a higher --worker-cpus leaves room for fewer of them on a node."
            ) from error
        self._progress.note(f"Memory ran out on a worker with {len(cohort.students)} students; going on with half.")
        self._seats[cohort.key] = min(self._seats[cohort.key], len(cohort.students) // 2)
        return Finished(ticket, None, 0)
