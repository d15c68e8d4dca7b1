"""Alpha without a sweep: from one training set, or from the students at alpha = 0 and 1."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_matrix, as_number, as_vector
from distillab.theory.risk import AlphaStar, RiskCoefficients, alpha_star


def alpha_cp(
    y: ArrayLike, teacher: ArrayLike, student: ArrayLike, variance: float, *, memory: ArrayLike | None = None
) -> AlphaStar:
    """Estimate the best alpha from one training set, without a second one and without a sweep.

    Formula: `alpha_Cp = [(y - S t)' S (y - t) - sigma^2 tr(S (I - A))] / |S (y - t)|^2`; numerator and denominator have
    the expectations -n c and n q of the risk's parabola; nan where the students of labels and teacher are equal.

    Args:
        y: labels, shape (n,).
        teacher: t, its predictions, shape (n,).
        student: S, shape (n, n).
        variance: sigma^2 of the label noise; `residual_variance` estimates it.
        memory: A, shape (n, n): the teacher's smoother where it was trained on these labels; by default it was not.

    Source: the statistic of Mallows, "Some comments on Cp", Technometrics 1973, applied to the parabola in alpha. Dang,
    Patil and Rinaldo, 2026, have a one-shot tuner for ridge self-distillation.
    """
    labels = as_vector(y, "y")
    n = len(labels)
    t, s = as_vector(teacher, "teacher", n), as_matrix(student, "student", (n, n))
    noise = as_number(variance, "variance", 0)
    unmemorised = np.eye(n) if memory is None else np.eye(n) - as_matrix(memory, "memory", (n, n))
    moved = s @ (labels - t)
    denominator = float(moved @ moved)
    if denominator == 0:
        return AlphaStar(math.nan, math.nan)
    numerator = float((labels - s @ t) @ moved) - noise * float(np.sum(s * unmemorised.T))
    return alpha_star(RiskCoefficients(denominator, -numerator, denominator))


class Endpoints(NamedTuple):
    """The risk at every alpha, predicted from the students at 0 and 1 as if predictions were linear in alpha."""

    risk: RiskCoefficients
    """Of the mean squared error to the target, a sum over the classes."""
    alpha: AlphaStar
    departure: float
    """Distance of an intermediate student from the line, as a share of the ends' distance; nan where none is given."""


def alpha_from_endpoints(
    p0: ArrayLike, p1: ArrayLike, target: ArrayLike, *, between: tuple[float, ArrayLike] | None = None
) -> Endpoints:
    """Predict the best alpha from the students at alpha = 0 and alpha = 1.

    Formula: if predictions were `p0 + alpha (p1 - p0)`, as they are for linear students, the squared error would be
    least at `alpha = -sum (p0 - f)(p1 - p0) / sum (p1 - p0)^2`. Networks are not linear: an intermediate student, at
    alpha = a, departs by `|p_a - p0 - a (p1 - p0)| / |p1 - p0|` in root mean square.

    Args:
        p0: predictions of the student at alpha = 0, shape (n,) or (n, C).
        p1: of the student at alpha = 1.
        target: the correct values, or one-hot labels, held out from training.
        between: an alpha strictly between 0 and 1, and that student's predictions.

    Example:
        >>> alpha_from_endpoints([0.0], [2.0], [1.0]).alpha.free
        0.5

    Source: the parabola of `risk_coefficients`, fitted to its two ends.
    """
    first = _predictions(p0, "p0")
    last, correct = _predictions(p1, "p1", first.shape), _predictions(target, "target", first.shape)
    step, n = last - first, len(first)
    sums = np.sum((first - correct) ** 2), np.sum((first - correct) * step), np.sum(step**2)
    risk = RiskCoefficients(*(float(each) / n for each in sums))
    departure = math.nan
    if between is not None and risk.q > 0:
        a, middle = between
        if not 0 < a < 1:
            raise not_allowed("between[0]", a, "strictly between 0 and 1")
        off = _predictions(middle, "between[1]", first.shape) - first - a * step
        departure = math.sqrt(float(np.sum(off**2)) / n / risk.q)
    return Endpoints(risk, alpha_star(risk), departure)


def _predictions(values: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or not array.size or (shape is not None and array.shape != shape):
        raise not_allowed(f"{name}.shape", array.shape, "(n,) or (n, C)" if shape is None else f"{shape}, as p0's")
    if not np.isfinite(array).all():
        raise not_allowed(name, "an array with NaN or infinity", "finite")
    return array
