"""The same students asked by every metric: does another metric tell another story?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.answer import asked_by
from distillab.analysis.curves import Floats, alpha_curves, rows_of
from distillab.analysis.finding import SettingResult, find
from distillab.analysis.numerals import alphas_in_words
from distillab.metrics import precision_recall_f1
from distillab.metrics.metric import METRICS, Metric
from distillab.study.spec import Spec
from distillab.study.storage.records import TeacherResult, TrialResult


class Asked(NamedTuple):
    """One setting, asked by one metric."""

    metric: str
    measure: Metric
    finding: SettingResult


def by_every_metric(
    spec: Spec, trials: Sequence[TrialResult], teachers: Mapping[str, TeacherResult], setting: int
) -> tuple[Asked, ...]:
    """Ask one setting by every metric that its students were recorded with.

    Args:
        spec: the study.
        trials: the rows of its students.
        teachers: the rows of its teachers.
        setting: which one, counted in the order of the grid.
    """
    recorded = {name for trial in trials for part, name in trial.metrics if part == "test"}
    told = []
    for metric, measure in METRICS.items():
        if metric in recorded:
            curve = alpha_curves(asked_by(spec, metric, trials), trials, teachers)[setting]
            told.append(Asked(metric, measure, find(curve, margin=spec.objective.margin)))
    return tuple(told)


def in_a_sentence(asked: Sequence[Asked]) -> str:
    """Say which metrics choose the same alpha as accuracy does, and which do not."""
    chosen = {one.measure.label: one.finding.best.alpha for one in asked if one.finding.best is not None}
    if len(chosen) < 2:
        return ""
    groups: dict[float, list[str]] = {}
    for label, alpha in chosen.items():
        groups.setdefault(alpha, []).append(label)
    parts = [f"alpha = {alpha:g} by {', '.join(labels)}" for alpha, labels in sorted(groups.items())]
    if len(parts) == 1:
        return f"All {len(chosen)} metrics choose the same alpha, {next(iter(groups)):g}."
    told = f"The metrics choose {'; '.join(parts)}."
    finding = asked[0].finding
    if finding.perturbed and finding.validation_labels == "noisy":
        told += (
            " The validation labels are perturbed like the training labels: likelihood and calibration measured on "
            "them favour students that expect wrong labels."
        )
    return told


HEADINGS = ("metric", "verdict", "alpha", "range", "test", "to alpha 1", "interval")


def cells(asked: Sequence[Asked]) -> list[list[str]]:
    """The rows of a table under `HEADINGS`."""
    return [_cells(one) for one in asked]


def _cells(one: Asked) -> list[str]:
    finding, measure, best = one.finding, one.measure, one.finding.best
    grid = [row.alpha for row in finding.rows]
    gain = best.over_labels if best else None
    return [
        measure.label,
        finding.kind,
        f"{best.alpha:g}" if best else "-",
        alphas_in_words(finding.optimal_range, grid) if finding.optimal_range is not None else "-",
        measure.value(best.test) if best else "-",
        measure.difference(gain.difference) if gain else "-",
        measure.span(gain.low, gain.high, signed=True) if gain else "-",
    ]


class PerClass(NamedTuple):
    """Mean precision, recall and F1 of each class over the seeds, at some alphas; shape (alphas, C) each."""

    alphas: tuple[float, ...]
    precision: Floats
    recall: Floats
    f1: Floats


def per_class(
    spec: Spec,
    trials: Sequence[TrialResult],
    confusions: Mapping[str, Sequence[Sequence[int]]],
    setting: int,
    alphas: Sequence[float],
) -> PerClass | None:
    """Precision, recall and F1 of each class in one setting.

    Args:
        spec: the study.
        trials: the rows of its students.
        confusions: counts of their test answers, by trial.
        setting: which one, counted in the order of the grid.
        alphas: which ones.

    Returns:
        Over the seeds that have all these alphas; None where there is no such seed.
    """
    counts = {
        (trial.seed, trial.alpha): np.asarray(confusions[trial.id])
        for trial in list(rows_of(spec, trials).values())[setting]
        if trial.id in confusions
    }
    seeds = [seed for seed in range(spec.objective.seeds) if all((seed, alpha) in counts for alpha in alphas)]
    if not seeds:
        return None
    means = [np.mean([precision_recall_f1(counts[seed, alpha]) for seed in seeds], axis=0) for alpha in alphas]
    precision, recall, f1 = np.stack(means, axis=1)
    return PerClass(tuple(alphas), precision, recall, f1)
