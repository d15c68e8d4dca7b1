"""A time budget: what a search and its final trainings may take, and what is cut where it is short."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

FINAL_SHARE = 0.6
"""The most of a budget that the final trainings take while their number of seeds can still be lowered."""

LEAST_SEEDS = 2

Cost = Callable[[int, float], float]
"""(students, epochs) -> estimated seconds on all devices, compilation left out."""


@dataclass
class Budget:
    """Keeps the time of a distillation.

    Args:
        limit: seconds for everything; None: no limit.
        cost: of candidates, on the training examples.
        final_cost: of final students, on all examples.
        seeds: final trainings of the student, and as many of the baseline.
        epochs: of each training.

    Attributes:
        seeds, epochs: lowered where the budget does not hold them.
        cuts: what was cut, a sentence each.
    """

    limit: float | None
    cost: Cost
    final_cost: Cost
    seeds: int
    epochs: int
    cuts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start = time.monotonic()
        if self.limit is not None:
            self._cut_final(self.limit)

    def _cut_final(self, limit: float) -> None:
        """Lower the seeds, then the epochs, until the final trainings fit."""
        wanted = self.seeds, self.epochs
        while self.seeds > LEAST_SEEDS and self._final > FINAL_SHARE * limit:
            self.seeds -= 1
        if self._final > limit:
            self.epochs = max(1, math.floor(self.epochs * limit / self._final))
        if self.seeds < wanted[0]:
            self.cuts.append(f"{self.seeds} seeds instead of {wanted[0]}")
        if self.epochs < wanted[1]:
            self.cuts.append(f"{self.epochs} epochs instead of {wanted[1]}")

    @property
    def _final(self) -> float:
        return self.final_cost(2 * self.seeds, self.epochs)

    def affordable(self, trainings_each: int, candidates: int) -> int:
        """How many candidates the time that remains for the search holds.

        Args:
            trainings_each: trainings of a candidate.
            candidates: that are wanted.
        """
        if self.limit is None:
            return candidates
        remaining = self.limit - (time.monotonic() - self._start) - self._final
        count = candidates
        while count and self.cost(count * trainings_each, self.epochs) > remaining:
            count -= 1
        if count < candidates:
            self.cuts.append(f"{candidates - count} of {candidates} candidates of a step of the search")
        return count
