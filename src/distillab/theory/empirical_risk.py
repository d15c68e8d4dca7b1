"""The variance of the training loss over samples, for labels, for a teacher and for their mixture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_count, as_matrix, as_vector
from distillab.theory.risk import RiskCoefficients


class Cells(NamedTuple):
    """A population of inputs in X cells."""

    chances: Floats
    """Probability of each cell, shape (X,), summing to 1."""
    posterior: Floats
    """Of the labels, shape (X, C)."""
    teacher: Floats
    """The teacher's probabilities, independent of the sample, shape (X, C)."""
    losses: Floats
    """A fixed student's loss in each cell at each label, shape (X, C)."""


def cells(chances: ArrayLike, posterior: ArrayLike, teacher: ArrayLike, losses: ArrayLike) -> Cells:
    """Check a population.

    Args:
        chances: shape (X,), summing to 1.
        posterior: shape (X, C), rows summing to 1; with noisy labels, the noisy posterior.
        teacher: shape (X, C), rows summing to 1.
        losses: shape (X, C), finite.

    Raises:
        RequestError: shapes that do not fit, or rows that do not sum to one.
    """
    p = as_vector(chances, "chances")
    q = as_matrix(posterior, "posterior", (len(p), None))
    t = as_matrix(teacher, "teacher", q.shape)
    for name, rows in (("chances", p[None]), ("posterior", q), ("teacher", t)):
        if (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1):
            raise not_allowed(f"sums of {name}", rows.sum(axis=1).tolist(), "1, of entries that are not negative")
    return Cells(p, q, t, as_matrix(losses, "losses", q.shape))


class RiskVariance(NamedTuple):
    """The parts of the variance of a training loss over N examples, each times N."""

    of_labels: float
    """Var A, with `A = q'l`: of the loss under the posterior, over the inputs."""
    of_teacher: float
    """Var B, with `B = t'l`."""
    shared: float
    """Cov(A, B)."""
    within: float
    """E Var: of the loss over the labels at one input; a Bayes teacher removes exactly this part."""
    bias: float
    """Delta = E[B - A]."""


def risk_variance(population: Cells) -> RiskVariance:
    """Split the variance of a training loss by the law of total variance.

    Formula: `E Var = E_x[q'(l l) - (q'l)^2]`, the rest over the inputs.

    Args:
        population: as from `cells`.

    Source: Menon, Rawat, Reddi, Kim and Kumar, "A statistical perspective on distillation", 2021, proposition 2, for
    the Bayes teacher; for any teacher and alpha derived here.
    """
    p, q, t, losses = population
    a, b = np.sum(q * losses, axis=1), np.sum(t * losses, axis=1)
    mean_a, mean_b = p @ a, p @ b
    return RiskVariance(
        float(p @ (a - mean_a) ** 2),
        float(p @ (b - mean_b) ** 2),
        float(p @ ((a - mean_a) * (b - mean_b))),
        float(p @ (np.sum(q * losses**2, axis=1) - a**2)),
        float(mean_b - mean_a),
    )


def estimation_error(population: Cells, examples: int) -> RiskCoefficients:
    """The mean squared error of the training loss as an estimate of the true one, a parabola in alpha.

    Formula: `(1 - alpha)^2 Delta^2 + [alpha^2 (Var A + E Var) + (1 - alpha)^2 Var B + 2 alpha (1 - alpha) Cov] / N`.
    With a biased teacher alpha* tends to 1 as N grows.

    Args:
        population: as from `cells`.
        examples: N >= 1.

    Source: derived for this package.
    """
    n = as_count(examples, 1, "examples")
    parts = risk_variance(population)
    teacher = parts.bias**2 + parts.of_teacher / n
    shared = parts.shared / n
    labels = (parts.of_labels + parts.within) / n
    return RiskCoefficients(teacher, shared - teacher, teacher + labels - 2 * shared)
