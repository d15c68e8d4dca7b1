"""Two one-sided tests of equivalence within a margin."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from distillab.stats.intervals import Interval, t_interval
from distillab.stats.sample import as_sample, check_margin, check_significance
from distillab.stats.t_test import one_sample_t


class Equivalence(NamedTuple):
    """Whether a mean difference lies within ± margin."""

    difference: float
    p: float
    """The larger of the two one-sided p values: both must be small."""
    p_above: float
    """One-sided, for "the mean is greater than -margin"."""
    p_below: float
    """One-sided, for "the mean is less than +margin"."""
    interval: Interval
    """At confidence 1 - 2 * significance. It lies inside ± margin exactly when p is below the significance, except
    for identical differences, which the sign test decides."""
    margin: float
    n: int
    method: str


def tost(differences: ArrayLike, *, margin: float, significance: float = 0.05) -> Equivalence:
    """Test whether the mean paired difference lies within ± margin.

    p = max( P(T > (mean + margin) / se), P(T < (mean - margin) / se) ), T with R - 1 degrees of freedom.

    Args:
        differences: shape (R,), finite: one difference per seed.
        margin: > 0, in the unit of the differences: the largest difference that does not matter.
        significance: sets the interval's confidence, 1 - 2 * significance.

    Returns:
        `Equivalence`. Identical differences: p = 2^-R inside the margin, 1 on or outside it; one seed: p = 0.5 or 1,
        with an interval of nan ends.

    Example:
        >>> tost([-0.001, 0.0, 0.001, 0.0], margin=0.01).p < 0.001
        True

    Source: D. J. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability", 1987.

    Note: choose the margin before seeing the numbers. A p above the significance does not show a difference. Where
    differences lie on a lattice (accuracies in 1/360) and margin and spread are below half its step, a mean gain equal
    to the margin is called equivalent in 6 to 11 % of studies instead of 5 (docs/statistics.md).
    """
    sample = as_sample(differences, "differences")
    check_margin(margin)
    check_significance(significance)
    above, below = one_sample_t(sample, null=-margin), one_sample_t(sample, null=margin)
    p_above, p_below = float(above.p_greater), float(below.p_less)
    return Equivalence(
        difference=float(above.mean),
        p=max(p_above, p_below),
        p_above=p_above,
        p_below=p_below,
        interval=t_interval(sample, confidence=1 - 2 * significance),
        margin=margin,
        n=above.n,
        method="two one-sided sign tests (identical differences)" if above.identical else "two one-sided t",
    )
