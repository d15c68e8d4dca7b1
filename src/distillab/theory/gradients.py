"""The noise of gradients along alpha, and the stationary risk of constant-rate SGD."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import as_count, as_matrix, as_number
from distillab.theory.label_noise import label_energy
from distillab.theory.risk import RiskCoefficients


def control_variate_alpha(gradients: ArrayLike, teachers: ArrayLike) -> float:
    """The alpha whose per-example gradients vary least, for a linear or softmax model and a teacher in its features.

    Formula: `g_alpha(w) = g(w) - (1 - alpha) g(w_T)` exactly, g the gradient on the labels, with squared loss or cross
    entropy at temperature 1. The traces of the covariances give `alpha = 1 - Cov(g(w), g(w_T)) / Var g(w_T)`,
    free; nan where the teacher's gradients do not vary.

    Args:
        gradients: g(w) of each example, shape (N, p).
        teachers: g(w_T), shape (N, p): the labels' gradients at the teacher's weights.

    Source: Safaryan, Peste and Alistarh, "Knowledge distillation performs partial variance reduction", 2023,
    proposition 1.
    """
    g = as_matrix(gradients, "gradients")
    t = as_matrix(teachers, "teachers", (len(g), g.shape[1]))
    g, t = g - g.mean(axis=0), t - t.mean(axis=0)
    spread = float(np.sum(t**2))
    return 1 - float(np.sum(g * t)) / spread if spread > 0 else math.nan


def label_gradient_variance(alpha: ArrayLike, posterior: ArrayLike, rate: float, square: float = 1.0) -> np.ndarray:
    """The part of a gradient's variance, summed over the coordinates, that comes from the label, at one input.

    Formula: `alpha^2 |x|^2 (1 - |q~|^2)`, of a linear model; with `|x|^2 = 1` of the logits, of any model. The
    teacher's term does not depend on the label, at any temperature.

    Args:
        alpha: one or many, the shape of the result.
        posterior: the clean q, shape (C,).
        rate: eta of symmetric noise.
        square: |x|^2 >= 0.

    Source: derived for this package.
    """
    energy = float(label_energy(posterior, rate))
    return np.asarray(np.asarray(alpha, dtype=np.float64) ** 2 * as_number(square, "square", 0) * energy)


def target_noise(smoother: ArrayLike) -> RiskCoefficients:
    """The share of the label noise that remains in the mixed targets, where the teacher was trained on the same labels.

    Formula: with smoother T over n examples, `alpha^2 + 2 alpha (1 - alpha) tr T / n + (1 - alpha)^2 tr TT' / n`. A
    teacher that interpolates has T = I: all of it remains, at every alpha.

    Args:
        smoother: T, shape (n, n).

    Source: derived for this package.
    """
    t = as_matrix(smoother, "smoother")
    if t.shape[0] != t.shape[1]:
        raise not_allowed("smoother.shape", t.shape, "(n, n)")
    once, twice = float(np.trace(t)) / len(t), float(np.sum(t**2)) / len(t)
    return RiskCoefficients(twice, once - twice, 1 + twice - 2 * once)


def stationary_risk(
    *, teacher_offset: float, variance: float, features: int, batch: int, step: float
) -> RiskCoefficients:
    """The stationary excess risk of constant-rate SGD, as a parabola in alpha.

    Formula: standard normal features, a linear teacher off by delta: `(1 - alpha)^2 |delta|^2 + alpha^2 J`,
    `J = gamma sigma^2 d / (B (2 - gamma (1 + (d + 1) / B)))`, so
    `alpha* = |delta|^2 / (|delta|^2 + J)`: the smaller the step, the larger.

    Args:
        teacher_offset: |delta|^2, the squared distance of the teacher's weights from the truth, >= 0.
        variance: sigma^2 of the label noise, >= 0.
        features: d >= 1.
        batch: B >= 1.
        step: gamma, above 0 and below `2 / (1 + (d + 1) / B)`.

    Raises:
        RequestError: a step at which SGD diverges.

    Source: derived for this package; that distillation reduces SGD's variance only in part, Safaryan, Peste and
    Alistarh, 2023.
    """
    d, b = as_count(features, 1, "features"), as_count(batch, 1, "batch")
    most = 2 / (1 + (d + 1) / b)
    gamma = as_number(step, "step", 0, most, above=True)
    if gamma == most:
        raise not_allowed("step", step, f"below {most:.4g}, where SGD converges")
    offset = as_number(teacher_offset, "teacher_offset", 0)
    noise = gamma * as_number(variance, "variance", 0) * d / (b * (2 - gamma * (1 + (d + 1) / b)))
    return RiskCoefficients(offset, -offset, offset + noise)
