"""The executor that trains in this process, one cohort after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.devices import inside
from distillab.study.cohorts import CohortResult, GroupTrainer, TrainingInputs
from distillab.study.executors.base import SLOTS
from distillab.study.progress import Progress
from distillab.study.queue import Queue, Resources


@dataclass(frozen=True)
class Local:
    """This process, on its own devices.

    Args:
        grid: the devices.
        slots, memory: as in `RunOptions`.
        trainers: how many compiled programs are kept, for a search that returns to them.
    """

    grid: Mesh
    slots: int | None = None
    memory: int | None = None
    trainers: int = 1
    _kept: dict[tuple[str, int], GroupTrainer] = field(default_factory=dict, repr=False, compare=False)

    @property
    def resources(self) -> Resources:
        how = inside(self.where[1])
        return Resources(1, self.grid.size, self.slots or SLOTS[how], shrinks=how == "loop")

    @property
    def where(self) -> tuple[int, str]:
        return self.grid.size, self.grid.devices.flat[0].platform

    def train(
        self, queue: Queue, inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> Iterator[CohortResult]:
        """Train everything in a queue.

        Args:
            queue, inputs, dataset, progress: as in `Executor.train`; inputs are made when a group is due.
        """
        students, trained = queue.trainings, 0
        while (cohort := queue.take()) is not None:
            size = len(cohort.trainings)

            def report(share: float, trained: int = trained, size: int = size) -> None:
                progress.students(trained + share * size, students, size)

            report(0.0)
            trainer = self._trainer(cohort.key, size, inputs, dataset, progress)
            result = trainer.train(cohort.trainings, report)
            if result.students < size:
                queue.put_back(cohort, cohort.trainings[result.students :], result.students)
            trained += result.students
            yield result
            progress.students(trained, students, 0)

    def _trainer(
        self, key: str, size: int, inputs: Callable[[str], TrainingInputs], dataset: Dataset, progress: Progress
    ) -> GroupTrainer:
        """The trainer of a group. On a CPU empty slots cost nothing, so it has all of them, whatever the cohort."""
        capacity = self.resources.capacity if self.resources.shrinks else size
        name = f"{key} {dataset.digest}", capacity
        if name not in self._kept:
            while len(self._kept) >= self.trainers:  # frees its arrays before the next ones are made
                del self._kept[next(iter(self._kept))]
            self._kept[name] = GroupTrainer(dataset, inputs(key), self.grid, capacity, self.memory, progress)
        return self._kept[name]
