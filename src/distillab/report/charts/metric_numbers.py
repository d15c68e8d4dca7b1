"""One metric of one setting at each alpha: means, intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, Floats
from distillab.stats import holm, intervals_over_seeds, paired_ts


class Difference(NamedTuple):
    """One alpha less a reference, seed by seed; nan where a number needs more seeds."""

    difference: float
    low: float
    """95 % t interval."""
    high: float
    p: float
    """Paired t test over the complete seeds, after Holm over the sound alphas compared with the same reference."""


class MetricNumbers(NamedTuple):
    """What charts show of a metric, in the metric's own numbers."""

    n: tuple[int, ...]
    """Students behind each mean, of A alphas."""
    mean: Floats
    low: Floats
    high: Floats
    """Shape (A,) each: mean and 95 % t interval; nan where there is nothing."""
    differences: Mapping[str, Mapping[int, Difference]]
    """To "labels" (alpha = 1) and to "teacher" (alpha = 0), by the index of the other alpha."""
    best: float | None
    """The chosen alpha."""


def metric_numbers(curve: AlphaCurve, best: float | None = None) -> MetricNumbers:
    """Compute means, intervals and differences, the same as in the finding of the study's own metric.

    Args:
        curve: the setting's students by that metric.
        best: the chosen alpha; None: the one that this metric chooses on the validation data.
    """
    n, mean, low, high = zip(*curve.intervals, strict=True)
    sound, paired = np.flatnonzero(curve.sound), curve.test[curve.complete]
    validation = curve.validation[np.ix_(curve.complete, sound)]
    if best is None and validation.size and np.isfinite(validation).all():
        best = curve.chosen()
    return MetricNumbers(
        n=n,
        mean=np.array(mean),
        low=np.array(low),
        high=np.array(high),
        differences={name: _differences(curve, paired, sound, at) for name, at in (("labels", 1.0), ("teacher", 0.0))},
        best=best,
    )


def _differences(curve: AlphaCurve, paired: Floats, sound: NDArray[np.intp], reference: float) -> dict[int, Difference]:
    """Every other sound alpha less the reference."""
    is_reference = curve.alphas[sound] == reference
    others = sound[~is_reference].tolist()
    if not is_reference.any() or not others or not len(paired):
        return {}
    values = paired[:, others] - paired[:, sound[is_reference]]
    adjusted = holm([test.p for test in paired_ts(values)]) if len(paired) > 1 else np.full(len(others), np.nan)
    numbers = zip(others, intervals_over_seeds(values), adjusted.tolist(), strict=True)
    return {index: Difference(interval.estimate, interval.low, interval.high, p) for index, interval, p in numbers}
