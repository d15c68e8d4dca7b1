"""Handing a backlog to a crew of workers and gathering what comes back: one loop, for real crews and simulated ones."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from distillab.study.queue import Cohort, Queue

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Cohorts handed out for each worker: one at work, and one so that it need not wait for the next."""

LATE = 1.5
"""A cohort that takes so many times what it should is also given to a worker that has nothing else to do."""


class Finished(NamedTuple, Generic[R]):
    """What came of a cohort."""

    ticket: Hashable
    result: R | None
    """None where nothing was trained."""
    trained: int
    """Of its students, the first so many; memory did not hold the others, and they are handed out again, fewer at a
    time."""


class WorkerPool(Protocol[T, R]):
    """Workers that train cohorts, several at once or one after another.

    A cohort is idempotent: a crew may lose it and try it again, and may be given it twice.
    """

    @property
    def workers(self) -> int:
        """How many there are now."""

    def submit(self, cohort: Cohort[T]) -> Hashable:
        """Hand out a cohort, and return what it is called from now on."""

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[R]]:
        """Wait until a cohort is finished, or for a moment; also where none is at work, while there is no worker.

        Args:
            report: is told what share of a cohort is trained, 0 when it begins; below 1, for what is trained is
                recorded before it is told of.

        Raises:
            WorkError: a cohort cannot be trained, or no worker is left.
        """

    def cancel(self, ticket: Hashable) -> None:
        """Forget a cohort: another worker was faster."""

    def clock(self) -> float:
        """Seconds since any moment."""


@dataclass(eq=False)
class _Work(Generic[T]):
    """A cohort that has been handed out."""

    cohort: Cohort[T]
    begun: float
    """When it was handed out, and later, when a worker began."""
    tickets: list[Hashable]
    """Two where a second worker has been given it, too."""
    waits: bool = True
    share: float = 0.0


def dispatch(
    backlog: Queue[T], crew: WorkerPool[T, R], tell: Callable[[float, int, int], None] | None = None
) -> Iterator[R]:
    """Train everything in a backlog.

    Args:
        backlog: is emptied.
        crew: trains.
        tell: is told how many students are trained, those at work in part; of how many; and how many are at work.

    Yields:
        What was trained, as it comes; no student twice.

    Source: J. Dean, S. Ghemawat, "MapReduce: simplified data processing on large clusters", OSDI 2004, section 3.6
    (what is late at the end is done twice).
    """
    students, trained = backlog.students, 0
    at_work: dict[Hashable, _Work[T]] = {}
    paces: list[float] = []

    def tell_all() -> None:
        if tell is None:
            return
        begun = [work for work in dict.fromkeys(at_work.values()) if not work.waits]
        partly = sum(work.share * len(work.cohort.students) for work in begun)
        tell(trained + partly, students, sum(len(work.cohort.students) for work in begun))

    def report(ticket: Hashable, share: float) -> None:
        if ticket in at_work:
            work = at_work[ticket]
            if work.waits:
                work.waits, work.begun = False, crew.clock()
            work.share = max(share, work.share)
            tell_all()

    while True:
        while len(at_work) < AHEAD * crew.workers and (cohort := backlog.take(crew.workers)) is not None:
            ticket = crew.submit(cohort)
            at_work[ticket] = _Work(cohort, crew.clock(), [ticket])
        if not at_work and not backlog.students:
            return
        late = None if backlog.students or len(at_work) >= crew.workers else _late(at_work, paces, crew.clock())
        if late is not None:
            again = crew.submit(late.cohort)
            late.tickets.append(again)
            at_work[again] = late
        finished = crew.wait(report)
        if not finished:
            tell_all()
        for ticket, result, done in finished:
            work = at_work.get(ticket)
            if work is None:
                continue  # the slower of two
            for each in work.tickets:
                del at_work[each]
                if each != ticket:
                    crew.cancel(each)
            rest = work.cohort.students[done:]
            if rest:
                backlog.give_back(work.cohort, rest, done or len(rest) // 2)
            elif work.cohort.seconds > 0:
                paces.append((crew.clock() - work.begun) / work.cohort.seconds)
            trained += done
            if result is not None:
                yield result
            tell_all()


def _late(at_work: dict[Hashable, _Work[T]], paces: list[float], now: float) -> _Work[T] | None:
    """The cohort that is most overdue, of those that one worker alone has."""
    if not paces:
        return None
    pace = LATE * statistics.median(paces)
    overdue = [
        (now - work.begun - pace * work.cohort.seconds, work) for work in at_work.values() if len(work.tickets) == 1
    ]
    by, work = max(overdue, key=lambda pair: pair[0], default=(0.0, None))
    return work if by > 0 else None
