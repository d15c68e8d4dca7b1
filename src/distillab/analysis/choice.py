"""What chooses alpha on the validation data: the study's metric, or how well students predict the clean labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve, Floats
from distillab.stats import Interval, calibrated_brier, smoothed, vote_prior, wrong_labels
from distillab.study.storage.records import ValidationExamples, ValidationPredictions, ValidationResults

LOOKS_WRONG = 0.02
"""Labels look wrong where the interval of their wrong share lies above this: a teacher errs on some right ones."""

Score = Literal["metric", "robust"]


class CleanLabels(NamedTuple):
    """What the given labels, the teacher and the students together say of the clean labels of some examples."""

    posterior: tuple[Floats, ...]
    """Of the clean class, (V, C); of independent labels one for each, (V, 2), without its unknown entries."""
    known: tuple[NDArray[np.bool_], ...]
    """Which examples have the label, shape (V,)."""
    independent: bool
    """Whether there are several labels."""
    share: Interval
    """Of wrong labels."""

    def score(self, probabilities: Sequence[NDArray[np.floating]]) -> Floats:
        """How well students predict the clean labels: minus `calibrated_brier`, shape (K,).

        Args:
            probabilities: of each, shape (V, C).
        """
        columns = _of_labels(np.stack(probabilities), self.independent)
        each = [
            calibrated_brier(column[:, known], chances)
            for column, known, chances in zip(columns, self.known, self.posterior, strict=True)
        ]
        return -np.asarray(np.mean(each, axis=0))


class Choice(NamedTuple):
    """What chooses the alpha of a setting."""

    score: Score
    """What chooses."""
    share: Interval | None
    """Of wrong validation labels, the mean over seeds; None where it is not known."""
    robust: Floats | None
    """How well students predict the clean labels, smoothed over alpha, shape (R, A); None where it is not known."""
    clean: Mapping[int, CleanLabels]
    """By seed."""

    @property
    def labels_look_wrong(self) -> bool:
        """Whether more validation labels look wrong than a sound teacher would doubt."""
        return self.share is not None and self.share.low > LOOKS_WRONG


def clean_labels(students: Sequence[ValidationPredictions], examples: ValidationExamples) -> CleanLabels:
    """Estimate the clean labels of the validation examples of one seed.

    Args:
        students: at least one, with the same labels.
        examples: the teacher's probabilities, and which labels are trusted.
    """
    labels = students[0].labels
    independent = labels.ndim > 1
    voted = _of_labels(np.stack([each.probabilities for each in students]), independent)
    teacher = _of_labels(examples.probabilities[None], independent)
    posterior, every, shares = [], [], []
    for given, students_of, teacher_of in zip(labels.reshape(len(labels), -1).T, voted, teacher, strict=True):
        known = given >= 0
        prior = vote_prior(students_of[:, known].argmax(axis=2), teacher_of[0][known], given[known])
        found = wrong_labels(prior, given[known], examples.trusted[known])
        posterior.append(found.posterior)
        every.append(known)
        shares.append(found.share)
    return CleanLabels(tuple(posterior), tuple(every), independent, mean_interval(shares))


def mean_interval(intervals: Sequence[Interval]) -> Interval:
    """The mean of estimates and of their ends: as wide as one of them, for draws that share their examples.

    Args:
        intervals: at least one.
    """
    estimate, low, high = np.mean([each[:3] for each in intervals], axis=0).tolist()
    return intervals[0]._replace(estimate=estimate, low=low, high=high)


def choice_of(curve: AlphaCurve, choose: Score, validation: ValidationResults) -> Choice:
    """Score the students of a setting on the validation data.

    The clean labels count where that is asked for and labels look wrong: on right ones the metric itself has nothing to
    fear from them, and is what was asked about.

    Args:
        curve: of the setting.
        choose: what is to choose.
        validation: what was recorded of the validation data.
    """
    robust, clean = np.full(curve.validation.shape, np.nan), dict[int, CleanLabels]()
    for seed in range(len(curve.seeds)):
        trials = {
            column: trial
            for trial, row, column in zip(curve.table.trials, curve.table.rows, curve.table.columns, strict=True)
            if row == seed and trial.id in validation.predictions and curve.sound[column]
        }
        columns = sorted(trials)
        if (
            not columns
            or (key := (trials[columns[0]].teacher, curve.settings.validation_rows)) not in validation.examples
        ):
            continue
        students = [validation.predictions[trials[column].id] for column in columns]
        clean[seed] = clean_labels(students, validation.examples[key])
        robust[seed, columns] = smoothed(clean[seed].score([each.probabilities for each in students]))
    if not clean or not np.isfinite(robust[np.ix_(curve.complete, curve.sound)]).all():
        return Choice("metric", None, None, {})
    choice = Choice("metric", mean_interval([labels.share for labels in clean.values()]), robust, clean)
    return choice._replace(score="robust") if choose == "robust" and choice.labels_look_wrong else choice


def _of_labels(probabilities: NDArray[np.floating], independent: bool) -> list[NDArray[np.float64]]:
    """Probabilities (K, V, C) for each label: themselves for one label, those of no and yes for each of several."""
    chances = probabilities.astype(np.float64)
    if not independent:
        return [chances]
    return [np.stack([1 - chances[..., label], chances[..., label]], axis=-1) for label in range(chances.shape[-1])]
