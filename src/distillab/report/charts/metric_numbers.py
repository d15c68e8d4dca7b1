"""One metric of one setting at each alpha: means, intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, Floats
from distillab.analysis.setting import chosen_alpha
from distillab.report.charts.layers import finite
from distillab.stats import holm, paired_t, t_interval


class Difference(NamedTuple):
    """One alpha less a reference, seed by seed; None where a number needs more seeds."""

    difference: float
    low: float | None
    """95 % t interval."""
    high: float | None
    p: float | None
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
    """The alpha that this metric chooses on the validation data."""


def metric_numbers(curve: AlphaCurve) -> MetricNumbers:
    """Compute means, intervals and differences, the same as in the finding of the study's own metric.

    Args:
        curve: the setting's students by that metric.
    """
    n, mean, low, high = zip(*curve.intervals, strict=True)
    sound, paired = np.flatnonzero(curve.sound), curve.test[curve.complete]
    validation = curve.validation[np.ix_(curve.complete, sound)]
    chosen = len(validation) > 0 and len(sound) > 0 and bool(np.isfinite(validation).all())
    return MetricNumbers(
        n=n,
        mean=np.array(mean),
        low=np.array(low),
        high=np.array(high),
        differences={
            "labels": _differences(curve, paired, sound, 1.0),
            "teacher": _differences(curve, paired, sound, 0.0),
        },
        best=chosen_alpha(curve.alphas[sound], curve.metric.sign * validation.mean(axis=0)) if chosen else None,
    )


def _differences(curve: AlphaCurve, paired: Floats, sound: NDArray[np.intp], reference: float) -> dict[int, Difference]:
    """Every other sound alpha less the reference."""
    place = [int(index) for index in sound if curve.alphas[index] == reference]
    others = [int(index) for index in sound if curve.alphas[index] != reference]
    if not place or not others or not len(paired):
        return {}
    by_alpha = {index: paired[:, index] - paired[:, place[0]] for index in others}
    if len(paired) < 2:
        return {index: Difference(float(values[0]), None, None, None) for index, values in by_alpha.items()}
    adjusted = holm([paired_t(values).p for values in by_alpha.values()])
    found = {}
    for (index, values), p in zip(by_alpha.items(), adjusted, strict=True):
        interval = t_interval(values)
        found[index] = Difference(float(values.mean()), finite(interval.low), finite(interval.high), finite(float(p)))
    return found
