"""A distillation's finding: did it help this student, on these data, by how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.metrics.metric import metric_named
from distillab.stats import Verdict, mcnemar, paired_t, t_interval, verdict
from distillab.stats.same_examples import SameExamples, paired_bootstrap
from distillab.study.storage.records import TrialResult
from distillab.tasks import Task, known_entries
from distillab.tasks.evaluation import decisions, evaluate
from distillab.tasks.resampling import example_metric
from distillab.tasks.several import labels_of, outputs_of, part_of_metric


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
        verdict: paired over seeds, by the rule of studies: the student takes the place of the one intermediate alpha,
            the baseline that of alpha = 1.
        student, baseline: by metric, over the seeds.
        teacher: by metric.
        gain: by metric, student minus baseline, paired by seed.
        examples: the shipped student against the baseline of the same seed, over test examples.
        against_teacher: the shipped student against the teacher, over test examples.
        by_seed: of "student" and "baseline", by metric, seed by seed.
    """

    metric: str
    verdict: Verdict
    student: Mapping[str, Estimate]
    baseline: Mapping[str, Estimate]
    teacher: Mapping[str, float]
    gain: Mapping[str, PairedGain]
    examples: SameExamples
    against_teacher: SameExamples
    by_seed: Mapping[str, Mapping[str, tuple[float, ...]]]


class PredictedTest(NamedTuple):
    """Outputs for the test examples, shape (M, ..., C) each; real ones in the labels' unit."""

    student: NDArray[np.float32]
    """Of the shipped student."""
    baseline: NDArray[np.float32]
    """Of the same seed."""
    teacher: NDArray[np.float32]


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
        predictions: of the first seed's student and baseline, and of the teacher.
        labels: of the test examples, shape (M, ...).
        task: what outputs and labels mean.
        metric: what the verdict is about.
        margin: the largest gain that does not matter, in the metric's own numbers.
    """
    names = tuple(dict.fromkeys((metric, *(task.map_compared if predictions.student.ndim > 2 else task.compared))))
    results = {"student": student, "baseline": baseline}
    columns = {
        who: {name: np.array([trial.metrics["test", name] for trial in of]) for name in names}
        for who, of in results.items()
    }
    sign = metric_named(metric).sign
    scores = sign * np.stack([columns["student"][metric], columns["baseline"][metric]], axis=1)
    teacher = evaluate(task, predictions.teacher, labels, predictions.teacher)
    against = partial(same_examples, task, metric, labels, predictions.student)
    estimates = {who: {name: _estimate(values) for name, values in of.items()} for who, of in columns.items()}
    return Comparison(
        metric=metric,
        verdict=verdict(scores, [0.5, 1.0], margin=margin, shares=False),
        student=estimates["student"],
        baseline=estimates["baseline"],
        teacher={name: teacher[name] for name in names},
        gain={name: paired_gain(columns["student"][name] - columns["baseline"][name]) for name in names},
        examples=against(predictions.baseline),
        against_teacher=against(predictions.teacher),
        by_seed={who: {name: tuple(values.tolist()) for name, values in of.items()} for who, of in columns.items()},
    )


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


def _estimate(values: NDArray[np.float64]) -> Estimate:
    interval = t_interval(values)
    return Estimate(interval.estimate, interval.low, interval.high)


def paired_gain(differences: NDArray[np.float64]) -> PairedGain:
    """Summarise differences over seeds.

    Args:
        differences: shape (R,), finite.
    """
    interval, test = t_interval(differences), paired_t(differences)
    return PairedGain(test.difference, interval.low, interval.high, test.p)


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
