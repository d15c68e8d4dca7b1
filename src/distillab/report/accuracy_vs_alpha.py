"""The study's main figure: how the student's test accuracy changes with alpha."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Flags, Floats
from distillab.analysis.setting import SettingResult
from distillab.metrics.metric import Metric
from distillab.report.formatting import value
from distillab.report.spread import spread_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE, LABELS, TEACHER_ALONE, TEACHER, RANGE = "#0072b2", "#d55e00", "#8e4585", "#222222", "#009e73"
"""Okabe and Ito's colours, told apart in every common kind of colour blindness; the purple is darkened for text."""


class AccuracyVsAlpha(NamedTuple):
    """What one panel shows, in the metric's own numbers."""

    title: str
    measure: Metric
    alphas: Floats
    """Shape (A,), ascending."""
    points: Floats
    """Shape (R, A): every student on the test set; nan where there is none."""
    n: tuple[int, ...]
    """Students behind each mean."""
    mean: Floats
    low: Floats
    high: Floats
    """Shape (A,) each: mean and 95 % t interval; nan where there is nothing."""
    teacher: float | None
    labels_alone: float | None
    """The mean at alpha = 1."""
    teacher_alone: float | None
    """The mean at alpha = 0."""
    optimal: Flags
    """Shape (A,): in the optimal range."""
    best: float | None
    """The alpha chosen on the validation data."""
    diverged: tuple[int, ...]
    """Diverged students at each alpha."""

    @property
    def floor_and_top(self) -> tuple[float, float] | None:
        """The smallest and largest value among students and their intervals; None where there is none."""
        shown = np.concatenate([self.points.ravel(), self.low, self.high, self.mean])
        shown = shown[np.isfinite(shown)]
        return (float(shown.min()), float(shown.max())) if len(shown) else None


def accuracy_vs_alpha_data(curve: AlphaCurve, finding: SettingResult) -> AccuracyVsAlpha:
    """Gather what the figure shows.

    Args:
        curve: the students of a setting.
        finding: what they show.
    """
    rows = finding.alphas

    def mean_at(alpha: float) -> float | None:
        row = finding.at(alpha)
        return row.mean if row and math.isfinite(row.mean) else None

    return AccuracyVsAlpha(
        title=finding.label,
        measure=curve.metric,
        alphas=curve.alphas,
        points=curve.test,
        n=tuple(row.n for row in rows),
        mean=np.array([row.mean for row in rows]),
        low=np.array([row.low for row in rows]),
        high=np.array([row.high for row in rows]),
        teacher=finding.teacher,
        labels_alone=mean_at(1.0),
        teacher_alone=mean_at(0.0),
        optimal=np.array([row.in_range is True for row in rows]),
        best=finding.best.alpha if finding.best else None,
        diverged=tuple(row.diverged for row in rows),
    )


def limits(floor: float, top: float) -> tuple[float, float]:
    """The vertical axis for given extremes: room below for the range's name, and never less than a point high."""
    height = max(top - floor, 0.01)
    middle = (floor + top) / 2
    return middle - 0.66 * height, middle + 0.56 * height


def spans(alphas: Floats, chosen: Flags) -> list[tuple[float, float]]:
    """The stretches of the axis that chosen alphas own, each alpha reaching halfway to its neighbours.

    Example:
        >>> spans(np.array([0.0, 0.2, 0.4, 1.0]), np.array([True, True, False, True]))
        [(0.0, 0.3), (0.7, 1.0)]
    """
    middles = (alphas[1:] + alphas[:-1]) / 2
    low, high = np.concatenate([alphas[:1], middles]), np.concatenate([middles, alphas[-1:]])
    found: list[tuple[float, float]] = []
    for index in np.flatnonzero(chosen):
        start, end = round(float(low[index]), 9), round(float(high[index]), 9)
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    return found


def draw_accuracy_vs_alpha(data: AccuracyVsAlpha, ax: Axes, *, ylim: tuple[float, float] | None = None) -> Axes:
    """Draw one panel.

    Args:
        data: what it shows.
        ax: where.
        ylim: a vertical axis shared with other panels; from the data where left out.
    """
    extremes = data.floor_and_top
    ax.set_title(data.title, loc="left", pad=22)
    ax.set_xlabel("alpha: weight of the labels")
    _mark_ends(data, ax)
    if extremes is None:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finished student", transform=ax.transAxes, ha="center", color="#666666")
        return ax
    bottom, top = ylim or limits(*extremes)
    scale = data.measure.factor
    ax.set_ylim(scale * bottom, scale * top)
    _draw_range(data, ax)
    _draw_students(data, ax)
    _draw_references(data, ax, bottom, top)
    _draw_choice(data, ax)
    return ax


