"""Gains for other seeds and other test examples, from students' right and wrong test predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, within
from distillab.stats import DIFFERENCES, SHARES, CrossedMean, crossed_mean


class OverBoth(NamedTuple):
    """A mean for new seeds and new test examples, with its 95 % interval; in the metric's own numbers."""

    mean: float
    low: float
    high: float
    p: float | None
    """Two-sided, for no difference; None of a value that is no difference."""
    seeds: int
    cases: int
    """Test examples, or the groups of them whose pseudovalues were taken."""


def in_own_numbers(found: CrossedMean, *, sign: int = 1, difference: bool, share: bool) -> OverBoth:
    """Turn a mean of scores into the metric's own numbers.

    Args:
        found: of scores of which more is better.
        sign: of the metric.
        difference: whether it is of two models.
        share: whether the metric lies between 0 and 1: the interval stays there.
    """
    low, high = sorted((sign * found.low, sign * found.high)) if np.isfinite(found.low) else (np.nan, np.nan)
    if share:
        low, high = within(low, high, DIFFERENCES if difference else SHARES)
    return OverBoth(sign * found.mean, low, high, found.p if difference else None, found.seeds, found.examples)


def gain_over_both(
    curve: AlphaCurve, alpha: float, reference: float, correct: Mapping[str, NDArray[np.bool_]]
) -> OverBoth | None:
    """The gain in accuracy of one alpha over another, for other seeds and other test examples.

    Args:
        curve: of the setting.
        alpha, reference: of its grid.
        correct: by trial, whether each test prediction is right, shape (M,).

    Returns:
        None where the study compares by another metric than accuracy, the alphas are the same, or fewer than two
        complete seeds have both students' predictions (recorded since schema 3 of the store).
    """
    if curve.metric.name != "accuracy" or alpha == reference:
        return None
    kept = {(trial.seed, trial.alpha): correct[trial.id] for trial in curve.trials if trial.id in correct}
    seeds = [seed for seed, complete in zip(curve.seeds, curve.complete, strict=True) if complete]
    pairs = [
        (kept[seed, alpha], kept[seed, reference])
        for seed in seeds
        if {(seed, alpha), (seed, reference)} <= kept.keys()
    ]
    if len(pairs) < 2:
        return None
    gains = np.stack([one.astype(np.float64) - other for one, other in pairs])
    return in_own_numbers(crossed_mean(gains, bounds=DIFFERENCES), difference=True, share=True)
