"""Intervals for a mean over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from distillab.stats.sample import as_sample, as_scores, check_count, check_share, contiguous_columns, identical


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float
    n: int
    method: str


def t_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Give the mean of one number per seed with Student's t interval.

    mean ± t(1 - (1 - confidence) / 2; R - 1) * sd / sqrt(R)

    Args:
        values: shape (R,), finite.
        confidence: strictly between 0 and 1.

    Returns:
        `Interval`. With one seed `low` and `high` are nan. Identical values give an interval of no width: no spread was
        *observed*, which does not mean that there is none.

    Example:
        >>> low, high = t_interval([1.0, 2.0, 3.0])[1:3]
        >>> round(low, 3), round(high, 3)
        (-0.484, 4.484)

    Source: Student, "The probable error of a mean", Biometrika 1908.

    Note: it covers the seeds drawn again on the same data and the same test set, and one look at them. It does not
    cover another data set, nor seeds added until the interval looks good.
    """
    return t_intervals(as_sample(values)[:, None], confidence=confidence)[0]


def t_intervals(values: ArrayLike, *, confidence: float = 0.95) -> tuple[Interval, ...]:
    """Give `t_interval` of every column, in their order: the same numbers, faster.

    Args:
        values: shape (R, K), finite; a row is a seed.
        confidence: strictly between 0 and 1.
    """
    samples = contiguous_columns(as_scores(values, "values"))
    check_share("confidence", confidence)
    n, means = len(samples), samples.mean(axis=0)
    half = np.full(means.shape, np.nan)
    if n > 1:
        spread = stdtrit(n - 1, 0.5 + confidence / 2) * samples.std(axis=0, ddof=1) / np.sqrt(n)
        half = np.where(identical(samples), 0.0, spread)
    return tuple(
        Interval(mean, low, high, n, "t")
        for mean, low, high in zip(means.tolist(), (means - half).tolist(), (means + half).tolist(), strict=True)
    )


FEW_SEEDS = 3
"""Up to this many seeds the t interval is too wide to mean anything: the factors are 12.7 for two and 4.3 for three."""


def intervals_over_seeds(values: ArrayLike) -> tuple[Interval, ...]:
    """Give the 95 % `t_intervals` of every column; with two or three seeds the range seen instead.

    Of two seeds at 94.2 and 95.8 % a t interval says 84.8 to 105.2 %. So few seeds cannot tell; the
    least and the largest value say all that is known.

    Args:
        values: shape (R, K), finite; a row is a seed.

    Returns:
        An `Interval` for each column, of the method "t" or "range seen".

    Example:
        >>> intervals_over_seeds([[0.942], [0.958]])[0][1:]
        (0.942, 0.958, 2, 'range seen')
    """
    intervals = t_intervals(values)
    samples = np.asarray(values, dtype=np.float64)
    if not 2 <= len(samples) <= FEW_SEEDS:
        return intervals
    ends = zip(samples.min(axis=0).tolist(), samples.max(axis=0).tolist(), strict=True)
    return tuple(
        interval._replace(low=low, high=high, method="range seen")
        for interval, (low, high) in zip(intervals, ends, strict=True)
    )


def bootstrap_interval(
    values: ArrayLike, *, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 9999
) -> Interval:
    """Give the mean of one number per seed with the bias-corrected, accelerated bootstrap interval (BCa).

    The seeds are resampled with replacement; the percentiles read off are shifted for bias and skewness. The values are
    sorted first, so the order of the seeds changes nothing.

    Args:
        values: shape (R,), finite.
        rng: the generator that draws the resamples.
        confidence: strictly between 0 and 1.
        resamples: at least 100.

    Returns:
        `Interval`; nan ends with one seed, no width with identical values, as in `t_interval`.

    Source: B. Efron, "Better bootstrap confidence intervals", JASA 1987; computed by `scipy.stats.bootstrap`.

    Note: with few seeds it is too narrow: at 95 % it covered 83 % with five seeds, 90 % with ten and 92 % with twenty
    (docs/statistics.md); the t interval is the one to quote there. The limits of `t_interval` apply.
    """
    sample = np.sort(as_sample(values))
    check_share("confidence", confidence)
    check_count("resamples", resamples, 100)
    n, mean = len(sample), float(sample.mean())
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), n, "BCa bootstrap")
    if identical(sample):
        return Interval(mean, mean, mean, n, "BCa bootstrap")
    from scipy.stats import bootstrap  # half a second to import, and rarely needed

    # `random_state` is the name both the oldest supported SciPy and the newest know.
    interval = bootstrap(
        (sample,), np.mean, confidence_level=confidence, n_resamples=resamples, method="BCa", random_state=rng
    ).confidence_interval
    return Interval(mean, float(interval.low), float(interval.high), n, "BCa bootstrap")
