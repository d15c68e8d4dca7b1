"""A study's finding in words and rows, made once for every output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import distillab.report.formatting as fmt
from distillab.analysis.denoising import Denoising
from distillab.analysis.finding import Finding
from distillab.analysis.prediction import Prediction
from distillab.analysis.setting import SettingResult
from distillab.metrics.metric import Metric
from distillab.report.view.setting import SettingView, setting_view
from distillab.report.view.table import Table
from distillab.report.view.tables import gain_cells, setting_cells
from distillab.report.view.trends import TrendView, trend_view

WRONG_LABELS = (
    "Shares of the training examples with a wrong label. Below the ideal threshold an ideal teacher outvotes every "
    "wrong label"
)

NOISY_NUMBERS = (
    "Corrected: the share of the noise's variance that a student's predictions for its training examples do not have; "
    "repeated: the share of the noise that they follow"
)


def wrong_labels(finding: Finding) -> str:
    """What corrected and repeated labels are, for the study's task.

    Args:
        finding: of a study.
    """
    return NOISY_NUMBERS if finding.settings[0].task == "regression" else WRONG_LABELS


PREDICTED_CAPTION = (
    "predicted: the alpha of least squared error on the validation labels (the likely clean ones, if those choose), "
    "from the students at alpha = 0 and 1 alone; "
    "nearest: in the study's grid; to the sweep: its test result minus that of the swept alpha; off the line: the "
    "distance of students at alpha = 0.5 from the line between the ends."
)


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A whole study: `headline` in a sentence or two, `state` of its students, `note` for the tables of alphas.

    `trends`, `denoising` and `predictions` are empty, and their tables None, where the study has none.
    """

    question: str
    metric: Metric
    headline: str
    state: str
    missing: int
    note: str
    overview: Table
    settings: tuple[SettingView, ...]
    trends: tuple[TrendView, ...]
    denoising: tuple[str, ...]
    denoising_table: Table | None
    predictions: tuple[str, ...]
    predicted_table: Table | None
    caveats: tuple[str, ...]


def study_view(finding: Finding) -> StudyView:
    """Word a finding.

    Args:
        finding: of a study, finished, half-finished or empty.
    """
    metric = finding.metric
    settings = tuple(setting_view(finding, setting) for setting in finding.settings)
    trends = tuple(trend_view(trend, metric) for trend in finding.trends)
    unit = f" in {metric.difference_unit}" if metric.difference_unit else ""
    students, seeds = fmt.counted(finding.students, "student"), fmt.counted(finding.seeds, "seed")
    state = f"{finding.students - finding.missing:,} of {students} recorded, {seeds} asked for."
    if finding.missing:
        state += f" The study is not finished: {finding.missing:,} missing."
    return StudyView(
        question=finding.question,
        metric=metric,
        headline=" ".join(trend.brief for trend in trends) if trends else settings[0].sentences[0],
        state=state,
        missing=finding.missing,
        note=f"* chosen on the validation data. Differences{unit}; p after Holm over the table.",
        overview=_overview(finding),
        settings=settings,
        trends=trends,
        denoising=tuple(map(_denoising_sentence, finding.denoising)),
        denoising_table=_denoising_table(finding.denoising) if finding.denoising else None,
        predictions=tuple(_predicted_sentence(prediction, metric) for prediction in finding.predictions),
        predicted_table=_predicted_table(finding.predictions, metric) if finding.predictions else None,
        caveats=_caveats(finding),
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON types, numbers and words: the content of `answer.json`.

    Args:
        finding: of a study.
    """
    view, tree = study_view(finding), finding.to_json()
    for setting, words in zip(tree["settings"], view.settings, strict=True):
        setting |= {"sentences": list(words.sentences), "advice": list(words.advice)}
    for trend, trend_words in zip(tree["trends"], view.trends, strict=True):
        trend["sentences"] = list(trend_words.sentences)
    for key, sentences in (("denoising", view.denoising), ("predictions", view.predictions)):
        for entry, sentence in zip(tree[key], sentences, strict=True):
            entry["sentence"] = sentence
    return tree | {"caveats": list(view.caveats)}


def _overview(finding: Finding) -> Table:
    """A row for each setting."""
    head = ("verdict", "alpha", "test", "test interval", "to labels alone", "interval", "optimal range")
    rows = []
    for setting in finding.settings:
        cells = setting_cells(finding.metric, setting)
        rows.append((setting.label or "all", *(cells[name] for name in head)))
    caption = "The result of each setting. Alpha is chosen on the validation data; the difference is to labels alone."
    return Table("results by setting", caption, ("setting", *head), tuple(rows), words=2)


def _denoising_sentence(shares: Denoising) -> str:
    """Corrected and repeated wrong labels of a setting, after its name."""
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


def _denoising_table(denoising: Sequence[Denoising]) -> Table:
    """Corrected and repeated wrong labels at both ends of the grid, a row for each setting."""
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


def _predicted_sentence(prediction: Prediction, metric: Metric) -> str:
    """The alpha predicted from both ends and its cost, after the setting's name."""
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
        f"({fmt.spread_cell(metric, shortfall.low, shortfall.high, shortfall.n, signed=True)})."
    )


