"""The one-sample t test, for many columns at once: the basis of every comparison of this package."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from distillab.stats.sample import SAME, Floats, identical


class TTest(NamedTuple):
    """The result of `one_sample_t`; every field but `n` has the shape of one row of its values."""

    mean: Floats
    sd: Floats
    """Standard deviation with divisor R - 1; 0 where the values are identical."""
    statistic: Floats
    p: Floats
    """Two-sided."""
    p_greater: Floats
    """One-sided, for "the mean is greater than the null"."""
    p_less: Floats
    """One-sided, for "the mean is less than the null"."""
    identical: NDArray[np.bool_]
    n: int


def one_sample_t(values: Floats, *, null: ArrayLike = 0.0) -> TTest:
    """Test, column by column, whether the mean over seeds is `null`.

    t = (mean - null) / (sd / sqrt(R)), with R - 1 degrees of freedom.

    Where all R values of a column are identical the spread is unknown, not zero: two students that both gain exactly
    one test example would otherwise give p = 0. The sign test replaces it there; it only assumes that under the null
    each value is as likely to fall on either side: p = 2^(1-R) two-sided, 2^-R on the side where the values
    lie, 1 on the other, and 1 everywhere when they lie on the null itself. One seed is that case with R = 1: p = 1.

    Args:
        values: shape (R, ...), finite; seeds along the first axis.
        null: the mean under the null, broadcast against (...).

    Returns:
        `TTest`. In an identical column `statistic` is the sign test's: values above minus values below the null.

    Source: Student, "The probable error of a mean", Biometrika 1908; the sign test: Arbuthnot 1710.
    """
    n = values.shape[0]
    same = identical(values)
    mean = values.mean(axis=0)
    sd = np.where(same, 0.0, values.std(axis=0, ddof=1 if n > 1 else 0))
    shift = mean - null
    # Rounding must not put a constant difference equal to the null on either side of it.
    side = np.where(np.abs(shift) <= SAME * np.maximum(np.abs(mean), np.abs(null)), 0.0, np.sign(shift))
    t = shift / np.where(same, 1.0, sd / np.sqrt(n))
    df = max(n - 1, 1)
    sign_p = 0.5**n
    return TTest(
        mean=mean,
        sd=sd,
        statistic=np.where(same, n * side, t),
        p=np.where(same, np.where(side == 0, 1.0, 2 * sign_p), 2 * stdtr(df, -np.abs(t))),
        p_greater=np.where(same, np.where(side > 0, sign_p, 1.0), stdtr(df, -t)),
        p_less=np.where(same, np.where(side < 0, sign_p, 1.0), stdtr(df, t)),
        identical=same,
        n=n,
    )
