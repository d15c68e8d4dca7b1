"""The squared error that both ends predict, drawn beside what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distillab.analysis.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PREDICTED, MEASURED = "#d55e00", "#0072b2"


def draw_predicted(data: Prediction, ax: Axes) -> Axes:
    """Draw one setting: the parabola through the ends, the measured errors, the predicted alpha and the swept one."""
    grid = np.linspace(0, 1, 101)
    ax.plot(grid, data.risk.at(grid), color=PREDICTED, label="predicted from both ends")
    alphas, means, lows, highs = np.array(data.measured).reshape(-1, 4).T
    around = np.nan_to_num(np.abs([means - lows, highs - means]))
    ax.errorbar(alphas, means, around, fmt="o", color=MEASURED, markersize=4, capsize=2, label="measured")
    least = float(data.risk.at(data.alpha))
    ax.plot(data.alpha, least, "o", markersize=11, markerfacecolor="none", color=PREDICTED, zorder=3)
    ax.axvline(data.swept, color="#222222", linestyle=":", linewidth=1.2, label="chosen by the sweep")
    off = "" if np.isnan(data.departure) else f"; off the line by {100 * data.departure:.0f} %"
    ax.set_title(f"{data.label}\npredicted alpha = {data.alpha:.2f}{off}".strip(), loc="left")
    ax.set_xlabel("alpha: weight of the labels")
    return ax
