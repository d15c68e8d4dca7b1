"""The tables of a study: settings, alphas, wrong labels, predicted alphas, other metrics and classes."""

from __future__ import annotations

from collections.abc import Sequence

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve
from distillab.analysis.details import LABEL_SCORES, Details, label_scores
from distillab.analysis.other_metrics import ClassScores, MetricResult
from distillab.analysis.prediction import Shortfall
from distillab.analysis.setting import Gain, SettingResult
from distillab.metrics.metric import METRICS, Metric
from distillab.report.view.table import Table


def gain_cells(metric: Metric, gain: Gain | Shortfall | None) -> tuple[str, str]:
    """A difference and its 95 % interval.

    Args:
        metric: sets factor and digits.
        gain: None where it is not known.
    """
    if gain is None:
        return fmt.NOTHING, fmt.NOTHING
    return fmt.difference(metric, gain.difference), fmt.spread_cell(metric, gain.low, gain.high, gain.n, signed=True)


def setting_cells(metric: Metric, setting: SettingResult) -> dict[str, str]:
    """What one setting shows, by column.

    Args:
        metric: what its alphas were compared by.
        setting: of a study.
    """
    best = setting.best
    gain, gain_interval = gain_cells(metric, best.over_labels if best else None)
    return {
        "verdict": setting.kind,
        "alpha": f"{best.alpha:g}" if best else fmt.NOTHING,
        "test": fmt.value(metric, best.mean) if best else fmt.NOTHING,
        "test interval": fmt.spread_cell(metric, best.low, best.high, best.n) if best else fmt.NOTHING,
        "to labels alone": gain,
        "interval": gain_interval,
        "optimal range": fmt.alphas(setting.optimal_range, setting.grid) if setting.optimal_range else fmt.NOTHING,
        "teacher": fmt.NOTHING if setting.teacher is None else fmt.value(metric, setting.teacher),
        "students": f"{setting.students - setting.missing:,} of {setting.students:,}",
    }


def metrics_sentence(results: Sequence[MetricResult]) -> str:
    """Which metrics choose the same alpha, and which do not; empty with fewer than two choices.

    Args:
        results: of one setting, a result for each metric.
    """
    chosen = {metric.label: result.best.alpha for metric, result in results if result.best is not None}
    if len(chosen) < 2:
        return ""
    labels: dict[float, list[str]] = {}
    for label, alpha in chosen.items():
        labels.setdefault(alpha, []).append(label)
    if len(labels) == 1:
        return f"All {len(chosen)} metrics choose the same alpha, {next(iter(labels)):g}."
    parts = [f"alpha = {alpha:g} by {', '.join(names)}" for alpha, names in sorted(labels.items())]
    sentence = f"The metrics choose {'; '.join(parts)}."
    setting = results[0].result
    if setting.perturbed and setting.validation_labels == "noisy":
        sentence += (
            " The validation labels are perturbed like the training labels: likelihood and calibration measured on "
            "them favour students that expect wrong labels."
        )
    return sentence


def metrics_table(results: Sequence[MetricResult]) -> Table:
    """The result by each metric.

    Args:
        results: of one setting, a result for each metric.
    """
    head = ("metric", "verdict", "alpha", "range", "test", "to alpha 1", "interval")
    rows = []
    for metric, setting in results:
        cells = setting_cells(metric, setting)
        columns = ("verdict", "alpha", "optimal range", "test", "to labels alone", "interval")
        rows.append((metric.label, *(cells[name] for name in columns)))
    return Table("results by metric", "", head, tuple(rows))


def labels_table(curve: AlphaCurve, chosen: float, details: Details, names: Sequence[str]) -> Table | None:
    """Average precision, AUROC and F1 of each of several labels, in percent; None where an example has one label.

    Args:
        curve: of a setting.
        chosen: its chosen alpha.
        details: of the study's students.
        names: of the labels, as far as they are known.
    """
    alphas = sorted({chosen, curve.alphas.tolist()[-1]})
    scores = label_scores(curve, details, alphas)
    if scores is None:
        return None

    def cell(value: float | None) -> str:
        return fmt.NOTHING if value is None else f"{100 * value:.1f}"

    head = [f"{METRICS[score].label} at {alpha:g}" for score in LABEL_SCORES for alpha in alphas]
    rows = tuple(
        (
            names[row["label"]] if row["label"] < len(names) else str(row["label"]),
            f"{row['positives']:,}",
            *(cell(row[score, alpha]) for score in LABEL_SCORES for alpha in alphas),
        )
        for row in scores
    )
    caption = "Means over the seeds in per cent, at the chosen alpha and at the end of the grid."
    return Table(f"labels, {curve.label}" if curve.label else "labels", caption, ("label", "positives", *head), rows)


def classes_table(scores: ClassScores, names: Sequence[str]) -> Table:
    """Precision, recall and F1 of each class, in percent.

    Args:
        scores: of one setting.
        names: of the classes, as far as they are known.
    """
    columns = {"precision": scores.precision, "recall": scores.recall, "F1": scores.f1}
    rows = tuple(
        (
            names[number] if number < len(names) else str(number),
            *(f"{100 * value:.2f}" for values in columns.values() for value in values[:, number]),
        )
        for number in range(scores.f1.shape[1])
    )
    head = ("class", *(f"{name} at {alpha:g}" for name in columns for alpha in scores.alphas))
    return Table(
        "classes", "Means over the seeds, at the ends of the grid and at the chosen alpha.", head, rows, words=1
    )
