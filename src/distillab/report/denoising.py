"""What becomes of wrong labels, drawn against alpha."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from distillab.analysis.denoising import Denoising

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RECOVERED, MEMORISED, THRESHOLD = "#0072b2", "#d55e00", "#222222"


def draw_denoising(data: Denoising, ax: Axes) -> Axes:
    """Draw one setting: shares recovered and memorised with bands, the teacher's as dashes, the ideal threshold."""
    for which, colour, teacher in (
        ("recovered", RECOVERED, data.teacher_recovered),
        ("memorised", MEMORISED, data.teacher_memorised),
    ):
        band = data.band(which)
        there = np.isfinite(band.mean)
        known = there & np.isfinite(band.low)
        ax.fill_between(
            data.alphas[known], 100 * band.low[known], 100 * band.high[known], color=colour, alpha=0.22, linewidth=0
        )
        ax.plot(
            data.alphas[there], 100 * band.mean[there], "-o", color=colour, markersize=4, label=f"{which} by students"
        )
        if math.isfinite(teacher):
            ax.axhline(
                100 * teacher, color=colour, linestyle=(0, (5, 3)), linewidth=1.1, label=f"{which} by the teacher"
            )
    if math.isfinite(data.threshold):
        ax.axvline(
            data.threshold, color=THRESHOLD, linestyle=":", linewidth=1.2, label="an ideal teacher outvotes left of it"
        )
    ax.set_ylim(-3, 103)
    ax.set_xlim(-0.03, 1.03)
    ax.set_title(data.label, loc="left")
    ax.set_xlabel("alpha: weight of the labels")
    return ax
