"""Power: the probability that a study of n seeds decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtr, gammaln, ndtr, stdtrit

from distillab.errors import not_allowed
from distillab.stats.sample import Floats, check_margin, check_share, check_significance


def paired_power(effect: ArrayLike, sd: ArrayLike, n: ArrayLike, significance: float = 0.05) -> Floats:
    """Give the power of the two-sided paired t test of n seeds, when the true mean difference is `effect`.

    With nc = |effect| sqrt(n) / sd and c = t(1 - significance / 2; n - 1):
    power = P(T' > c) + P(T' < -c), T' noncentral t with n - 1 degrees of freedom and noncentrality nc.

    Args:
        effect: the true mean difference.
        sd: > 0 as a rule, the standard deviation of the differences; at 0 every seed gives `effect` itself, and
            the sign test rejects from a certain n on (power 0 or 1).
        n: seeds, whole numbers; below 2 the power is 0. The three broadcast to the shape of the power.
        significance: of the two-sided test; divide it by K for K comparisons.

    Example:
        >>> round(float(paired_power(0.5, 1.0, 34)), 3)
        0.808

    Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, chapter 2.
    """
    effects, sds, seeds = _checked(effect, sd, n)
    check_share("significance", significance)
    towards, against = _rejects(effects, sds, seeds, significance / 2)
    certain = (effects != 0) & (2 * 0.5**seeds <= significance)
    return np.where(seeds < 2, 0.0, np.where(sds == 0, certain.astype(np.float64), np.minimum(1.0, towards + against)))


def one_sided_power(effect: ArrayLike, sd: ArrayLike, n: ArrayLike, significance: float = 0.05) -> Floats:
    """Give the power of the one-sided t test for "the mean is greater than 0", when the true mean is `effect`.

    Args:
        effect, sd, n: as in `paired_power`.
        significance: of the one-sided test.

    Source: as `paired_power`.
    """
    effects, sds, seeds = _checked(effect, sd, n)
    check_share("significance", significance)
    towards, against = _rejects(effects, sds, seeds, significance)
    certain = (effects > 0) & (0.5**seeds <= significance)
    power = np.where(effects >= 0, towards, against)
    return np.where(seeds < 2, 0.0, np.where(sds == 0, certain.astype(np.float64), power))


def tost_power(effect: ArrayLike, sd: ArrayLike, n: ArrayLike, *, margin: float, significance: float = 0.05) -> Floats:
    """Give the power of two one-sided tests of n seeds for equivalence, when the true mean difference is `effect`.

    Given the observed standard deviation s, both tests reject when |mean| < margin - c s / sqrt(n), with
    c = t(1 - significance; n - 1). This normal probability is averaged over the chi distribution of s.

    Args:
        effect, n: as in `paired_power`.
        sd: the standard deviation of the differences; at 0 the sign tests decide (power 0 or 1).
        margin: > 0, the largest difference that does not matter.
        significance: of each one-sided test, in (0, 0.5).

    Example:
        >>> round(float(tost_power(0.0, 1.0, 20, margin=1.0)), 3)
        0.992

    Source: K. F. Phillips, "Power of the two one-sided tests procedure in bioequivalence", 1990.
    """
    effects, sds, seeds = _checked(effect, sd, n)
    check_margin(margin)
    check_significance(significance)
    certain = (np.abs(effects) < margin) & (0.5**seeds <= significance)
    root = np.sqrt(np.maximum(seeds, 2.0)) / np.where(sds == 0, 1.0, sds)
    df = np.maximum(seeds, 2.0) - 1
    critical = stdtrit(df, 1 - significance)
    stop = margin * root / critical  # from here on no mean is near enough
    near, far = margin * root - np.abs(effects) * root, margin * root + np.abs(effects) * root
    # P(-far + c s < Z < near - c s), as P(Z < near - c s) - (1 - P(Z < far - c s)).
    power = (
        _normal_over_spread(near, critical, df, stop)
        + _normal_over_spread(far, critical, df, stop)
        - _spread_below(stop, df)
    )
    return np.where(seeds < 2, 0.0, np.where(sds == 0, certain.astype(np.float64), np.clip(power, 0.0, 1.0)))


_POINTS, _POINT_WEIGHTS = np.polynomial.legendre.leggauss(128)
_NODES, _WEIGHTS = (_POINTS + 1) / 2, _POINT_WEIGHTS / 2
_REACH = 10.0
"""Standard errors from its centre beyond which a normal probability or density is nothing (below 1e-22)."""


def _normal_over_spread(shift: Floats, critical: Floats, df: Floats, stop: ArrayLike = np.inf) -> Floats:
    """Average P(Z < shift - critical * s) over s < stop, where df * s^2 is chi-squared: a tail of the noncentral t.

    The probability is 1 up to a certain s, where the average is that of a constant, and 0 from another on; Gauss-
    Legendre quadrature covers what lies between, so a steep step costs no accuracy. SciPy's `nctdtr` is nan at
    scattered noncentralities above 35.
    """
    width = _REACH / np.sqrt(2 * df)
    one_until = np.clip((shift - _REACH) / critical, 0.0, stop)
    start = np.maximum(one_until, 1 - width)
    # Of few degrees of freedom the upper tail is heavier than a normal one: at df = 1, s is half-normal up to 1 + 7.
    end = np.minimum(np.minimum((shift + _REACH) / critical, stop), 1 + width)
    length = np.maximum(0.0, end - start)
    ratio = start[..., None] + length[..., None] * _NODES
    inside = ndtr(shift[..., None] - critical[..., None] * ratio)
    between = length * np.sum(_WEIGHTS * inside * _chi_ratio_density(ratio, df[..., None]), axis=-1)
    return np.asarray(_spread_below(one_until, df) + between, dtype=np.float64)


def _spread_below(ratio: ArrayLike, df: Floats) -> Floats:
    """P(s < ratio), where df * s^2 is chi-squared with df degrees of freedom."""
    return np.asarray(chdtr(df, df * np.square(np.minimum(ratio, 1e6))), dtype=np.float64)


def _chi_ratio_density(ratio: Floats, df: Floats) -> Floats:
    """Density of s / sd: df * ratio^2 is chi-squared with df degrees of freedom."""
    half = df / 2
    log_density = (
        np.log(2.0)
        + half * np.log(half)
        - gammaln(half)
        + (df - 1) * np.log(np.maximum(ratio, 1e-300))
        - half * ratio**2
    )
    return np.asarray(np.exp(log_density), dtype=np.float64)


def _rejects(effects: Floats, sds: Floats, seeds: Floats, tail: float) -> tuple[Floats, Floats]:
    """Probability that t passes its critical value in the direction of the effect, and against it."""
    df = np.maximum(seeds, 2.0) - 1
    noncentrality = np.abs(effects) * np.sqrt(df + 1) / np.where(sds == 0, 1.0, sds)
    critical = stdtrit(df, 1 - tail)
    towards = _normal_over_spread(noncentrality, critical, df)
    against = _normal_over_spread(-noncentrality, critical, df)
    return np.clip(towards, 0.0, 1.0), np.clip(against, 0.0, 1.0)


def _checked(effect: ArrayLike, sd: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats, Floats]:
    effects, sds, seeds = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (effect, sd, n)))
    if not np.isfinite(effects).all():
        raise not_allowed("effect", float(effects[~np.isfinite(effects)][0]), "a finite number")
    if not (np.isfinite(sds) & (sds >= 0)).all():
        raise not_allowed("sd", float(sds[~(np.isfinite(sds) & (sds >= 0))][0]), "a finite number >= 0")
    return effects, sds, seeds
