"""The Brier score of a student that averages a few noisy labels and a teacher at each input."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_count, as_number, as_vector
from distillab.theory.label_noise import label_energy, noisy_posterior
from distillab.theory.risk import RiskCoefficients


def brier_risk(
    posterior: ArrayLike, rate: float, *, labels: int, teacher_bias: ArrayLike, teacher_variance: float
) -> RiskCoefficients:
    """The squared error to the clean posterior, a parabola in alpha.

    Formula: the student of an input is `alpha mean(labels) + (1 - alpha) t`. The labels are biased by
    `b_y = c (u - q)`, u uniform, with the variance `v / m`; then
    `alpha* = (|b_t|^2 + tau^2 - b_y'b_t) / (|b_y - b_t|^2 + v / m + tau^2)`.

    Args:
        posterior: the clean q, shape (C,).
        rate: eta of symmetric noise.
        labels: m >= 1 that the student averages.
        teacher_bias: b_t, shape (C,).
        teacher_variance: tau^2, summed over the classes, >= 0.

    Source: derived for this package.
    """
    q = as_vector(posterior, "posterior")
    bias = as_vector(teacher_bias, "teacher_bias", len(q))
    tau2 = as_number(teacher_variance, "teacher_variance", 0)
    label = label_bias(q, rate)
    variance = float(label_energy(q, rate)) / as_count(labels, 1, "labels")
    teacher, difference = float(bias @ bias) + tau2, label - bias
    return RiskCoefficients(teacher, float(bias @ difference) - tau2, float(difference @ difference) + variance + tau2)


def label_bias(posterior: ArrayLike, rate: float) -> Floats:
    """The bias of noisy labels, shape (..., C): `q~ - q = c (u - q)`.

    Args:
        posterior: the clean q, shape (..., C).
        rate: eta of symmetric noise.
    """
    return np.asarray(noisy_posterior(posterior, rate) - np.asarray(posterior, dtype=np.float64))
