"""A mean over seeds and test examples that are both samples: one interval for new seeds and new examples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, stdtr, stdtrit

from distillab.errors import not_allowed
from distillab.stats.sample import Floats, as_scores, check_count, check_share, identical

FEWEST = 10
"""Effective number of examples that must differ before their variance is trusted; chosen by simulation: with fewer,
the mean's distribution is too skewed for t."""

Bounds = tuple[float, float]
DIFFERENCES: Bounds = (-1.0, 1.0)
"""Of differences of shares."""
SHARES: Bounds = (0.0, 1.0)


class MeanSquares(NamedTuple):
    """The two-way analysis of variance of scores without replication."""

    seeds: float
    """Of the seeds' means, R - 1 degrees of freedom; nan with one seed."""
    examples: float
    """Of the examples' means, N - 1 degrees of freedom; nan with one example."""
    rest: float
    """Of what neither explains; nan with one of either."""


class CrossedMean(NamedTuple):
    """A mean over R seeds and N examples, both drawn from larger populations."""

    mean: float
    low: float
    high: float
    """The interval covers other seeds and other examples; with one seed other examples alone."""
    p: float
    """Two-sided, for "the mean is 0"; nan where 0 is not strictly between the bounds."""
    seeds: int
    examples: int
    df: float
    """Degrees of freedom of t."""
    se: float
    """Standard error of `centre`."""
    se_examples: float
    """The same for other examples alone, with N - 1 degrees of freedom."""
    centre: float
    """The mean of the adjusted scores; `mean` itself where nothing was adjusted."""
    squares: MeanSquares
    """Of the adjusted scores."""
    bounds: Bounds | None
    same_seeds: bool
    """Whether several seeds have one and the same mean, so that their spread is unknown, not zero."""
    adjusted: bool
    """Whether an example was added at either bound, because too few examples differ."""
    method: str


def crossed_mean(
    scores: ArrayLike, *, bounds: Bounds | None = None, confidence: float = 0.95, adjust: bool = False
) -> CrossedMean:
    """Estimate a mean of scores by seed and example for new seeds and new examples at once.

    With mean squares MS_R of the seeds (readers), MS_C of the examples (cases) and MS_RC of the rest:

        Var = (MS_R + max(MS_C - MS_RC, 0)) / (R N)
        df = (R N Var)^2 / (MS_R max(MS_R, MS_RC) / (R-1) + MS_C^2 / (N-1) + MS_RC^2 / ((R-1)(N-1)))

    The interval is never narrower than the one for other examples alone, Var = max(MS_C, MS_RC) / (R N) with N - 1
    degrees of freedom: two or three seeds whose means happen to be near each other prove nothing. The scores are
    differences of two students of a seed on an example, or a student's own scores.

    Args:
        scores: shape (R, N), finite; a row is a seed, a column a test example.
        bounds: the least and the largest possible score, such as `DIFFERENCES` or `SHARES`; None: unbounded. Between
            bounds, t is taken on the logit scale, so the interval stays between them. Where fewer than `FEWEST`
            examples differ, an example at either bound is added for every seed: the effective number of examples is
            (sum c)^2 / sum c^2, with c an example's mean distance from the commonest score.
        confidence: strictly between 0 and 1.
        adjust: add these examples in any case; needs bounds.

    Returns:
        `CrossedMean`. One seed: the interval covers other examples only. One example, or unbounded scores that are all
        equal: nan ends and p = 1, for no spread was seen. Seeds of equal means, whose spread is unknown: MS_R is at
        least MS_RC, its expectation for seeds that do not differ.

    Raises:
        RequestError: a score is not finite or outside the bounds.

    Example:
        >>> gains = np.zeros((5, 36))
        >>> found = crossed_mean(gains, bounds=DIFFERENCES)
        >>> round(found.low, 3), round(found.high, 3)
        (-0.076, 0.076)

    Source: the analysis of variance: D. D. Dorfman, K. S. Berbaum, C. E. Metz, "Receiver operating characteristic
    rating analysis", Investigative Radiology 1992; N. A. Obuchowski and H. E. Rockette, 1995; the degrees of freedom:
    S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple observer ROC analysis",
    Statistics in Medicine 2007, equation 7. The added examples: D. G. Bonett and R. M. Price 2012 (`mcnemar`).

    Note: Hillis has MS_R^2 / (R-1) alone below the fraction. That takes a small MS_R for a certain one: with two seeds
    and 1,000 or more examples his intervals covered 83 to 95 % (docs/statistics.md, benchmarks/coverage.py).
    """
    values = as_scores(scores, "scores")
    check_share("confidence", confidence)
    if bounds is not None:
        _check_bounds(values, bounds)
    seeds, examples = values.shape
    mean = float(values.mean())
    adjusted = bounds is not None and (adjust or _effective(values.mean(axis=0), bounds) < FEWEST)
    if bounds is not None and adjusted:
        values = np.concatenate([values, np.broadcast_to(np.array(bounds), (seeds, 2))], axis=1)
    squares = _mean_squares(values)
    same_seeds = seeds > 1 and bool(identical(values.mean(axis=1)))
    if same_seeds:
        squares = squares._replace(seeds=max(squares.seeds, squares.rest))
    se, df = error_of(squares, *values.shape)
    alone = examples_error(squares, *values.shape)
    method = "two-way random effects, Hillis's degrees of freedom" if seeds > 1 else "one seed: other examples alone"
    found = CrossedMean(
        mean, np.nan, np.nan, 1.0, seeds, examples, df, se, alone, float(values.mean()), squares, bounds, same_seeds,
        adjusted, method,
    )  # fmt: skip
    low, high = crossed_interval(found, confidence=confidence)
    p = crossed_test(found).p if bounds is None or bounds[0] < 0 < bounds[1] else np.nan
    return found._replace(low=low, high=high, p=p)


