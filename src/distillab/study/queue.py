"""The trainings that a run still has to do, handed out in cohorts as workers ask for them.

Longest jobs first, so that only short ones remain at the end; where several workers share the queue, cohorts shrink
towards the end, so that all workers finish at nearly the same time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distillab.study.trials import Group, Training

ROUNDS = 4
"""A cohort is at most this fraction of a worker's fair share of the remaining work, so that a worker three times slower
than planned still keeps up: the best of 2, 3 and 4 in benchmarks/simulation.py."""


class Resources(NamedTuple):
    """The workers of an executor, and the devices of each."""

    workers: int
    devices: int = 1
    """Devices of one worker; a cohort is spread over them."""
    slots: int = 8
    """The most trainings of a cohort on one device."""
    shrinks: bool = True
    """Whether a small cohort is faster than a full one. False where a device trains its students at once, in a program
    whose empty slots cost as much as taken ones."""

    @property
    def capacity(self) -> int:
        """The most trainings of a cohort."""
        return self.devices * self.slots

    def rounds(self, trainings: int) -> int:
        """The most trainings that one device of a worker does one after another.

        Args:
            trainings: of the worker's cohort.
        """
        return -(-trainings // self.devices)


@dataclass(frozen=True)
class Cohort:
    """Trainings of one group that one worker does side by side.

    Args:
        key: of the group.
        trainings: at least one.
        seconds: estimated time on the worker.
    """

    key: str
    trainings: Sequence[Training]
    seconds: float


class Queue:
    """Hands out every training in exactly one cohort.

    Args:
        groups: in any order.
        resources: the workers.

    Example:
        >>> queue = Queue([Group("short", range(2), 1.0), Group("long", range(20), 9.0)], Resources(2, slots=4))
        >>> [(cohort.key, len(cohort.trainings)) for cohort in iter(queue.take, None)][:5]
        [('long', 2), ('long', 2), ('long', 2), ('long', 1), ('long', 1)]

    Source: S. F. Hummel, E. Schonberg, L. E. Flynn, "Factoring: a method for scheduling parallel loops", Communications
    of the ACM 1992 (cohorts that shrink with the remaining work); R. L. Graham, "Bounds on multiprocessing timing
    anomalies", SIAM Journal on Applied Mathematics 1969 (longest first).
    """

    def __init__(self, groups: Iterable[Group], resources: Resources) -> None:
        self.resources = resources
        longest_first = sorted((group for group in groups if group.trainings), key=lambda group: -group.seconds)
        self._groups = [(group, list(group.trainings)) for group in longest_first]
        self._largest = {group.key: resources.capacity for group in longest_first}

    @property
    def keys(self) -> list[str]:
        """Keys of the groups with trainings in the queue, in order."""
        return [group.key for group, _ in self._groups]

    @property
    def trainings(self) -> int:
        """Number of trainings in the queue."""
        return sum(len(waiting) for _, waiting in self._groups)

    @property
    def seconds(self) -> float:
        """Estimated time of the queue on one device."""
        return sum(group.seconds * len(waiting) for group, waiting in self._groups)

    def take(self, workers: int | None = None) -> Cohort | None:
        """Remove the next cohort; None where the queue is empty.

        Args:
            workers: number of workers that share the queue now; by default all of the resources.
        """
        if not self._groups:
            return None
        group, waiting = self._groups[0]
        size = self._size(group, len(waiting), workers or self.resources.workers)
        taken, waiting[:] = waiting[:size], waiting[size:]
        if not waiting:
            del self._groups[0]
        return Cohort(group.key, taken, group.seconds * self.resources.rounds(len(taken)))

    def put_back(self, cohort: Cohort, trainings: Sequence[Training], largest: int) -> None:
        """Take back trainings for which memory ran out; they are handed out next.

        Args:
            cohort: the cohort that they were in.
            trainings: some of its trainings.
            largest: the most trainings of the group's cohorts from now on.
        """
        self._largest[cohort.key] = max(1, min(self._largest[cohort.key], largest))
        for group, waiting in self._groups:
            if group.key == cohort.key:
                waiting[:0] = trainings
                return
        each = cohort.seconds / self.resources.rounds(len(cohort.trainings))
        self._groups.insert(0, (Group(cohort.key, trainings, each), list(trainings)))

    def _size(self, group: Group, waiting: int, workers: int) -> int:
        """Size of the next cohort, as equal as possible on the devices of its worker."""
        devices, largest = self.resources.devices, self._largest[group.key]
        if workers > 1 and self.resources.shrinks:
            fair = self.seconds / (ROUNDS * workers * devices)  # seconds of a worker
            rounds = fair / group.seconds if group.seconds > 0 else math.inf
            largest = min(largest, devices * max(1, int(min(rounds, largest))))
        cohorts = -(-waiting // largest)
        return min(largest, waiting, devices * -(-waiting // (cohorts * devices)))


def makespan(queue: Queue) -> tuple[float, int]:
    """Seconds that a queue takes if every worker takes a cohort whenever it is free, and the number of cohorts.

    Args:
        queue: is emptied.
    """
    free_at, cohorts = [0.0] * max(1, queue.resources.workers), 0
    while (cohort := queue.take()) is not None:
        heapq.heapreplace(free_at, free_at[0] + cohort.seconds)
        cohorts += 1
    return max(free_at), cohorts
