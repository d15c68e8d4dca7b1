"""A trend along an axis in sentences that the numbers support, and as a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import distillab.report.formatting as fmt
from distillab.analysis.trend import AxisTrend, TrendChange, TrendPoint
from distillab.metrics.metric import Metric
from distillab.report.view.table import Table
from distillab.report.view.tables import gain_cells

SIGNIFICANCE = 0.05
CAPTION = (
    "alpha: chosen on the validation data; resampled: the middle 95 % over bootstrap samples of the seeds; range: "
    "optimal. test: at the chosen alpha; best: not shown to be worse than the best value, once alpha is tuned."
)


class TrendView(NamedTuple):
    """One trend: up to three `sentences`; `brief`, for an index of studies, may be empty."""

    name: str
    title: str
    sentences: tuple[str, ...]
    brief: str
    table: Table


def trend_view(trend: AxisTrend, metric: Metric) -> TrendView:
    """Word one trend.

    Args:
        trend: the settings along the axis.
        metric: the study's.
    """
    verdicts = _verdicts(trend)
    brief = " ".join(sentence for sentence in (verdicts, _ends(trend, metric)) if sentence)
    title = f"{trend.name}, {trend.others}" if trend.others else trend.name
    return TrendView(
        name=trend.name,
        title=title,
        sentences=tuple(sentence for sentence in (verdicts, _alpha(trend), _gain(trend, metric)) if sentence),
        brief=f"With {trend.others}: {brief}" if trend.others else brief,
        table=_table(trend, metric, f"The {title}"),
    )


def _table(trend: AxisTrend, metric: Metric, title: str) -> Table:
    grid = trend.alphas.tolist()
    columns: dict[str, Callable[[TrendPoint], str]] = {
        trend.name: lambda point: point.value,
        f"teacher {metric.unit}".rstrip(): lambda point: _value(metric, point.result.teacher),
        "verdict": lambda point: point.result.kind,
        "alpha": lambda point: fmt.NOTHING if point.alpha is None else f"{point.alpha:g}",
        "resampled": lambda point: (
            fmt.NOTHING if math.isnan(point.alpha_low) else f"{point.alpha_low:g} to {point.alpha_high:g}"
        ),
        "range": lambda point: fmt.alphas(point.result.optimal_range or (), grid) or fmt.NOTHING,
        f"test {metric.unit}".rstrip(): lambda point: _value(metric, point.tuned),
        "to alpha 1": lambda point: gain_cells(metric, point.gain)[0],
        "interval": lambda point: gain_cells(metric, point.gain)[1],
        "p": lambda point: fmt.p_cell(point.gain.p if point.gain and point.gain.n > 1 else None),
        "best": lambda point: {True: "yes", False: "no", None: fmt.NOTHING}[point.in_best_set],
    }
    rows = tuple(tuple(cell(point) for cell in columns.values()) for point in trend.points)
    return Table(title, CAPTION, tuple(columns), rows)


def _value(metric: Metric, number: float | None) -> str:
    return fmt.NOTHING if number is None else fmt.value(metric, number, unit=False)


def _verdicts(trend: AxisTrend) -> str:
    known = [point for point in trend.points if point.result.verdict is not None]
    if not known:
        return ""
    values: dict[str, list[str]] = {}
    for point in known:
        values.setdefault(point.result.kind, []).append(point.value)
    supported = values.pop("supported", [])
    if len(supported) == len(trend.points):
        return f"Some intermediate alpha beats labels alone at every {trend.name}."
    others = "; ".join(f"{kind} at {fmt.listed(at)}" for kind, at in values.items())
    if not supported:
        gains = "shown to beat labels alone by more than the margin"
        return f"At no {trend.name} is an intermediate alpha {gains}: {others}."
    return (
        f"Some intermediate alpha beats labels alone at {len(supported)} of {len(trend.points)} values of the "
        f"{trend.name} ({fmt.listed(supported)}); {others}."
    )


def _ends(trend: AxisTrend, metric: Metric) -> str:
    first, last = trend.points[0], trend.points[-1]
    if not trend.ordered:
        return _best_value(trend, metric)
    if not trend.changes or math.isnan(trend.changes[-1].alpha_low):
        return ""
    change = trend.changes[-1]
    alpha_changes, gain_changes = (
        "shown to change" if shown else "not shown to change"
        for shown in (_alpha_changes(change), change.p <= SIGNIFICANCE)
    )
    return (
        f"The chosen alpha is {first.alpha:g} at {first.value} and {last.alpha:g} at {last.value} ({alpha_changes}); "
        f"its gain is {fmt.difference(metric, _gained(first, metric))} and "
        f"{fmt.difference(metric, _gained(last, metric), unit=True)} ({gain_changes})."
    )


def _alpha_changes(change: TrendChange) -> bool:
    return change.alpha_low > 0 or change.alpha_high < 0


def _alpha(trend: AxisTrend) -> str:
    points = trend.points
    if any(point.alpha is None for point in points):
        return ""
    alphas = [f"{point.alpha:g}" for point in points]
    if len(set(alphas)) == 1:
        return f"The chosen alpha is {alphas[0]} at every {trend.name}."
    by_value = fmt.listed([f"{alpha} at {point.value}" for alpha, point in zip(alphas, points, strict=True)])
    if not trend.ordered or not trend.changes or math.isnan(trend.changes[-1].alpha_low):
        return f"The chosen alpha is {by_value}."
    change = trend.changes[-1]
    if _alpha_changes(change):
        changes = f"changes with the {trend.name}"
    else:
        changes = f"is not shown to change from the first {trend.name} to the last"
    return (
        f"The chosen alpha {changes}: it is {by_value} ({change.alpha:+g} from {points[0].value} to "
        f"{points[-1].value}; over bootstrap samples of the seeds {change.alpha_low:+g} to {change.alpha_high:+g})."
    )


def _gain(trend: AxisTrend, metric: Metric) -> str:
    points = trend.points
    if not trend.ordered:
        return _best_value(trend, metric)
    if not trend.changes:
        return ""
    change = trend.changes[-1]
    first, last = (fmt.difference(metric, _gained(point, metric)) for point in (points[0], points[-1]))
    if change.p <= SIGNIFICANCE:
        changes = f"changes with the {trend.name}"
    else:
        changes = f"is not shown to change from the first {trend.name} to the last"
    low, high = sorted(metric.sign * end for end in (change.gain_low, change.gain_high))
    return (
        f"The gain of the chosen alpha over labels alone {changes}: from {first} at {points[0].value} to {last} at "
        f"{points[-1].value}, a difference of {fmt.amount(metric, change.gain)} "
        f"({fmt.interval(metric, low, high, signed=True)}, p {fmt.p_value(change.p)} after Holm over "
        f"{fmt.counted(len(trend.changes), 'value')})."
    )


def _best_value(trend: AxisTrend, metric: Metric) -> str:
    """For values that are not numbers: which is best once alpha is tuned."""
    known = [point for point in trend.points if math.isfinite(point.tuned)]
    if len(known) < 2:
        return ""
    best = max(known, key=lambda point: metric.sign * point.tuned)
    worst = min(known, key=lambda point: metric.sign * point.tuned)
    ranking = (
        f"Once alpha is tuned, {best.value} is best with {fmt.value(metric, best.tuned)}, and {worst.value} last "
        f"with {fmt.value(metric, worst.tuned)}"
    )
    if best.in_best_set is None:
        return f"{ranking}."
    level = [point.value for point in known if point.in_best_set and point is not best]
    if len(level) == len(known) - 1:
        return f"{ranking}; none is shown to be worse than the best at 95 %."
    if not level:
        return f"{ranking}; every other is shown to be worse than the best at 95 %."
    return f"{ranking}; not shown to be worse than the best at 95 %: {fmt.listed(level)}."


def _gained(point: TrendPoint, metric: Metric) -> float:
    """The chosen alpha's improvement over labels alone, more being better for every metric."""
    return 0.0 if point.gain is None else metric.sign * point.gain.difference