def _predicted_table(predictions: Sequence[Prediction], metric: Metric) -> Table:
    """The alphas predicted from both ends, a row for each setting."""
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


def _caveats(finding: Finding) -> tuple[str, ...]:
    """The limits of a finding, over all its settings."""
    settings = finding.settings
    limits = list(dict.fromkeys(map(_covered, settings)))
    short = {setting.complete for setting in settings if 0 < setting.complete < setting.seeds}
    if short:
        counts = fmt.listed([str(count) for count in sorted(short)])
        limits.append(f"Means and comparisons use the {counts} complete of {fmt.counted(finding.seeds, 'seed')}.")
    if any(not setting.complete and setting.finished for setting in settings):
        limits.append("No seed has all its alphas: means use the seeds that each alpha has, and nothing is compared.")
    limits += [_divergence(setting) for setting in settings if setting.diverged]
    if any(setting.best for setting in settings):
        limits += [
            "Alpha is chosen on the validation data. The gain of the alpha with the best test result is too large on "
            "average.",
            "Significance holds for the planned number of seeds, tested once. Adding seeds until something is "
            "significant makes it meaningless.",
        ]
    if len(settings) > 1:
        limits.append(f"Each of the {len(settings)} settings is judged on its own.")
    perturbed = any(
        setting.perturbed and setting.validation_labels == "noisy" and setting.score == "metric" for setting in settings
    )
    if finding.predictions and perturbed:
        limits.append(
            "The predicted alpha has the least squared error to the validation labels. If these are wrong and the "
            "teacher's were not, it is too large."
        )
    if finding.unused:
        results = fmt.counted(finding.unused, "recorded student")
        limits.append(f"{results} of further seeds ignored: the study asks for {fmt.counted(finding.seeds, 'seed')}.")
    return tuple(limits)


def _covered(setting: SettingResult) -> str:
    """What the intervals of a setting cover."""
    fresh = setting.perturbed and setting.teacher_labels != "noisy"
    draws = ", order of the batches and the draw of the labels" if fresh else " and order of the batches"
    fixed = "one draw of the labels, one teacher" if setting.perturbed and not fresh else "one teacher"
    return (
        f"Intervals cover the randomness of training (initial weights{draws}), for {fixed}, one training set and one "
        "test set."
    )


def _divergence(setting: SettingResult) -> str:
    counts = fmt.listed([f"{row.diverged} at alpha = {row.alpha:g}" for row in setting.alphas if row.diverged])
    losses = [student.last_finite_loss for student in setting.diverged if student.last_finite_loss is not None]
    last = f", last finite loss up to {max(losses):.3g}" if losses else ""
    first = min(student.epoch for student in setting.diverged)
    where = f" ({setting.label})" if setting.label else ""
    return (
        f"{fmt.counted(len(setting.diverged), 'student')} diverged{where}: {counts}; the first in epoch {first}{last}. "
        "An alpha with a diverged student is neither chosen nor compared: its surviving seeds would flatter it."
    )
