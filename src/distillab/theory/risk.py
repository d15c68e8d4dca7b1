"""A student's risk as a parabola in alpha, for any linear student and any teacher that is linear in the noise."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.theory.inputs import Floats, as_covariance, as_matrix, as_vector
from distillab.theory.teachers import LinearTeacher

NO_EFFECT = 1e-24
"""A curvature below this share of the risk is rounding: float64's own is its square, 1e-32."""


class AlphaStar(NamedTuple):
    """The alpha of least risk."""

    free: float
    """Among all real numbers; nan where alpha has no effect."""
    clipped: float
    """From 0 to 1."""


class RiskCoefficients(NamedTuple):
    """The parabola `R(alpha) = r0 + 2 c alpha + q alpha^2`."""

    r0: float
    """The risk of the teacher alone."""
    c: float
    q: float
    """At least 0."""

    def at(self, alpha: ArrayLike) -> Floats:
        """The risk, in the shape of alpha.

        Args:
            alpha: one or many.
        """
        a = np.asarray(alpha, dtype=np.float64)
        return np.asarray(self.r0 + 2 * self.c * a + self.q * a**2)

    @property
    def matters(self) -> bool:
        """Whether alpha changes the student at all."""
        return self.q > NO_EFFECT * max(self.r0, np.finfo(np.float64).tiny)


class Split(NamedTuple):
    """The risk as squared bias and variance."""

    bias: RiskCoefficients
    variance: RiskCoefficients

    @property
    def risk(self) -> RiskCoefficients:
        """Their sum."""
        return RiskCoefficients(*(b + v for b, v in zip(self.bias, self.variance, strict=True)))


def risk_split(
    student: ArrayLike, teacher: LinearTeacher, truth: ArrayLike, noise: ArrayLike, *, target: ArrayLike | None = None
) -> Split:
    """Bias and variance of a linear student that learns from labels and a teacher.

    Formula: the student's targets are `alpha y + (1 - alpha) t`, its predictions `S t + alpha S (y - t)`. With
    `b = S m - f` and `D = S (f - m)`, the squared bias is `|b + alpha D|^2 / n` and the variance
    `[tr(S M Sigma M' S') + (1 - alpha)^2 tr(S V S')] / n`, `M = A + alpha (I - A)`.

    Args:
        student: S, shape (n, n): from targets to predictions on the training examples. For new examples, shape (r, n).
        teacher: its mean m, memory A and covariance V.
        truth: f, shape (n,), the labels without noise.
        noise: Sigma: the variance of the label noise, one an example (n,), or a covariance (n, n).
        target: for a student of shape (r, n), its correct predictions, shape (r,). The risk is then the sum of squares
            instead of their mean.

    Source: derived for this package; as a combination of forecasts it goes back to Bates and Granger, "The combination
    of forecasts", 1969. For self-distillation compare Das and Sanghavi, 2023, and Pareek, Du and Oh, 2024.
    """
    f = as_vector(truth, "truth", len(teacher.mean))
    n = len(f)
    s = as_matrix(student, "student", (n if target is None else None, n))
    sigma = as_covariance(noise, "noise", n)
    correct = f if target is None else as_vector(target, "target", len(s))
    per = n if target is None else 1
    start, change = s @ teacher.mean - correct, s @ (f - teacher.mean)
    kept = s @ teacher.memory
    fresh = s - kept
    own = float(np.sum((s @ teacher.own) ** 2))
    bias = (start @ start / per, start @ change / per, change @ change / per)
    variance = (
        (np.sum(kept @ sigma * kept) + own) / per,
        (np.sum(kept @ sigma * fresh) - own) / per,
        (np.sum(fresh @ sigma * fresh) + own) / per,
    )
    return Split(RiskCoefficients(*map(float, bias)), RiskCoefficients(*map(float, variance)))


