"""What is still to train, handed out in cohorts as workers ask for them.

Dear students go first, so that what is left for the end is cheap; and where several workers share the work, cohorts
grow smaller towards the end, so that all of them finish at nearly the same time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

ROUNDS = 4
"""A cohort is at most the fourth part of a worker's fair share of the work left, so that a worker three times as slow
as thought can still keep up: of 2, 3 and 4, what benchmarks/simulation.py found best."""


class Resources(NamedTuple):
    """Who trains: so many workers, each with its devices."""

    workers: int
    devices: int = 1
    """Of each worker; a cohort's students are spread over them."""
    seats: int = 8
    """The most students of a cohort on each device."""
    shrinks: bool = True
    """Whether a small cohort takes less time than a full one: not where students of a device train at once, in a
    program whose empty seats cost as much as taken ones."""

    @property
    def capacity(self) -> int:
        """The most students of a cohort."""
        return self.devices * self.seats


@dataclass(frozen=True)
class Load(Generic[T]):
    """Students that one program can train.

    Args:
        key: what they have in common.
        students: in the order in which they are trained.
        seconds: that one of them takes on one device, as estimated.
    """

    key: str
    students: Sequence[T]
    seconds: float = 1.0


@dataclass(frozen=True)
class Cohort(Generic[T]):
    """Students that train side by side on one worker.

    Args:
        key: of their load.
        students: at least one.
        seconds: that a worker takes for them, as estimated.
    """

    key: str
    students: Sequence[T]
    seconds: float


class Queue(Generic[T]):
    """Students still to train; every one is in exactly one of the cohorts that are taken.

    Args:
        loads: in any order.
        team: who trains them.

    Example:
        >>> backlog = Backlog([Load("cheap", range(2), 1.0), Load("dear", range(20), 9.0)], Team(workers=2, seats=4))
        >>> [(cohort.key, len(cohort.students)) for cohort in iter(backlog.take, None)][:7]
        [('dear', 2), ('dear', 2), ('dear', 2), ('dear', 1), ('dear', 1), ('dear', 1), ('dear', 1)]

    Source: S. F. Hummel, E. Schonberg, L. E. Flynn, "Factoring: a method for scheduling parallel loops", Communications
    of the ACM 1992 (shares that shrink with the work left); R. L. Graham, "Bounds on multiprocessing timing anomalies",
    SIAM Journal on Applied Mathematics 1969 (longest first).
    """

    def __init__(self, loads: Iterable[Load[T]], team: Resources) -> None:
        self.team = team
        dear_first = sorted((load for load in loads if load.students), key=lambda load: -load.seconds)
        self._left = [(load, list(load.students)) for load in dear_first]
        self._most = {load.key: team.capacity for load in dear_first}

    @property
    def keys(self) -> list[str]:
        """Of the loads that are left, in order."""
        return [load.key for load, _ in self._left]

    @property
    def students(self) -> int:
        """How many are left."""
        return sum(len(students) for _, students in self._left)

    @property
    def seconds(self) -> float:
        """What is left, in seconds of one device."""
        return sum(load.seconds * len(students) for load, students in self._left)

    def take(self, workers: int | None = None) -> Cohort[T] | None:
        """The next cohort; None where nothing is left.

        Args:
            workers: that share the work now; by default the team's.
        """
        if not self._left:
            return None
        load, students = self._left[0]
        size = min(self._size(load, len(students), workers or self.team.workers), len(students))
        taken, rest = students[:size], students[size:]
        if rest:
            self._left[0] = load, rest
        else:
            del self._left[0]
        turns = -(-size // self.team.devices)
        return Cohort(load.key, taken, load.seconds * turns)

    def give_back(self, cohort: Cohort[T], students: Sequence[T], most: int) -> None:
        """Take back students who could not be trained, to be handed out next.

        Args:
            cohort: that they were in.
            students: any of its.
            most: students of a cohort of theirs from now on, for memory does not hold more.
        """
        self._most[cohort.key] = max(1, min(self._most[cohort.key], most))
        place = next((place for place, (load, _) in enumerate(self._left) if load.key == cohort.key), None)
        if place is None:
            each = cohort.seconds / -(-len(cohort.students) // self.team.devices)
            self._left.insert(0, (Load(cohort.key, students, each), list(students)))
        else:
            load, left = self._left[place]
            self._left[place] = load, [*students, *left]

    def _size(self, load: Load[T], left: int, workers: int) -> int:
        """How many students the next cohort should have: as many on every device of its worker."""
        devices, most = self.team.devices, self._most[load.key]
        if workers > 1 and self.team.shrinks:
            fair = self.seconds / (ROUNDS * workers * devices)  # seconds of a worker
            turns = fair / load.seconds if load.seconds > 0 else math.inf
            most = min(most, devices * max(1, int(min(turns, most))))
        cohorts = -(-left // most)
        return min(most, devices * -(-left // (cohorts * devices)))