class CrossedTest(NamedTuple):
    """Tests of a mean over seeds and examples against a null."""

    p: float
    """Two-sided."""
    p_greater: float
    """One-sided, for "the mean is greater than the null"."""
    p_less: float
    """One-sided, for "the mean is less than the null"."""


def crossed_test(found: CrossedMean, *, null: float = 0.0) -> CrossedTest:
    """Test a mean of `crossed_mean` against a null, on the scale of its interval.

    t = (g(centre) - g(null)) / (se g'(centre)), with g the logit between the bounds, or g(x) = x without any.

    Args:
        found: the mean.
        null: the mean under the null, strictly between the bounds.

    Returns:
        `CrossedTest`; 1 everywhere where no spread was seen. p is below 0.05 where the null is outside the 95 %
        interval.

    Source: as `crossed_mean`.
    """
    if not found.se > 0:
        return CrossedTest(1.0, 1.0, 1.0)
    start, slope = _scale(found.centre, found.bounds)
    away = (start - _scale(null, found.bounds)[0]) / slope
    tails = [[float(stdtr(df, side * away / se)) for df, se in _errors(found)] for side in (-1, 1)]
    greater, less = map(max, tails)
    return CrossedTest(min(1.0, 2 * min(greater, less)), greater, less)


def crossed_interval(found: CrossedMean, *, confidence: float = 0.95) -> Bounds:
    """Give the interval of a mean of `crossed_mean` at another confidence.

    g^-1(g(centre) ± t se g'(centre)), widened to the mean itself where examples were added.

    Args:
        found: the mean.
        confidence: strictly between 0 and 1.

    Returns:
        Both ends; nan where no spread was seen.
    """
    check_share("confidence", confidence)
    if not found.se > 0:
        return (np.nan, np.nan)
    start, slope = _scale(found.centre, found.bounds)
    half = slope * max(float(stdtrit(df, 0.5 + confidence / 2)) * se for df, se in _errors(found))
    if found.bounds is None:
        return start - half, start + half
    lowest, highest = found.bounds
    low, high = (lowest + (highest - lowest) * float(expit(end)) for end in (start - half, start + half))
    return min(low, found.mean), max(high, found.mean)


