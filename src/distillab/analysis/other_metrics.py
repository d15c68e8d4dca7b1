"""The same students compared by every recorded metric, and their precision, recall and F1 by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, alpha_curves
from distillab.analysis.finding import with_metric
from distillab.analysis.setting import SettingResult, compare_alphas
from distillab.metrics import precision_recall_f1
from distillab.metrics.metric import METRICS, Metric, metric_named
from distillab.study.settings import Objective
from distillab.study.spec import Spec
from distillab.study.storage.records import TeacherResult, TrialResult


class MetricResult(NamedTuple):
    """One setting, its alphas compared by one metric."""

    metric: Metric
    result: SettingResult


def compare_metrics(
    spec: Spec, trials: Sequence[TrialResult], teachers: Mapping[str, TeacherResult], setting: int
) -> tuple[MetricResult, ...]:
    """Compare the alphas of one setting by every metric that its students were recorded with.

    Args:
        spec: the study.
        trials: its students' results.
        teachers: its teachers' results, by identity.
        setting: the setting's place in the order of the grid.
    """
    recorded = {name for trial in trials for split, name in trial.metrics if split == "test"}
    results = []
    for metric in METRICS.values():
        if metric.name in recorded:
            curve = alpha_curves(with_metric(spec, metric.name, trials), trials, teachers)[setting]
            results.append(MetricResult(metric, compare_alphas(curve, margin=margin_of(spec, metric))))
    return tuple(results)


def margin_of(spec: Spec, metric: Metric) -> float:
    """The study's margin for metrics of its own metric's kind; the default one for others: units do not compare.

    Args:
        spec: the study.
        metric: one of its metrics.
    """
    if metric_named(spec.objective.metric).in_label_unit and not metric.in_label_unit:
        return float(Objective.model_fields["margin"].default)
    return spec.objective.margin


class ClassScores(NamedTuple):
    """Mean precision, recall and F1 of each class over the seeds, at some alphas; shape (alphas, C) each."""

    alphas: tuple[float, ...]
    precision: Floats
    recall: Floats
    f1: Floats


def class_scores(
    curve: AlphaCurve, confusions: Mapping[str, Sequence[Sequence[int]]], alphas: Sequence[float]
) -> ClassScores | None:
    """Means over the seeds that have all these alphas; None where there is no such seed.

    Args:
        curve: of the setting.
        confusions: confusion matrices on the test set, shape (C, C), by trial.
        alphas: the alphas to report.
    """
    counts = {
        (trial.seed, trial.alpha): np.asarray(confusions[trial.id]) for trial in curve.trials if trial.id in confusions
    }
    seeds = [seed for seed in curve.seeds if all((seed, alpha) in counts for alpha in alphas)]
    if not seeds:
        return None
    means = [np.mean([precision_recall_f1(counts[seed, alpha]) for seed in seeds], axis=0) for alpha in alphas]
    precision, recall, f1 = np.stack(means, axis=1)
    return ClassScores(tuple(alphas), precision, recall, f1)
