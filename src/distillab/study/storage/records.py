"""The records of a study: plain values and arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from distillab.data.labels import Array
from distillab.models.digests import add_array
from distillab.tasks import Task
from distillab.tasks.evaluation import class_logits, decisions

KEPT_ALPHAS = (0.0, 0.5, 1.0)
"""Alphas whose validation predictions are recorded in any case: both ends predict the best alpha, the middle tests
that."""

MOST_PREDICTIONS = 2_000_000
"""Probabilities of one student up to which those of every alpha are recorded."""


class ValidationPredictions(NamedTuple):
    """A student's predictions for the validation examples."""

    probabilities: NDArray[np.float16]
    """Shape (V, C), of the classes, or of yes for each of independent labels; raw outputs for students trained by
    squared error. float16 keeps three digits, enough for means over the examples."""
    labels: NDArray[np.int16]
    """As given, possibly wrong, shape (V,), or (V, C) for independent labels, -1 where unknown."""


class ValidationExamples(NamedTuple):
    """What is known of the validation examples without their labels."""

    probabilities: NDArray[np.float16]
    """The teacher's at T = 1, as a student's."""
    trusted: NDArray[np.bool_]
    """Whose labels are known to be right, shape (V,)."""


class ValidationResults(NamedTuple):
    """What is recorded of the validation data besides metrics; empty where nothing is."""

    predictions: Mapping[str, ValidationPredictions] = MappingProxyType({})
    """By trial."""
    examples: Mapping[tuple[str, str], ValidationExamples] = MappingProxyType({})
    """By teacher and `Settings.validation_rows`."""


def keeps_predictions(task: Task, positions: tuple[int, ...]) -> bool:
    """Whether predictions for the validation examples are recorded: of classes, one an example, or independent labels.

    Args:
        task: what the outputs mean.
        positions: the axes of an example's predictions; () for one.
    """
    return not positions and task.name in ("categorical", "binary", "multilabel")


def probabilities(task: Task, outputs: NDArray[np.floating], *, linear: bool = False) -> NDArray[np.float16]:
    """A model's probabilities as they are recorded, (V, C).

    Args:
        task: what the outputs mean, one that `keeps_predictions`.
        outputs: shape (V, C').
        linear: take the outputs as they are: they estimate one-hot labels themselves.
    """
    if task.name == "multilabel":
        return np.asarray(expit(outputs.astype(np.float64)), np.float16)
    return np.asarray(outputs if linear else softmax(class_logits(outputs).astype(np.float64), axis=1), np.float16)


def validation_predictions(
    task: Task, alpha: float, outputs: NDArray[np.float32], labels: NDArray[np.integer], linear: bool = False
) -> ValidationPredictions | None:
    """The validation predictions to record of a student; None of tasks and maps where none are, and of many.

    Args:
        task: what the outputs mean.
        alpha: the weight of the labels.
        outputs: for the validation examples, shape (V, C').
        labels: as given, shape (V,) or (V, C).
        linear: record the outputs as they are, for a student trained by squared error.
    """
    if not len(labels) or not keeps_predictions(task, outputs.shape[1:-1]):
        return None
    if outputs.size > MOST_PREDICTIONS and alpha not in KEPT_ALPHAS:
        return None
    return ValidationPredictions(probabilities(task, outputs, linear=linear), labels.astype(np.int16))


class GalleryExamples(NamedTuple):
    """The training examples for which every student's predictions are recorded one by one."""

    inputs: NDArray[np.generic]
    """As stored, shape (K, ...); `scale` times these are the inputs of models."""
    labels: NDArray[np.int16]
    """Clean, shape (K,); of several labels, or maps laid out in a row, (K, ...)."""
    scale: float

    @property
    def id(self) -> str:
        """Digest of inputs, labels and scale, as 16 hexadecimal digits."""
        digest = hashlib.sha256(repr(self.scale).encode())
        for array in (self.inputs, self.labels):
            add_array(digest, array)
        return digest.hexdigest()[:16]