def crossed_bootstrap(
    scores: ArrayLike, *, rng: np.random.Generator, resamples: int = 1999, confidence: float = 0.95
) -> Bounds:
    """Give the interval of a mean by resampling seeds and examples, each with replacement: the check of `crossed_mean`.

    Percentiles of the means of resampled rows and columns.

    Args:
        scores: shape (R, N), finite; a row is a seed, a column a test example.
        rng: draws seeds and examples.
        resamples: at least 100.
        confidence: strictly between 0 and 1.

    Example:
        >>> scores = np.random.default_rng(0).normal(size=(20, 200))
        >>> low, high = crossed_bootstrap(scores, rng=np.random.default_rng(1))
        >>> bool(low < scores.mean() < high)
        True

    Source: A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007: it is conservative by the
    interaction, which it counts three times, and narrow with few seeds, as every bootstrap of few values.
    """
    values = as_scores(scores, "scores")
    check_share("confidence", confidence)
    check_count("resamples", resamples, 100)
    seeds, examples = values.shape
    rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    columns = rng.multinomial(examples, np.full(examples, 1 / examples), resamples) / examples
    means = np.einsum("br,rn,bn->b", rows, values, columns, optimize=True)
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2]).tolist()
    return low, high


def _mean_squares(values: Floats) -> MeanSquares:
    seeds, examples = values.shape
    total, of_seeds, of_examples = values.mean(), values.mean(axis=1), values.mean(axis=0)
    between_seeds = examples * float(((of_seeds - total) ** 2).sum())
    between_examples = seeds * float(((of_examples - total) ** 2).sum())
    rest = float(((values - of_seeds[:, None] - of_examples + total) ** 2).sum())
    free = seeds - 1, examples - 1, (seeds - 1) * (examples - 1)
    return MeanSquares(
        *(
            each / count if count else np.nan
            for each, count in zip((between_seeds, between_examples, rest), free, strict=True)
        )
    )


def error_of(squares: MeanSquares, seeds: int, examples: int) -> tuple[float, float]:
    """Give the standard error of a mean over seeds and examples, and its degrees of freedom.

    The formulas of `crossed_mean`.

    Args:
        squares: observed, or expected of a design.
        seeds: with one the error is that of other examples alone.
        examples: nan with one.
    """
    if seeds == 1 or examples == 1:
        return examples_error(squares, seeds, examples), examples - 1.0
    variance = squares.seeds + max(squares.examples - squares.rest, 0.0)
    uncertain = (
        squares.seeds * max(squares.seeds, squares.rest) / (seeds - 1)
        + squares.examples**2 / (examples - 1)
        + squares.rest**2 / ((seeds - 1) * (examples - 1))
    )
    df = variance**2 / uncertain if uncertain > 0 else 1.0
    return float(np.sqrt(variance / (seeds * examples))), max(1.0, df)


def examples_error(squares: MeanSquares, seeds: int, examples: int) -> float:
    """Give the standard error of a mean for other examples alone.

    Args:
        squares, seeds, examples: as in `error_of`.
    """
    if examples == 1:
        return np.nan
    largest = squares.examples if seeds == 1 else max(squares.examples, squares.rest)
    return float(np.sqrt(largest / (seeds * examples)))


def _errors(found: CrossedMean) -> tuple[Bounds, Bounds]:
    """Degrees of freedom and standard error: for other seeds and examples, and for other examples alone."""
    return (found.df, found.se), (found.examples + 2 * found.adjusted - 1.0, found.se_examples)


def _scale(value: float, bounds: Bounds | None) -> Bounds:
    """A value on the scale of t, and the scale's slope there."""
    if bounds is None:
        return value, 1.0
    low, high = bounds
    share = (value - low) / (high - low)
    if not 0 < share < 1:
        raise not_allowed("null", value, f"a number strictly between {low:g} and {high:g}")
    return float(logit(share)), 1 / ((high - low) * share * (1 - share))


def _effective(means: Floats, bounds: Bounds) -> float:
    """The effective number of examples that differ from the lower bound, the middle or the upper one; the least."""
    distances = [np.abs(means - value) for value in (*bounds, sum(bounds) / 2)]
    return min(float(each.sum() ** 2 / (each**2).sum()) if each.any() else 0.0 for each in distances)


def _check_bounds(values: Floats, bounds: Bounds) -> None:
    low, high = bounds
    outside = values[(values < low) | (values > high)]
    if outside.size:
        raise not_allowed("scores", float(outside[0]), f"numbers from {low:g} to {high:g}")
