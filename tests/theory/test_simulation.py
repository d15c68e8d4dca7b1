"""Simulations: their errors are the errors, and their bias and variance add up."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.theory import ridge, risk_split, same_labels
from distillab.theory.problems import Problem
from distillab.theory.simulation import descent_fit, fixed_predictions, learner, ridge_fit, simulate


def test_fits_are_the_smoothers(problem: Problem) -> None:
    targets = np.random.default_rng(0).standard_normal((40, 3))
    np.testing.assert_allclose(ridge_fit(problem.x, 2.0)(targets), ridge(problem.x, 2.0) @ targets, atol=1e-10)
    rate = 0.5 / np.linalg.norm(problem.x, 2) ** 2
    from distillab.theory import descent

    smoother = descent(problem.x, steps=7, rate=rate)
    np.testing.assert_allclose(descent_fit(problem.x, steps=7, rate=rate)(targets), smoother @ targets, atol=1e-10)


def test_bias_and_variance_add_up_to_the_risk(problem: Problem) -> None:
    simulated = simulate(
        problem, ridge_fit(problem.x, 2.0), learner(ridge_fit(problem.x, 9.0)), [0.0, 0.5], draws=50, rng=_rng()
    )
    np.testing.assert_allclose(simulated.bias + simulated.variance, simulated.risk, atol=1e-12)


def test_stated_errors_are_those_of_repetitions(problem: Problem) -> None:
    """Two hundred simulations scatter as each of them says; a standard deviation of 200 is known to 5 %."""
    runs = [
        simulate(problem, ridge_fit(problem.x, 2.0), learner(ridge_fit(problem.x, 9.0)), [0.3], draws=100, rng=rng)
        for rng in _rng().spawn(200)
    ]
    for values, errors in (
        ([run.risk[0] for run in runs], [run.risk_error[0] for run in runs]),
        ([run.alpha for run in runs], [run.alpha_error for run in runs]),
    ):
        assert np.std(values, ddof=1) == pytest.approx(np.mean(errors), rel=0.2)


def test_bias_and_variance_are_the_closed_forms(problem: Problem) -> None:
    split = risk_split(
        ridge(problem.x, 2.0), same_labels(problem.truth, ridge(problem.x, 9.0)), problem.truth, problem.noise
    )
    simulated = simulate(
        problem, ridge_fit(problem.x, 2.0), learner(ridge_fit(problem.x, 9.0)), [0.0, 1.0], draws=4000, rng=_rng()
    )
    np.testing.assert_allclose(simulated.variance, split.variance.at([0.0, 1.0]), rtol=0.05)
    np.testing.assert_allclose(simulated.bias, split.bias.at([0.0, 1.0]), atol=4 * simulated.risk_error.max())


def test_without_noise_nothing_is_random(problem: Problem) -> None:
    quiet = Problem(problem.x, problem.truth, np.zeros(40))
    simulated = simulate(
        quiet, ridge_fit(problem.x, 2.0), fixed_predictions(problem.truth + 1), [0.5], draws=10, rng=_rng()
    )
    assert simulated.risk_error[0] < 1e-15
    assert simulated.alpha_error < 1e-12


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)
