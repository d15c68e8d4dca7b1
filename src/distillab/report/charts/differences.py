"""Paired differences of the metric to a reference, at each alpha."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve
from distillab.report.charts.layers import Tables, alpha_axis, corners, finite, frame, layer, limits, tips, value_axis
from distillab.report.charts.metric_numbers import MetricNumbers
from distillab.report.charts.theme import CURVE, PAPER, RANGE, SOFT

SIGNIFICANCE = 0.05


def differences_data(
    curve: AlphaCurve, numbers: MetricNumbers, reference: str, *, optimal: Sequence[tuple[float, float]] = ()
) -> Tables:
    """Tables "rows" (an alpha each, in the unit of the axis), "ranges" and "frame".

    Args:
        curve: the students of a setting by one metric.
        numbers: their differences.
        reference: "labels" or "teacher".
        optimal: stretches of the alpha axis in the optimal range.
    """
    metric, factor = curve.metric, curve.metric.factor
    rows: list[dict[str, Any]] = [
        {
            "alpha": float(curve.alphas[index]),
            "n": numbers.n[index],
            "value": factor * value,
            "low": finite(factor * low),
            "high": finite(factor * high),
            "significant": p <= SIGNIFICANCE,
            "difference": fmt.difference(metric, value),
            "95 % interval": fmt.spread_cell(metric, low, high, numbers.n[index], signed=True),
            "p after Holm": fmt.p_cell(p),
        }
        for index, (value, low, high, p) in numbers.differences[reference].items()
    ]
    reached = [row[key] for row in rows for key in ("value", "low", "high")]
    return {
        "rows": rows,
        "ranges": [{"from": start, "to": end} for start, end in optimal],
        "frame": corners(curve.alphas, *limits([0, *reached], 0.2 if metric.unit == "%" else 1e-3)),
    }


def differences_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw differences with 95 % intervals, filled where p after Holm is at most 0.05.

    Args:
        tables: as `differences_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, value, rows = alpha_axis(), value_axis("value", y), layer(tables, "rows")
    shown = tips("alpha", "n", "difference", "95 % interval", "p after Holm")
    filled = alt.condition("datum.significant", alt.value(CURVE), alt.value(PAPER))
    return alt.layer(
        frame(tables, x, value),
        layer(tables, "ranges").mark_rect(color=RANGE, opacity=0.14).encode(x=alpha_axis("from"), x2="to"),
        layer(tables, "frame").mark_rule(color=SOFT).encode(y=alt.datum(0)),
        rows.mark_rule(color=CURVE, strokeWidth=2).encode(x=x, y=value_axis("low", y), y2="high"),
        rows.mark_point(size=70, strokeWidth=2, opacity=1, stroke=CURVE).encode(x=x, y=value, fill=filled),
        rows.mark_rule(strokeWidth=26, opacity=0).encode(x=x, tooltip=shown),
    ).properties(height=240)
