"""The main chart, and a small one: how the student's test metric changes with alpha."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import numpy as np

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve, Flags, Floats
from distillab.metrics.metric import Metric
from distillab.report.charts import layers
from distillab.report.charts.layers import Tables, alpha_axis, corners, finite, frame, layer, limits, tips, value_axis
from distillab.report.charts.metric_numbers import MetricNumbers
from distillab.report.charts.spread import spread_out
from distillab.report.charts.theme import BAD, CURVE, GOOD, LABELS, PAPER, RANGE, TEACHER, TEACHER_ALONE

LEVELS = {
    "teacher itself": (TEACHER, [6, 3]),
    "labels alone": (LABELS, [2, 2]),
    "teacher alone": (TEACHER_ALONE, [6, 2, 1, 2]),
}
"""Reference levels: colour and dashes."""

TIPS = ("alpha", "n", "mean", "95 % interval", "to labels alone", "p after Holm", "diverged")
GAP = 14 / layers.HEIGHT
"""Between two labels at the right edge, as a share of the height."""


def accuracy_vs_alpha_data(
    curve: AlphaCurve,
    numbers: MetricNumbers,
    *,
    optimal: Sequence[tuple[float, float]] = (),
    dots: bool = True,
    reach: tuple[float, float] | None = None,
) -> Tables:
    """The data of the chart, in the unit of its axis.

    Args:
        curve: the students of a setting by one metric.
        numbers: their means and differences.
        optimal: stretches of the alpha axis in the optimal range, as `spans` gives them.
        dots: whether single students are shown.
        reach: the ends of the y axis in the metric's own numbers; from the data where left out.

    Returns:
        Tables "rows" (an alpha each), "intervals" (rows that have one; also "single" if only one has), "dots" (a
        student each), "levels" and "labels" (the reference levels within the axis, and the names of all), "ranges" and
        "range_name", "choice", "diverged", "frame" and "message".
    """
    metric, factor = curve.metric, curve.metric.factor
    low, high = (factor * end for end in reach or accuracy_reach([(curve, numbers)]) or (0.0, 1.0))
    rows = [_row(curve, numbers, index) for index in range(len(curve.alphas)) if numbers.n[index]]
    labels = _labels(_levels(curve, numbers), low, high, metric)
    chosen = next((row for row in rows if row["alpha"] == numbers.best), None)
    first, last = float(curve.alphas[0]), float(curve.alphas[-1])
    intervals = [{key: row[key] for key in ("alpha", "low", "high")} for row in rows if row["low"] is not None]
    return {
        "rows": rows,
        "intervals": intervals,
        "single": intervals if len(intervals) == 1 else [],
        "dots": [
            {"alpha": alpha, "value": factor * value}
            for seed in (curve.test if dots else ())
            for alpha, value in zip(curve.alphas.tolist(), seed.tolist(), strict=True)
            if math.isfinite(value)
        ],
        "levels": [{"name": row["name"], "value": row["value"]} for row in labels if row["inside"]],
        "labels": labels,
        "ranges": [{"from": start, "to": end} for start, end in optimal],
        "range_name": _range_name(optimal, first, last, low + 0.02 * (high - low)),
        "choice": [_choice(chosen, first, last)] if chosen else [],
        "diverged": [
            {"alpha": alpha, "text": f"× {count}"}
            for alpha, count in zip(curve.alphas.tolist(), curve.diverged_count.tolist(), strict=True)
            if count
        ],
        "frame": corners(curve.alphas, low, high),
        "message": [] if rows else [{"text": "no finished student"}],
    }


def accuracy_vs_alpha_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw single students, mean and 95 % band, reference levels, the optimal range and the chosen alpha.

    Args:
        tables: as `accuracy_vs_alpha_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, names = alpha_axis(), list(LEVELS)
    value, low, level, apart = (value_axis(field, y, tickCount=6) for field in ("value", "low", "edge", "place"))
    colour = alt.Color("name:N").scale(domain=names, range=[colour for colour, _ in LEVELS.values()]).legend(None)
    dash = alt.StrokeDash("name:N").scale(domain=names, range=[dash for _, dash in LEVELS.values()]).legend(None)
    top, base, edge = alt.value(0), alt.value("height"), alt.value("width")
    aligned = alt.expr("datum.align")
    fill = alt.condition("datum.diverged > 0", alt.value(PAPER), alt.value(CURVE))
    mean, range_name, choice, labels = (layer(tables, name) for name in ("rows", "range_name", "choice", "labels"))
    return alt.layer(
        frame(tables, x, value),
        layer(tables, "ranges").mark_rect(color=RANGE, opacity=0.14).encode(x=alpha_axis("from"), x2="to"),
        layer(tables, "intervals").mark_area(color=CURVE, opacity=0.22).encode(x=x, y=low, y2="high"),
        layer(tables, "single").mark_rule(color=CURVE, opacity=0.6).encode(x=x, y=low, y2="high"),
        layer(tables, "levels").mark_rule(strokeWidth=1.3).encode(y=value, color=colour, strokeDash=dash),
        layer(tables, "dots").mark_circle(color=CURVE, opacity=0.28, size=14).encode(x=x, y=value),
        mean.mark_line(color=CURVE, strokeWidth=2.2).encode(x=x, y=value),
        mean.mark_point(size=38, opacity=1, filled=True, stroke=CURVE, strokeWidth=1.5).encode(x=x, y=value, fill=fill),
        range_name.mark_text(color=GOOD, align=aligned, baseline="bottom", dy=-2).encode(x=x, y=value, text="text:N"),
        choice.mark_rule(color=TEACHER, strokeWidth=0.9, strokeDash=[1, 2], clip=True).encode(x=x, y=value, y2=top),
        choice.mark_point(color=TEACHER, size=170, strokeWidth=1.6, opacity=1).encode(x=x, y=value),
        choice.mark_text(align=aligned, baseline="bottom", dy=-4).encode(x=x, y=top, text="text:N"),
        layer(tables, "diverged").mark_text(color=BAD, dy=-16).encode(x=x, y=base, text="text:N"),
        labels.mark_rule(strokeWidth=0.8, x2Offset=12).encode(x=edge, x2=edge, y=level, y2="place", color=colour),
        labels.mark_text(align="left", dx=15, baseline="middle").encode(x=edge, y=apart, text="text:N", color=colour),
        layers.message(tables),
        mean.mark_rule(strokeWidth=26, opacity=0).encode(x=x, tooltip=tips(*TIPS)),
    )


def mean_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw mean and 95 % band, in small.

    Args:
        tables: as `accuracy_vs_alpha_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, value, rows = alpha_axis(), value_axis("value", y, tickCount=5), layer(tables, "rows")
    band = layer(tables, "intervals").mark_area(color=CURVE, opacity=0.22)
    return alt.layer(
        frame(tables, x, value),
        band.encode(x=x, y=value_axis("low", y, tickCount=5), y2="high"),
        rows.mark_line(color=CURVE, point=alt.OverlayMarkDef(color=CURVE, opacity=1)).encode(x=x, y=value),
        rows.mark_rule(strokeWidth=26, opacity=0).encode(x=x, tooltip=tips(*TIPS)),
    ).properties(height=180)


def accuracy_reach(panels: Iterable[tuple[AlphaCurve, MetricNumbers]]) -> tuple[float, float] | None:
    """The ends of one y axis for several panels, in the metric's own numbers; None without any, or if one is squashed.

    The teacher is included where it is near; elsewhere it would squash the curve.

    Args:
        panels: students and their numbers.
    """
    panels = list(panels)
    extremes = [ends for curve, numbers in panels if (ends := _extremes(curve, numbers)) is not None]
    if not extremes:
        return None
    bottom, top = min(low for low, _ in extremes), max(high for _, high in extremes)
    flattest = min(high - low for low, high in extremes)
    if len(extremes) > 1 and top - bottom > 4 * max(flattest, 0.005):
        return None
    share = panels[0][0].metric.unit == "%"
    least = 0.01 if share else 0.01 * max(abs(bottom), abs(top), 1e-6)
    room = max(top - bottom, least) / 2
    teachers = [curve.teacher for curve, _ in panels]
    near = [level for level in teachers if level is not None and bottom - room <= level <= top + room]
    return limits([bottom, top, *near], least, below=0.16, above=0.06)


def spans(alphas: Floats, chosen: Flags) -> list[tuple[float, float]]:
    """The stretches of the axis that chosen alphas cover, each alpha reaching halfway to its neighbours.

    Args:
        alphas: shape (A,), ascending.
        chosen: shape (A,).

    Example:
        >>> spans(np.array([0.0, 0.2, 0.4, 1.0]), np.array([True, True, False, True]))
        [(0.0, 0.3), (0.7, 1.0)]
    """
    middles = (alphas[1:] + alphas[:-1]) / 2
    low, high = np.concatenate([alphas[:1], middles]), np.concatenate([middles, alphas[-1:]])
    stretches: list[tuple[float, float]] = []
    for index in np.flatnonzero(chosen):
        start, end = round(float(low[index]), 9), round(float(high[index]), 9)
        if stretches and stretches[-1][1] == start:
            start = stretches.pop()[0]
        stretches.append((start, end))
    return stretches


def _row(curve: AlphaCurve, numbers: MetricNumbers, index: int) -> dict[str, Any]:
    metric, factor = curve.metric, curve.metric.factor
    mean, low, high = (float(values[index]) for values in (numbers.mean, numbers.low, numbers.high))
    to_labels, difference = numbers.differences["labels"].get(index), fmt.NOTHING
    if to_labels:
        interval = fmt.spread_cell(metric, to_labels.low, to_labels.high, numbers.n[index], signed=True)
        difference = f"{fmt.difference(metric, to_labels.difference)} ({interval})"
    return {
        "alpha": float(curve.alphas[index]),
        "n": numbers.n[index],
        "value": factor * mean,
        "low": finite(factor * low),
        "high": finite(factor * high),
        "diverged": int(curve.diverged_count[index]),
        "mean": fmt.value(metric, mean),
        "95 % interval": fmt.spread_cell(metric, low, high, numbers.n[index]),
        "to labels alone": difference,
        "p after Holm": fmt.p_cell(to_labels and to_labels.p),
    }


def _levels(curve: AlphaCurve, numbers: MetricNumbers) -> dict[str, float]:
    """The reference levels there are, in the metric's own numbers."""
    by_alpha = dict(zip(curve.alphas.tolist(), numbers.mean.tolist(), strict=True))
    levels = dict(zip(LEVELS, (curve.teacher, by_alpha.get(1.0), by_alpha.get(0.0)), strict=True))
    return {name: value for name, value in levels.items() if value is not None and math.isfinite(value)}


