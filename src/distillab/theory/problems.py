"""Synthetic regression problems with a given spectrum, signal and label noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_count, as_number


@dataclass(frozen=True)
class Problem:
    """Features, truth and noise of a training set.

    Args:
        x: features, shape (n, d).
        truth: f, shape (n,): the labels without noise.
        noise: the variance of each label's noise, shape (n,).
    """

    x: Floats
    truth: Floats
    noise: Floats

    def labels(self, rng: np.random.Generator, draws: int) -> Floats:
        """Draw labels with normal noise, shape (n, draws).

        Args:
            rng: the generator.
            draws: number of label vectors.
        """
        eps = rng.standard_normal((len(self.truth), draws))
        return self.truth[:, None] + np.sqrt(self.noise)[:, None] * eps


def regression(
    *,
    examples: int,
    features: int,
    seed: int,
    decay: float = 0.0,
    alignment: float = 0.0,
    noise: float = 1.0,
    spread: float = 0.0,
    misfit: float = 0.0,
) -> Problem:
    """Make a regression problem.

    Formula: `X = sqrt(n) U diag(i^(-decay/2)) V'`, U and V random with orthonormal columns, so that the i-th strength
    is `n i^-decay`. The truth is `U theta`, `theta_i^2` proportional to `strength_i^alignment`, with the mean square
    `1 - misfit`, plus a part orthogonal to the features with the mean square `misfit`. The variances are
    `noise exp(spread e - spread^2 / 2)`, e standard normal, with mean `noise`.

    Args:
        examples: n, more than d.
        features: d >= 1.
        seed: >= 0; the same seed, the same problem.
        decay: of the spectrum, >= 0; 0 is an orthogonal design.
        alignment: > 0 puts the signal where the features are strong, < 0 where they are weak.
        noise: the mean variance of the label noise, >= 0.
        spread: of the log variances, >= 0; 0 is the same noise for all.
        misfit: the share of the truth that is not linear in x, from 0 to less than 1.

    Example:
        >>> problem = regression(examples=20, features=3, seed=0, noise=0.5)
        >>> problem.x.shape, round(float(problem.truth @ problem.truth / 20), 6)
        ((20, 3), 1.0)
    """
    d = as_count(features, 1, "features")
    n = as_count(examples, 2, "examples")
    if n <= d:
        raise not_allowed("examples", n, f"more than the {d} features")
    away = as_number(misfit, "misfit", 0, 1)
    if away == 1:
        raise not_allowed("misfit", misfit, "below 1")
    rng = np.random.default_rng(as_count(seed, 0, "seed"))
    basis, _ = np.linalg.qr(rng.standard_normal((n, d + 1)))
    right, _ = np.linalg.qr(rng.standard_normal((d, d)))
    strengths = n * np.arange(1, d + 1) ** -as_number(decay, "decay", 0)
    theta = rng.choice([-1.0, 1.0], d) * strengths ** (as_number(alignment, "alignment") / 2)
    theta *= np.sqrt(n * (1 - away) / (theta @ theta))
    truth = basis[:, :d] @ theta + np.sqrt(n * away) * basis[:, d]
    apart = as_number(spread, "spread", 0)
    variances = as_number(noise, "noise", 0) * np.exp(apart * rng.standard_normal(n) - apart**2 / 2)
    return Problem((basis[:, :d] * np.sqrt(strengths)) @ right, truth, variances)
