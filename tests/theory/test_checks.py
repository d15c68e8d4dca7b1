"""The table of closed forms beside simulations: it agrees, and it would say so if it did not."""

from __future__ import annotations

import numpy as np
import pytest

import distillab.theory as theory
from distillab.theory import RiskCoefficients
from distillab.theory.checks import Row, table
from distillab.theory.checks.row import from_draws, risk_rows, worst
from distillab.theory.simulation import Simulated


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return table(quick=True, seed=1)


def test_every_closed_form_agrees_with_its_simulation(rows: tuple[Row, ...]) -> None:
    """Four errors each: of 77 rows, one in two hundred such tables would hold an outlier by chance."""
    assert [row for row in rows if row.deviation > 4] == []


def test_every_row_names_a_function_of_the_theory(rows: tuple[Row, ...]) -> None:
    import importlib
    import pkgutil

    modules = [
        importlib.import_module(f"{theory.__name__}.{module.name}") for module in pkgutil.iter_modules(theory.__path__)
    ]
    for name in {row.function for row in rows}:
        assert any(callable(getattr(module, name, None)) for module in modules), name


def test_every_check_has_draws_of_its_own_and_the_same_seed_the_same_table(rows: tuple[Row, ...]) -> None:
    again = table(quick=True, seed=1)
    assert again == rows
    assert len({row.simulated for row in rows if row.error > 0}) == sum(row.error > 0 for row in rows)


@pytest.mark.parametrize(
    ("predicted", "simulated", "error", "is_risk", "agrees"),
    [
        (1.0, 1.039, 0.01, False, True),
        (1.0, 1.041, 0.01, False, False),
        (1.0, 1.039, 0.01, True, False),  # within four errors, beyond 3 %
        (1.0, 1.029, 0.01, True, True),
        (1.0, 1.0 + 1e-12, 0.0, False, True),
        (1.0, 1.0 + 1e-6, 0.0, False, False),
        (1.0, float("nan"), 0.1, False, False),
    ],
)
def test_a_row_agrees_within_its_bounds(
    predicted: float, simulated: float, error: float, is_risk: bool, agrees: bool
) -> None:
    assert Row("", "", "", predicted, simulated, error, is_risk).agrees is agrees


def test_of_risks_along_alpha_the_one_that_fits_least_is_shown() -> None:
    risk = RiskCoefficients(1.0, 0.0, 0.0)
    simulated = Simulated(
        np.array([0.0, 0.5, 1.0]), np.array([1.0, 1.02, 1.01]), np.full(3, 0.01), 0.0, 1.0, *np.zeros((2, 3))
    )
    first, _ = risk_rows("s", "f", risk, simulated)
    assert first.quantity == "risk at alpha = 0.5"
    assert worst([first, first._replace(simulated=1.5)]).simulated == 1.5


def test_a_row_of_draws_has_their_mean_and_its_error() -> None:
    row = from_draws("s", "f", "q", 2.0, [1.0, 2.0, 3.0])
    assert (row.simulated, row.error) == (2.0, pytest.approx(1 / np.sqrt(3)))
