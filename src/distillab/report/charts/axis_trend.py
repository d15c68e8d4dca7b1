"""How the result changes along an axis: the surface over alpha, the chosen alpha, and its gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

import distillab.report.formatting as fmt
from distillab.analysis.trend import AxisTrend, TrendPoint
from distillab.metrics.metric import Metric
from distillab.report.charts.layers import ALPHA, Rows, Tables, finite, layer, tips
from distillab.report.charts.theme import CURVE, INK, LABELS, PAPER, RANGE, SOFT

SATURATED = 0.85
"""Colours cover this share of the cells and saturate beyond: one bad corner must not hide the rest."""

DARK, PALE = "#1a1a1a", "#fefefe"
"""Of text on coloured cells, in light and dark mode alike."""

ROW = 26
"""Height of a value of the axis, in pixels."""


def axis_trend_data(trend: AxisTrend, metric: Metric) -> Tables:
    """The data of the three charts, in the unit of their axes.

    Args:
        trend: what changes along the axis.
        metric: the study's.

    Returns:
        Tables "cells" (a value of the axis and an alpha each; "distance" 0 for the best of the row, 1 where the colour
        saturates), "chosen_cells", "points" (a value of the axis each), "optimal" and "gains". Rows are in reading
        order: a list from top to bottom, numbers upwards.
    """
    order = range(len(trend.points))[:: -1 if trend.ordered else 1]
    points, cells = [trend.points[index] for index in order], _cells(trend, metric, order)
    chosen = {(point.value, point.alpha) for point in trend.points}
    return {
        "cells": cells,
        "chosen_cells": [cell for cell in cells if (cell["value"], cell["alpha"]) in chosen],
        "points": [
            {"value": p.value, "alpha": p.alpha, "low": finite(p.alpha_low), "high": finite(p.alpha_high)}
            for p in points
        ],
        "optimal": [{"value": p.value, "alpha": alpha} for p in points for alpha in p.result.optimal_range or ()],
        "gains": [_gain(point, metric) for point in points],
    }


def _cells(trend: AxisTrend, metric: Metric, order: Sequence[int]) -> Rows:
    surface = metric.factor * trend.surface
    known = np.isfinite(surface)
    best = np.nanmax(metric.sign * surface, axis=1, keepdims=True, initial=-np.inf, where=known)
    distance = np.where(known, best - metric.sign * surface, np.nan)
    limit = max(float(np.quantile(distance[known], SATURATED)), 1e-9) if known.any() else 1.0
    digits = 3 if metric.unit != "%" else 2 if limit < 3 else 1
    return [
        {
            "value": trend.points[row].value,
            "alpha": alpha,
            "distance": min(float(distance[row, column]) / limit, 1.0),
            "text": f"{surface[row, column]:.{digits}f}",
            "mean": fmt.value(metric, float(trend.surface[row, column])),
        }
        for row in order
        for column, alpha in enumerate(trend.alphas.tolist())
        if known[row, column]
    ]


def _gain(point: TrendPoint, metric: Metric) -> dict[str, Any]:
    """The gain with its interval; hollow at 0 where the chosen alpha is that of labels alone."""
    if point.gain is None:
        hollow = point.alpha == 1
        return {"value": point.value, "gain": 0.0 if hollow else None, "low": None, "high": None, "hollow": hollow}
    gain, low, high = (finite(metric.factor * part) for part in point.gain[:3])
    return {"value": point.value, "gain": gain, "low": low, "high": high, "hollow": False}


def gain_title(metric: Metric) -> str:
    """The title of the gain's axis.

    Args:
        metric: the study's.
    """
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    return f"{'difference to' if metric.lower_is_better else 'gain over'} labels alone{unit}"


def surface_chart(tables: Tables | None = None, *, axis: str = "$axis") -> alt.LayerChart:
    """Draw the metric over alpha and the axis; colour is the distance to the best of the row, the choice is framed.

    Args:
        tables: as `axis_trend_data` gives them; None where the page supplies them.
        axis: the name of the axis.
    """
    x = alt.X("alpha:O").title(ALPHA).axis(labelAngle=0, ticks=False, domain=False)
    y = _rows(named=True, grid=False)
    colours = alt.Scale(scheme={"name": "viridis", "extent": [1, 0]}, domain=[0, 1], clamp=True)
    colour = alt.Color("distance:Q").scale(colours).legend(None)
    text = alt.condition("datum.distance > 0.45", alt.value(PALE), alt.value(DARK))
    cells, shown = layer(tables, "cells"), tips("value", "alpha", "mean")
    return alt.layer(
        _every_row(tables, y),
        cells.mark_rect(stroke=PAPER, strokeWidth=1).encode(x=x, y=y, color=colour, tooltip=shown),
        cells.mark_text(fontSize=10, tooltip=None).encode(x=x, y=y, text="text:N", color=text),
        layer(tables, "chosen_cells").mark_rect(fill=None, stroke=INK, strokeWidth=2.5).encode(x=x, y=y),
    ).properties(height=alt.Step(ROW), title=_title(axis))


def chosen_chart(tables: Tables | None = None, *, axis: str = "$axis") -> alt.LayerChart:
    """Draw the chosen alpha, the middle 95 % of those chosen when seeds are drawn again, and the optimal range.

    Args:
        tables: as `axis_trend_data` gives them; None where the page supplies them.
        axis: the name of the axis.
    """
    x = alt.X("alpha:Q").title("alpha").scale(domain=[0, 1], padding=8).axis(format="~g")
    y, points = _rows(named=tables is None), layer(tables, "points")
    return alt.layer(
        _every_row(tables, y),
        layer(tables, "optimal").mark_square(color=RANGE, opacity=0.32, size=170).encode(x=x, y=y),
        points.mark_rule(color=CURVE, strokeWidth=2.5).encode(x=_ends(x), x2="high", y=y),
        points.mark_circle(color=CURVE, opacity=1, size=60).encode(x=x, y=y, tooltip=tips("value", "alpha")),
    ).properties(height=alt.Step(ROW), title=_title(axis))


def gain_chart(tables: Tables | None = None, *, axis: str = "$axis", title: str = "$gain") -> alt.LayerChart:
    """Draw what the chosen alpha gains over labels alone, with 95 % intervals.

    Args:
        tables: as `axis_trend_data` gives them; None where the page supplies them.
        axis: the name of the axis.
        title: of the x axis; see `gain_title`.
    """
    x, y, gains = alt.X("gain:Q").title(title).axis(tickCount=5), _rows(named=tables is None), layer(tables, "gains")
    fill = alt.condition("datum.hollow", alt.value(PAPER), alt.value(LABELS))
    return alt.layer(
        _every_row(tables, y),
        alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=SOFT).encode(x=alt.datum(0)),
        gains.mark_rule(color=LABELS, strokeWidth=2.5).encode(x=_ends(x), x2="high", y=y),
        gains.mark_point(stroke=LABELS, strokeWidth=1.6, opacity=1, size=50).encode(x=x, y=y, fill=fill),
    ).properties(height=alt.Step(ROW), title=_title(axis))


def trend_row(trend: AxisTrend, metric: Metric) -> alt.HConcatChart:
    """Draw the three charts side by side, as a row of a figure.

    Args:
        trend: what changes along the axis.
        metric: the study's.
    """
    tables, worse = axis_trend_data(trend, metric), " (less is better)" if metric.lower_is_better else ""
    width = max(300, 42 * len(trend.alphas))
    title = f"test {metric.axis} by {trend.name}"
    surface = surface_chart(tables, axis=trend.name).properties(title=title, width=width)
    chosen = chosen_chart(tables).properties(title="chosen alpha", width=230)
    gain = gain_chart(tables, title=gain_title(metric)).properties(title=f"gain{worse}", width=230)
    row = alt.hconcat(surface, chosen, gain, spacing=24)
    return row.properties(title=alt.TitleParams(trend.others, fontSize=13)) if trend.others else row


def _rows(*, named: bool, grid: bool = True) -> alt.Y:
    """The values of the axis, from top to bottom as in the data; in files only the surface names them."""
    axis = alt.Axis(labels=named, ticks=False, domain=grid, labelLimit=220, grid=grid)
    return alt.Y("value:O").sort(None).title(None).axis(axis)


def _every_row(tables: Tables | None, y: alt.Y) -> alt.Chart:
    """An invisible layer of all rows, first in a chart: rows are in the order in which a layer first shows them, and
    other layers leave out rows without an interval."""
    return layer(tables, "points").mark_point(opacity=0, tooltip=None).encode(y=y)


def _title(axis: str) -> alt.TitleParams:
    """The name of the axis above its values."""
    return alt.TitleParams(axis, frame="bounds", fontSize=11.5, fontWeight=500, offset=8)


def _ends(x: alt.X) -> alt.X:
    """The same axis for the lower ends of intervals."""
    lower = x.copy()
    lower.shorthand = "low:Q"
    return lower
