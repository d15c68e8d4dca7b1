"""The verdict: did distillation help this student, on these data, by how much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.metrics import all_metrics
from distillab.stats import mcnemar, paired_t, t_interval
from distillab.stats.same_examples import SameExamples

Kind = Literal["supported", "practically equivalent", "contradicted", "undecided"]

COMPARED = ("accuracy", "f1_macro", "nll", "ece", "agreement")
"""What student, baseline and teacher are compared by."""

SMALL = 0.001
"""A tenth of a point, as in studies: where the whole interval of the gain lies within it, nothing was gained."""


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval."""

    mean: float
    low: float
    high: float


class Gain(NamedTuple):
    """A paired difference, student less other: a positive one is more."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    Args:
        kind: in a word or two; by accuracy, paired over seeds on the test examples.
        student, baseline: by metric, over the seeds.
        teacher: by metric.
        gain: by metric, student less baseline, paired by seed.
        examples: the shipped student against the baseline of the same seed, over test examples.
        against_teacher: the shipped student against the teacher, over test examples.
        seeds: how many.
        by_seed: of "student" and "baseline", by metric, seed by seed.
    """

    kind: Kind
    student: Mapping[str, Estimate]
    baseline: Mapping[str, Estimate]
    teacher: Mapping[str, float]
    gain: Mapping[str, Gain]
    examples: SameExamples
    against_teacher: SameExamples
    seeds: int
    by_seed: Mapping[str, Mapping[str, tuple[float, ...]]]


def judge(
    student: Sequence[NDArray[np.float32]],
    baseline: Sequence[NDArray[np.float32]],
    teacher: NDArray[np.float32],
    labels: NDArray[np.int32],
) -> Verdict:
    """Compare a student with the same one without a teacher, and with the teacher.

    Args:
        student: test logits of each seed, shape (M, C); the first is the shipped one.
        baseline: the same seeds without a teacher.
        teacher: its logits, shape (M, C).
        labels: shape (M,).

    Returns:
        The verdict: *practically equivalent* where the gain's 95 % interval lies within a tenth of a point; *supported*
        or *contradicted* where the paired t test over the seeds says so (p <= 0.05); *undecided* otherwise.

    Example:
        >>> labels = np.array([0, 1, 0, 1])
        >>> right, wrong = np.eye(2)[labels], np.eye(2)[1 - labels]
        >>> judge([right, right], [right, right], right, labels).kind
        'practically equivalent'
    """
    metrics = {"student": [], "baseline": []}  # type: dict[str, list[Mapping[str, float]]]
    for who, answers in (("student", student), ("baseline", baseline)):
        metrics[who] = [all_metrics(logits, labels, teacher) for logits in answers]
    columns = {who: {m: np.array([row[m] for row in rows]) for m in COMPARED} for who, rows in metrics.items()}
    gain = {metric: _gain(columns["student"][metric] - columns["baseline"][metric]) for metric in COMPARED}
    right = [logits.argmax(-1) == labels for logits in (student[0], baseline[0], teacher)]
    examples, beside = mcnemar(right[0], right[1]), mcnemar(right[0], right[2])
    own = all_metrics(teacher, labels, teacher)
    estimates = {who: {m: _estimate(values) for m, values in of.items()} for who, of in columns.items()}
    return Verdict(
        _kind(gain["accuracy"]),
        estimates["student"],
        estimates["baseline"],
        {metric: own[metric] for metric in COMPARED},
        gain,
        examples,
        beside,
        len(student),
        {who: {metric: tuple(values.tolist()) for metric, values in of.items()} for who, of in columns.items()},
    )


def _estimate(values: NDArray[np.float64]) -> Estimate:
    interval = t_interval(values)
    return Estimate(interval.estimate, interval.low, interval.high)


def _gain(differences: NDArray[np.float64]) -> Gain:
    interval, test = t_interval(differences), paired_t(differences)
    return Gain(test.difference, interval.low, interval.high, test.p)


def _kind(gain: Gain) -> Kind:
    if gain.low >= -SMALL and gain.high <= SMALL:
        return "practically equivalent"
    if gain.p <= 0.05:
        return "supported" if gain.mean > 0 else "contradicted"
    return "undecided"
