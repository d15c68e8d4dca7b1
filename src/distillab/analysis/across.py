"""How the answer moves along an axis of a study: the best alpha and its gain, setting by setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, Flags, Floats
from distillab.analysis.finding import SEEDS_FOR_A_RANGE, Gain, SettingResult, chosen_alphas
from distillab.analysis.labels import axis_name, in_order, setting_label, value_name
from distillab.metrics.metric import Metric
from distillab.stats import holm, model_confidence_set, paired_t, t_interval
from distillab.study.spec import Axis, Spec

DRAWS = 2000
"""Bootstrap samples of the seeds."""

FEWEST_SEEDS = 3
"""With fewer seeds a bootstrap over them tells nothing."""


class Point(NamedTuple):
    """One value of the axis."""

    value: str
    finding: SettingResult
    alpha: float | None
    """Chosen on the validation data."""
    alpha_low: float
    """The middle 95 % of the alphas chosen when the seeds are drawn again; nan where that cannot be told."""
    alpha_high: float
    gain: Gain | None
    """Of the chosen alpha over labels alone; None where it is alpha = 1 itself or cannot be told."""
    tuned: float
    """Mean of the metric at the chosen alpha, on the test set."""
    as_good_as_the_best: bool | None
    """Whether no other value of the axis is shown to be better once alpha is tuned; None where that is not known."""


class Change(NamedTuple):
    """Between two values of the axis, the later minus the first, seed by seed."""

    value: str
    alpha: float
    """Of the chosen alphas."""
    alpha_low: float
    alpha_high: float
    """The middle 95 % over seeds drawn again."""
    gain: float
    """Of the gains over labels alone."""
    gain_low: float
    gain_high: float
    p: float
    """Two-sided paired t, after Holm over the values of the axis."""


@dataclass(frozen=True, kw_only=True)
class AxisTrend:
    """What moves along one axis while all others stand still.

    Args:
        key: the axis, as in `noise.rate`.
        name: what it is called.
        among: which settings of the other axes these are; empty where there is no other.
        ordered: whether its values are numbers.
        alphas: shape (A,).
        points: one for each value, numbers in ascending order.
        changes: of every value but the first against the first; empty where there is no alpha = 1 to gain on.
        surface: shape (V, A), means of the metric on the test set; nan where there are none.
    """

    key: str
    name: str
    among: str
    ordered: bool
    alphas: Floats
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    surface: Floats


def across(spec: Spec, curves: Sequence[AlphaCurve], findings: Sequence[SettingResult]) -> tuple[AxisTrend, ...]:
    """Follow the answer along a study's longest axis besides alpha, for each setting of the others.

    Args:
        spec: the study.
        curves: one for each setting, in the order of the grid.
        findings: what they show.

    Returns:
        One for each setting of the other axes; nothing where the study has no other axis than alpha.
    """
    others = [axis for axis in spec.axes if axis.key != "alpha" and len(axis.values) > 1]
    if not others:
        return ()
    along = max(others, key=lambda axis: len(axis.values))
    rest = [axis for axis in others if axis is not along]
    groups: dict[str, list[int]] = {}
    for index, curve in enumerate(curves):
        groups.setdefault(repr([curve.place[axis.key] for axis in rest]), []).append(index)
    return tuple(
        _follow(along, rest, [curves[index] for index in group], [findings[index] for index in group])
        for group in groups.values()
    )


def _follow(
    along: Axis, rest: Sequence[Axis], curves: Sequence[AlphaCurve], findings: Sequence[SettingResult]
) -> AxisTrend:
    values: list[Any] = [curve.place[along.key] for curve in curves]
    ascending = in_order(along)
    order = list(range(len(values))) if ascending is None else ascending
    curves, findings = [curves[index] for index in order], [findings[index] for index in order]
    told = [value_name(along, values[index]) for index in order]
    draws = _Drawn(curves)
    gains = [_gains_by_seed(curve, finding) for curve, finding in zip(curves, findings, strict=True)]
    tuned = [_tuned_by_seed(curve, finding) for curve, finding in zip(curves, findings, strict=True)]
    best = _as_good_as_the_best(tuned, curves[0].measure)
    points = []
    for index, finding in enumerate(findings):
        low, high = _middle(draws[index, curves[index].complete])
        choice = finding.best
        points.append(
            Point(
                value=told[index],
                finding=finding,
                alpha=choice.alpha if choice else None,
                alpha_low=low,
                alpha_high=high,
                gain=choice.over_labels if choice else None,
                tuned=choice.test if choice else math.nan,
                as_good_as_the_best=None if best is None else bool(best[index]),
            )
        )
    return AxisTrend(
        key=along.key,
        name=axis_name(along),
        among=setting_label(rest, curves[0].place),
        ordered=ascending is not None,
        alphas=curves[0].alphas,
        points=tuple(points),
        changes=_changes(told, points, curves, gains, draws),
        surface=np.array([[row.mean for row in finding.rows] for finding in findings]),
    )


class _Drawn:
    """`_alphas_of_drawn_seeds` of some curves, each found once."""

    def __init__(self, curves: Sequence[AlphaCurve]) -> None:
        self._curves = curves
        self._found: dict[tuple[int, bytes], Floats] = {}

    def __getitem__(self, asked: tuple[int, Flags]) -> Floats:
        index, among = asked
        key = index, among.tobytes()
        if key not in self._found:
            self._found[key] = _alphas_of_drawn_seeds(self._curves[index], among)
        return self._found[key]


def _alphas_of_drawn_seeds(curve: AlphaCurve, among: Flags) -> Floats:
    """The alpha chosen on the validation data, for seeds drawn again and again; empty where there are too few.

    Formula: the bootstrap of Efron (1979) over some complete seeds, shape (R,). The draws are the same for all settings
    asked over the same seeds, so that differences between settings are taken draw by draw.
    """
    seeds, sound = np.flatnonzero(among), np.flatnonzero(curve.sound)
    if len(seeds) < FEWEST_SEEDS or not len(sound):
        return np.empty(0)
    validation = curve.measure.sign * curve.validation[np.ix_(seeds, sound)]
    return chosen_alphas(curve.alphas[sound], _drawn_shares(len(seeds)) @ validation)


@lru_cache(maxsize=4)
def _drawn_shares(count: int) -> Floats:
    """How much of each of `DRAWS` samples each of `count` seeds makes up, shape (DRAWS, count); a row sums to 1."""
    drawn = np.random.default_rng(0).integers(0, count, size=(DRAWS, count))
    places = drawn + count * np.arange(DRAWS)[:, None]
    shares = np.bincount(places.ravel(), minlength=DRAWS * count).reshape(DRAWS, count) / count
    shares.setflags(write=False)
    return shares


def _middle(draws: Floats) -> tuple[float, float]:
    if not len(draws):
        return math.nan, math.nan
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return float(low), float(high)


def _tuned_by_seed(curve: AlphaCurve, finding: SettingResult) -> Floats:
    """The test metric at the chosen alpha, shape (R,), nan for seeds that are not complete."""
    if finding.best is None:
        return np.full(len(curve.seeds), np.nan)
    column = int(np.flatnonzero(curve.alphas == finding.best.alpha)[0])
    return np.where(curve.complete, curve.test[:, column], np.nan)


def _gains_by_seed(curve: AlphaCurve, finding: SettingResult) -> Floats:
    """The chosen alpha's gain over alpha = 1, shape (R,); nan where there is none."""
    hard = np.flatnonzero((curve.alphas == 1.0) & curve.sound)
    if not len(hard):
        return np.full(len(curve.seeds), np.nan)
    return _tuned_by_seed(curve, finding) - curve.test[:, int(hard[0])]