class GalleryPredictions(NamedTuple):
    """A finished student's predictions for the gallery's examples."""

    examples: str
    """`GalleryExamples.id`."""
    labels: NDArray[np.int16]
    """As given to this student, possibly wrong, shape (K,) or (K, ...) as `GalleryExamples.labels`."""
    logits: NDArray[np.float16]
    """`gallery_outputs`, shape (K, C)."""


def gallery_outputs(task: Task, outputs: NDArray[np.floating]) -> NDArray[np.float16]:
    """What is kept of outputs for the gallery: logits of the classes, or the decided class at every position.

    Args:
        task: what the outputs mean; not real numbers.
        outputs: shape (K, ..., C).

    Returns:
        Shape (K, C); for maps and sequences (K, positions), decided classes; for yes or no (K, 2), two logits.
    """
    if outputs.ndim > 2:
        outputs = decisions(task, outputs).reshape(len(outputs), -1)
    elif task.name == "binary":
        outputs = class_logits(outputs)
    end = float(np.finfo(np.float16).max)
    return np.asarray(np.clip(outputs, -end, end), np.float16)


def gallery_predictions(task: Task, examples: str, labels: Array, outputs: NDArray[np.floating]) -> GalleryPredictions:
    """A student's predictions for the gallery's examples.

    Args:
        task: what the outputs mean.
        examples: `GalleryExamples.id`.
        labels: as given to this student, shape (K, ...).
        outputs: shape (K, ..., C).
    """
    return GalleryPredictions(examples, gallery_labels(labels), gallery_outputs(task, outputs))


def gallery_labels(labels: Array) -> NDArray[np.int16]:
    """Labels as the gallery keeps them: maps laid out in a row.

    Args:
        labels: shape (K, ...), whole numbers.
    """
    flat = labels if labels.ndim == 1 else labels.reshape(len(labels), -1)
    return flat.astype(np.int16)


@dataclass(frozen=True)
class TrialResult:
    """A trained student.

    `Store.trials` leaves out the last six fields; the store's method of the same name reads each for all trials.

    Args:
        id: the trial's identity.
        seed: its seed.
        alpha: the weight of the labels, in [0, 1] unless the study extends it.
        coordinates: the values on the study's axes, or whatever a search proposed.
        settings: all settings.
        teacher: the teacher's identity.
        epochs: per epoch (loss, label loss, distillation loss, validation accuracy); nan where a loss is not finite.
        metrics: (split, name) to value, of one split or several; empty for a student that diverged. Split "train" holds
            fractions of the examples with wrong labels: `recovered` (the student predicts the clean label),
            `memorised` (the wrong one), and the teacher's, `teacher_recovered` and `teacher_memorised`.
        diverged_epoch: the first epoch, from 0, with a loss that is not finite; None without one.
        last_finite_loss: the loss of the last step with a finite one; None without one.
        confusion: counts of test predictions, a row a label and a column a predicted class, shape (C, C).
        validation_predictions: None of tasks where none are recorded.
        reliability: test predictions in bins of confidence of equal width: their number, mean confidence, fraction
            correct; None for outputs that are not probabilities.
        example_predictions: for the gallery's examples.
        detail: what a page draws of the test predictions, see `distillab.tasks.detail`; None where there is nothing.
        test_correct: whether each test prediction is right, shape (M,); None where predictions are not right or wrong.
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
    validation_predictions: ValidationPredictions | None = None
    reliability: Sequence[Sequence[float]] | None = None
    example_predictions: GalleryPredictions | None = None
    detail: Mapping[str, Any] | None = None
    test_correct: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class TeacherResult:
    """A trained teacher.

    Args:
        id: its identity.
        settings: of its training.
        weights: digest of its weights.
        examples: number of training examples.
        metrics: name to value, on the test set.
        losses: mean training loss of each epoch.
    """

    id: str
    settings: Mapping[str, Any]
    weights: str
    examples: int
    metrics: Mapping[str, float]
    losses: Sequence[float]
