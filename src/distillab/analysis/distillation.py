"""A distillation's finding: did it help this student, on these data, by how much?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import within
from distillab.analysis.over_both import OverBoth, in_own_numbers
from distillab.data.labels import Array
from distillab.metrics.metric import Metric, metric_named
from distillab.stats import (
    DIFFERENCES,
    SHARES,
    CrossedVerdict,
    crossed_mean,
    crossed_verdict,
    mcnemar,
    paired_t,
    t_interval,
)
from distillab.stats.same_examples import SameExamples, paired_bootstrap
from distillab.study.storage.records import TrialResult
from distillab.tasks import Task, known_entries
from distillab.tasks.case_scores import case_scores
from distillab.tasks.evaluation import decisions, evaluate
from distillab.tasks.resampling import example_metric
from distillab.tasks.several import labels_of, outputs_of, part_of_metric

PAIRS = ("gain", "against_teacher")
"""What is a difference of two models."""


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval."""

    mean: float
    low: float
    high: float


class PairedGain(NamedTuple):
    """A paired difference over seeds, with its 95 % interval and two-sided paired t."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """A distilled student beside its baseline and its teacher, on the test examples.

    Args:
        metric: what the verdict is about.
        verdict: on the gain in it for new seeds and new test examples, by the rules of studies.
        student, baseline: by metric, over the seeds.
        teacher: by metric.
        gain: by metric, student minus baseline, paired by seed.
        over_both: by "student", "baseline", "gain" and "against_teacher" (the student minus the teacher, which has no
            other seeds): the metric for new seeds and new examples.
        by_seed: of "student" and "baseline", by metric, seed by seed.
    """

    metric: str
    verdict: CrossedVerdict
    student: Mapping[str, Estimate]
    baseline: Mapping[str, Estimate]
    teacher: Mapping[str, float]
    gain: Mapping[str, PairedGain]
    over_both: Mapping[str, OverBoth]
    by_seed: Mapping[str, Mapping[str, tuple[float, ...]]]


class PredictedTest(NamedTuple):
    """Outputs for the test examples, shape (M, ..., C) each; real ones in the labels' unit."""

    student: NDArray[np.float32]
    """Of the shipped student."""
    baseline: NDArray[np.float32]
    """Of the same seed."""
    teacher: NDArray[np.float32]
    others: Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]] = ()
    """Student and baseline of every further seed, in order; read once, one seed at a time."""


def compare(
    student: Sequence[TrialResult],
    baseline: Sequence[TrialResult],
    predictions: PredictedTest,
    labels: Array,
    *,
    task: Task,
    metric: str,
    margin: float,
) -> Comparison:
    """Compare a student with the same one without a teacher, and with the teacher.

    Args:
        student: its results, seed by seed; the first is the shipped one.
        baseline: those of the same seeds without a teacher.
        predictions: of all seeds' students and baselines, and of the teacher.
        labels: of the test examples, shape (M, ...).
        task: what outputs and labels mean.
        metric: what the verdict is about.
        margin: the largest gain that does not matter, in the metric's own numbers.
    """
    positions = predictions.teacher.ndim > 2
    names = tuple(dict.fromkeys((metric, *(task.map_compared if positions else task.compared))))
    results = {"student": student, "baseline": baseline}
    columns = {
        who: {name: np.array([trial.metrics["test", name] for trial in of]) for name in names}
        for who, of in results.items()
    }
    teacher = evaluate(task, predictions.teacher, labels, predictions.teacher)
    measured = metric_named(metric)
    scores = _scores(task, measured, predictions, labels)
    found = {who: crossed_mean(of.scores, bounds=of.bounds) for who, of in scores.items()}
    estimates = {
        who: {name: _estimate(values, metric_named(name).unit == "%") for name, values in of.items()}
        for who, of in columns.items()
    }
    return Comparison(
        metric=metric,
        verdict=crossed_verdict(scores["gain"].scores, margin=margin, bounds=scores["gain"].bounds),
        student=estimates["student"],
        baseline=estimates["baseline"],
        teacher={name: teacher[name] for name in names},
        gain={
            name: paired_gain(
                columns["student"][name] - columns["baseline"][name], share=metric_named(name).unit == "%"
            )
            for name in names
        },
        over_both={
            who: in_own_numbers(
                of, sign=measured.sign if who in PAIRS else 1, difference=who in PAIRS, share=measured.unit == "%"
            )
            for who, of in found.items()
        },
        by_seed={who: {name: tuple(values.tolist()) for name, values in of.items()} for who, of in columns.items()},
    )


class _Scores(NamedTuple):
    scores: NDArray[np.float64]  # (R, K)
    bounds: tuple[float, float] | None


