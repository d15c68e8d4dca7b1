"""What becomes of wrong labels, against alpha."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np

from distillab.analysis.denoising import SHARES, Denoising
from distillab.report.charts.layers import Rows, Tables, alpha_axis, corners, finite, frame, layer, tips, value_axis
from distillab.report.charts.theme import CURVE, LABELS, SOFT

LINES = {
    "recovered by students": (CURVE, [1, 0]),
    "memorised by students": (LABELS, [1, 0]),
    "recovered by the teacher": (CURVE, [6, 3]),
    "memorised by the teacher": (LABELS, [6, 3]),
}
WRONG, NOISE = "share of the wrong labels (%)", "share of the noise (%)"
"""Titles of the y axis, for labels and for real numbers."""

SHARE: dict[str, Any] = {
    "domain": [-3, 103],
    "values": [0, 20, 40, 60, 80, 100],
}


def denoising_data(setting: Denoising) -> Tables:
    """Tables "rows" (an alpha and kind each, in per cent), "levels" (the teacher's), "threshold" and "frame".

    Args:
        setting: the shares of one setting.
    """
    rows: Rows = []
    for which in SHARES:
        band = setting.band(which)
        for alpha, *values in zip(setting.alphas.tolist(), *(100 * np.asarray(part) for part in band), strict=True):
            mean, low, high = map(finite, values)
            if mean is not None:
                row = {"name": f"{which} by students", "alpha": alpha, "value": mean, "low": low, "high": high}
                rows.append(row | {"share": f"{mean:.1f} %"})
    levels = [
        {"name": f"{which} by the teacher", "value": 100 * share}
        for which in SHARES
        if math.isfinite(share := getattr(setting, f"teacher_{which}"))
    ]
    known = math.isfinite(setting.threshold)
    side = "right" if setting.threshold > 0.5 else "left"
    return {
        "rows": rows,
        "levels": levels,
        "threshold": [{"alpha": setting.threshold, "text": "ideal threshold", "align": side}] if known else [],
        "frame": corners(setting.alphas, 0.0, 100.0),
    }


def denoising_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw shares of wrong labels recovered and memorised by students and teacher, and the ideal threshold.

    Args:
        tables: as `denoising_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, value, names = alpha_axis(), value_axis("value", y, **SHARE), list(LINES)
    symbols = {"symbolType": "stroke", "symbolStrokeWidth": 2.5, "symbolOpacity": 1}
    legend = alt.Legend(title=None, orient="bottom", columns=2 if tables else 1, **symbols)
    colours, dashes = ([style[part] for style in LINES.values()] for part in (0, 1))
    colour = alt.Color("name:N").scale(domain=names, range=colours).legend(legend)
    dash = alt.StrokeDash("name:N").scale(domain=names, range=dashes).legend(legend)
    rows, threshold = layer(tables, "rows"), layer(tables, "threshold")
    points = rows.mark_circle(opacity=1, size=36, clip=True)
    shift = alt.expr("datum.align == 'right' ? -5 : 5")
    name = threshold.mark_text(color=SOFT, align=alt.expr("datum.align"), dx=shift)
    return alt.layer(
        frame(tables, x, value),
        rows.mark_area(opacity=0.2, clip=True).encode(x=x, y=value_axis("low", y, **SHARE), y2="high", color=colour),
        layer(tables, "levels").mark_rule(strokeWidth=1.4).encode(y=value, color=colour, strokeDash=dash),
        rows.mark_line(strokeWidth=2, clip=True).encode(x=x, y=value, color=colour, strokeDash=dash),
        points.encode(x=x, y=value, color=colour, tooltip=tips("name", "alpha", "share")),
        threshold.mark_rule(strokeDash=[2, 3], color=SOFT).encode(x=x),
        name.encode(x=x, y=alt.datum(50), text="text:N"),
    ).properties(height=260)
