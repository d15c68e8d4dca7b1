"""The contract of executors, which train a study's students.

An executor takes a queue of groups and yields the results of cohorts as they finish, in any order. It asks for a
group's training inputs when the group's first cohort is due, or for all of them before it hands out the first cohort:
teachers may have to be trained for them. It reports progress and writes nothing; the caller records the results. A
cohort is idempotent: trained again or elsewhere it gives the same results, so an executor may lose and repeat it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

from distillab.data import Dataset
from distillab.study.classroom import Classroom
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources
from distillab.study.settings import Settings
from distillab.study.splits import Split
from distillab.study.storage.records import TrialResult
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Trial

SLOTS = {"loop": 8, "vmap": 64}
"""Students that a device trains before their results are recorded: few where they train one after another, so that a
stopped run loses little; many where they train at once."""

Training: TypeAlias = list[Trial]
"""A student to train: one trial, or several where the student is measured at several epochs."""


class TrainingInputs(NamedTuple):
    """Inputs that all cohorts of a group share."""

    settings: Settings
    """Of any of their trials."""
    rows: Split
    teachers: dict[str, TeacherPredictions]
    """By identity, the teachers of their trials."""
    taught: dict[str, Settings]
    """By the teacher's identity, the settings of any of its trials."""


class CohortResult(NamedTuple):
    """A trained cohort, or the part of it that memory held at once."""

    settings: Settings
    """Of one of its trials."""
    records: list[TrialResult]
    trainings: int
    """Number of trained students: the first ones of the cohort."""
    examples: int
    """Training examples of one student over all epochs."""
    seconds: float
    """Of training, compilation included."""
    pace: float | None
    """Seconds of one example on one device, compilation left out; None where it could not be measured."""


class Executor(Protocol):
    """Trains students on resources of its own."""

    @property
    def resources(self) -> Resources:
        """The workers and their devices."""

    @property
    def where(self) -> tuple[int, str]:
        """Number of devices and JAX's name of their platform, for the record."""

    def train(
        self, queue: Queue[Training], inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> Iterator[CohortResult]:
        """Train everything in a queue.

        Args:
            queue: is emptied.
            inputs: makes the training inputs of a group from its key.
            dataset: the data.
            progress: is told how many students are trained, and where memory limits a cohort.

        Yields:
            The results of each cohort; no student twice.

        Raises:
            WorkError: a cohort cannot be trained.
        """


def train_cohort(
    trainer: Classroom, trainings: Sequence[Training], devices: int, *, compiled: bool, report: Callable[[float], None]
) -> CohortResult:
    """Train the first students of a cohort, as many as memory holds at once.

    Args:
        trainer: of the cohort's group.
        trainings: the cohort.
        devices: that the trainer spreads students over.
        compiled: whether the trainer has trained before, so that nothing is compiled now.
        report: is told the finished fraction of the epochs, below 1: only recorded students count as finished.
    """
    settings = trainings[0][0].settings
    epochs, examples = settings.epochs, len(trainer.rows.train)
    marks: list[float] = []

    def on_epoch(epoch: int) -> None:
        marks.append(time.perf_counter())
        if epoch < epochs:
            report(epoch / epochs)

    records, trained, seconds = trainer.train(trainings, on_epoch)
    if compiled:
        per_epoch = seconds / epochs
    else:  # the first epoch compiles
        per_epoch = min((after - before for before, after in pairwise(marks)), default=0.0)
    pace = per_epoch / (examples * -(-trained // devices))
    return CohortResult(settings, records, trained, epochs * examples, seconds, pace or None)
