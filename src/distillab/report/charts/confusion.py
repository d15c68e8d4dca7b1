"""Confusion matrices: which class is predicted for which label."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from distillab.report.charts.layers import Tables, layer, tips
from distillab.report.charts.theme import LABELS, PALE

MOST_WRITTEN = 12
"""Classes whose shares are written into the cells."""


def confusion_data(counts: NDArray[np.integer]) -> Tables:
    """Table "counts": label, prediction and count of every cell that is not empty, classes as numbers.

    Args:
        counts: shape (C, C), test examples by label and prediction.
    """
    cells = np.argwhere(counts)
    return {"counts": [{"label": int(i), "prediction": int(j), "count": int(counts[i, j])} for i, j in cells]}


def confusion_chart(tables: Tables | None, names: Sequence[str]) -> alt.LayerChart:
    """Draw the share of each class's examples that every class is predicted for.

    Args:
        tables: as `confusion_data` gives them; None where the page supplies them.
        names: of the C classes.
    """
    classes, size = list(range(len(names))), 28 if len(names) <= 20 else 12
    named = {"labelExpr": "names[datum.value]", "labelLimit": 90, "ticks": False, "grid": False}
    scale = alt.Scale(domain=classes)
    x = alt.X("prediction:O").title("prediction").axis(orient="top", labelAngle=-45, **named).scale(scale)
    y = alt.Y("label:O").title("label").axis(**named).scale(scale)
    opacity = alt.Opacity("share:Q").scale(range=[0.06, 0.85], domainMin=0).legend(None)
    shown = {
        "true class": "names[datum.label]",
        "predicted class": "names[datum.prediction]",
        "% of the class": "format(datum.share, '.2f')",
        "predictions": "format(datum.count, ',')",
    }
    text = "format(datum.share, datum.share < 9.95 ? '.1f' : '.0f')" if len(names) <= MOST_WRITTEN else "''"
    cells = layer(tables, "counts").transform_joinaggregate(total="sum(count)", groupby=["label"])
    cells = cells.transform_calculate(share="100 * datum.count / datum.total", text=text, **shown)
    wrong = cells.transform_filter("datum.label != datum.prediction")
    right = cells.transform_filter("datum.label == datum.prediction")
    return (
        alt.layer(
            wrong.mark_rect(color=LABELS).encode(x=x, y=y, opacity=opacity, tooltip=tips(*shown)),
            right.mark_rect(color=PALE).encode(x=x, y=y, tooltip=tips(*shown)),
            wrong.mark_text(fontSize=10, tooltip=None).encode(x=x, y=y, text="text:N"),
            right.mark_text(fontSize=10, fontWeight=600, tooltip=None).encode(x=x, y=y, text="text:N"),
        )
        .add_params(alt.param("names", value=list(names)))
        .properties(height=max(120, size * len(classes)))
    )
