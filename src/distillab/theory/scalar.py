"""The weighted mean of two noisy estimates of one number: the label and the teacher."""

from __future__ import annotations

import math

from distillab.theory.inputs import as_number
from distillab.theory.risk import RiskCoefficients


def scalar_risk(*, bias: float, sigma: float, tau: float, correlation: float = 0.0) -> RiskCoefficients:
    """The risk of `alpha y + (1 - alpha) t` as a parabola in alpha.

    Formula: with `y = f + eps` and `t = f + b + zeta`,
    `R = (1 - alpha)^2 (b^2 + tau^2) + alpha^2 sigma^2 + 2 alpha (1 - alpha) rho sigma tau`, least at
    `alpha* = (b^2 + tau^2 - rho sigma tau) / (b^2 + sigma^2 + tau^2 - 2 rho sigma tau)`.

    Args:
        bias: b, the teacher's.
        sigma: the label's standard deviation, >= 0.
        tau: the teacher's, >= 0.
        correlation: rho of the two noises, from -1 to 1.

    Example:
        >>> from distillab.theory import alpha_star
        >>> alpha_star(scalar_risk(bias=1.0, sigma=1.0, tau=0.0)).free
        0.5

    Source: Bates and Granger, "The combination of forecasts", 1969, here with a bias.
    """
    s, t = as_number(sigma, "sigma", 0), as_number(tau, "tau", 0)
    shared = as_number(correlation, "correlation", -1, 1) * s * t
    of_teacher = float(bias) ** 2 + t**2
    return RiskCoefficients(of_teacher, shared - of_teacher, of_teacher + s**2 - 2 * shared)


def memorising_teacher_alpha(*, bias: float, sigma: float, share: float) -> float:
    """The best alpha where the teacher has memorised a share of the label noise.

    Formula: `alpha* = (b^2 - c (1 - c) sigma^2) / (b^2 + (1 - c)^2 sigma^2)`: without a bias `-c / (1 - c)`,
    because a negative weight of the labels removes the noise in the teacher; nan where label and teacher are the same.

    Args:
        bias: b, the teacher's.
        sigma: the label's standard deviation, >= 0.
        share: c, from 0 to 1.
    """
    c, s2 = as_number(share, "share", 0, 1), as_number(sigma, "sigma", 0) ** 2
    under = float(bias) ** 2 + (1 - c) ** 2 * s2
    return (float(bias) ** 2 - c * (1 - c) * s2) / under if under > 0 else math.nan