def _mark_ends(data: AccuracyVsAlpha, ax: Axes) -> None:
    first, last = float(data.alphas[0]), float(data.alphas[-1])
    pad = 0.03 * (last - first) or 0.5
    ax.set_xlim(first - pad, last + pad)
    ticks = data.alphas if len(data.alphas) <= 6 else data.alphas[:: math.ceil(len(data.alphas) / 6)]
    ax.set_xticks([float(alpha) for alpha in ticks], [f"{alpha:g}" for alpha in ticks])


def _draw_range(data: AccuracyVsAlpha, ax: Axes) -> None:
    stretches = spans(data.alphas, data.optimal)
    for start, end in stretches:
        ax.axvspan(start, end, color=RANGE, alpha=0.13, linewidth=0)
    if not stretches:
        return
    start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    left, right = ax.get_xlim()
    side = (start + end) / 2
    fraction = (side - left) / (right - left)
    align = "left" if fraction < 0.2 else "right" if fraction > 0.8 else "center"
    x = {"left": start, "right": end, "center": side}[align]
    ax.annotate(
        "optimal range" if len(stretches) == 1 else "optimal range (green)",
        (x, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=({"left": 3, "right": -3, "center": 0}[align], 0),
        textcoords="offset points",
        ha=align,
        color="#00684c",
    )


def _draw_students(data: AccuracyVsAlpha, ax: Axes) -> None:
    scale = data.measure.factor
    x = np.broadcast_to(data.alphas, data.points.shape)
    ax.plot(x.ravel(), scale * data.points.ravel(), "o", color=CURVE, alpha=0.22, markersize=3, markeredgewidth=0)
    there = np.isfinite(data.mean)
    known = there & np.isfinite(data.low)
    if known.sum() > 1:
        ax.fill_between(
            data.alphas[known], scale * data.low[known], scale * data.high[known], color=CURVE, alpha=0.22, linewidth=0
        )
    elif known.any():
        reach = scale * np.stack([data.mean - data.low, data.high - data.mean])[:, known]
        ax.errorbar(data.alphas[known], scale * data.mean[known], yerr=reach, color=CURVE, capsize=4)
    ax.plot(data.alphas[there], scale * data.mean[there], "-o", color=CURVE, linewidth=1.8, markersize=4.5)
    for alpha, count, mean in zip(data.alphas, data.diverged, data.mean, strict=True):
        if count:
            ax.plot([alpha], [scale * mean], "o", color=CURVE, markerfacecolor="white", markersize=4.5)
            ax.annotate(
                f"✕ {count}", (float(alpha), 0.075), xycoords=("data", "axes fraction"), ha="center", color="#b00020"
            )


def _draw_references(data: AccuracyVsAlpha, ax: Axes, bottom: float, top: float) -> None:
    """Draw the three levels and name them at the right edge, pushed apart where they would overlap.

    A teacher outside the axis is named at the edge it lies beyond, so that it does not squash the curve.
    """
    named: list[tuple[float, str, str]] = []
    for level, name, colour, style in (
        (data.teacher, "teacher itself", TEACHER, (0, (6, 3))),
        (data.labels_alone, "labels alone", LABELS, (0, (2, 2))),
        (data.teacher_alone, "teacher alone", TEACHER_ALONE, (0, (4, 2, 1, 2))),
    ):
        if level is None:
            continue
        inside = bottom <= level <= top
        if inside:
            ax.axhline(data.measure.factor * level, color=colour, linestyle=style, linewidth=1.1, zorder=1.5)
        arrow = "" if inside else " ▲" if level > top else " ▼"
        named.append(
            (
                min(max((level - bottom) / (top - bottom), 0.0), 1.0),
                f"{name} {value(data.measure, level)}{arrow}",
                colour,
            )
        )
    heights = spread_out([height for height, _, _ in named], gap=0.055)
    for (level, text, colour), height in zip(named, heights, strict=True):
        ax.annotate(
            text,
            (1.0, level),
            xycoords="axes fraction",
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0},
        )


def _draw_choice(data: AccuracyVsAlpha, ax: Axes) -> None:
    """Ring the chosen alpha and name it above the panel."""
    if data.best is None:
        return
    height = data.measure.factor * float(data.mean[data.alphas == data.best][0])
    ax.plot(
        [data.best], [height], "o", markersize=11, markerfacecolor="none", markeredgecolor=TEACHER, markeredgewidth=1.4
    )
    left, right = ax.get_xlim()
    fraction = (data.best - left) / (right - left)
    ax.plot(
        [fraction, fraction],
        [(height - ax.get_ylim()[0]) / (ax.get_ylim()[1] - ax.get_ylim()[0]) + 0.025, 1.0],
        transform=ax.transAxes,
        color=TEACHER,
        linewidth=0.7,
        linestyle=":",
    )
    ax.annotate(
        f"chosen on validation: alpha = {data.best:g}",
        (fraction, 1.0),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        ha="left" if fraction < 0.3 else "right" if fraction > 0.7 else "center",
    )
