"""Reliability diagram: the share of correct predictions against confidence."""

from __future__ import annotations

import altair as alt
import numpy as np

from distillab.analysis.calibration import Reliability
from distillab.analysis.curves import Floats
from distillab.report.charts.layers import Rows, Tables, layer, tips
from distillab.report.charts.theme import CURVE, LABELS, SOFT, TEACHER_ALONE

ROLES = {"teacher alone": TEACHER_ALONE, "labels alone": LABELS, "chosen": CURVE, "end of the grid": SOFT}


def reliability_data(bins: Reliability, alphas: Floats, best: float | None) -> Tables:
    """Table "rows": the bins that are not empty of the ends of the grid and of the chosen alpha, in per cent.

    Args:
        bins: of one setting.
        alphas: shape (A,), ascending.
        best: the chosen alpha.
    """
    rows: Rows = []
    for index in sorted({0, len(alphas) - 1, *np.flatnonzero(alphas == best).tolist()}):
        alpha = float(alphas[index])
        role = {1.0: "labels alone", 0.0: "teacher alone"}.get(alpha, "end of the grid")
        for count, confidence, correct in zip(*(part[index].tolist() for part in bins), strict=True):
            if count:
                rows.append(
                    {
                        "name": "chosen" if alpha == best else role,
                        "alpha": alpha,
                        "count": int(count),
                        "confidence": 100 * confidence,
                        "correct": 100 * correct,
                        "predictions": f"{int(count):,}",
                        "mean confidence": f"{100 * confidence:.1f} %",
                        "correct predictions": f"{100 * correct:.1f} %",
                    }
                )
    return {"rows": rows}


def reliability_chart(tables: Tables | None = None) -> alt.LayerChart:
    """Draw a line for each alpha; on the diagonal predictions are as often correct as they are confident.

    Args:
        tables: as `reliability_data` gives them; None where the page supplies them.
    """
    whole = alt.Scale(domain=[0, 100])
    x = alt.X("confidence:Q").title("confidence (%)").scale(whole)
    y = alt.Y("correct:Q").title("correct predictions (%)").scale(whole)
    symbols = {"symbolType": "stroke", "symbolStrokeWidth": 2.5}
    legend = alt.Legend(title=None, orient="bottom", columns=2, values=list(ROLES)[:3], **symbols)
    colour = alt.Color("name:N").scale(domain=list(ROLES), range=list(ROLES.values())).legend(legend)
    size = alt.Size("count:Q").scale(range=[12, 160]).legend(None)
    ends = [{"confidence": end, "correct": end} for end in (0, 100)]
    shown = tips("alpha", "predictions", "mean confidence", "correct predictions")
    rows = layer(tables, "rows")
    return alt.layer(
        alt.Chart(alt.InlineData(values=ends)).mark_line(color=SOFT, strokeDash=[3, 3]).encode(x=x, y=y),
        rows.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour),
        rows.mark_circle(opacity=0.9).encode(x=x, y=y, color=colour, size=size, tooltip=shown),
    ).properties(height=260)
