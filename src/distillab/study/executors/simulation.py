"""A crew that trains nothing: its workers take the time that cohorts should take, on a clock that jumps.

What a run will need is estimated with it, and what failures and slow workers cost (docs/scaling.md): the backlog and
the loop that hands it out are the very ones of real crews.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distillab.study.executors.dispatch import Finished, dispatch
from distillab.study.queue import Cohort, Queue


@dataclass(frozen=True)
class Weather:
    """What makes a cluster differ from its plan.

    Args:
        spread: of the time that a cohort takes around what it should, as the standard deviation of its logarithm.
        slow: the share of workers that are slow.
        slowness: how many times longer they take.
        failures: of a worker, in an hour; the cohort that it has at work is lost.
        away: seconds until a worker that failed is back.
        overhead: seconds of a cohort besides its training.
        seed: of chance.
    """

    spread: float = 0.0
    slow: float = 0.0
    slowness: float = 3.0
    failures: float = 0.0
    away: float = 60.0
    overhead: float = 0.0
    seed: int = 0


@dataclass
class SimulatedPool:
    """Workers on a simulated clock; see `distillab.study.executors.dispatch.Crew`.

    Args:
        workers: how many.
        weather: what befalls them.

    Attributes:
        paces: of each worker, how many times longer than planned it takes.
        lost: how many cohorts were lost and tried again.
        copies: how many were forgotten, for another worker was faster.
    """

    workers: int
    weather: Weather = field(default_factory=Weather)
    lost: int = 0
    copies: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.weather.seed)
        self._now = 0.0
        self._tickets = itertools.count()
        self._queue: deque[tuple[int, Cohort[Any]]] = deque()
        self._idle = list(range(self.workers))
        self._events: list[tuple[float, int, int, bool]] = []  # when, ticket, worker, whether it is finished
        self._at_work: dict[int, tuple[int, Cohort[Any]]] = {}
        self._new: list[int] = []  # tickets of cohorts that were begun since the last wait
        slow = np.arange(self.workers) < round(self.weather.slow * self.workers)
        self.paces = np.where(self._rng.permutation(slow), self.weather.slowness, 1.0)

    def clock(self) -> float:
        return self._now

    def submit(self, cohort: Cohort[Any]) -> int:
        ticket = next(self._tickets)
        self._queue.append((ticket, cohort))
        self._begin()
        return ticket

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Sequence[Any]]]:
        for ticket in self._new:
            report(ticket, 0.0)
        self._new = []
        self._now, ticket, worker, finished = heapq.heappop(self._events)
        if ticket < 0:  # a worker is back
            self._idle.append(worker)
            self._begin()
            return []
        if self._at_work.get(ticket, (None,))[0] != worker:
            return []  # it was taken from the worker
        _, cohort = self._at_work.pop(ticket)
        if not finished:
            self.lost += 1
            self._queue.appendleft((ticket, cohort))
            heapq.heappush(self._events, (self._now + self.weather.away, -1, worker, False))
            return []
        self._idle.append(worker)
        self._begin()
        return [Finished(ticket, cohort.students, len(cohort.students))]

    def cancel(self, ticket: Hashable) -> None:
        self.copies += 1
        self._queue = deque((other, cohort) for other, cohort in self._queue if other != ticket)
        if ticket in self._at_work:
            worker, _ = self._at_work.pop(ticket)
            self._idle.append(worker)
            self._begin()

    def _begin(self) -> None:
        """Give those who have nothing to do what waits longest."""
        while self._idle and self._queue:
            worker, (ticket, cohort) = self._idle.pop(0), self._queue.popleft()
            self._at_work[ticket] = worker, cohort
            self._new.append(ticket)
            luck = float(np.exp(self.weather.spread * self._rng.standard_normal()))
            takes = cohort.seconds * float(self.paces[worker]) * luck + self.weather.overhead
            lives = float(self._rng.exponential(3600 / self.weather.failures)) if self.weather.failures else takes
            heapq.heappush(self._events, (self._now + min(takes, lives), ticket, worker, takes <= lives))


def makespan(backlog: Queue[Any], crew: SimulatedPool) -> tuple[float, int]:
    """How long a crew needs for a backlog, and in how many cohorts.

    Args:
        backlog: is emptied.
        crew: fresh.

    Returns:
        Seconds, cohorts.
    """
    cohorts = sum(1 for _ in dispatch(backlog, crew))
    return crew.clock(), cohorts
