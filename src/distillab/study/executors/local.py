"""Where a study's students train: one contract, and the executor that trains them in this process.

The contract. An executor makes a crew, which is given cohorts and gives back each cohort's results, in whatever order
they come. A cohort is idempotent: trained anywhere, again or elsewhere, it gives the same results, so that it may be
lost and tried again. An executor writes nothing; who runs the study records what it is given, and only that counts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.devices import inside
from distillab.study.classroom import Classroom
from distillab.study.executors.dispatch import Finished, WorkerPool
from distillab.study.progress import Progress
from distillab.study.queue import Cohort, Resources
from distillab.study.settings import Settings
from distillab.study.splits import Split
from distillab.study.storage.records import TrialResult
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Trial

SEATS = {"loop": 8, "vmap": 64}
"""Students a device trains before their results are recorded: few where they take turns, so that little is lost when
the run is stopped; many where they train at once."""

Pupil: TypeAlias = list[Trial]
"""A student to train: one trial, or several where it is measured at several epochs."""


class TrainingInputs(NamedTuple):
    """What the cohorts that one program can train share."""

    settings: Settings
    """Of any of their trials."""
    rows: Split
    teachers: dict[str, TeacherPredictions]
    """Those that their trials name."""
    taught: dict[str, Settings]
    """By teacher, the settings of any trial that it teaches."""


class Done(NamedTuple):
    """A cohort, or a part of one, that is trained."""

    settings: Settings
    """Of one of its trials."""
    records: list[TrialResult]
    students: int
    examples: int
    """Training examples that one student saw, over all epochs."""
    seconds: float
    """Of training, compilation included."""


class Executor(Protocol):
    """Knows where students can be trained, and makes a crew there."""

    @property
    def team(self) -> Resources:
        """Who trains them."""

    @property
    def where(self) -> tuple[int, str]:
        """How many devices, and JAX's name of their kind: for the record."""

    def crew(
        self, dataset: Dataset, keys: Sequence[str], lesson: Callable[[str], TrainingInputs], progress: Progress
    ) -> WorkerPool[Pupil, Done]:
        """Workers for a study.

        Args:
            dataset: the data.
            keys: of its loads, in the order in which they are trained.
            lesson: makes what the cohorts of a load share, by its key; its teachers may have to be trained first.
            progress: is told where memory decides.
        """


@dataclass(frozen=True)
class Local:
    """This process, on its own devices.

    Args:
        grid: the devices.
        seats: students a device trains before their results are recorded; decides no result.
        memory: bytes that each device may use; None: by the device's own account.
    """

    grid: Mesh
    seats: int | None = None
    memory: int | None = None

    @property
    def team(self) -> Resources:
        how = inside(self.where[1])
        return Resources(1, self.grid.size, self.seats or SEATS[how], shrinks=how == "loop")

    @property
    def where(self) -> tuple[int, str]:
        return self.grid.size, self.grid.devices.flat[0].platform

    def crew(
        self, dataset: Dataset, keys: Sequence[str], lesson: Callable[[str], TrainingInputs], progress: Progress
    ) -> WorkerPool[Pupil, Done]:
        return _Here(self, dataset, lesson, progress)


@dataclass
class _Here:
    """One worker: this process, which trains a cohort whenever it is waited for."""

    executor: Local
    dataset: Dataset
    lesson: Callable[[str], TrainingInputs]
    progress: Progress
    workers: int = 1
    _waiting: deque[tuple[int, Cohort[Pupil]]] = field(default_factory=deque)
    _given: int = 0
    _room: tuple[str, Classroom] | None = None
    """Of the load at work, as large as its first cohort: later ones are no larger."""

    def submit(self, cohort: Cohort[Pupil]) -> int:
        self._given += 1
        self._waiting.append((self._given, cohort))
        return self._given

    def wait(self, report: Callable[[Hashable, float], None]) -> Sequence[Finished[Done]]:
        ticket, cohort = self._waiting.popleft()
        report(ticket, 0.0)
        if self._room is None or self._room[0] != cohort.key:
            self._room = None  # its arrays make place for the next one's
            found, how = self.lesson(cohort.key), self.executor
            room = Classroom(
                self.dataset,
                found.settings,
                found.rows,
                found.teachers,
                how.grid,
                len(cohort.students),
                how.memory,
                self.progress,
            )
            self._room = cohort.key, room
        done = train_cohort(self._room[1], cohort.students, lambda share: report(ticket, share))
        return [Finished(ticket, done, done.students)]

    def cancel(self, ticket: Hashable) -> None:
        self._waiting = deque((other, cohort) for other, cohort in self._waiting if other != ticket)

    def clock(self) -> float:
        return time.monotonic()


def train_cohort(room: Classroom, students: Sequence[Pupil], report: Callable[[float], None]) -> Done:
    """Train as many of a cohort's students in a classroom, from the first on, as memory holds at once.

    Args:
        room: where.
        students: who.
        report: is told the share of their training that is over, below 1.
    """
    settings = students[0][0].settings
    epochs = settings.epochs
    records, trained, seconds = room.train(students, lambda epoch: report(epoch / epochs) if epoch < epochs else None)
    return Done(settings, records, trained, epochs * len(room.rows.train), seconds)
