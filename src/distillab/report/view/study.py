"""A study's finding in words and rows, made once for every output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.analysis.setting import SettingResult
from distillab.metrics.metric import Metric
from distillab.report.view.advice import advice, caveats
from distillab.report.view.sentences import circumstances, setting_sentences
from distillab.report.view.table import KeyFigure, Table
from distillab.report.view.tables import (
    alphas_table,
    denoising_sentence,
    denoising_table,
    key_figures,
    overview,
    predicted_sentence,
    predicted_table,
)
from distillab.report.view.trends import TrendView, trend_view

WRONG_LABELS = (
    "Shares of the training examples with a wrong label. Below the ideal threshold an ideal teacher outvotes every "
    "wrong label"
)


@dataclass(frozen=True, kw_only=True)
class SettingView:
    """One setting: its verdict, chosen alpha and optimal range in `sentences`; `advice` on what to run may be empty."""

    label: str
    kind: str
    sentences: tuple[str, ...]
    circumstances: str
    advice: tuple[str, ...]
    key_figures: tuple[KeyFigure, ...]
    finished: bool
    alphas: Table


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
    settings = tuple(_setting_view(finding, setting) for setting in finding.settings)
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
        overview=overview(finding),
        settings=settings,
        trends=trends,
        denoising=tuple(map(denoising_sentence, finding.denoising)),
        denoising_table=denoising_table(finding.denoising) if finding.denoising else None,
        predictions=tuple(predicted_sentence(prediction, metric) for prediction in finding.predictions),
        predicted_table=predicted_table(finding.predictions, metric) if finding.predictions else None,
        caveats=caveats(finding),
    )


def _setting_view(finding: Finding, setting: SettingResult) -> SettingView:
    return SettingView(
        label=setting.label,
        kind=setting.kind,
        sentences=setting_sentences(finding, setting),
        circumstances=circumstances(finding, setting),
        advice=advice(setting),
        key_figures=key_figures(finding.metric, setting),
        finished=setting.finished > 0,
        alphas=alphas_table(finding.metric, setting),
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
