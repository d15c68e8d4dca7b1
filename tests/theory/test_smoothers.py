"""Smoothers: against scikit-learn and plain solving, and refused where they do not exist."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from distillab.errors import RequestError
from distillab.theory import descent, pooled, residual_variance, ridge, ridge_weights
from distillab.theory.problems import Problem

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("penalty", [0.0, 0.3, 25.0])
def test_ridge_is_scikit_learns(problem: Problem, penalty: float) -> None:
    targets = RNG.standard_normal(40)
    model = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(problem.x, targets)
    np.testing.assert_allclose(ridge(problem.x, penalty) @ targets, model.predict(problem.x), atol=1e-10)
    np.testing.assert_allclose(ridge_weights(problem.x, penalty) @ targets, model.coef_, atol=1e-10)


def test_least_squares_projects(problem: Problem) -> None:
    hat = ridge(problem.x, 0.0)
    np.testing.assert_allclose(hat @ hat, hat, atol=1e-12)
    np.testing.assert_allclose(hat @ problem.x, problem.x, atol=1e-12)
    assert np.trace(hat) == pytest.approx(7)


def test_pooling_is_one_fit_to_both_sets(problem: Problem) -> None:
    more = RNG.standard_normal((15, 7))
    targets, further = RNG.standard_normal(40), RNG.standard_normal(15)
    first, second = pooled(problem.x, more, 0.7)
    model = Ridge(alpha=0.7, fit_intercept=False, solver="cholesky")
    model.fit(np.vstack([problem.x, more]), np.concatenate([targets, further]))
    np.testing.assert_allclose(first @ targets + second @ further, model.predict(problem.x), atol=1e-10)


def test_descent_is_so_many_steps(problem: Problem) -> None:
    targets, weights = RNG.standard_normal(40), np.zeros(7)
    rate = 0.8 / np.linalg.norm(problem.x, 2) ** 2
    for _ in range(25):
        weights -= rate * problem.x.T @ (problem.x @ weights - targets)
    np.testing.assert_allclose(descent(problem.x, steps=25, rate=rate) @ targets, problem.x @ weights, atol=1e-12)


def test_residual_variance_by_hand() -> None:
    """The mean of 1, 2, 3 leaves -1, 0, 1: two, over two spare examples."""
    assert residual_variance([[1.0]] * 3, [1.0, 2.0, 3.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], 0.0), "x is singular: its 2 columns have rank 1"),
        (lambda: ridge([[1.0, 2.0]], 0.0), "rank 1"),
        (lambda: ridge([[1.0]], -1.0), "penalty=-1.0 is not allowed: it must be at least 0"),
        (lambda: ridge([[np.nan]], 1.0), "finite"),
        (lambda: ridge([1.0], 1.0), r"x.shape=\(1,\)"),
        (lambda: pooled([[1.0]], [[1.0, 2.0]], 1.0), "more.shape"),
        (lambda: descent([[2.0]], steps=3, rate=0.3), "rate=0.3 is not allowed: it must be at most 0.25"),
        (lambda: descent([[2.0]], steps=-1, rate=0.1), "steps=-1"),
        (lambda: residual_variance([[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0]), "more examples than columns"),
    ],
)
def test_what_has_no_smoother_is_refused(call, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call()


def test_a_penalty_makes_a_singular_design_sound() -> None:
    singular = ridge([[1.0, 1.0], [1.0, 1.0]], 4.0)
    np.testing.assert_allclose(singular, [[0.25, 0.25], [0.25, 0.25]])
