"""A distillation's finding: did it help this student, on these data, by how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.metrics import all_metrics
from distillab.stats import Verdict, mcnemar, paired_t, t_interval, verdict
from distillab.stats.same_examples import SameExamples
from distillab.study.storage.records import TrialResult

COMPARED = ("accuracy", "f1_macro", "nll", "ece", "agreement")
"""The metrics by which student, baseline and teacher are compared."""


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
        verdict: by accuracy, paired over seeds, by the rule of studies: the student takes the place of the one
            intermediate alpha, the baseline that of alpha = 1.
        student, baseline: by metric, over the seeds.
        teacher: by metric.
        gain: by metric, student minus baseline, paired by seed.
        examples: the shipped student against the baseline of the same seed, over test examples.
        against_teacher: the shipped student against the teacher, over test examples.
        by_seed: of "student" and "baseline", by metric, seed by seed.
    """

    verdict: Verdict
    student: Mapping[str, Estimate]
    baseline: Mapping[str, Estimate]
    teacher: Mapping[str, float]
    gain: Mapping[str, PairedGain]
    examples: SameExamples
    against_teacher: SameExamples
    by_seed: Mapping[str, Mapping[str, tuple[float, ...]]]


class PredictedTest(NamedTuple):
    """Logits for the test examples, shape (M, C) each."""

    student: NDArray[np.float32]
    """Of the shipped student."""
    baseline: NDArray[np.float32]
    """Of the same seed."""
    teacher: NDArray[np.float32]


def compare(
    student: Sequence[TrialResult],
    baseline: Sequence[TrialResult],
    predictions: PredictedTest,
    labels: NDArray[np.int32],
    *,
    margin: float,
) -> Comparison:
    """Compare a student with the same one without a teacher, and with the teacher.

    Args:
        student: its results, seed by seed; the first is the shipped one.
        baseline: those of the same seeds without a teacher.
        predictions: of the first seed's student and baseline, and of the teacher.
        labels: of the test examples, shape (M,).
        margin: the largest gain in accuracy that does not matter, as a proportion.
    """
    results = {"student": student, "baseline": baseline}
    columns = {
        who: {metric: np.array([trial.metrics["test", metric] for trial in of]) for metric in COMPARED}
        for who, of in results.items()
    }
    scores = np.stack([columns["student"]["accuracy"], columns["baseline"]["accuracy"]], axis=1)
    right = [logits.argmax(-1) == labels for logits in predictions]
    teacher = all_metrics(predictions.teacher, labels, predictions.teacher)
    estimates = {who: {name: _estimate(values) for name, values in of.items()} for who, of in columns.items()}
    return Comparison(
        verdict=verdict(scores, [0.5, 1.0], margin=margin),
        student=estimates["student"],
        baseline=estimates["baseline"],
        teacher={metric: teacher[metric] for metric in COMPARED},
        gain={name: paired_gain(columns["student"][name] - columns["baseline"][name]) for name in COMPARED},
        examples=mcnemar(right[0], right[1]),
        against_teacher=mcnemar(right[0], right[2]),
        by_seed={who: {name: tuple(values.tolist()) for name, values in of.items()} for who, of in columns.items()},
    )


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
    """The teacher's accuracy where it is so much better on validation examples that it has probably seen them."""

    validation: float
    test: float


def memorised(validation: NDArray[np.bool_], test: NDArray[np.bool_]) -> Memorised | None:
    """Both accuracies of a teacher that has learned the validation examples by heart; None where it has not.

    Formula: its accuracy on them exceeds that on test examples by more than 0.02 and 3 standard errors.

    Args:
        validation: whether it is right, example by example, shape (V,).
        test: the same for the test examples, shape (M,).
    """
    shares = Memorised(float(validation.mean()), float(test.mean()))
    variances = (share * (1 - share) / len(right) for share, right in zip(shares, (validation, test), strict=True))
    exceeds = shares.validation - shares.test > max(0.02, 3.0 * np.sqrt(sum(variances)))
    return shares if exceeds else None