def risk_coefficients(
    student: ArrayLike, teacher: LinearTeacher, truth: ArrayLike, noise: ArrayLike, *, target: ArrayLike | None = None
) -> RiskCoefficients:
    """The risk of a linear student as a parabola in alpha.

    Formula: `R(alpha) = E|p - f|^2 / n = r0 + 2 c alpha + q alpha^2`, the sum of both parts of `risk_split`.

    Args:
        student, teacher, truth, noise, target: as in `risk_split`.

    Example:
        >>> from distillab.theory import fixed
        >>> risk_coefficients([[1.0]], fixed([3.0]), truth=[2.0], noise=1.0)  # off by 1, labels with variance 1
        RiskCoefficients(r0=1.0, c=-1.0, q=2.0)
    """
    return risk_split(student, teacher, truth, noise, target=target).risk


def alpha_star(risk: RiskCoefficients) -> AlphaStar:
    """The alpha of least risk, free and clipped to [0, 1]; nan where alpha has no effect.

    Formula: `alpha* = -c / q`; the risk of another alpha is higher by `q (alpha - alpha*)^2`.

    Args:
        risk: the parabola.

    Example:
        >>> alpha_star(RiskCoefficients(r0=1.0, c=-1.0, q=2.0))
        AlphaStar(free=0.5, clipped=0.5)
    """
    if not risk.matters:
        return AlphaStar(math.nan, math.nan)
    free = -risk.c / risk.q
    return AlphaStar(free, min(max(free, 0.0), 1.0))


def in_words(risk: RiskCoefficients) -> str:
    """Describe in a sentence whether distillation can help, for alpha from 0 to 1.

    Args:
        risk: the parabola.

    Example:
        >>> in_words(RiskCoefficients(r0=1.0, c=-1.0, q=2.0))
        'Distillation helps: at alpha = 0.5 the risk is 50.0 % below that of the labels alone.'
    """
    free, clipped = alpha_star(risk)
    if math.isnan(free):
        return "Alpha has no effect: the student of the teacher is the student of the labels."
    if free >= 1:
        return "Distillation cannot help: no alpha below 1 has less risk than the labels alone."
    best, labels_alone = float(risk.at(clipped)), float(risk.at(1.0))
    less = f"the risk is {100 * (1 - best / labels_alone):.1f} % below that of the labels alone"
    if free <= 0:
        return f"The teacher alone is best: at alpha = 0 {less}, and any weight of the labels adds to it."
    return f"Distillation helps: at alpha = {clipped:.3g} {less}."


class NoiseLaw(NamedTuple):
    """alpha* as a function of the variance s of the label noise: `(p0 + p1 s) / (q0 + q1 s)`."""

    p0: float
    p1: float
    q0: float
    q1: float

    def at(self, variance: ArrayLike) -> Floats:
        """The free alpha*, in the shape of the variance.

        Args:
            variance: of the label noise, one or many.
        """
        s = np.asarray(variance, dtype=np.float64)
        return np.asarray((self.p0 + self.p1 * s) / (self.q0 + self.q1 * s))

    @property
    def direction(self) -> int:
        """1 where alpha* rises with the noise, -1 where it falls, 0 where it is constant; it is monotonic."""
        return int(np.sign(self.p1 * self.q0 - self.p0 * self.q1))


def noise_law(
    student: ArrayLike, teacher: LinearTeacher, truth: ArrayLike, *, own_noise_grows: bool = True
) -> NoiseLaw:
    """The best alpha as a function of the label noise.

    Formula: with `Sigma = s I`, numerator and denominator of alpha* are linear in s, so it moves monotonically
    from `p0 / q0` without noise towards `p1 / q1`.

    Args:
        student: S, shape (n, n).
        teacher: at noise of variance 1.
        truth: f, shape (n,).
        own_noise_grows: whether the teacher's own labels are as noisy as the student's (its covariance is V times s),
            or do not change.

    Source: derived for this package.
    """
    quiet = risk_coefficients(student, teacher, truth, 0.0)
    loud = risk_coefficients(student, teacher, truth, 1.0)
    own = float(np.sum((as_matrix(student, "student") @ teacher.own) ** 2)) / len(teacher.mean)
    moved = own if own_noise_grows else 0.0
    return NoiseLaw(p0=-(quiet.c + moved), p1=quiet.c - loud.c + moved, q0=quiet.q - moved, q1=loud.q - quiet.q + moved)
