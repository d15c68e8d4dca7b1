"""Which figures a study has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from distillab.analysis import AlphaCurve, Finding
from distillab.report.figures import accuracy_figure, across_figure, denoising_figure, learning_figure, predicted_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawings(curves: Sequence[AlphaCurve], answer: Finding) -> Mapping[str, Callable[[], Figure]]:
    """Every figure there is of a study, by name, to be drawn within `house_style`.

    Args:
        curves: one for each setting.
        answer: what they show.

    Returns:
        The accuracy figure first, then the learning curves; where the study has another axis, how the answer moves
        along it; where labels are wrong, what becomes of them; where the ends were kept, what they predict.
    """
    told: dict[str, Callable[[], Figure]] = {
        "accuracy_vs_alpha": partial(accuracy_figure, curves, answer),
        "learning_curves": partial(learning_figure, curves, answer),
    }
    if answer.trends:
        told["alpha_across"] = partial(across_figure, answer.trends, answer.metric)
    if answer.denoising:
        told["denoising"] = partial(denoising_figure, answer.denoising)
    if answer.predictions:
        told["predicted"] = partial(predicted_figure, answer.predictions)
    return told
