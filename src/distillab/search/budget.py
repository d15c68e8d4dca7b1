"""A time budget: what a search and its final trainings may take, and what is cut where it is short."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

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
    """

    limit: float | None
    cost: Cost
    final_cost: Cost
    seeds: int
    epochs: int

    def __post_init__(self) -> None:
        self._start = time.monotonic()
        self._wanted = self.seeds, self.epochs
        self._candidates = self._left_out = 0
        if self.limit is not None:
            self._cut_final(self.limit)

    def _cut_final(self, limit: float) -> None:
        """Lower the seeds, then the epochs, until the final trainings fit."""
        while self.seeds > LEAST_SEEDS and self._final > FINAL_SHARE * limit:
            self.seeds -= 1
        if self._final > limit:
            self.epochs = max(1, math.floor(self.epochs * limit / self._final))

    @property
    def cuts(self) -> list[str]:
        """What was cut so far, such as "3 seeds instead of 5"."""
        seeds, epochs = self._wanted
        tried = self._candidates - self._left_out
        amounts = (
            ("seeds", self.seeds, seeds),
            ("epochs", self.epochs, epochs),
            ("candidates", tried, self._candidates),
        )
        return [f"{now} {noun} instead of {wanted}" for noun, now, wanted in amounts if now < wanted]

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
        self._candidates += candidates
        self._left_out += candidates - count
        return count
