"""How validation accuracy grows, epoch by epoch, at each alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LearningCurves(NamedTuple):
    """What one panel shows."""

    title: str
    alphas: Floats
    """Shape (A,)."""
    epochs: Floats
    """Shape (E,), from 1."""
    validation_accuracy: Floats
    """Shape (E, A), mean over the seeds there are; nan where there are none."""


def learning_curves_data(curve: AlphaCurve) -> LearningCurves:
    """Gather what the figure shows."""
    reached = curve.learning.validation_accuracy
    return LearningCurves(curve.label, curve.alphas, np.arange(1.0, len(reached) + 1), reached)


def colours(alphas: Floats) -> list[tuple[float, ...]]:
    """One colour for each alpha, from dark violet on the teacher's side to yellow on the labels'.

    viridis, even and safe for the colour-blind, without its palest end, which would vanish on white.
    """
    import matplotlib as mpl

    return [mpl.colormaps["viridis"](0.92 * float(alpha)) for alpha in alphas]


def draw_learning_curves(data: LearningCurves, ax: Axes) -> Axes:
    """Draw one panel: a line for each alpha."""
    from matplotlib.ticker import MaxNLocator

    ax.set_title(data.title, loc="left")
    ax.set_xlabel("epoch")
    shown = data.validation_accuracy
    if not np.isfinite(shown).any():
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finished student", transform=ax.transAxes, ha="center", color="#666666")
        return ax
    mark = "o" if len(data.epochs) == 1 else ""
    for column, colour in enumerate(colours(data.alphas)):
        ax.plot(data.epochs, 100 * shown[:, column], marker=mark, color=colour, linewidth=1.5)
    low, high = focus(shown)
    ax.set_ylim(100 * low, 100 * high)
    ax.margins(x=0.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def focus(shown: Floats) -> tuple[float, float]:
    """A vertical axis on which the later half of training can be told apart; a steep start may run off below.

    Args:
        shown: shape (E, A), with nan where there is nothing.
    """
    everything = shown[np.isfinite(shown)]
    late = shown[len(shown) // 2 :]
    late = late[np.isfinite(late)]
    top = float(everything.max())
    settled = float(late.min()) if len(late) else float(everything.min())
    height = max(top - settled, 0.01)
    low = max(float(everything.min()), top - 2.0 * height)
    return low - 0.05 * (top - low) - 1e-3, top + 0.05 * (top - low) + 1e-3
