"""Where a study's students train: one contract, and the executor that trains them in this process.

The contract. An executor is given groups of cohorts and gives back each cohort's results, in whatever order they come.
A cohort is idempotent: trained anywhere, again or elsewhere, it gives the same results, so that it may be lost and
tried again. An executor writes nothing; who runs the study records what it is given, and only that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.devices import inside
from distillab.study.classroom import Classroom
from distillab.study.material import Split
from distillab.study.plan import Trial, trainings
from distillab.study.progress import Progress
from distillab.study.settings import Settings
from distillab.study.store import TrialRecord
from distillab.study.teachers import Answers

SEATS = {"loop": 8, "vmap": 64}
"""Students a device trains before their results are recorded: few where they take turns, so that little is lost when
the run is stopped; many where they train at once."""


class Group(NamedTuple):
    """Cohorts that one program can train, and what they share."""

    settings: Settings
    """Of any of their trials."""
    rows: Split
    teachers: dict[str, Answers]
    """Those that their trials name."""
    cohorts: list[list[Trial]]

    @property
    def largest(self) -> int:
        """The students of the largest cohort."""
        return max(len(trainings(cohort)) for cohort in self.cohorts)


class Done(NamedTuple):
    """A cohort, or a part of one, that is trained."""

    records: list[TrialRecord]
    students: int
    examples: int
    """Training examples that one student saw, over all epochs."""
    seconds: float
    """Of training, compilation included."""


class Executor(Protocol):
    """Trains cohorts."""

    @property
    def capacity(self) -> int:
        """The most students of a cohort."""

    @property
    def where(self) -> tuple[int, str]:
        """How many devices, and JAX's name of their kind: for the record."""

    def train(self, dataset: Dataset, groups: Iterable[Group], cohorts: int, progress: Progress) -> Iterator[Done]:
        """Train every cohort of every group once.

        Args:
            dataset: the data.
            groups: in order; each is asked for when there is room for it.
            cohorts: how many there are in all, for the progress.
            progress: is told.

        Yields:
            What is trained, as it comes.

        Raises:
            WorkError: a cohort cannot be trained, or nothing is left to train on.
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
    def capacity(self) -> int:
        return self.grid.size * (self.seats or SEATS[inside(self.where[1])])

    @property
    def where(self) -> tuple[int, str]:
        return self.grid.size, self.grid.devices.flat[0].platform

    def train(self, dataset: Dataset, groups: Iterable[Group], cohorts: int, progress: Progress) -> Iterator[Done]:
        number = 0
        for group in groups:
            room = Classroom(
                dataset, group.settings, group.rows, group.teachers, self.grid, group.largest, self.memory, progress
            )
            for cohort in group.cohorts:
                number += 1
                yield from train_cohort(room, cohort, _reporter(progress, number, cohorts, cohort))


def train_cohort(room: Classroom, cohort: Sequence[Trial], on_epoch: Callable[[int], None]) -> Iterator[Done]:
    """Train one cohort in a classroom, in as many parts as memory asks for."""
    examples = cohort[0].settings.epochs * len(room.rows.train)
    for records, students, seconds in room.train(cohort, on_epoch):
        yield Done(records, students, examples, seconds)


def _reporter(progress: Progress, number: int, cohorts: int, cohort: Sequence[Trial]) -> Callable[[int], None]:
    """Tell that a cohort begins, and return what tells of its epochs."""
    students, epochs = len(trainings(cohort)), cohort[0].settings.epochs

    def tell(epoch: int) -> None:
        progress.cohort(number, cohorts, students, epoch, epochs)

    tell(0)
    return tell
