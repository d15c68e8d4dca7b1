"""Every candidate against one reference, seed by seed, with all the statistics side by side."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.intervals import Interval, bootstrap_interval, t_intervals
from distillab.stats.multiple import holm
from distillab.stats.paired import PairedTest, drawn_signs, paired_ts, sign_flips
from distillab.stats.sample import Floats, as_scores, check_count, check_share


class Comparison(NamedTuple):
    """One candidate minus the reference."""

    column: int
    t_interval: Interval
    bootstrap_interval: Interval | None
    """None where it was not asked for."""
    paired_t: PairedTest
    sign_flip: PairedTest
    p_adjusted: float
    """The paired t test's p after Holm over all candidates compared."""


def compare_to(
    accuracy: ArrayLike,
    reference: int,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
    bootstrap: bool = True,
) -> tuple[Comparison, ...]:
    """Compare every column with the reference column, in differences taken seed by seed.

    Args:
        accuracy: shape (R, A), finite; a row is a seed.
        reference: the column to compare with, from 0.
        rng: gives one seed, from which every column draws the same resamples: the place of a column changes nothing.
        confidence: of both intervals.
        resamples: of the bootstrap and of the sign flips, at least 100.
        bootstrap: whether bootstrap intervals are wanted; they are most of the work.

    Returns:
        A - 1 comparisons, in column order, without the reference; positive differences are gains on it.

    Raises:
        RequestError: accuracy of the wrong shape or not finite, a column that is not there, an argument out of range.

    Example:
        >>> accuracy = [[0.90, 0.91], [0.92, 0.94], [0.91, 0.93]]
        >>> found = compare_to(accuracy, 0, rng=np.random.default_rng(0))
        >>> found[0].column, round(found[0].paired_t.difference, 4)
        (1, 0.0167)

    Note: the intervals are one at a time; only `p_adjusted` pays for looking at the whole grid.
    """
    scores = as_scores(accuracy, "accuracy")
    columns = scores.shape[1]
    if not 0 <= reference < columns:
        raise not_allowed("reference", reference, f"a column from 0 to {columns - 1}")
    check_share("confidence", confidence)
    check_count("resamples", resamples, 100)
    seed = int(rng.integers(2**63))
    others = [column for column in range(columns) if column != reference]
    if not others:
        return ()
    differences = scores[:, others] - scores[:, [reference]]
    tests = paired_ts(differences)
    adjusted = holm([test.p for test in tests])
    drawn = _signs(seed, resamples, len(scores)) if 2 ** len(scores) > resamples else None

    def interval(difference: Floats) -> Interval | None:
        if not bootstrap:
            return None
        draws = np.random.default_rng(seed)
        return bootstrap_interval(difference, rng=draws, confidence=confidence, resamples=resamples)

    return tuple(
        Comparison(
            column=column,
            t_interval=within,
            bootstrap_interval=interval(difference),
            paired_t=test,
            sign_flip=flips,
            p_adjusted=p,
        )
        for column, difference, within, test, flips, p in zip(
            others,
            differences.T,
            t_intervals(differences, confidence=confidence),
            tests,
            sign_flips(differences, rng=np.random.default_rng(seed), resamples=resamples, drawn=drawn),
            adjusted.tolist(),
            strict=True,
        )
    )


@lru_cache(maxsize=4)
def _signs(seed: int, resamples: int, n: int) -> Floats:
    """The patterns that a seed gives: every column, and every comparison of as many seeds, uses the same."""
    drawn = drawn_signs(np.random.default_rng(seed), resamples, n)
    drawn.setflags(write=False)
    return drawn
