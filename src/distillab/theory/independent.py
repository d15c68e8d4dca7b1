"""A teacher with k times the data and independent labels: the best alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import as_number
from distillab.theory.risk import RiskCoefficients
from distillab.theory.self_distillation import Spectrum, checked_filters, ridge_filter


def independent_teacher_risk(
    problem: Spectrum, student: ArrayLike, *, k: float, penalty: float, variance: float, teacher_variance: float
) -> RiskCoefficients:
    """The risk with a ridge teacher of independent data, as a parabola in alpha.

    Formula: with `Z'Z = k X'X` the teacher's filter is `g = k d / (k d + lambda)`, and the risk
    `sum c [(1 - h (alpha + (1 - alpha) g))^2 theta^2 + h^2 (alpha^2 sigma^2 + (1 - alpha)^2 g^2 sigma_t^2 / k)]`.

    Args:
        problem: the student's directions.
        student: its filter h, shape (r,).
        k: the teacher's data as a multiple of the student's, above 0.
        penalty: of the teacher, >= 0.
        variance: sigma^2 of the student's labels, >= 0.
        teacher_variance: sigma_t^2 of the teacher's, >= 0.

    Source: derived for this package.
    """
    g = ridge_filter(as_number(k, "k", 0, above=True) * problem.strengths, penalty)
    h, g = checked_filters(problem, student, g)
    c, theta2 = problem.weights, problem.signal
    noise, own = as_number(variance, "variance", 0), g**2 * as_number(teacher_variance, "teacher_variance", 0) / k
    missed, change = 1 - h * g, -h * (1 - g)
    return RiskCoefficients(
        float(problem.outside + c @ (missed**2 * theta2 + h**2 * own)),
        float(c @ (missed * change * theta2 - h**2 * own)),
        float(c @ (change**2 * theta2 + h**2 * (noise + own))),
    )


def least_squares_alpha(k: float, *, variance: float = 1.0, teacher_variance: float = 1.0) -> float:
    """The best alpha where student and teacher are least squares and the truth is linear.

    Formula: `alpha* = 1 / (1 + k sigma^2 / sigma_t^2)`: both predictions are unbiased, so precisions weight them.

    Args:
        k: the teacher's data as a multiple of the student's, above 0.
        variance: sigma^2 of the student's labels, above 0.
        teacher_variance: sigma_t^2, >= 0.

    Example:
        >>> least_squares_alpha(4.0)
        0.2

    Source: the weights of two unbiased estimates, Bates and Granger, "The combination of forecasts", 1969.
    """
    own = as_number(teacher_variance, "teacher_variance", 0)
    return float(own / (own + as_number(k, "k", 0, above=True) * as_number(variance, "variance", 0, above=True)))


def least_squares_risk(
    k: float, *, directions: int, examples: int, variance: float = 1.0, teacher_variance: float = 1.0
) -> float:
    """The mean squared error on the student's examples there: `(d / n) sigma^2 / (1 + k sigma^2 / sigma_t^2)`.

    Args:
        k, variance, teacher_variance: as in `least_squares_alpha`.
        directions: d, the features.
        examples: n.
    """
    alpha = least_squares_alpha(k, variance=variance, teacher_variance=teacher_variance)
    return float(np.float64(directions) / examples * variance * alpha)
