"""The tables of a study: settings, alphas, wrong labels, predicted alphas, other metrics and classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import distillab.report.formatting as fmt
from distillab.analysis.denoising import Denoising
from distillab.analysis.finding import Finding
from distillab.analysis.other_metrics import ClassScores, MetricResult
from distillab.analysis.prediction import Prediction, Shortfall
from distillab.analysis.setting import AlphaResult, Gain, SettingResult
from distillab.metrics.metric import Metric
from distillab.report.view.table import KeyFigure, Table

PREDICTED_CAPTION = (
    "predicted: the alpha of least squared error on the validation labels, from the students at alpha = 0 and 1 alone; "
    "nearest: in the study's grid; to the sweep: its test result minus that of the swept alpha; off the line: the "
    "distance of students at alpha = 0.5 from the line between the ends."
)


def range_text(setting: SettingResult) -> str:
    """A setting's optimal range in words.

    Args:
        setting: of a study.
    """
    return fmt.alphas(setting.optimal_range, setting.grid) if setting.optimal_range else fmt.NOTHING


def gain_cells(metric: Metric, gain: Gain | Shortfall | None) -> tuple[str, str]:
    """A difference and its 95 % interval.

    Args:
        metric: sets factor and digits.
        gain: None where it is not known.
    """
    if gain is None:
        return fmt.NOTHING, fmt.NOTHING
    return fmt.difference(metric, gain.difference), fmt.interval(metric, gain.low, gain.high, signed=True)


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
        "test interval": fmt.interval(metric, best.low, best.high) if best else fmt.NOTHING,
        "to labels alone": gain,
        "interval": gain_interval,
        "optimal range": range_text(setting),
        "teacher": fmt.NOTHING if setting.teacher is None else fmt.value(metric, setting.teacher),
        "students": f"{setting.students - setting.missing:,} of {setting.students:,}",
    }


def overview(finding: Finding) -> Table:
    """A row for each setting.

    Args:
        finding: of a study.
    """
    head = ("verdict", "alpha", "test", "test interval", "to labels alone", "interval", "optimal range")
    rows = []
    for setting in finding.settings:
        cells = setting_cells(finding.metric, setting)
        rows.append((setting.label or "all", *(cells[name] for name in head)))
    caption = "The result of each setting. Alpha is chosen on the validation data; the difference is to labels alone."
    return Table("results by setting", caption, ("setting", *head), tuple(rows), words=2)


def key_figures(metric: Metric, setting: SettingResult) -> tuple[KeyFigure, ...]:
    """The large figures of one setting, the verdict first.

    Args:
        metric: what its alphas were compared by.
        setting: of a study.
    """
    cells, best = setting_cells(metric, setting), setting.best
    figures = [KeyFigure("verdict", setting.kind, "on: some alpha between 0 and 1 beats labels alone")]
    if best:
        figures.append(KeyFigure("chosen alpha", cells["alpha"], "on the validation data"))
        figures.append(KeyFigure(f"test {metric.label}", cells["test"], f"95 % interval {cells['test interval']}"))
    if best and best.over_labels:
        unit = f"{metric.difference_unit}; " if metric.difference_unit else ""
        note = f"{unit}{cells['interval']}, p {fmt.p_value(best.over_labels.p)}"
        figures.append(KeyFigure("over labels alone", cells["to labels alone"], note))
    if setting.optimal_range:
        figures.append(KeyFigure("optimal range", cells["optimal range"], "alphas not shown to be worse than the best"))
    return tuple(figures)


def alphas_table(metric: Metric, setting: SettingResult) -> Table:
    """A row for each alpha of a setting.

    Args:
        metric: what its alphas were compared by.
        setting: of a study.
    """
    columns: dict[str, Callable[[AlphaResult], str]] = {
        "alpha": lambda one: f"{one.alpha:g}",
        "n": lambda one: str(one.n),
        f"test {metric.unit}".rstrip(): lambda one: fmt.value(metric, one.mean, unit=False),
        "95 % interval": lambda one: fmt.interval(metric, one.low, one.high),
        "to alpha 1": lambda one: gain_cells(metric, one.over_labels)[0],
        "interval": lambda one: gain_cells(metric, one.over_labels)[1],
        "p": lambda one: _holm_cell(one.over_labels),
        "to alpha 0": lambda one: gain_cells(metric, one.over_teacher)[0],
        "p ": lambda one: _holm_cell(one.over_teacher),
        f"valid. {metric.unit}".rstrip(): lambda one: fmt.value(metric, one.validation, unit=False),
        "range": lambda one: {True: "yes", False: "no", None: fmt.NOTHING}[one.in_range],
    }
    if setting.diverged:
        columns["diverged"] = lambda one: str(one.diverged)
    unit = f" in {metric.difference_unit}" if metric.difference_unit else ""
    caption = (
        f"Test {metric.label}, mean of n seeds. Differences to alpha = 1 and to alpha = 0{unit}, paired by seed, with "
        "95 % intervals and p after Holm over the table. range: in the optimal range. The alpha chosen on the "
        "validation data is marked."
    )
    return Table(
        title=f"every alpha, {setting.label}" if setting.label else "every alpha",
        caption=f"{setting.label}: {caption}" if setting.label else caption,
        head=tuple(name.strip() for name in columns),
        rows=tuple(tuple(cell(one) for cell in columns.values()) for one in setting.alphas),
        words=0,
        chosen=setting.grid.index(setting.best.alpha) if setting.best else None,
    )


def _holm_cell(gain: Gain | None) -> str:
    return fmt.p_cell(gain.p_holm) if gain and gain.n > 1 else fmt.NOTHING


def denoising_sentence(shares: Denoising) -> str:
    """Corrected and repeated wrong labels of a setting, after its name.

    Args:
        shares: of the setting.
    """
    name = shares.label or "all settings"
    recovered, memorised = shares.band("recovered").mean, shares.band("memorised").mean
    ends = [index for index in dict.fromkeys((0, len(shares.alphas) - 1)) if math.isfinite(recovered[index])]
    if not ends:
        return f"{name}: there is no student at either end of the grid yet."
    parts = [
        f"{fmt.percent(recovered[end], 1)} at alpha = {shares.alphas[end]:g} (and repeat "
        f"{fmt.percent(memorised[end], 1)})"
        for end in ends
    ]
    sentence = f"{name}: students correct {' and '.join(parts)}"
    if math.isfinite(shares.teacher_recovered):
        sentence += f", their teacher {fmt.percent(shares.teacher_recovered, 1)}"
    if shares.denoises:
        sentence += f"; more than labels alone at alpha = {fmt.alphas(shares.denoises, shares.alphas.tolist())}"
    elif 1.0 in shares.alphas:
        sentence += "; no alpha is shown to correct more than labels alone"
    if math.isfinite(shares.threshold):
        sentence += f" (ideal threshold {shares.threshold:.3g})"
    return f"{sentence}."


def denoising_table(denoising: Sequence[Denoising]) -> Table:
    """Corrected and repeated wrong labels at both ends of the grid, a row for each setting.

    Args:
        denoising: of settings with wrong labels; not empty.
    """
    ends = (0, -1)
    head = [f"{what} at {denoising[0].alphas[end]:g} (%)" for end in ends for what in ("corrected", "repeated")]
    rows = []
    for shares in denoising:
        bands = shares.band("recovered"), shares.band("memorised")
        better = fmt.alphas(shares.denoises, shares.alphas.tolist()) if shares.denoises else "none"
        threshold = fmt.NOTHING if math.isnan(shares.threshold) else f"{shares.threshold:.3g}"
        values = [*(band.mean[end] for end in ends for band in bands), shares.teacher_recovered]
        cells = (fmt.percent(value, 1).removesuffix(" %") for value in values)
        rows.append((shares.label or "all", *cells, better, threshold))
    columns = ("setting", *head, "the teacher corrects (%)", "more than labels alone at alpha", "ideal threshold")
    return Table("wrong labels", "", columns, tuple(rows))


def predicted_sentence(prediction: Prediction, metric: Metric) -> str:
    """The alpha predicted from both ends and its cost, after the setting's name.

    Args:
        prediction: of a setting.
        metric: the study's.
    """
    start = (
        f"{prediction.label or 'all settings'}: the students at both ends predict alpha = {prediction.alpha:.2f}, the "
        f"sweep chose {prediction.swept:g}"
    )
    if prediction.nearest == prediction.swept:
        return f"{start}, the nearest in the study: the prediction costs nothing."
    if prediction.test is None:
        return f"{start}; the cost of the prediction needs two complete seeds."
    shortfall = prediction.test
    return (
        f"{start}; with the predicted alpha ({prediction.nearest:g} in the study) the test {metric.label} changes by "
        f"{fmt.difference(metric, shortfall.difference, unit=True)} "
        f"({fmt.interval(metric, shortfall.low, shortfall.high, signed=True)})."
    )


def predicted_table(predictions: Sequence[Prediction], metric: Metric) -> Table:
    """The alphas predicted from both ends, a row for each setting.

    Args:
        predictions: of settings.
        metric: the study's.
    """
    head = ("setting", "predicted", "free", "nearest", "swept", "to the sweep", "interval", "on validation")
    rows = tuple(
        (
            prediction.label or "all",
            f"{prediction.alpha:.2f}",
            f"{prediction.free:.2f}",
            f"{prediction.nearest:g}",
            f"{prediction.swept:g}",
            *gain_cells(metric, prediction.test),
            gain_cells(metric, prediction.validation)[0],
            fmt.percent(prediction.departure, 0),
        )
        for prediction in predictions
    )
    return Table("alpha predicted from both ends", PREDICTED_CAPTION, (*head, "off the line"), rows)


def metrics_sentence(results: Sequence[MetricResult]) -> str:
    """Which metrics choose the same alpha, and which do not; empty with fewer than two choices.

    Args:
        results: of one setting, a result for each metric.
    """
    chosen = {one.metric.label: one.result.best.alpha for one in results if one.result.best is not None}
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
    columns = {
        "verdict": "verdict",
        "alpha": "alpha",
        "range": "optimal range",
        "test": "test",
        "to alpha 1": "to labels alone",
        "interval": "interval",
    }
    rows = []
    for metric, setting in results:
        cells = setting_cells(metric, setting)
        rows.append((metric.label, *(cells[name] for name in columns.values())))
    return Table("results by metric", "", ("metric", *columns), tuple(rows))


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
