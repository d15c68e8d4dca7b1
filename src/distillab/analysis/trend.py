"""How the chosen alpha and its gain change along an axis of a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, Flags, Floats, chosen_alpha
from distillab.analysis.labels import axis_name, in_order, setting_label, value_name
from distillab.analysis.setting import SEEDS_FOR_A_RANGE, Gain, SettingResult
from distillab.metrics.metric import Metric
from distillab.stats import holm, intervals_over_seeds, model_confidence_set, paired_t
from distillab.study.spec import Axis, Spec

RESAMPLES = 2000
"""Bootstrap samples of the seeds."""

FEWEST_SEEDS = 3
"""A bootstrap over fewer seeds is meaningless."""


class TrendPoint(NamedTuple):
    """One value of the axis."""

    value: str
    result: SettingResult
    alpha_low: float
    """The middle 95 % of the alphas chosen over bootstrap samples of the seeds; nan with too few seeds."""
    alpha_high: float
    in_best_set: bool | None
    """Whether no other value of the axis is shown to be better once alpha is tuned; None where that is not known."""

    @property
    def alpha(self) -> float | None:
        """The alpha chosen on the validation data."""
        return self.result.best.alpha if self.result.best else None

    @property
    def gain(self) -> Gain | None:
        """Of the chosen alpha over labels alone; None where it is alpha = 1 itself or nothing can be compared."""
        return self.result.best.over_labels if self.result.best else None

    @property
    def tuned(self) -> float:
        """Mean of the metric at the chosen alpha, on the test set."""
        return self.result.best.mean if self.result.best else math.nan


class TrendChange(NamedTuple):
    """A later value of the axis minus the first, paired by seed."""

    value: str
    alpha: float
    """Of the chosen alphas."""
    alpha_low: float
    alpha_high: float
    """The middle 95 % over bootstrap samples of the seeds."""
    gain: float
    """Of the gains over labels alone."""
    gain_low: float
    gain_high: float
    p: float
    """Two-sided paired t, after Holm over the values of the axis."""


@dataclass(frozen=True, kw_only=True)
class AxisTrend:
    """What changes along one axis while all others are fixed.

    Args:
        key: the axis, as in `noise.rate`.
        name: the axis in words.
        others: the label of the other axes' values; empty where there is no other axis.
        ordered: whether the values are numbers.
        alphas: shape (A,).
        points: one for each value, numbers in ascending order.
        changes: of every value but the first against the first; empty where there is no alpha = 1 to gain on.
        surface: shape (V, A), means of the metric on the test set; nan where there are none.
    """

    key: str
    name: str
    others: str
    ordered: bool
    alphas: Floats
    points: tuple[TrendPoint, ...]
    changes: tuple[TrendChange, ...]
    surface: Floats


def axis_trends(spec: Spec, curves: Sequence[AlphaCurve], settings: Sequence[SettingResult]) -> tuple[AxisTrend, ...]:
    """Follow the chosen alpha along a study's longest axis besides alpha, if any, for each setting of the others.

    Args:
        spec: the study.
        curves: one for each setting, in the order of the grid.
        settings: their results.
    """
    axes = [axis for axis in spec.axes if axis.key != "alpha" and len(axis.values) > 1]
    if not axes:
        return ()
    along = max(axes, key=lambda axis: len(axis.values))
    others = [axis for axis in axes if axis is not along]
    groups: dict[str, list[int]] = {}
    for index, curve in enumerate(curves):
        groups.setdefault(repr([curve.coordinates[axis.key] for axis in others]), []).append(index)
    return tuple(
        _trend(along, others, [curves[index] for index in group], [settings[index] for index in group])
        for group in groups.values()
    )


def _trend(
    along: Axis, others: Sequence[Axis], curves: Sequence[AlphaCurve], settings: Sequence[SettingResult]
) -> AxisTrend:
    ascending = in_order(along)
    if ascending is not None:
        curves, settings = [curves[index] for index in ascending], [settings[index] for index in ascending]
    cache: dict[tuple[int, bytes], Floats] = {}

    def resampled(index: int, seeds: Flags) -> Floats:
        """`_resampled_alphas` of one curve, computed once for the same seeds."""
        key = index, seeds.tobytes()
        if key not in cache:
            cache[key] = _resampled_alphas(curves[index], seeds)
        return cache[key]

    tuned = [_tuned_by_seed(*pair) for pair in zip(curves, settings, strict=True)]
    best = _best_set(tuned, curves[0].metric)
    points = tuple(
        TrendPoint(
            value_name(along, curve.coordinates[along.key]),
            result,
            *_middle(resampled(index, curve.complete)),
            in_best_set=None if best is None else bool(best[index]),
        )
        for index, (curve, result) in enumerate(zip(curves, settings, strict=True))
    )
    return AxisTrend(
        key=along.key,
        name=axis_name(along),
        others=setting_label(others, curves[0].coordinates),
        ordered=ascending is not None,
        alphas=curves[0].alphas,
        points=points,
        changes=_changes(points, curves, tuned, resampled),
        surface=np.array([[result.mean for result in setting.alphas] for setting in settings]),
    )


def _resampled_alphas(curve: AlphaCurve, chosen: Flags) -> Floats:
    """The alpha chosen on the validation data in each bootstrap sample, shape (N,); empty where seeds are too few.

    Formula: the bootstrap of Efron (1979) over some complete seeds, shape (R,). The samples are the same for all
    settings with the same seeds, so that differences between settings are taken sample by sample.
    """
    seeds, sound = np.flatnonzero(chosen), np.flatnonzero(curve.sound)
    if len(seeds) < FEWEST_SEEDS or not len(sound):
        return np.empty(0)
    scores = curve.selection[np.ix_(seeds, sound)]
    return chosen_alpha(curve.alphas[sound], _resample_weights(len(seeds)) @ scores)


@lru_cache(maxsize=4)
def _resample_weights(count: int) -> Floats:
    """The weight of each of `count` seeds in each bootstrap sample, shape (RESAMPLES, count); a row sums to 1."""
    drawn = np.random.default_rng(0).integers(0, count, size=(RESAMPLES, count))
    cells = drawn + count * np.arange(RESAMPLES)[:, None]
    weights = np.bincount(cells.ravel(), minlength=RESAMPLES * count).reshape(RESAMPLES, count) / count
    weights.setflags(write=False)
    return weights


def _middle(values: Floats) -> tuple[float, float]:
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def _tuned_by_seed(curve: AlphaCurve, result: SettingResult) -> Floats:
    """The test metric at the chosen alpha, shape (R,), nan for seeds that are not complete."""
    if result.best is None:
        return np.full(len(curve.seeds), np.nan)
    column = int(np.flatnonzero(curve.alphas == result.best.alpha)[0])
    return np.where(curve.complete, curve.test[:, column], np.nan)


def _gain_by_seed(curve: AlphaCurve, tuned: Floats) -> Floats:
    """The chosen alpha's gain over alpha = 1, shape (R,); nan where there is none."""
    labels_alone = np.flatnonzero((curve.alphas == 1.0) & curve.sound)
    return tuned - curve.test[:, int(labels_alone[0])] if len(labels_alone) else np.full(len(curve.seeds), np.nan)


