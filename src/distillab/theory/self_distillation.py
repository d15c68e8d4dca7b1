"""Self-distillation along the singular directions of the features: when a teacher of the same labels helps, and why.

Student and teacher share the features X = U diag(s) V' and the labels; each fits a share of the i-th direction, its
filter. Every quantity is then a sum over the directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.theory.inputs import Floats, as_count, as_matrix, as_number, as_vector
from distillab.theory.risk import RiskCoefficients


@dataclass(frozen=True)
class Spectrum:
    """A regression problem along the singular directions of its features.

    Args:
        strengths: d_i, the squared singular values, shape (r,), above 0.
        signal: theta_i squared, where theta_i is the truth's part along direction i, shape (r,).
        weights: of the directions in the risk, shape (r,): `1 / n` each for the risk on the training examples,
            `1 / d_i` for the error of the coefficients.
        outside: the mean square of the truth outside of all directions.
    """

    strengths: Floats
    signal: Floats
    weights: Floats
    outside: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strengths", as_vector(self.strengths, "strengths"))
        count = len(self.strengths)
        object.__setattr__(self, "signal", as_vector(self.signal, "signal", count))
        object.__setattr__(self, "weights", as_vector(self.weights, "weights", count))
        as_number(self.outside, "outside", 0)
        if (self.strengths <= 0).any():
            raise not_allowed(
                "strengths", float(self.strengths.min()), "above 0: leave out directions without features"
            )
        for name in ("signal", "weights"):
            if (getattr(self, name) < 0).any():
                raise not_allowed(name, float(getattr(self, name).min()), "at least 0")


def spectrum(x: ArrayLike, truth: ArrayLike) -> Spectrum:
    """The directions of a design with a singular value above rounding, weighted for the risk on its own examples.

    Args:
        x: features, shape (n, d).
        truth: f, shape (n,).
    """
    features = as_matrix(x, "x")
    f = as_vector(truth, "truth", len(features))
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    sound = singular > singular[0] * max(features.shape) * np.finfo(np.float64).eps
    theta = left[:, sound].T @ f
    n = len(f)
    outside = max(float(f @ f - theta @ theta), 0.0) / n
    return Spectrum(singular[sound] ** 2, theta**2, np.full(len(theta), 1 / n), outside)


def ridge_filter(strengths: ArrayLike, penalty: float) -> Floats:
    """The share of each direction that ridge regression fits, shape (r,), from 0 to 1: `d / (d + lambda)`.

    Args:
        strengths: d, shape (r,).
        penalty: lambda >= 0.
    """
    d = as_vector(strengths, "strengths")
    return np.asarray(d / (d + as_number(penalty, "penalty", 0)))


def descent_filter(strengths: ArrayLike, *, steps: int, rate: float) -> Floats:
    """The share of each direction that gradient descent has fitted, shape (r,): `1 - (1 - rate d)^steps`.

    Args:
        strengths: d, shape (r,).
        steps: >= 0.
        rate: above 0, at most `1 / max d`.
    """
    d = as_vector(strengths, "strengths")
    if as_number(rate, "rate", 0, above=True) * d.max() > 1 + 1e-12:
        raise not_allowed("rate", rate, f"at most {1 / d.max():.4g}, one over the largest squared singular value")
    return np.asarray(1 - (1 - rate * d) ** as_count(steps, 0, "steps"))


def best_filter(problem: Spectrum, variance: float) -> Floats:
    """The filter of least risk, shape (r,), for a known signal: `theta^2 / (theta^2 + sigma^2)`.

    Args:
        problem: its directions.
        variance: of the label noise, above 0.

    Source: Wiener, "Extrapolation, interpolation, and smoothing of stationary time series", 1949.
    """
    return np.asarray(problem.signal / (problem.signal + as_number(variance, "variance", 0, above=True)))


def filter_risk(problem: Spectrum, filters: ArrayLike, variance: float) -> float:
    """The risk of any filter.

    Formula: `outside + sum c [(1 - phi)^2 theta^2 + sigma^2 phi^2]`.

    Args:
        problem: its directions.
        filters: phi, shape (r,).
        variance: sigma^2 >= 0.
    """
    phi = as_vector(filters, "filters", len(problem.signal))
    noise = as_number(variance, "variance", 0)
    return float(problem.outside + problem.weights @ ((1 - phi) ** 2 * problem.signal + noise * phi**2))


def self_distillation_risk(
    problem: Spectrum, student: ArrayLike, teacher: ArrayLike, variance: float
) -> RiskCoefficients:
    """The risk of self-distillation as a parabola in alpha.

    Formula: with filters h and g the student's becomes `phi = h g + alpha a`, `a = h (1 - g)` the teacher's
    additional shrinkage. With `om = theta^2 + sigma^2` and the best filter w, the risk is
    `const + sum c om (phi - w)^2`, so `alpha* = 1 - sum c a om (h - w) / sum c a^2 om`.

    Args:
        problem: its directions.
        student, teacher: h and g, shape (r,), from 0 to 1.
        variance: sigma^2 of the label noise, >= 0.

    Source: the setting of Das and Sanghavi, "Understanding self-distillation in the presence of label noise", 2023, and
    of Pareek, Du and Oh, "Understanding the gains from repeated self-distillation", 2024; this form derived here.
    """
    h, g = checked_filters(problem, student, teacher)
    c, theta2, noise = problem.weights, problem.signal, as_number(variance, "variance", 0)
    alone, added = h * g, h * (1 - g)
    return RiskCoefficients(
        filter_risk(problem, alone, noise),
        float(c @ (-(1 - alone) * added * theta2 + noise * alone * added)),
        float(c @ (added**2 * (theta2 + noise))),
    )


class Thresholds(NamedTuple):
    """Variances of the label noise at which the conclusion changes."""

    helps: float
    """Above it alpha* < 1: distillation helps. inf where the teacher changes nothing."""
    alone: float
    """Above it alpha* < 0: the teacher alone is best. At least `helps`."""


def thresholds(problem: Spectrum, student: ArrayLike, teacher: ArrayLike) -> Thresholds:
    """The label noise above which self-distillation helps, and above which the teacher alone is best.

    Formula: with `a = h (1 - g)`: `alpha* < 1` from `sigma^2 > sum c a (1 - h) theta^2 / sum c a h` on, and
    `alpha* < 0` from `sum c a (1 - h g) theta^2 / sum c a h g` on.

    Args:
        problem: its directions.
        student, teacher: h and g, shape (r,), from 0 to 1.

    Source: derived for this package; that the teacher's weight exceeds one under high noise is in Das and Sanghavi,
    2023.
    """
    h, g = checked_filters(problem, student, teacher)
    c, theta2 = problem.weights, problem.signal
    added = h * (1 - g)
    return Thresholds(
        _ratio(float(c @ (added * (1 - h) * theta2)), float(c @ (added * h))),
        _ratio(float(c @ (added * (1 - h * g) * theta2)), float(c @ (added * h * g))),
    )


def path_rule(problem: Spectrum, penalty: float, variance: float) -> float:
    """The best alpha where student and teacher are ridge regressions with the same penalty.

    Formula: the students are `fit + (1 - alpha) lambda dfit/dlambda`, so `alpha* = 1 + R'(lambda) / (2 lambda E)`,
    with `E` the mean square of the fit's derivative: distillation helps exactly where more penalty would.

    Args:
        problem: its directions.
        penalty: lambda, above 0.
        variance: sigma^2, >= 0.

    Source: Dang, Patil and Rinaldo, "Optimal unconstrained self-distillation in ridge regression", 2026, prove the rule
    in general; this form derived here.
    """
    lam, noise = as_number(penalty, "penalty", 0, above=True), as_number(variance, "variance", 0)
    c, d, theta2 = problem.weights, problem.strengths, problem.signal
    slope = 2 * float(c @ (d * (lam * theta2 - d * noise) / (d + lam) ** 3))
    energy = float(c @ (d**2 * (theta2 + noise) / (d + lam) ** 4))
    return 1 + slope / (2 * lam * energy)


def repeated(filters: ArrayLike, teacher: ArrayLike, alphas: ArrayLike) -> Floats:
    """The last student's filter, shape (r,), where in every round the previous student teaches the next.

    Formula: `phi_0 = g`, `phi_k = h [alpha_k + (1 - alpha_k) phi_(k-1)]`; with alpha = 0 throughout, `h^k g`.

    Args:
        filters: h, of every student, shape (r,).
        teacher: g, of the first teacher, shape (r,).
        alphas: one for each round, shape (k,).

    Source: for alpha = 0, Mobahi, Farajtabar and Bartlett, "Self-distillation amplifies regularization in Hilbert
    space", 2020.
    """
    h = as_vector(filters, "filters")
    phi = as_vector(teacher, "teacher", len(h))
    for alpha in as_vector(alphas, "alphas"):
        phi = h * (alpha + (1 - alpha) * phi)
    return phi


def closed_share(problem: Spectrum, student: ArrayLike, teacher: ArrayLike, variance: float) -> float:
    """The share, from 0 to 1, of the gap between labels alone and the best filter that the best alpha closes.

    Formula: the squared cosine between `a` and `h - w` under the weights `c om`; nan where the
    student cannot gain or the teacher changes nothing.

    Args:
        problem: its directions.
        student, teacher: h and g, shape (r,), from 0 to 1.
        variance: sigma^2, above 0.
    """
    h, g = checked_filters(problem, student, teacher)
    weight = problem.weights * (problem.signal + variance)
    added, lacking = h * (1 - g), h - best_filter(problem, variance)
    norms = float((weight @ added**2) * (weight @ lacking**2))
    return float(weight @ (added * lacking)) ** 2 / norms if norms > 0 else float("nan")


def checked_filters(problem: Spectrum, student: ArrayLike, teacher: ArrayLike) -> tuple[Floats, Floats]:
    """Check both filters, and give them as arrays.

    Args:
        problem: its directions.
        student, teacher: h and g, shape (r,), from 0 to 1.
    """
    pair = []
    for name, values in (("student", student), ("teacher", teacher)):
        filters = as_vector(values, name, len(problem.signal))
        for bound in (float(filters.min()), float(filters.max())):
            as_number(bound, f"{name}'s filter", 0, 1)
        pair.append(filters)
    return pair[0], pair[1]


def _ratio(over: float, under: float) -> float:
    return float(over / under) if under > 0 else float("inf")
