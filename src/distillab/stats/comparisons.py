"""Every candidate against one reference, seed by seed."""

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
    """None where it was not requested."""
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
    """Compare every other column with the reference, in column order and in differences taken seed by seed.

    Args:
        accuracy: shape (R, A), finite; a row is a seed.
        reference: the column to compare with, from 0; positive differences are gains on it.
        rng: gives one seed, from which every column draws the same resamples, whatever its position.
        confidence: of both intervals.
        resamples: of the bootstrap and of the sign flips, at least 100.
        bootstrap: whether to compute bootstrap intervals, which take most of the time.

    Example:
        >>> accuracy = [[0.90, 0.91], [0.92, 0.94], [0.91, 0.93]]
        >>> (comparison,) = compare_to(accuracy, 0, rng=np.random.default_rng(0))
        >>> comparison.column, round(comparison.paired_t.difference, 4)
        (1, 0.0167)

    Note: each interval holds by itself; only `p_adjusted` accounts for the whole grid.
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
    drawn = _signs(seed, resamples, len(scores)) if 2 ** len(scores) > resamples else None
    flips = sign_flips(differences, rng=np.random.default_rng(seed), resamples=resamples, drawn=drawn)
    bootstrap_intervals: list[Interval | None] = [None] * len(others)
    if bootstrap:
        bootstrap_intervals = [
            bootstrap_interval(column, rng=np.random.default_rng(seed), confidence=confidence, resamples=resamples)
            for column in differences.T
        ]
    intervals = t_intervals(differences, confidence=confidence)
    adjusted = holm([test.p for test in tests]).tolist()
    return tuple(
        Comparison(*row) for row in zip(others, intervals, bootstrap_intervals, tests, flips, adjusted, strict=True)
    )


@lru_cache(maxsize=4)
def _signs(seed: int, resamples: int, n: int) -> Floats:
    """The patterns of a seed: every column, and every comparison with as many seeds, uses the same."""
    drawn = drawn_signs(np.random.default_rng(seed), resamples, n)
    drawn.setflags(write=False)
    return drawn
