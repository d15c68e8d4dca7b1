"""Whole figures: panels laid out, captioned, and turned into bytes that are the same for the same data."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from distillab.analysis import AlphaCurve, Finding
from distillab.analysis.denoising import Denoising
from distillab.analysis.prediction import Prediction
from distillab.analysis.trend import AxisTrend
from distillab.metrics.metric import Metric
from distillab.report.accuracy_vs_alpha import AccuracyVsAlpha, accuracy_vs_alpha_data, draw_accuracy_vs_alpha, limits
from distillab.report.alpha_across import draw_chosen, draw_gain, draw_surface
from distillab.report.denoising import draw_denoising
from distillab.report.formatting import counted
from distillab.report.learning_curves import colours, draw_learning_curves, learning_curves_data
from distillab.report.predicted import draw_predicted
from distillab.report.view.sentences import noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24
MOST_ROWS = 8
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.hashsalt": "distillab",
    "svg.fonttype": "path",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house's style, whatever the user's own settings, and leave those as they were."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def accuracy_figure(curves: Sequence[AlphaCurve], answer: Finding) -> Figure:
    """Draw test accuracy against alpha, a panel for each setting. To be called within `house_style`.

    Args:
        curves: one for each setting.
        answer: the study's, with a finding for each curve.
    """
    panels = [accuracy_vs_alpha_data(*pair) for pair in zip(curves, answer.settings, strict=True)]
    figure, axes = _grid(len(panels), caption_of(answer), width=5.6)
    shared = shared_limits(panels[:MOST_PANELS])
    for index, (data, ax) in enumerate(zip(panels, axes, strict=False)):
        draw_accuracy_vs_alpha(data, ax, ylim=shared)
        if index % _columns(len(panels)) == 0:
            ax.set_ylabel(f"student's test {answer.metric.axis}")
    return figure


def learning_figure(curves: Sequence[AlphaCurve], answer: Finding) -> Figure:
    """Draw validation accuracy against epochs, a panel for each setting. To be called within `house_style`."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    noisy = any(one.perturbed and one.validation_labels == "noisy" for one in answer.settings)
    caption = "Means over the seeds, diverged students left out."
    if noisy:
        caption += " Validation labels are perturbed like the training labels, so 100 % is out of reach."
    figure, axes = _grid(len(curves), caption + _first_of(curves), width=4.6)
    for index, (curve, ax) in enumerate(zip(curves, axes, strict=False)):
        draw_learning_curves(learning_curves_data(curve), ax)
        if index % _columns(len(curves)) == 0:
            ax.set_ylabel("validation accuracy (%)")
    alphas = [float(alpha) for alpha in curves[0].alphas]
    steps = ScalarMappable(BoundaryNorm(range(len(alphas) + 1), len(alphas)), ListedColormap(colours(curves[0].alphas)))
    bar = figure.colorbar(steps, ax=axes, fraction=0.05, pad=0.03, aspect=30)
    every = math.ceil(len(alphas) / 12)
    bar.set_ticks(
        [index + 0.5 for index in range(0, len(alphas), every)], labels=[f"{alpha:g}" for alpha in alphas[::every]]
    )
    bar.set_label("alpha: weight of the labels")
    bar.ax.tick_params(which="both", length=0)
    bar.outline.set_visible(False)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)  # in a page, an image would be a second file
    return figure


def across_figure(across: Sequence[AxisTrend], measure: Metric) -> Figure:
    """Draw the surface, the chosen alpha and its gain along an axis, a row of three panels for each setting.

    To be called within `house_style`.
    """
    rows, across = len(across), across[:MOST_ROWS]
    caption = (
        "Left: means over the seeds, coloured by the distance to the best of the row; framed: the alpha chosen on the "
        "validation data. Middle: the chosen alpha, and the middle 95 % of those chosen when seeds are drawn again; "
        "green: alphas not shown to be worse than the best (95 % model confidence set). Right: its gain over labels "
        "alone (alpha = 1), paired by seed, with the 95 % t interval; hollow: alpha = 1 itself."
    )
    if rows > MOST_ROWS:
        caption += f" The first {MOST_ROWS} of {rows} settings of the other axes."
    heights = [0.9 + 0.34 * len(one.points) for one in across]
    figure = canvas(11.5, sum(heights) + 0.3 * len(across), caption)
    parts = figure.subfigures(len(across), 1, height_ratios=heights, squeeze=False)[:, 0]
    for one, part in zip(across, parts, strict=True):
        if one.others:
            part.suptitle(one.others, x=0.01, ha="left", fontsize=10, fontweight="bold")
        surface, chosen, gain = part.subplots(1, 3, width_ratios=[1.7, 1, 1])
        draw_surface(one, measure, surface)
        draw_chosen(one, chosen)
        draw_gain(one, measure, gain)
    return figure


