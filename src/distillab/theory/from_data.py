"""Alpha without a sweep: from one training set, or from the students at both ends."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_matrix, as_vector, at_least
from distillab.theory.risk import AlphaStar, RiskCoefficients, alpha_star


def alpha_cp(
    y: ArrayLike, answers: ArrayLike, student: ArrayLike, variance: float, *, memory: ArrayLike | None = None
) -> AlphaStar:
    """Estimate the best alpha from one training set, without a second one and without a sweep.

    Formula: `alpha_Cp = [(y - S t)' S (y - t) - sigma^2 tr(S (I - A))] / |S (y - t)|^2`; numerator and denominator have
    the expectations -n c and n q of the risk's parabola.

    Args:
        y: labels, shape (n,).
        answers: t, the teacher's, shape (n,).
        student: S, shape (n, n).
        variance: sigma^2 of the label noise; `residual_variance` estimates it.
        memory: A, shape (n, n): the teacher's own smoother where it learned these labels; by default it has not.

    Returns:
        `AlphaStar`; nan where the student does not tell label from teacher.

    Raises:
        RequestError: shapes that do not fit, a negative variance.

    Source: the statistic of Mallows, "Some comments on Cp", Technometrics 1973, applied to the parabola in alpha. Dang,
    Patil and Rinaldo, 2026, have a one-shot tuner for ridge self-distillation.
    """
    labels = as_vector(y, "y")
    n = len(labels)
    t, s = as_vector(answers, "answers", n), as_matrix(student, "student", (n, n))
    noise = at_least(variance, 0, "variance")
    forgotten = np.eye(n) if memory is None else np.eye(n) - as_matrix(memory, "memory", (n, n))
    moved = s @ (labels - t)
    under = float(moved @ moved)
    if under == 0:
        return AlphaStar(math.nan, math.nan)
    over = float((labels - s @ t) @ moved) - noise * float(np.sum(s * forgotten.T))
    return alpha_star(RiskCoefficients(under, -over, under))


class Endpoints(NamedTuple):
    """What the students at alpha = 0 and alpha = 1 tell of all others, were predictions linear in alpha."""

    risk: RiskCoefficients
    """Of the mean squared error to the target, a sum over the classes."""
    alpha: AlphaStar
    departure: float
    """How far a student in between lies from the line, as a share of the ends' distance; nan where none is given."""


def alpha_from_endpoints(
    p0: ArrayLike, p1: ArrayLike, target: ArrayLike, *, between: tuple[float, ArrayLike] | None = None
) -> Endpoints:
    """Predict the best alpha from the two students at its ends.

    Formula: if predictions were `p0 + alpha (p1 - p0)`, as they are for linear students, the squared error would be
    least at `alpha = -sum (p0 - f)(p1 - p0) / sum (p1 - p0)^2`. Networks are not linear: a student in between, at
    alpha = a, departs by `|p_a - p0 - a (p1 - p0)| / |p1 - p0|` in root mean square.

    Args:
        p0: predictions of the student at alpha = 0, shape (n,) or (n, C).
        p1: of the student at alpha = 1.
        target: what they should be: values, or one-hot labels, held out from training.
        between: an alpha strictly between 0 and 1, and that student's predictions.

    Returns:
        `Endpoints`.

    Raises:
        RequestError: shapes that do not fit.

    Example:
        >>> alpha_from_endpoints([0.0], [2.0], [1.0]).alpha.free
        0.5

    Source: the parabola of `risk_coefficients`, fitted to its two ends.
    """
    first = _predictions(p0, "p0")
    last, aim = _predictions(p1, "p1", first.shape), _predictions(target, "target", first.shape)
    way, n = last - first, len(first)
    risk = RiskCoefficients(
        float(np.sum((first - aim) ** 2)) / n, float(np.sum((first - aim) * way)) / n, float(np.sum(way**2)) / n
    )
    departure = math.nan
    if between is not None and risk.q > 0:
        a, middle = between
        if not 0 < a < 1:
            raise not_allowed("between[0]", a, "strictly between 0 and 1")
        off = _predictions(middle, "between[1]", first.shape) - first - a * way
        departure = math.sqrt(float(np.sum(off**2)) / n / risk.q)
    return Endpoints(risk, alpha_star(risk), departure)


def _predictions(values: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or not array.size or (shape is not None and array.shape != shape):
        raise not_allowed(f"{name}.shape", array.shape, "(n,) or (n, C)" if shape is None else f"{shape}, as p0's")
    if not np.isfinite(array).all():
        raise not_allowed(name, "an array with NaN or infinity", "finite")
    return array
