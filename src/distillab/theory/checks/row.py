"""One row of the table: a closed form and its simulation, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.risk import RiskCoefficients, alpha_star
from distillab.theory.simulation import Simulated, best_alpha

ERRORS = 4.0
"""Largest deviation of a simulation that agrees, in its standard errors."""

SHARE = 0.03
"""Largest deviation of a risk, as a share of the prediction."""

ROUNDING = 1e-9
"""Largest deviation of a number that is not random."""


class Row(NamedTuple):
    """A closed form and its simulation."""

    subject: str
    function: str
    """Name of the function that computes the closed form."""
    quantity: str
    predicted: float
    simulated: float
    error: float
    """Monte Carlo standard error of the simulated number; 0 where nothing is random."""
    is_risk: bool = False
    """Whether `SHARE` applies."""

    @property
    def deviation(self) -> float:
        """The difference in standard errors; 0 where it is rounding."""
        apart = abs(self.simulated - self.predicted)
        if apart <= ROUNDING * max(1.0, abs(self.predicted)):
            return 0.0
        return apart / self.error if self.error > 0 else float("inf")

    @property
    def agrees(self) -> bool:
        """Within the stated errors, and for a risk within the stated share."""
        near = not self.is_risk or abs(self.simulated - self.predicted) <= SHARE * abs(self.predicted)
        return near and self.deviation <= ERRORS


def risk_rows(subject: str, function: str, risk: RiskCoefficients, simulated: Simulated) -> list[Row]:
    """The risk at the alpha where it agrees least, and the best alpha.

    Args:
        subject, function: as in `Row`.
        risk, simulated: the closed form and its simulation.
    """
    rows = [
        Row(subject, function, f"risk at alpha = {alpha:g}", float(risk.at(alpha)), float(mean), float(error), True)
        for alpha, mean, error in zip(simulated.alphas, simulated.risk, simulated.risk_error, strict=True)
    ]
    best = Row(subject, function, "alpha*", alpha_star(risk).free, simulated.alpha, simulated.alpha_error)
    return [worst(rows), best]


def worst(rows: Sequence[Row]) -> Row:
    """The row that agrees least.

    Args:
        rows: at least one.
    """
    return max(rows, key=lambda row: (not row.agrees, row.deviation))


def from_draws(
    subject: str, function: str, quantity: str, predicted: float, values: ArrayLike, *, is_risk: bool = False
) -> Row:
    """A row whose simulation is the mean of independent draws.

    Args:
        subject, function, quantity, predicted, is_risk: as in `Row`.
        values: the draws, shape (M,).
    """
    drawn = np.asarray(values, dtype=np.float64)
    error = float(drawn.std(ddof=1) / np.sqrt(len(drawn)))
    return Row(subject, function, quantity, predicted, float(drawn.mean()), error, is_risk)


def best_alpha_row(
    subject: str, function: str, risk: RiskCoefficients, numerators: np.ndarray, denominators: np.ndarray
) -> Row:
    """A row for the best alpha, from the draws of its numerator and denominator.

    Args:
        subject, function: as in `Row`.
        risk: the closed form.
        numerators, denominators: as in `best_alpha`, shape (M,).
    """
    return Row(subject, function, "alpha*", alpha_star(risk).free, *best_alpha(numerators, denominators))
