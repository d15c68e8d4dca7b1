"""Learning curves: validation accuracy or training loss, epoch by epoch, a line for each alpha."""

from __future__ import annotations

import altair as alt
import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats
from distillab.report.charts.layers import Tables, frame, layer, limits, message, tips, value_axis
from distillab.report.charts.theme import VIRIDIS

_SCORES = {"multilabel": "validation accuracy of single labels (%)", "regression": "validation variance explained (%)"}


def curve_titles(task: str) -> dict[str, str]:
    """Titles of the y axis, by what is shown.

    Args:
        task: a name in `distillab.tasks.TASKS`.

    Example:
        >>> curve_titles("regression")["validation_accuracy"]
        'validation variance explained (%)'
    """
    return {"validation_accuracy": _SCORES.get(task, "validation accuracy (%)"), "loss": "training loss"}


def learning_curves_data(curve: AlphaCurve, which: str = "validation_accuracy") -> Tables:
    """Tables "rows" (an alpha and epoch each, means over the seeds), "single" (these if one epoch), "frame", "message".

    Args:
        curve: the students of a setting.
        which: "validation_accuracy" (in per cent) or "loss".
    """
    loss = which == "loss"
    values = np.asarray(getattr(curve.learning, which)) * (1 if loss else 100)
    rows = [
        {
            "alpha": alpha,
            "epoch": epoch + 1,
            "value": float(values[epoch, column]),
            "mean": f"{values[epoch, column]:.{4 if loss else 2}f}",
        }
        for column, alpha in enumerate(curve.alphas.tolist())
        for epoch in range(len(values))
        if np.isfinite(values[epoch, column])
    ]
    low, high = focus(values, least=1e-3 if loss else 1.0, falling=loss)
    return {
        "rows": rows,
        "single": rows if len(values) == 1 else [],
        "frame": [{"epoch": 1, "value": low}, {"epoch": max(len(values), 1.5), "value": high}],
        "message": [] if rows else [{"text": "no finished student"}],
    }


def learning_curves_chart(tables: Tables | None = None, *, y: str = "$y") -> alt.LayerChart:
    """Draw a line for each alpha.

    Args:
        tables: as `learning_curves_data` gives them; None where the page supplies them.
        y: the title of the y axis.
    """
    between = "datum.value % 1"  # Vega-Lite puts ticks between the epochs of a short training
    ticks, grid = (alt.condition(between, alt.value(0), alt.value(opacity)) for opacity in (1, 0.6))
    axis = alt.Axis(labelExpr=f"{between} ? '' : format(datum.value, 'd')", tickOpacity=ticks, gridOpacity=grid)
    x = alt.X("epoch:Q").title("epoch").axis(axis).scale(zero=False, nice=False)
    value = value_axis("value", y)
    legend = alt.Legend(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", type="gradient", gradientLength=150)
    colour = alt.Color("alpha:Q").title("alpha").scale(scheme=dict(VIRIDIS), domain=[0, 1]).legend(legend)
    shown = tips("alpha", "epoch", "mean")
    lines = layer(tables, "rows").mark_line(strokeWidth=1.8, clip=True)
    points = layer(tables, "single").mark_point(size=10, strokeWidth=5, opacity=1)
    return alt.layer(
        frame(tables, x, value),
        lines.encode(x=x, y=value, color=colour, detail="alpha:N", tooltip=shown),
        points.encode(x=x, y=value, color=colour, tooltip=shown),
        message(tables),
    ).properties(height=240)


def focus(values: Floats, *, least: float = 1.0, falling: bool = False) -> tuple[float, float]:
    """A vertical axis that shows the later half of training; a steep start may run off.

    Args:
        values: shape (E, A), with nan where there is nothing.
        least: the least height.
        falling: whether values fall, as a loss does.
    """
    known = values[np.isfinite(values)]
    late = values[len(values) // 2 :]
    late = late[np.isfinite(late)]
    if not len(late):
        return 0.0, 1.0
    height = float(late.max() - late.min())
    kept = known[known <= late.max() + height] if falling else known[known >= late.min() - height]
    return limits(kept.tolist(), least, below=0.04, above=0.04)
