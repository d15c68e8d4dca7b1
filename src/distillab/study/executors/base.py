"""The contract of executors, which train a study's students.

An executor takes a queue of groups and yields the results of cohorts as they finish, in any order. It asks for a
group's training inputs when the group's first cohort is due, or for all of them before it hands out the first cohort:
teachers may have to be trained for them. It reports progress and writes nothing; the caller records the results. A
cohort is idempotent: trained again or elsewhere it gives the same results, so an executor may lose and repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from distillab.data import Dataset
from distillab.study.cohorts import CohortResult, TrainingInputs
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources

SLOTS = {"loop": 8, "vmap": 64}
"""Students that a device trains before their results are recorded: few where they train one after another, so that a
stopped run loses little; many where they train at once."""


class Executor(Protocol):
    """Trains students on resources of its own."""

    @property
    def resources(self) -> Resources:
        """The workers and their devices."""

    @property
    def where(self) -> tuple[int, str]:
        """Number of devices and JAX's name of their platform, for the record."""

    def train(
        self, queue: Queue, inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
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
