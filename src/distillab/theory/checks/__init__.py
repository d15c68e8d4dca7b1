"""The closed forms compared with their simulations, as one table."""

from __future__ import annotations

import numpy as np

from distillab.theory.checks import classification, regression
from distillab.theory.checks.row import ERRORS, SHARE, Row

DRAWS, QUICK_DRAWS = 20_000, 2_000


def table(*, quick: bool = False, seed: int = 0) -> tuple[Row, ...]:
    """Compute every closed form and simulate it: a row for each number that is compared.

    Args:
        quick: a tenth of the draws.
        seed: of the simulations.
    """
    draws = QUICK_DRAWS if quick else DRAWS
    checks = [*enumerate(regression.CHECKS), *enumerate(classification.CHECKS, 100)]  # each with draws of its own
    return tuple(row for number, check in checks for row in check(draws, np.random.default_rng([seed, number])))


__all__ = ["DRAWS", "ERRORS", "QUICK_DRAWS", "SHARE", "Row", "table"]