def _best_set(tuned: Sequence[Floats], metric: Metric) -> NDArray[np.bool_] | None:
    """Which values no other is shown to be better than: the 95 % model confidence set of the tuned settings."""
    scores = metric.sign * np.stack(tuned, axis=1)
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(scores) < SEEDS_FOR_A_RANGE or len(tuned) < 2:
        return None
    return model_confidence_set(scores, rng=np.random.default_rng(0)).included


def _changes(
    points: Sequence[TrendPoint],
    curves: Sequence[AlphaCurve],
    tuned: Sequence[Floats],
    resampled: Callable[[int, Flags], Floats],
) -> tuple[TrendChange, ...]:
    gains = [_gain_by_seed(*pair) for pair in zip(curves, tuned, strict=True)]
    changes: list[TrendChange] = []
    for index, point in enumerate(points[1:], start=1):
        pairs = np.isfinite(gains[index]) & np.isfinite(gains[0])
        first, this = points[0].alpha, point.alpha
        if pairs.sum() < 2 or first is None or this is None:
            return ()
        differences = gains[index][pairs] - gains[0][pairs]
        test, interval = paired_t(differences), intervals_over_seeds(differences[:, None])[0]
        both = curves[index].complete & curves[0].complete
        low, high = _middle(resampled(index, both) - resampled(0, both))
        changes.append(
            TrendChange(point.value, this - first, low, high, test.difference, interval.low, interval.high, test.p)
        )
    adjusted = holm([change.p for change in changes]) if changes else ()
    return tuple(change._replace(p=float(p)) for change, p in zip(changes, adjusted, strict=True))