def _labels(levels: dict[str, float], low: float, high: float, metric: Metric) -> layers.Rows:
    """Names for the right edge, apart from each other; a level beyond the axis is named at the edge it is beyond."""
    values = {name: metric.factor * value for name, value in levels.items()}
    shares = [min(max((value - low) / (high - low), 0.0), 1.0) for value in values.values()]
    spread = spread_out(shares, gap=GAP)
    rows = []
    for (name, value), share, moved in zip(values.items(), shares, spread, strict=True):
        inside = low <= value <= high
        arrow = "" if inside else " ▲" if value > high else " ▼"
        rows.append(
            {
                "name": name,
                "value": value,
                "edge": low + share * (high - low),
                "place": low + moved * (high - low),
                "text": f"{name} {fmt.value(metric, levels[name])}{arrow}",
                "inside": inside,
            }
        )
    return rows


def _range_name(optimal: Sequence[tuple[float, float]], first: float, last: float, height: float) -> layers.Rows:
    if not optimal:
        return []
    start, end = max(optimal, key=lambda stretch: stretch[1] - stretch[0])
    middle = (start + end) / 2
    align = _align(middle, first, last, 0.2)
    alpha = {"left": start, "right": end, "center": middle}[align]
    text = "optimal range" if len(optimal) == 1 else "optimal range (green)"
    return [{"alpha": alpha, "value": height, "text": text, "align": align}]


def _choice(row: dict[str, Any], first: float, last: float) -> dict[str, Any]:
    alpha, text = row["alpha"], f"chosen on validation: alpha = {row['alpha']:g}"
    return {"alpha": alpha, "value": row["value"], "text": text, "align": _align(alpha, first, last, 0.3)}


def _align(alpha: float, first: float, last: float, margin: float) -> str:
    """How a text at an alpha is aligned to stay within the panel."""
    share = (alpha - first) / (last - first) if last > first else 0.5
    return "left" if share < margin else "right" if share > 1 - margin else "center"


def _extremes(curve: AlphaCurve, numbers: MetricNumbers) -> tuple[float, float] | None:
    """The smallest and largest value among students, means and intervals."""
    shown = np.concatenate([curve.test.ravel(), numbers.low, numbers.high, numbers.mean])
    shown = shown[np.isfinite(shown)]
    return (float(shown.min()), float(shown.max())) if len(shown) else None
