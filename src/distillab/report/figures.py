"""A study's figures: the page's charts as panels, setting for each setting, with a caption below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import altair as alt
import numpy as np
from altair.utils.schemapi import debug_mode

import distillab.report.formatting as fmt
from distillab.analysis import AlphaCurve, Finding
from distillab.analysis.prediction import Prediction
from distillab.analysis.trend import AxisTrend
from distillab.metrics.metric import Metric
from distillab.report.charts import accuracy_vs_alpha, axis_trend
from distillab.report.charts.denoising import NOISE, WRONG, denoising_chart, denoising_data
from distillab.report.charts.layers import MOST_PANELS, captioned, panels
from distillab.report.charts.learning_curves import curve_titles, learning_curves_chart, learning_curves_data
from distillab.report.charts.metric_numbers import metric_numbers
from distillab.report.charts.predicted import predicted_chart, predicted_data
from distillab.report.view.setting import noise
from distillab.report.view.study import wrong_labels
from distillab.stats import FEW_SEEDS

MOST_ROWS = 8
"""Rows of panels along an axis."""


def study_charts(curves: Sequence[AlphaCurve], finding: Finding) -> dict[str, Any]:
    """Every figure of a study by name, as Altair charts that hold their data.

    Args:
        curves: setting for each setting.
        finding: what they show.

    Returns:
        "accuracy_vs_alpha" and "learning_curves"; "alpha_across" where the study has another axis, "denoising" where
        labels are wrong, "predicted" where predictions were kept.
    """
    with debug_mode(False):  # without a validation of every part, which the tests do
        charts = {
            "accuracy_vs_alpha": _accuracy_figure(curves, finding),
            "learning_curves": _learning_figure(curves, finding),
        }
        if finding.trends:
            charts["alpha_across"] = _across_figure(finding.trends, finding.metric)
        if finding.denoising:
            charts["denoising"] = _denoising_figure(finding)
        if finding.predictions:
            charts["predicted"] = _predicted_figure(finding.predictions)
    return charts


def figure_names(finding: Finding) -> tuple[str, ...]:
    """The names of `study_charts`, without drawing.

    Args:
        finding: of the study.
    """
    more = {"alpha_across": finding.trends, "denoising": finding.denoising, "predicted": finding.predictions}
    return ("accuracy_vs_alpha", "learning_curves", *(name for name, there in more.items() if there))


def _accuracy_figure(curves: Sequence[AlphaCurve], finding: Finding) -> alt.ConcatChart:
    """The metric against alpha, a panel for each setting, on one y axis where that squashes none."""
    settings = finding.settings[:MOST_PANELS]
    shown = [
        (curve, metric_numbers(curve, setting.best and setting.best.alpha))
        for curve, setting in zip(curves, settings, strict=False)
    ]
    reach = accuracy_vs_alpha.accuracy_reach(shown)
    charts = []
    for (curve, numbers), setting in zip(shown, settings, strict=True):
        optimal = accuracy_vs_alpha.spans(curve.alphas, np.array([row.in_range is True for row in setting.alphas]))
        tables = accuracy_vs_alpha.accuracy_vs_alpha_data(curve, numbers, optimal=optimal, reach=reach)
        charts.append(accuracy_vs_alpha.accuracy_vs_alpha_chart(tables, y=f"student's test {finding.metric.axis}"))
    return panels(charts, [setting.label for setting in settings], caption_of(finding), beside=190)


def _learning_figure(curves: Sequence[AlphaCurve], finding: Finding) -> alt.ConcatChart:
    """Validation accuracy against epochs, a panel for each setting."""
    noisy = any(setting.perturbed and setting.validation_labels == "noisy" for setting in finding.settings)
    caption = "Means over the seeds, diverged students left out."
    if noisy:
        caption += " Validation labels are perturbed like the training labels, so 100 % is out of reach."
    title, shown = curve_titles(finding.settings[0].task)["validation_accuracy"], curves[:MOST_PANELS]
    charts = [learning_curves_chart(learning_curves_data(curve), y=title) for curve in shown]
    return panels(charts, [curve.label for curve in shown], caption + _first_of(curves), width=300)


def _across_figure(trends: Sequence[AxisTrend], metric: Metric) -> Any:
    """The surface, the chosen alpha and its gain along an axis, a row of three charts for each setting."""
    caption = (
        "Left: means over the seeds, coloured by the distance to the best of the row; framed: the alpha chosen on the "
        "validation data. Middle: the chosen alpha, and the middle 95 % of those chosen when seeds are drawn again; "
        "green: alphas not shown to be worse than the best (95 % model confidence set). Right: its gain over labels "
        "alone (alpha = 1), paired by seed, with the 95 % t interval; hollow: alpha = 1 itself."
    )
    if len(trends) > MOST_ROWS:
        caption += f" The first {MOST_ROWS} of {len(trends)} settings of the other axes."
    rows = [axis_trend.trend_row(trend, metric) for trend in trends[:MOST_ROWS]]
    return captioned(alt.vconcat(*rows, spacing=30), caption, 1000)


def _denoising_figure(finding: Finding) -> alt.ConcatChart:
    """What becomes of wrong labels, a panel for each setting."""
    settings, marks = finding.denoising, "Lines and bands: mean over the seeds, 95 % t interval; dashes: the teacher"
    of_numbers = finding.settings[0].task == "regression"
    caption = (
        f"{wrong_labels(finding).replace('Corrected', 'Recovered').replace('repeated', 'memorised')}. {marks}."
        if of_numbers
        else "Shares of the training examples whose label is wrong: predicted as the clean class (recovered) or as the "
        f"wrong label (memorised). {marks}; dotted: the alpha below which an ideal teacher outvotes every wrong label."
    ) + _first_of(settings)
    shown = settings[:MOST_PANELS]
    charts = [denoising_chart(denoising_data(setting), y=NOISE if of_numbers else WRONG) for setting in shown]
    return panels(charts, [setting.label for setting in shown], caption, width=300)


def _predicted_figure(settings: Sequence[Prediction]) -> alt.ConcatChart:
    """The error that both ends predict beside the measured one, a panel for each setting."""
    caption = (
        "Squared error of the students' predictions to the validation labels, or to the likely clean ones where these "
        "choose. Line: the parabola through the students at alpha = 0 and 1, if predictions were linear in alpha; "
        "ring: its minimum. Dots: mean over the seeds, 95 % t interval. Swept: the alpha that the study chose."
        + _first_of(settings)
    )
    shown, titles = settings[:MOST_PANELS], []
    for setting in shown:
        off = "" if np.isnan(setting.departure) else f"; off the line by {100 * setting.departure:.0f} %"
        titles.append(f"{setting.label}\npredicted alpha = {setting.alpha:.2f}{off}".strip())
    charts = [predicted_chart(predicted_data(setting), y="squared error") for setting in shown]
    return panels(charts, titles, caption, width=300)


def caption_of(finding: Finding) -> str:
    """The accuracy figure's caption: data, noise, temperature, n, and the marks.

    Args:
        finding: of the study.
    """
    settings = finding.settings
    sets = ", ".join(dict.fromkeys(PurePath(setting.dataset).name for setting in settings))
    noises = dict.fromkeys(noise(setting) for setting in settings)
    temperatures = dict.fromkeys(f"{setting.temperature:g}" for setting in settings if setting.task != "regression")
    counts = sorted({row.n for setting in settings for row in setting.alphas if row.n})
    softened = f"; temperature {', '.join(temperatures)}" if temperatures else ""
    caption = f"{sets}; {' / '.join(noises)}{softened}."
    if counts:
        seeds = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else fmt.counted(counts[0], "seed")
        band = "the range seen" if counts[-1] <= FEW_SEEDS else "95 % t interval"
        caption += (
            f" Line and band: mean of {seeds} with {band}; dots: single students. "
            "Labels alone: alpha = 1; teacher alone: alpha = 0."
        )
    if any(setting.optimal_range for setting in settings):
        caption += " Green: alphas not shown to be worse than the best (95 % model confidence set)."
    if any(setting.diverged for setting in settings):
        caption += " ×: diverged students (hollow: mean of the others)."
    if finding.missing:
        caption += f" {finding.missing:,} of {fmt.counted(finding.students, 'student')} are missing."
    return caption + _first_of(settings)


def _first_of(settings: Sequence[object]) -> str:
    """The end of a caption where not all settings have a panel."""
    return f" The first {MOST_PANELS} of {len(settings)} settings." if len(settings) > MOST_PANELS else ""
