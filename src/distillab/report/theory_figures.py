"""The theory, drawn: closed forms as lines, simulations as dots with two standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from distillab.report.figures import canvas
from distillab.theory.pictures import Line, Phases, RiskPanel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")
RISK, BIAS, VARIANCE = "#0072b2", "#d55e00", "#009e73"
ALPHA = "alpha: weight of the labels"
DOTS = "Lines: closed forms; dots: simulations, with two Monte Carlo standard errors where they are wide enough to see."


def risk_figure(panels: Sequence[RiskPanel]) -> Figure:
    """Draw risk, bias and variance against alpha, a panel for each teacher. To be called within `house_style`."""
    figure = canvas(10.4, 6.6, f"{DOTS} Ring: the best alpha from 0 to 1.")
    for place, panel in enumerate(panels):
        ax = figure.add_subplot(2, 2, place + 1)
        found = panel.simulated
        parts = (
            ("risk", RISK, panel.split.risk, found.risk, 2 * found.risk_error),
            ("squared bias", BIAS, panel.split.bias, found.bias, None),
            ("variance", VARIANCE, panel.split.variance, found.variance, None),
        )
        for name, colour, parabola, dots, error in parts:
            ax.plot(panel.alphas, parabola.at(panel.alphas), color=colour, label=name)
            ax.errorbar(found.alphas, dots, error, fmt="o", color=colour, markersize=4, capsize=2)
        if np.isfinite(panel.best.clipped):
            lowest = float(panel.split.risk.at(panel.best.clipped))
            ax.plot(panel.best.clipped, lowest, "o", markersize=11, markerfacecolor="none", color="black")
            told = f"alpha* = {panel.best.free:.2f}"
        else:
            told = "alpha has no effect"
        ax.set_title(f"teacher: {panel.title}\n{told}", loc="left")
        ax.set_ylim(bottom=0)
        ax.set_xlabel(ALPHA)
        if place % 2 == 0:
            ax.set_ylabel("mean squared error")
        if place == 0:
            ax.legend(fontsize=8)
    return figure


def noise_figure(lines: Sequence[Line]) -> Figure:
    """Draw the best alpha against the noise of the labels. To be called within `house_style`."""
    figure = canvas(8.2, 4.6, f"{DOTS} Grey: alphas from 0 to 1; beyond, the nearer end is best.")
    ax = figure.add_subplot()
    ax.axhspan(0, 1, color="#f0f0f0", zorder=0)
    _draw_lines(lines, ax)
    ax.set_xscale("log")
    _plain_numbers(ax)
    ax.set_ylim(-0.8, 2.1)
    ax.set_xlabel("variance of the label noise (the signal's mean square is 1)")
    ax.set_ylabel("alpha*, free")
    ax.set_title("The best alpha falls with the noise, by how much the teacher decides", loc="left")
    _legend(ax)
    return figure


def phase_figure(data: Phases) -> Figure:
    """Draw where self-distillation hurts, helps, and wants no labels. To be called within `house_style`."""
    figure = canvas(
        7.4,
        4.8,
        "Student: ridge 3; the teacher learned the same labels. Lines: the noise at which alpha* is 1 and 0. Colour: "
        "the best alpha from 0 to 1.",
    )
    ax = figure.add_subplot()
    mesh = ax.pcolormesh(
        data.penalties, data.variances, data.alphas, cmap="viridis", vmin=0, vmax=1, shading="gouraud", rasterized=True
    )
    ax.plot(data.penalties, data.helps, color="white", linewidth=1.6)
    ax.plot(data.penalties, data.alone, color="white", linewidth=1.6)
    ax.set(xscale="log", yscale="log", xlabel="the teacher's ridge penalty", ylabel="variance of the label noise")
    _plain_numbers(ax)
    ax.set_ylim(data.variances[0], data.variances[-1])
    ax.set_xlim(data.penalties[0], data.penalties[-1])
    ax.grid(visible=False)
    middle = len(data.penalties) // 4
    places = (
        ("distillation hurts", np.sqrt(data.variances[0] * data.helps[middle]), "black"),
        ("the teacher alone is best", np.sqrt(data.variances[-1] * data.alone[middle]), "white"),
    )
    for name, height, colour in places:
        ax.text(data.penalties[middle], height, name, color=colour, fontsize=9, va="center", ha="center")
    right = int(len(data.penalties) * 0.82)
    ax.text(
        data.penalties[right],
        np.sqrt(data.helps[right] * min(data.alone[right], data.variances[-1])),
        "a mixture helps",
        color="white",
        ha="center",
    )
    ax.set_title("Self-distillation: what noise and the teacher's ridge decide", loc="left")
    bar = figure.colorbar(mesh, ax=ax)
    bar.set_label("best alpha")
    if bar.solids is not None:
        bar.solids.set_rasterized(False)
    return figure


def denoising_targets_figure(lines: Sequence[Line]) -> Figure:
    """Draw the share of targets that point at the clean class. To be called within `house_style`."""
    figure = canvas(7.4, 4.2, f"Two classes, 30 % of the labels wrong, the student's own label among the votes. {DOTS}")
    ax = figure.add_subplot()
    _draw_lines(lines, ax, scale=100)
    ax.set_xlabel(ALPHA)
    ax.set_ylabel("targets that point at the clean class (%)")
    ax.set_title("What the teacher outvotes", loc="left")
    _legend(ax)
    return figure


def gradient_figure(lines: Sequence[Line]) -> Figure:
    """Draw the label noise that is left in the targets, and so in gradients. To be called within `house_style`."""
    figure = canvas(7.4, 4.2, f"Mean over the examples, as a share of the noise at alpha = 1. {DOTS}")
    ax = figure.add_subplot()
    _draw_lines(lines, ax, scale=100)
    ax.set_ylim(-3, 106)
    ax.set_xlabel(ALPHA)
    ax.set_ylabel("label noise left in the gradients (%)")
    ax.set_title("What the teacher takes out of the gradients", loc="left")
    _legend(ax)
    return figure


def _draw_lines(lines: Sequence[Line], ax: Axes, scale: float = 1.0) -> None:
    for line, colour in zip(lines, COLOURS, strict=False):
        ax.plot(line.x, scale * line.y, color=colour, label=line.name)
        if line.dots_x is not None and line.dots_y is not None and line.dots_error is not None:
            ax.errorbar(
                line.dots_x,
                scale * line.dots_y,
                2 * scale * line.dots_error,
                fmt="o",
                color=colour,
                markersize=4,
                capsize=2,
            )


def _plain_numbers(ax: Axes) -> None:
    """Write powers of ten as numbers: the house's style reads no formulas in text."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(lambda value, _: f"{value:g}")


def _legend(ax: Axes) -> None:
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