def _scores(task: Task, metric: Metric, predictions: PredictedTest, labels: Array) -> dict[str, _Scores]:
    """Scores by seed and case: of values as they are, of differences with more for better."""

    def scores(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        return case_scores(task, metric.name, outputs, labels, predictions.teacher).astype(np.float64)

    pairs = chain([(predictions.student, predictions.baseline)], predictions.others)
    student, baseline = map(np.stack, zip(*((scores(one), scores(other)) for one, other in pairs), strict=True))
    teacher = scores(predictions.teacher)
    each = {
        "student": student,
        "baseline": baseline,
        "gain": metric.sign * (student - baseline),
        "against_teacher": metric.sign * (student - teacher),
    }
    shares = all(np.isin(of, (0, 1)).all() for of in (student, baseline, teacher))  # right or wrong
    if not all(np.isfinite(of).all() for of in each.values()):  # AUROC of few positives: nothing of other examples
        each = {who: of.mean(axis=1, keepdims=True) for who, of in each.items()}
    bounds = {who: (DIFFERENCES if who in PAIRS else SHARES) if shares else None for who in each}
    return {who: _Scores(of, bounds[who]) for who, of in each.items()}


def same_examples(task: Task, metric: str, labels: Array, first: Array, second: Array) -> SameExamples:
    """Compare two models on the same examples: exactly where the metric counts right decisions, else by the bootstrap.

    Args:
        task: what outputs and labels mean.
        metric: the name of the metric.
        labels: shape (M, ...).
        first, second: the models' outputs, shape (M, ..., C).
    """
    single = part_of_metric(task, metric)
    if single is not None:
        part, name = single
        truth = labels_of(part, labels)
        known = known_entries(truth, part.task).reshape(len(truth), -1).any(axis=1)
        own = (outputs_of(part, outputs)[known] for outputs in (first, second))
        return same_examples(part.task, name, truth[known], *own)
    if metric == "accuracy":
        return mcnemar(*(decisions(task, outputs) == labels for outputs in (first, second)))
    one, other = (example_metric(task, metric, outputs, labels) for outputs in (first, second))
    return paired_bootstrap(one, other, len(labels), rng=np.random.default_rng(0))


def _estimate(values: NDArray[np.float64], share: bool) -> Estimate:
    interval = t_interval(values)
    ends = within(interval.low, interval.high, SHARES) if share else interval[1:3]
    return Estimate(interval.estimate, *ends)


def paired_gain(differences: NDArray[np.float64], *, share: bool = False) -> PairedGain:
    """Summarise differences over seeds.

    Args:
        differences: shape (R,), finite.
        share: whether they are of shares: the interval stays between -1 and 1.
    """
    interval, test = t_interval(differences), paired_t(differences)
    low, high = within(interval.low, interval.high, DIFFERENCES) if share else interval[1:3]
    return PairedGain(test.difference, low, high, test.p)


class Memorised(NamedTuple):
    """The teacher's mean score where it is so much better on validation examples that it has probably seen them."""

    validation: float
    test: float


def example_scores(task: Task, outputs: Array, labels: Array) -> NDArray[np.float64]:
    """How well a model predicts each example: its share of right decisions, or of the explained variance.

    Args:
        task: what outputs and labels mean.
        outputs: shape (M, ..., C); real ones standardised.
        labels: shape (M, ...), as the engine trains on them.

    Returns:
        Shape (M,), at most 1; of real outputs `1 - (p - y)^2`, in standard deviations of the labels.
    """
    decided, known = decisions(task, outputs), known_entries(labels, task)
    discrete = np.array([part.task.discrete for part in task.parts for _ in range(*part.labels)] or task.discrete)
    fits = np.where(discrete, decided == labels, 1 - (decided - np.nan_to_num(labels)) ** 2)
    fits, known = (array.reshape(len(labels), -1) for array in (fits, known))
    return np.asarray((fits * known).sum(axis=1) / np.maximum(1, known.sum(axis=1)))


def memorised(validation: NDArray[np.floating], test: NDArray[np.floating]) -> Memorised | None:
    """Both mean scores of a teacher that has learned the validation examples by heart; None where it has not.

    Formula: its score on them exceeds that on test examples by more than 0.02 and 3 standard errors.

    Args:
        validation: the share of right decisions, or of the explained variance, example by example, shape (V,).
        test: the same for the test examples, shape (M,).
    """
    shares = Memorised(float(validation.mean()), float(test.mean()))
    variances = (np.var(scores) / len(scores) for scores in (validation, test))
    exceeds = shares.validation - shares.test > max(0.02, 3.0 * np.sqrt(sum(variances)))
    return shares if exceeds else None
