"""Residuals of a model of real numbers: predictions against labels, and how the differences are spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from distillab.report.charts.layers import Tables, layer, limits, tips
from distillab.report.charts.theme import CURVE, SOFT


def residuals_data(detail: Mapping[str, Any]) -> Tables:
    """Tables "pairs" (of the first output: label and prediction), "ends" of the diagonal, "bins" of the residuals.

    Args:
        detail: what `distillab.tasks.detail` keeps of a model's test predictions.
    """
    pairs = [(label, predicted) for label, predicted, output in detail["pairs"] if output == 0]
    low, high = limits([value for pair in pairs for value in pair], 1e-9, below=0.03, above=0.03)
    edges, counts = detail["residuals"]["edges"], detail["residuals"]["counts"]
    return {
        "pairs": [
            {"label": label, "predicted": predicted, "difference": f"{predicted - label:+.4g}"}
            for label, predicted in pairs
        ],
        "ends": [{"label": end, "predicted": end} for end in (low, high)],
        "bins": [
            {"from": start, "to": end, "count": count, "predictions": f"{count:,}"}
            for start, end, count in zip(edges, edges[1:], counts, strict=False)
        ],
    }


def pairs_chart(tables: Tables | None = None) -> alt.LayerChart:
    """Draw a point for each test example; on the diagonal predictions are right.

    Args:
        tables: as `residuals_data` gives them; None where the page supplies them.
    """
    wide = alt.Scale(zero=False, nice=False)
    x = alt.X("label:Q").title("label").scale(wide)
    y = alt.Y("predicted:Q").title("prediction").scale(wide)
    points = layer(tables, "pairs").mark_circle(color=CURVE, opacity=0.55, size=36)
    return alt.layer(
        layer(tables, "ends").mark_line(color=SOFT, strokeDash=[3, 3]).encode(x=x, y=y),
        points.encode(x=x, y=y, tooltip=tips("label", "predicted", "difference")),
    ).properties(height=280)


def residuals_chart(tables: Tables | None = None) -> alt.LayerChart:
    """Draw how many test predictions differ from their label by how much.

    Args:
        tables: as `residuals_data` gives them; None where the page supplies them.
    """
    x = alt.X("from:Q").title("prediction minus label").bin("binned")
    y = alt.Y("count:Q").title("test predictions")
    bars = layer(tables, "bins").mark_bar(color=CURVE, opacity=0.8)
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=SOFT, strokeDash=[3, 3])
    return alt.layer(
        bars.encode(x=x, x2="to:Q", y=y, tooltip=tips("from", "to", "predictions")), zero.encode(x="at:Q")
    ).properties(height=220)
