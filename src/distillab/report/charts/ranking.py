"""ROC and precision-recall curves of models that say yes or no, or several labels at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from distillab.report.charts.layers import Rows, Tables, layer, tips
from distillab.report.charts.theme import SOFT

CURVES = {
    "roc": ("false positive rate", "true positive rate"),
    "pr": ("recall", "precision"),
}
"""By the curve's name in `distillab.tasks.detail`, what its axes show."""


def ranking_data(models: Mapping[str, Mapping[str, Any]], which: str) -> Tables:
    """Table "rows": the points of one curve of each model, in order.

    Args:
        models: by the name in the legend, what `distillab.tasks.detail` keeps of its test predictions.
        which: "roc" or "pr".
    """
    rows: Rows = []
    across, up = CURVES[which]
    for name, of in models.items():
        for number, (x, y) in enumerate(of.get(which) or []):
            shown = {across: f"{x:.3f}", up: f"{y:.3f}"}
            rows.append({"name": name, "n": number, "x": x, "y": y, **shown})
    return {"rows": rows}


def ranking_chart(which: str, colours: Mapping[str, str], tables: Tables | None = None) -> alt.LayerChart:
    """Draw a line for each model.

    Args:
        which: "roc", with the diagonal of guessing, or "pr".
        colours: by the models' names, in the order of the legend.
        tables: as `ranking_data` gives them; None where the page supplies them.
    """
    across, up = CURVES[which]
    whole = alt.Scale(domain=[0, 1])
    x, y = alt.X("x:Q").title(across).scale(whole), alt.Y("y:Q").title(up).scale(whole)
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolType="stroke", symbolStrokeWidth=2.5)
    colour = alt.Color("name:N").scale(domain=list(colours), range=list(colours.values())).legend(legend)
    rows = layer(tables, "rows")
    lines = rows.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour, order="n:Q")
    points = rows.mark_circle(size=40, opacity=0).encode(x=x, y=y, tooltip=tips("name", across, up))
    if which != "roc":
        return alt.layer(lines, points).properties(height=260)
    ends = alt.Chart(alt.InlineData(values=[{"x": end, "y": end} for end in (0, 1)]))
    return alt.layer(ends.mark_line(color=SOFT, strokeDash=[3, 3]).encode(x=x, y=y), lines, points).properties(
        height=260
    )
