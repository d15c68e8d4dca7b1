"""Simulations that check the closed forms: students trained on many draws of the labels.

Every simulation solves for its students by another method than the closed forms, uses the same draws for all alphas,
and reports its standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_count, as_matrix, as_number, as_vector
from distillab.theory.problems import Problem

Fit = Callable[[Floats], Floats]
"""From targets, shape (n, M), to predictions, (r, M): a model trained M times."""

Teach = Callable[[Floats, np.random.Generator], Floats]
"""From the student's labels, shape (n, M), to a teacher's predictions for the student's examples, (n, M)."""


class Simulated(NamedTuple):
    """Risks over many draws of the labels."""

    alphas: Floats
    risk: Floats
    """Mean squared error to the truth at each alpha, shape (A,)."""
    risk_error: Floats
    """Monte Carlo standard errors, (A,)."""
    alpha: float
    """The alpha of least risk."""
    alpha_error: float
    bias: Floats
    """Squared, (A,), corrected for the finite number of draws."""
    variance: Floats
    """(A,)."""


def simulate(
    problem: Problem,
    student: Fit,
    teacher: Teach,
    alphas: ArrayLike,
    *,
    draws: int,
    rng: np.random.Generator,
    target: ArrayLike | None = None,
) -> Simulated:
    """Train students on drawn labels and a teacher's predictions, and measure their risk.

    Formula: at every alpha the student is trained on `alpha y + (1 - alpha) t`. The best alpha comes from the students
    at alpha = 0 and alpha = 1, `-mean <p0 - f, p1 - p0> / mean |p1 - p0|^2`, which is more precise than the least
    risk of a grid, because risks are flat there; its error is that of the ratio, by the delta method.

    Args:
        problem: features, truth and noise.
        student: trains one student a draw.
        teacher: trains one teacher a draw.
        alphas: shape (A,).
        draws: M >= 2.
        rng: of labels and teachers.
        target: correct predictions, shape (r,); by default the truth. Where given, squares are summed instead of
            averaged.
    """
    count = as_count(draws, 2, "draws")
    grid = as_vector(alphas, "alphas")
    correct = (problem.truth if target is None else as_vector(target, "target"))[:, None]
    per = len(correct) if target is None else 1
    y = problem.labels(rng, count)
    t = teacher(y, rng)
    risk, risk_error, bias, variance = (np.empty(len(grid)) for _ in range(4))
    for index, alpha in enumerate(grid):
        predictions = student(alpha * y + (1 - alpha) * t)
        squares = np.sum((predictions - correct) ** 2, axis=0) / per
        risk[index], risk_error[index] = squares.mean(), _error(squares)
        variance[index] = predictions.var(axis=1, ddof=1).sum() / per
        bias[index] = np.sum((predictions.mean(axis=1) - correct[:, 0]) ** 2) / per - variance[index] / count
    p0, p1 = student(t), student(y)
    alpha, alpha_error = best_alpha(np.sum((p0 - correct) * (p1 - p0), axis=0), np.sum((p1 - p0) ** 2, axis=0))
    return Simulated(grid, risk, risk_error, alpha, alpha_error, bias, variance)


def ridge_fit(x: ArrayLike, penalty: float, at: ArrayLike | None = None) -> Fit:
    """A ridge regression, solved by its normal equations.

    Args:
        x: features, shape (n, d).
        penalty: >= 0.
        at: where to predict, shape (r, d); by default at x.
    """
    features = as_matrix(x, "x")
    targets_at = features if at is None else as_matrix(at, "at", (None, features.shape[1]))
    normal = features.T @ features + as_number(penalty, "penalty", 0) * np.eye(features.shape[1])

    def fit(targets: Floats) -> Floats:
        return np.asarray(targets_at @ np.linalg.solve(normal, features.T @ targets))

    return fit


def descent_fit(x: ArrayLike, *, steps: int, rate: float) -> Fit:
    """Least squares by gradient descent from zero, step by step.

    Args:
        x: features, shape (n, d).
        steps: >= 0.
        rate: of a step.
    """
    features = as_matrix(x, "x")
    gram = features.T @ features

    def fit(targets: Floats) -> Floats:
        weights, towards = np.zeros((features.shape[1], targets.shape[1])), features.T @ targets
        for _ in range(as_count(steps, 0, "steps")):
            weights -= rate * (gram @ weights - towards)
        return np.asarray(features @ weights)

    return fit


def learner(fit: Fit) -> Teach:
    """A teacher that is trained on the student's own labels.

    Args:
        fit: from its targets to its predictions for the student's examples.
    """
    return lambda labels, _: fit(labels)


def independent_learner(fit: Fit, truth: ArrayLike, deviation: float, *, pooled: bool = False) -> Teach:
    """A teacher that is trained on independent labels, alone or together with the student's.

    Args:
        fit: from its targets (the student's first, where pooled) to its predictions for the student's examples.
        truth: at its further examples, shape (m,).
        deviation: of the noise of their labels.
        pooled: whether the student's labels are among its targets.
    """
    f = as_vector(truth, "truth")[:, None]

    def teach(labels: Floats, rng: np.random.Generator) -> Floats:
        further = f + deviation * rng.standard_normal((len(f), labels.shape[1]))
        return fit(np.vstack([labels, further]) if pooled else further)

    return teach


def fixed_predictions(predictions: ArrayLike) -> Teach:
    """A teacher with fixed predictions.

    Args:
        predictions: shape (n,).
    """
    column = as_vector(predictions, "predictions")[:, None]
    return lambda labels, _: np.broadcast_to(column, labels.shape)


def best_alpha(numerators: Floats, denominators: Floats) -> tuple[float, float]:
    """The alpha of least risk, `-mean(numerators) / mean(denominators)`, and its standard error by the delta method.

    Args:
        numerators, denominators: of each draw, shape (M,).
    """
    alpha = float(-numerators.mean() / denominators.mean())
    return alpha, float(_error(numerators + alpha * denominators) / denominators.mean())


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