def _as_good_as_the_best(tuned: Sequence[Floats], measure: Metric) -> NDArray[np.bool_] | None:
    """Which values no other is shown to be better than: the 95 % model confidence set of the tuned settings."""
    scores = measure.sign * np.stack(tuned, axis=1)
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(scores) < SEEDS_FOR_A_RANGE or len(tuned) < 2:
        return None
    return model_confidence_set(scores, rng=np.random.default_rng(0)).included


def _changes(
    told: Sequence[str],
    points: Sequence[Point],
    curves: Sequence[AlphaCurve],
    gains: Sequence[Floats],
    draws: _Drawn,
) -> tuple[Change, ...]:
    found: list[Change] = []
    for index in range(1, len(points)):
        pairs = np.isfinite(gains[index]) & np.isfinite(gains[0])
        first, this = points[0].alpha, points[index].alpha
        if pairs.sum() < 2 or first is None or this is None:
            return ()
        more = gains[index][pairs] - gains[0][pairs]
        test, interval = paired_t(more), t_interval(more)
        both = curves[index].complete & curves[0].complete
        low, high = _middle(draws[index, both] - draws[0, both])
        found.append(Change(told[index], this - first, low, high, test.difference, interval.low, interval.high, test.p))
    adjusted = holm([change.p for change in found]) if found else ()
    return tuple(change._replace(p=float(p)) for change, p in zip(found, adjusted, strict=True))