def denoising_figure(settings: Sequence[Denoising]) -> Figure:
    """Draw what becomes of wrong labels, a panel for each setting. To be called within `house_style`."""
    caption = (
        "Shares of the training examples whose label is wrong: answered with the clean label (recovered) or with the "
        "wrong one (memorised). Lines and bands: mean over the seeds, 95 % t interval; dashes: the teacher; dotted: "
        "the alpha below which an ideal teacher outvotes every wrong label." + _first_of(settings)
    )
    figure, axes = _grid(len(settings), caption, width=4.4)
    for index, (one, ax) in enumerate(zip(settings, axes, strict=False)):
        draw_denoising(one, ax)
        if index % _columns(len(settings)) == 0:
            ax.set_ylabel("share of the wrong labels (%)")
    handles = {name: line for ax in axes for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    axes[0].legend(handles.values(), handles.keys(), fontsize=7, loc="center left")
    return figure


def predicted_figure(settings: Sequence[Prediction]) -> Figure:
    """Draw the error that both ends predict beside what it is, a panel for each setting. Within `house_style`."""
    caption = (
        "Squared error of the students' answers to the validation labels (Brier score). Line: the parabola through the "
        "students at alpha = 0 and 1, were answers linear in alpha; ring: its least. Dots: mean over the seeds, 95 % t "
        "interval. The sweep chose by the study's metric." + _first_of(settings)
    )
    figure, axes = _grid(len(settings), caption, width=4.4)
    for index, (one, ax) in enumerate(zip(settings, axes, strict=False)):
        draw_predicted(one, ax)
        if index % _columns(len(settings)) == 0:
            ax.set_ylabel("squared error")
    axes[0].legend(fontsize=7)
    return figure


def caption_of(answer: Finding) -> str:
    """The accuracy figure's caption: data, noise, temperature, n, and what the marks are."""
    findings = answer.settings
    sets = ", ".join(dict.fromkeys(PurePath(one.dataset).name for one in findings))
    noises = dict.fromkeys(noise(one) for one in findings)
    temperatures = dict.fromkeys(f"{one.temperature:g}" for one in findings)
    counts = sorted({row.n for one in findings for row in one.alphas if row.n})
    told = f"{sets}; {' / '.join(noises)}; temperature {', '.join(temperatures)}."
    if counts:
        seeds = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else counted(counts[0], "seed")
        told += (
            f" Line and band: mean of {seeds} with 95 % t interval; dots: single students. "
            "Labels alone: alpha = 1; teacher alone: alpha = 0."
        )
    if any(one.optimal_range for one in findings):
        told += " Green: alphas not shown to be worse than the best (95 % model confidence set)."
    if any(one.diverged for one in findings):
        told += " ✕: diverged students (hollow: mean of the others)."
    missing = answer.missing
    if missing:
        told += f" {missing:,} of {counted(answer.students, 'student')} are missing."
    if len(findings) > MOST_PANELS:
        told += f" The first {MOST_PANELS} of {len(findings)} settings."
    return told


def shared_limits(panels: Sequence[AccuracyVsAlpha]) -> tuple[float, float] | None:
    """One vertical axis for all panels, unless that would squash the flattest; the teacher joins where it is near.

    Returns:
        Limits as shares, or None where each panel has its own.
    """
    known = [(panel, panel.floor_and_top) for panel in panels]
    extremes = [pair for _, pair in known if pair is not None]
    if not extremes:
        return None
    floor, top = min(low for low, _ in extremes), max(high for _, high in extremes)
    flattest = min(high - low for low, high in extremes)
    if len(extremes) > 1 and top - floor > 4 * max(flattest, 0.005):
        return None
    height = max(top - floor, 0.01)
    near = [p.teacher for p in panels if p.teacher is not None and floor - height / 2 <= p.teacher <= top + height / 2]
    return limits(min([floor, *near]), max([top, *near]))


def render(figure: Figure, form: Literal["png", "svg"]) -> bytes:
    """A figure as the bytes of a file, without a date. To be called within `house_style`."""
    _settle(figure)
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    figure.savefig(buffer, format=form, dpi=200, metadata=nothing)
    return buffer.getvalue()


def _settle(figure: Figure) -> None:
    """Lay the figure out once, and round what comes of it.

    The solver of the constrained layout takes its variables in the order of their addresses in memory: the same figure
    would differ in the last bits of its places, and so in its bytes.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = (round(float(edge), 5) for edge in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height))


def _first_of(settings: Sequence[object]) -> str:
    """What a caption says where not all settings have room."""
    return f" The first {MOST_PANELS} of {len(settings)} settings." if len(settings) > MOST_PANELS else ""


def _columns(panels: int) -> int:
    return min(panels, 2 if panels <= 4 else 3)


def _grid(panels: int, caption: str, *, width: float) -> tuple[Figure, list[Axes]]:
    panels = min(panels, MOST_PANELS)
    columns = _columns(panels)
    rows = math.ceil(panels / columns)
    figure = canvas(width * columns + 0.8, 3.7 * rows, caption)
    axes = [figure.add_subplot(rows, columns, index + 1) for index in range(panels)]
    return figure, axes


def canvas(wide: float, tall: float, caption: str) -> Figure:
    """A figure of so many inches with its caption below them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    lines = textwrap.wrap(caption, int(wide * 17))
    tall += 0.2 * len(lines)
    room = (0.17 * len(lines) + 0.08) / tall
    layout = ConstrainedLayoutEngine(rect=(0, room, 1, 1 - room))
    figure = Figure(figsize=(wide, tall), layout=layout)
    FigureCanvasAgg(figure)
    figure.text(0.012, 0.08 / tall, "\n".join(lines), va="bottom", fontsize=8, color="#444444")
    return figure
