"""The executor that trains in this process, one cohort after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.devices import inside
from distillab.study.classroom import Classroom
from distillab.study.executors.base import SLOTS, CohortResult, Training, TrainingInputs, train_cohort
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources


@dataclass(frozen=True)
class Local:
    """This process, on its own devices.

    Args:
        grid: the devices.
        slots: students that a device trains before their results are recorded; changes no result.
        memory: bytes that each device may use; None: as the device reports.
    """

    grid: Mesh
    slots: int | None = None
    memory: int | None = None

    @property
    def resources(self) -> Resources:
        how = inside(self.where[1])
        return Resources(1, self.grid.size, self.slots or SLOTS[how], shrinks=how == "loop")

    @property
    def where(self) -> tuple[int, str]:
        return self.grid.size, self.grid.devices.flat[0].platform

    def train(
        self, queue: Queue[Training], inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> Iterator[CohortResult]:
        """Train everything in a queue; see `Executor.train`.

        Args:
            queue: is emptied.
            inputs: makes the training inputs of a group from its key, when its first cohort is due.
            dataset: the data.
            progress: is told how many students are trained.
        """
        students, trained, key = queue.trainings, 0, None
        trainer: Classroom | None = None
        while (cohort := queue.take()) is not None:
            size = len(cohort.trainings)

            def report(share: float, trained: int = trained, size: int = size) -> None:
                progress.students(trained + share * size, students, size)

            report(0.0)
            compiled = key == cohort.key
            if trainer is None or not compiled:
                trainer = None  # frees its arrays before the next ones are made
                key, (settings, rows, teachers, _) = cohort.key, inputs(cohort.key)
                # Slots for the group's first cohort: later ones are no larger.
                trainer = Classroom(dataset, settings, rows, teachers, self.grid, size, self.memory, progress)
            result = train_cohort(trainer, cohort.trainings, self.grid.size, compiled=compiled, report=report)
            if result.trainings < size:
                queue.put_back(cohort, cohort.trainings[result.trainings :], result.trainings)
            trained += result.trainings
            yield result
            progress.students(trained, students, 0)
