"""The likely clean labels of validation examples, and how well students predict them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.errors import not_allowed
from distillab.stats import Interval, calibrated_brier, vote_prior, wrong_labels
from distillab.study.storage.records import ValidationExamples, ValidationPredictions, keeps_predictions
from distillab.tasks import Task

Floats = NDArray[np.float64]

LOOKS_WRONG = 0.02
"""Labels look wrong where the interval of their wrong share lies above this: a teacher errs on some right ones."""


def check_robust(task: Task, positions: bool) -> None:
    """Refuse to choose by the likely clean labels where there are none.

    Args:
        task: what the labels mean.
        positions: whether an example has several predictions.

    Raises:
        RequestError: labels are no classes, or of positions or several outputs.
    """
    if not keeps_predictions(task, (1,) if positions else ()):
        kind = "maps and sequences" if positions else f"task={task.name}"
        allowed = f"metric with {kind}"
        raise not_allowed(
            "choose", "robust", allowed, "The likely clean labels are of classes, one or some an example."
        )


def looks_wrong(share: Interval) -> bool:
    """Whether more labels look wrong than a sound teacher would doubt.

    Args:
        share: of wrong labels.
    """
    return share.low > LOOKS_WRONG


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
    doubted: Interval
    """Of labels that teacher and students doubt, right or wrong."""
    informed: bool
    """Whether the teacher agrees with the given labels more often than the most frequent label does."""

    @property
    def choose(self) -> bool:
        """Whether the clean labels can choose: enough given ones are doubted, by a teacher that is not at chance."""
        return self.informed and looks_wrong(self.doubted)

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
    posterior, every, shares, doubted, gains = [], [], [], [], []
    for given, students_of, teacher_of in zip(labels.reshape(len(labels), -1).T, voted, teacher, strict=True):
        known = given >= 0
        prior = vote_prior(students_of[:, known].argmax(axis=2), teacher_of[0][known], given[known])
        found = wrong_labels(prior, given[known], examples.trusted[known])
        posterior.append(found.posterior)
        every.append(known)
        shares.append(found.share)
        doubted.append(found.doubted)
        agreement = (teacher_of[0][known].argmax(axis=1) == given[known]).mean()
        gains.append(agreement - np.bincount(given[known]).max() / known.sum())
    said = mean_interval(shares), mean_interval(doubted)
    return CleanLabels(tuple(posterior), tuple(every), independent, *said, informed=float(np.mean(gains)) > 0)


def mean_interval(intervals: Sequence[Interval]) -> Interval:
    """The mean of estimates and of their ends: as wide as one of them, for draws that share their examples.

    Args:
        intervals: at least one.
    """
    estimate, low, high = np.mean([each[:3] for each in intervals], axis=0).tolist()
    return intervals[0]._replace(estimate=estimate, low=low, high=high)


def _of_labels(probabilities: NDArray[np.floating], independent: bool) -> list[NDArray[np.float64]]:
    """Probabilities (K, V, C) for each label: themselves for one label, those of no and yes for each of several."""
    chances = probabilities.astype(np.float64)
    if not independent:
        return [chances]
    return [np.stack([1 - chances[..., label], chances[..., label]], axis=-1) for label in range(chances.shape[-1])]
