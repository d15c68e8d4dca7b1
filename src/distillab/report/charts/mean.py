"""One metric against alpha, in small: mean and 95 % band."""

from __future__ import annotations

import altair as alt

from distillab.report.charts.accuracy_vs_alpha import TIPS
from distillab.report.charts.layers import Tables, alpha_axis, frame, layer, tips, value_axis
from distillab.report.charts.theme import CURVE


def mean_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw mean and 95 % band.

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
