"""What is recorded of a study, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distillab.study.storage.examples import GalleryPredictions
from distillab.study.storage.predictions import ValidationPredictions


@dataclass(frozen=True)
class TrialResult:
    """A trained student, as it is recorded.

    Args:
        id: the trial's identity.
        seed: its seed.
        alpha: its weight of the hard labels.
        coordinates: its place on the study's axes.
        settings: all its settings.
        teacher: its teacher's identity.
        epochs: per epoch (loss, hard, soft, validation accuracy); nan where a loss is not finite.
        metrics: (split, name) to value; empty for a student that diverged. Of the split "train" there are shares of the
            examples with wrong labels: `recovered` (the student answers the clean label), `memorised` (the wrong one),
            and the teacher's own, `teacher_recovered` and `teacher_memorised`.
        diverged_epoch: the epoch, from 0, of its first loss that was not finite; None where all were.
        last_finite_loss: the loss of its last step that was finite; None where there was none.
        confusion: counts of its test answers, a row a label and a column an answer; None for a student that diverged.
            `Store.trials` leaves it out: `Store.confusions` reads it.
        answers: to the validation examples, of the few students whose answers are kept. `Store.trials` leaves them out:
            `Store.answers` reads them.
        reliability: of its test answers, in bins of confidence of equal width: how many, their mean confidence, the
            share that is right; None where it has no probabilities. `Store.reliability` reads it.
        shown: its answers to the examples that are shown. `Store.shown` reads them.
    """

    id: str
    seed: int
    alpha: float
    coordinates: Mapping[str, Any]
    settings: Mapping[str, Any]
    teacher: str
    epochs: Sequence[tuple[float, float, float, float]]
    metrics: Mapping[tuple[str, str], float]
    diverged_epoch: int | None = None
    last_finite_loss: float | None = None
    confusion: Sequence[Sequence[int]] | None = None
    answers: ValidationPredictions | None = None
    reliability: Sequence[Sequence[float]] | None = None
    shown: GalleryPredictions | None = None


@dataclass(frozen=True)
class TeacherResult:
    """A trained teacher, as it is recorded.

    Args:
        id: its identity.
        settings: how it was trained.
        weights: digest of its weights.
        examples: how many training examples it saw.
        metrics: name to value, on the test set.
        losses: mean training loss of each epoch.
    """

    id: str
    settings: Mapping[str, Any]
    weights: str
    examples: int
    metrics: Mapping[str, float]
    losses: Sequence[float]
