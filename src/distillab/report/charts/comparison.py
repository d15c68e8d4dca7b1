"""Several studies against alpha, a line for each setting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve
from distillab.metrics.metric import Metric
from distillab.report.charts.layers import Tables, alpha_axis, corners, finite, frame, layer, limits, tips, value_axis
from distillab.report.charts.metric_numbers import MetricNumbers, metric_numbers
from distillab.report.charts.theme import SOFT

SHOWN = {"difference": "difference to labels alone", "value": "value"}


def comparison_data(lines: Sequence[tuple[str, AlphaCurve]], shown: str) -> Tables:
    """Tables "rows" (a setting and alpha each), "zero" and "frame".

    Args:
        lines: names and students of the settings, by one metric.
        shown: "difference" to labels alone, or "value".
    """
    rows = [row for name, curve in lines for row in _line(name, curve, metric_numbers(curve), shown)]
    zero = [{"value": 0.0}] if shown == "difference" and rows else []
    reached = [row[key] for row in rows for key in ("value", "low", "high")] + [row["value"] for row in zero]
    least = 1e-3 * lines[0][1].metric.factor if lines else 1.0
    return {
        "rows": rows,
        "zero": zero,
        "frame": corners(sorted([0.0, 1.0, *(row["alpha"] for row in rows)]), *limits(reached, least)),
    }


def _line(name: str, curve: AlphaCurve, numbers: MetricNumbers, shown: str) -> Iterator[dict[str, Any]]:
    metric, signed = curve.metric, shown == "difference"
    for index, alpha in enumerate(curve.alphas.tolist()):
        to_labels = numbers.differences["labels"].get(index)
        value, low, high = (float(part[index]) for part in (numbers.mean, numbers.low, numbers.high))
        if signed:
            value, low, high = to_labels[:3] if to_labels else (0.0 if alpha == 1 else math.nan, math.nan, math.nan)
        if math.isnan(value) or not numbers.n[index]:
            continue
        yield {
            "study": name,
            "alpha": alpha,
            "n": numbers.n[index],
            "value": metric.factor * value,
            "low": finite(metric.factor * low),
            "high": finite(metric.factor * high),
            "shown": fmt.difference(metric, value) if signed else fmt.value(metric, value),
            "95 % interval": fmt.spread_cell(metric, low, high, numbers.n[index], signed=signed),
            "p after Holm": fmt.p_cell(to_labels and to_labels.p),
        }


def comparison_title(metric: Metric, shown: str) -> str:
    """The title of the y axis.

    Args:
        metric: of the lines.
        shown: "difference" or "value".
    """
    unit = f" ({metric.difference_unit})" if metric.difference_unit else ""
    return f"{metric.label}: {SHOWN[shown]}{unit}" if shown == "difference" else f"test {metric.axis}"


def comparison_chart(tables: Tables | None = None, *, names: Sequence[str], y: str = "$y") -> alt.LayerChart:
    """Draw a line with its 95 % band for each setting.

    Args:
        tables: as `comparison_data` gives them; None where the page supplies them.
        names: of all settings, in their order.
        y: the title of the y axis.
    """
    x, value, rows = alpha_axis(), value_axis("value", y), layer(tables, "rows")
    symbols = {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolOpacity": 1}
    legend = alt.Legend(title=None, orient="bottom", columns=1, labelLimit=480, **symbols)
    colour = alt.Color("study:N").scale(domain=list(names), scheme="tableau10").legend(legend)
    shown = tips("study", "alpha", "n", "shown", "95 % interval", "p after Holm")
    return alt.layer(
        frame(tables, x, value),
        layer(tables, "zero").mark_rule(color=SOFT).encode(y=value),
        rows.mark_area(opacity=0.14).encode(x=x, y=value_axis("low", y), y2="high", color=colour),
        rows.mark_line(strokeWidth=2).encode(x=x, y=value, color=colour),
        rows.mark_circle(opacity=1, size=60).encode(x=x, y=value, color=colour, tooltip=shown),
    ).properties(height=360)
