"""The closed forms' other side: students trained on drawn labels, again and again.

Every simulation solves for its students anew, by another route than the closed forms take, and uses the same draws for
all alphas. Its error is stated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_count, as_matrix, as_vector, at_least
from distillab.theory.problems import Problem

Fit = Callable[[Floats], Floats]
"""From targets, shape (n, M), to predictions, (r, M): a model trained M times."""

Teach = Callable[[Floats, np.random.Generator], Floats]
"""From the student's labels, shape (n, M), to a teacher's answers on the student's examples, (n, M)."""


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
    """Squared, (A,), less what the finite number of draws adds."""
    variance: Floats
    """(A,)."""
    draws: int


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
    """Train students on drawn labels and a teacher's answers, and measure their risk.

    Formula: at every alpha the student is trained on `alpha y + (1 - alpha) t`. The best alpha comes from the students
    at alpha = 0 and alpha = 1, `-mean <p0 - f, p1 - p0> / mean |p1 - p0|^2`, which is far sharper than the least risk
    of a grid, for risks are flat there; its error is the ratio's, by the delta method.

    Args:
        problem: features, truth and noise.
        student: trains one student a draw.
        teacher: trains one teacher a draw.
        alphas: shape (A,).
        draws: M >= 2.
        rng: of labels and teachers.
        target: what predictions should be, shape (r,); by default the truth. Where given, squares are summed and not
            averaged.

    Returns:
        `Simulated`.
    """
    count = as_count(draws, 2, "draws")
    grid = as_vector(alphas, "alphas")
    aim = (problem.truth if target is None else as_vector(target, "target"))[:, None]
    per = len(aim) if target is None else 1
    y = problem.labels(rng, count)
    t = teacher(y, rng)
    risk, risk_error, bias, variance = (np.empty(len(grid)) for _ in range(4))
    for place, alpha in enumerate(grid):
        predictions = student(alpha * y + (1 - alpha) * t)
        squares = np.sum((predictions - aim) ** 2, axis=0) / per
        risk[place], risk_error[place] = squares.mean(), _error(squares)
        variance[place] = predictions.var(axis=1, ddof=1).sum() / per
        bias[place] = np.sum((predictions.mean(axis=1) - aim[:, 0]) ** 2) / per - variance[place] / count
    p0, p1 = student(t), student(y)
    over, under = np.sum((p0 - aim) * (p1 - p0), axis=0), np.sum((p1 - p0) ** 2, axis=0)
    alpha = float(-over.mean() / under.mean())
    alpha_error = float(_error(over + alpha * under) / under.mean())
    return Simulated(grid, risk, risk_error, alpha, alpha_error, bias, variance, count)


def ridge_fit(x: ArrayLike, penalty: float, at: ArrayLike | None = None) -> Fit:
    """A ridge regression, solved by its normal equations.

    Args:
        x: features, shape (n, d).
        penalty: >= 0.
        at: where to predict, shape (r, d); by default at x.

    Returns:
        The fit.
    """
    features = as_matrix(x, "x")
    places = features if at is None else as_matrix(at, "at", (None, features.shape[1]))
    normal = features.T @ features + at_least(penalty, 0, "penalty") * np.eye(features.shape[1])

    def fit(targets: Floats) -> Floats:
        return np.asarray(places @ np.linalg.solve(normal, features.T @ targets))

    return fit


def descent_fit(x: ArrayLike, *, steps: int, rate: float) -> Fit:
    """Least squares by gradient descent from zero, step by step.

    Args:
        x: features, shape (n, d).
        steps: >= 0.
        rate: of a step.

    Returns:
        The fit.
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
    """A teacher that is trained on the student's own labels."""
    return lambda labels, _: fit(labels)


def independent_learner(fit: Fit, truth: ArrayLike, deviation: float) -> Teach:
    """A teacher that is trained on labels of its own.

    Args:
        fit: from its targets to its answers at the student's examples.
        truth: at its examples, shape (m,).
        deviation: of its labels' noise.

    Returns:
        The teacher.
    """
    f = as_vector(truth, "truth")[:, None]

    def teach(labels: Floats, rng: np.random.Generator) -> Floats:
        return fit(f + deviation * rng.standard_normal((len(f), labels.shape[1])))

    return teach


def pooling_learner(fit: Fit, truth: ArrayLike, deviation: float) -> Teach:
    """A teacher that is trained on the student's labels and on further ones.

    Args:
        fit: from all targets, the student's first, to its answers at the student's examples.
        truth: at the further examples, shape (m,).
        deviation: of their labels' noise.

    Returns:
        The teacher.
    """
    f = as_vector(truth, "truth")[:, None]

    def teach(labels: Floats, rng: np.random.Generator) -> Floats:
        further = f + deviation * rng.standard_normal((len(f), labels.shape[1]))
        return fit(np.vstack([labels, further]))

    return teach


def fixed_answers(answers: ArrayLike) -> Teach:
    """A teacher that always answers the same."""
    told = as_vector(answers, "answers")[:, None]
    return lambda labels, _: np.broadcast_to(told, labels.shape)


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
