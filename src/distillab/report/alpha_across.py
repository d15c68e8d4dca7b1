"""How the answer moves along an axis: the surface over alpha, the chosen alpha, and what it gains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from distillab.analysis.trend import AxisTrend
from distillab.metrics.metric import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHOSEN, GAIN, RANGE = "#0072b2", "#d55e00", "#009e73"
SPREAD = 0.85
"""Colours are spread over this share of the cells and saturate beyond: one bad corner must not hide the rest."""


def draw_surface(across: AxisTrend, measure: Metric, ax: Axes) -> Axes:
    """Draw the metric over alpha and the axis, a cell for each pair, with its number; the chosen alpha is ringed.

    Colour tells how far a cell lies from its row's best: rows of different levels can then be read side by side.
    """
    from matplotlib.patches import Rectangle

    surface = measure.factor * across.surface
    best = np.nanmax(measure.sign * surface, axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(surface))
    behind = np.where(np.isfinite(surface), best - measure.sign * surface, np.nan)
    shown = behind[np.isfinite(behind)]
    limit = max(float(np.quantile(shown, SPREAD)), 1e-9) if len(shown) else 1.0
    ax.pcolormesh(behind, cmap="viridis_r", vmin=0, vmax=limit, edgecolors="white", linewidth=1)
    digits = 3 if measure.unit != "%" else 2 if limit < 3 else 1
    for row, point in enumerate(across.points):
        for column, alpha in enumerate(across.alphas):
            value = surface[row, column]
            if not math.isfinite(value):
                continue
            dark = behind[row, column] > 0.45 * limit
            ax.text(
                column + 0.5,
                row + 0.5,
                f"{value:.{digits}f}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "#222222",
            )
            if alpha == point.alpha:
                ax.add_patch(
                    Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, fill=False, edgecolor="black", linewidth=2)
                )
    if not across.ordered:  # a list reads downwards, numbers upwards
        ax.invert_yaxis()
    _name_rows(across, ax)
    ax.set_xticks(np.arange(len(across.alphas)) + 0.5, [f"{alpha:g}" for alpha in across.alphas])
    ax.set_xlabel("alpha: weight of the labels")
    ax.set_title(f"test {measure.axis}", loc="left")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def draw_chosen(across: AxisTrend, ax: Axes) -> Axes:
    """Draw the chosen alpha, the middle 95 % of those chosen when seeds are drawn again, and the optimal range."""
    for row, point in enumerate(across.points):
        for alpha in point.result.optimal_range or ():
            ax.plot([alpha], [row + 0.5], "s", color=RANGE, alpha=0.3, markersize=11, markeredgewidth=0)
        if math.isfinite(point.alpha_low):
            ax.plot([point.alpha_low, point.alpha_high], [row + 0.5] * 2, color=CHOSEN, linewidth=2)
        if point.alpha is not None:
            ax.plot([point.alpha], [row + 0.5], "o", color=CHOSEN, markersize=6)
    ax.set_xlim(-0.06, 1.06)
    _same_rows(across, ax)
    ax.set_xlabel("alpha")
    ax.set_title("chosen alpha", loc="left")
    return ax


def draw_gain(across: AxisTrend, measure: Metric, ax: Axes) -> Axes:
    """Draw what the chosen alpha gains on labels alone, with its 95 % interval."""
    for row, point in enumerate(across.points):
        if point.gain is None:
            if point.alpha is not None:
                ax.plot([0], [row + 0.5], "o", color=GAIN, markerfacecolor="white", markersize=6)
            continue
        low, high = (measure.factor * end for end in (point.gain.low, point.gain.high))
        if math.isfinite(low):
            ax.plot([low, high], [row + 0.5] * 2, color=GAIN, linewidth=2)
        ax.plot([measure.factor * point.gain.difference], [row + 0.5], "o", color=GAIN, markersize=6)
    ax.axvline(0, color="#444444", linewidth=0.8)
    _same_rows(across, ax)
    unit = "points" if measure.unit == "%" else measure.unit
    ax.set_xlabel(f"difference to alpha = 1{f' ({unit})' if unit else ''}")
    title = "difference to labels alone (less is better)" if measure.lower_is_better else "gain over labels alone"
    ax.set_title(title, loc="left")
    return ax


def _same_rows(across: AxisTrend, ax: Axes) -> None:
    """The rows of the surface, without their names."""
    rows = len(across.points)
    ax.set_ylim((0, rows) if across.ordered else (rows, 0))
    ax.set_yticks(np.arange(rows) + 0.5, [""] * rows)
    ax.tick_params(axis="y", length=0)


def _name_rows(across: AxisTrend, ax: Axes) -> None:
    ax.set_yticks(np.arange(len(across.points)) + 0.5, [point.value for point in across.points])
    ax.set_ylabel(across.name)
