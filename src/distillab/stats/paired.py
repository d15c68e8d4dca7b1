"""Tests of one difference per seed, for any difference at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.stats.sample import SAME, Floats, as_sample, as_scores, check_count, contiguous_columns
from distillab.stats.t_test import one_sample_t


class PairedTest(NamedTuple):
    """A two-sided test that the mean difference is zero."""

    difference: float
    """The mean of the differences."""
    statistic: float
    p: float
    n: int
    method: str


def paired_t(differences: ArrayLike) -> PairedTest:
    """Test by Student's t whether the mean paired difference is zero.

    t = mean / (sd / sqrt(R)), two-sided, R - 1 degrees of freedom.

    Args:
        differences: shape (R,), finite: one difference per seed.

    Returns:
        `PairedTest`. All-zero differences: statistic 0, p = 1. Identical nonzero differences, and a single seed: the
        spread is unknown, so it is the sign test (p = 2^(1-R), the statistic counts signs) and `method` says so.

    Example:
        >>> round(paired_t([1.0, 2.0, 3.0]).p, 4)
        0.0742

    Source: Student, "The probable error of a mean", Biometrika 1908.

    Note: p holds for one look at a number of seeds fixed beforehand. Adding seeds until p falls below 0.05 makes it
    false.
    """
    return paired_ts(as_sample(differences, "differences")[:, None])[0]


def paired_ts(differences: ArrayLike) -> tuple[PairedTest, ...]:
    """Test every column, in their order, as `paired_t` does: the same numbers, faster.

    Args:
        differences: shape (R, K), finite; a row is a seed.
    """
    t = one_sample_t(contiguous_columns(as_scores(differences, "differences")))
    columns = (t.mean.tolist(), t.statistic.tolist(), t.p.tolist(), t.identical.tolist())
    return tuple(
        PairedTest(mean, statistic, p, t.n, "sign test (identical differences)" if same else "paired t")
        for mean, statistic, p, same in zip(*columns, strict=True)
    )


def sign_flip(differences: ArrayLike, *, rng: np.random.Generator, resamples: int = 9999) -> PairedTest:
    """Test whether the differences are symmetric about zero, by flipping their signs.

    p = share of the sign patterns whose |mean| is at least the observed one. All 2^R patterns are counted when there
    are no more than `resamples`; otherwise patterns are drawn, and p = (count + 1) / (resamples + 1), because the
    observed pattern is one of them.

    Args:
        differences: shape (R,), finite: one difference per seed.
        rng: the generator that draws the patterns; untouched when all are counted.
        resamples: at least 100.

    Returns:
        `PairedTest`, with the mean as statistic. The smallest p that R seeds can give is 2^(1-R): below six seeds it
        cannot reach 0.05. All-zero differences: p = 1.

    Example:
        >>> sign_flip([1.0, 2.0, 3.0], rng=np.random.default_rng(0)).p
        0.25

    Source: R. A. Fisher, "The Design of Experiments", 1935, section 21; the +1: B. Phipson and G. K. Smyth,
    "Permutation p-values should never be zero", 2010.

    Note: it needs symmetry, not normality. One look at a number of seeds fixed beforehand, as `paired_t`.
    """
    return sign_flips(as_sample(differences, "differences")[:, None], rng=rng, resamples=resamples)[0]


def sign_flips(
    differences: ArrayLike, *, rng: np.random.Generator, resamples: int = 9999, drawn: Floats | None = None
) -> tuple[PairedTest, ...]:
    """Test every column, in their order, as `sign_flip` does, all by the same patterns.

    Args:
        differences: shape (R, K), finite; a row is a seed.
        rng, resamples: as in `sign_flip`.
        drawn: patterns from `drawn_signs`, shape (resamples, R); None: drawn here.
    """
    samples = contiguous_columns(as_scores(differences, "differences"))
    check_count("resamples", resamples, 100)
    n, means = len(samples), samples.mean(axis=0)
    # Sorted magnitudes: the result depends neither on the order of the seeds nor on the sign of the difference.
    size = np.sort(np.abs(samples), axis=0)
    # A pattern that gives the observed mean in another order of summation must count as equal to it.
    bound = np.abs(samples.sum(axis=0)) - SAME * size.sum(axis=0)
    exact = 2**n <= resamples
    if exact:
        drawn = all_signs(n)
    elif drawn is None:
        drawn = drawn_signs(rng, resamples, n)
    sums = size.T @ drawn.T
    count = np.count_nonzero(np.abs(sums, out=sums) >= bound[:, None], axis=1)
    p = count / 2**n if exact else (count + 1) / (resamples + 1)
    method = f"sign flip, {'exact' if exact else f'{resamples} draws'}"
    return tuple(PairedTest(mean, mean, each, n, method) for mean, each in zip(means.tolist(), p.tolist(), strict=True))


def all_signs(n: int) -> Floats:
    """List every pattern of n signs, -1 and +1, shape (2^n, n); the first row is all +1.

    Args:
        n: seeds.
    """
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return np.asarray(1 - 2 * bits, dtype=np.float64)


def drawn_signs(rng: np.random.Generator, resamples: int, n: int) -> Floats:
    """Draw patterns of n fair signs, -1 and +1, shape (resamples, n).

    Args:
        rng: the generator.
        resamples: patterns.
        n: seeds.
    """
    return np.asarray(1 - 2 * rng.integers(0, 2, size=(resamples, n)), dtype=np.float64)
