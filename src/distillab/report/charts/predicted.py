"""The squared error that the students at both ends predict, and the measured one."""

from __future__ import annotations

import altair as alt
import numpy as np

from distillab.analysis.prediction import Prediction
from distillab.report.charts.layers import Tables, alpha_axis, corners, finite, frame, layer, limits, value_axis
from distillab.report.charts.theme import CURVE, LABELS, SOFT

TITLE = "squared error on validation labels"
LINES = {"predicted from both ends": LABELS, "measured": CURVE}


def predicted_data(setting: Prediction) -> Tables:
    """Tables "line" (the predicted parabola), "least" (its minimum), "measured" (an alpha each), "swept" and "frame".

    Args:
        setting: what the ends of one setting predict.
    """
    ends = sorted([0.0, 1.0, *(alpha for alpha, *_ in setting.measured)])
    grid = np.linspace(ends[0], ends[-1], 41)
    line = [
        {"name": "predicted from both ends", "alpha": alpha, "value": value}
        for alpha, value in zip(grid.tolist(), setting.risk.at(grid).tolist(), strict=True)
    ]
    measured = [
        {"name": "measured", "alpha": alpha, "value": mean, "low": finite(low), "high": finite(high)}
        for alpha, mean, low, high in setting.measured
    ]
    values = [row["value"] for row in line] + [row[key] for row in measured for key in ("value", "low", "high")]
    return {
        "line": line,
        "least": [_mark(setting.alpha, f"predicted {setting.alpha:.2f}", float(setting.risk.at(setting.alpha)))],
        "measured": measured,
        "swept": [_mark(setting.swept, f"swept {setting.swept:g}")],
        "frame": corners(ends, *limits(values, 1e-4, above=0.16)),
    }


def _mark(alpha: float, text: str, value: float | None = None) -> dict[str, object]:
    return {"alpha": alpha, "value": value, "text": text, "align": "right" if alpha > 0.6 else "left"}


def predicted_chart(tables: Tables | None = None, *, y: str = TITLE) -> alt.LayerChart:
    """Draw the predicted parabola with its minimum, the measured errors with 95 % intervals, and the swept alpha.

    Args:
        tables: as `predicted_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    x, value = alpha_axis(), value_axis("value", y)
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolStrokeWidth=2)
    colour = alt.Color("name:N").scale(domain=list(LINES), range=list(LINES.values())).legend(legend)
    measured, swept, least = (layer(tables, name) for name in ("measured", "swept", "least"))
    side, shift = alt.expr("datum.align"), alt.expr("datum.align == 'right' ? -4 : 4")
    words = {"align": side, "dx": shift, "baseline": "top"}
    return alt.layer(
        frame(tables, x, value),
        layer(tables, "line").mark_line(strokeWidth=2).encode(x=x, y=value, color=colour),
        measured.mark_rule(strokeWidth=1.5).encode(x=x, y=value_axis("low", y), y2="high", color=colour),
        measured.mark_circle(opacity=1, size=45).encode(x=x, y=value, color=colour),
        swept.mark_rule(strokeDash=[2, 3], color=SOFT).encode(x=x),
        least.mark_rule(strokeDash=[2, 3], color=LABELS).encode(x=x),
        least.mark_point(color=LABELS, size=150, strokeWidth=1.6, opacity=1).encode(x=x, y=value),
        least.mark_text(color=LABELS, **words).encode(x=x, y=alt.value(2), text="text:N"),
        swept.mark_text(color=SOFT, **words).encode(x=x, y=alt.value(17), text="text:N"),
    ).properties(height=240)
