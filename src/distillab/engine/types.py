"""The inputs and outputs of a cohort's training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distillab.data.inputs import Scale
from distillab.engine.augmentation import NONE, Augmentation
from distillab.engine.functional import Variables
from distillab.engine.teacher_rows import TeacherRows
from distillab.tasks import Part


@dataclass(frozen=True)
class Examples:
    """The arrays that all students of a cohort share.

    Args:
        x_train: training inputs as stored, shape (N, ...), any number type; several are a structured array.
        x_validation: validation inputs, shape (V, ...); V may be 0.
        x_test: test inputs, shape (M, ...).
        teacher_logits: predictions for the training inputs, shape (teachers, N, ..., C), or a `TopK` of them.
            A step rebuilds the logits of its batch.
        scale: stored inputs times this are the models' inputs, a number or one for each input; token ids stay.
        x_examples: further inputs that trained students predict, for the gallery, shape (K, ...); None for none.
        weights: how much each training example's losses count, shape (N,), float32; None: each counts 1.
    """

    x_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    teacher_logits: TeacherRows
    scale: Scale
    x_examples: np.ndarray | None = None
    weights: np.ndarray | None = None

    @classmethod
    def for_labels(
        cls, x_train: np.ndarray, scale: Scale, output_shape: tuple[int, ...], weights: np.ndarray | None = None
    ) -> Examples:
        """Training inputs alone, to learn their labels: no teacher, nothing to validate or to test with.

        Args:
            x_train, scale: as above.
            output_shape: of one example, (..., C).
            weights: as above.
        """
        none, logits = x_train[:0], np.zeros((1, len(x_train), *output_shape), np.float32)
        return cls(x_train, none, none, logits, scale, weights=weights)


@dataclass(frozen=True)
class Student:
    """What makes one student differ from the others of its cohort.

    Args:
        alpha: weight of the labels; outside [0, 1] only for losses that have a minimum there (`losses.names.UNMIXED`).
        temperature: T > 0.
        learning_rate: the peak learning rate, > 0.
        seed: decides the order of the examples.
        initial: the weights to start from.
        labels: training labels, perturbed or not, shape (N, ...); with `Recipe.unlabelled`, -1 or NaN where there is
            none.
        validation_labels: shape (V, ...).
        teacher: which row of the shared teacher logits to learn from.
    """

    alpha: float
    temperature: float
    learning_rate: float
    seed: int
    initial: Variables
    labels: np.ndarray
    validation_labels: np.ndarray
    teacher: int = 0


@dataclass(frozen=True)
class Recipe:
    """What a cohort's students share besides the data: how they are trained.

    Args:
        task: what outputs and labels mean, a name in `distillab.tasks.TASKS`.
        epochs: passes over the training examples.
        batch_size: examples a step; the last batch of an epoch may be smaller.
        loss: a name in `distillab.losses.losses_for(task)`.
        label_loss: a name in `distillab.losses.label_losses_for(task)`.
        optimiser: a name in `OPTIMISERS`.
        schedule: a name in `SCHEDULES`, stretched over the whole training.
        augmentation: of training images, anew in every epoch; alpha < 1 then needs a live teacher.
        unlabelled: whether labels, or entries of them, may be missing. Such an entry counts for the distillation loss
            alone, and the label loss is averaged over the entries that are there.
        parts: of several outputs, what each one means, with its weight and, where it has its own, its alpha; the task
            is then "several", and outputs and labels are packed.
        weight_decay: of the L2 penalty, >= 0; its gradient is `weight_decay` times the weights.
        max_norm: the largest norm of the weights that enter a unit, > 0, after every step; None: any.
    """

    epochs: int
    batch_size: int
    loss: str = "kl"
    label_loss: str = "cross_entropy"
    optimiser: str = "adam"
    schedule: str = "cosine"
    augmentation: Augmentation = NONE
    unlabelled: bool = False
    task: str = "categorical"
    parts: tuple[Part, ...] = ()
    weight_decay: float = 0.0
    max_norm: float | None = None


LiveTeacher = Callable[[int, int, int], np.ndarray]
"""(teacher's index, seed, epoch) -> its logits (N, ..., C) for the images as augmented for that seed and epoch."""


class Epoch(NamedTuple):
    """One epoch's record of each student of a cohort; every array has shape (S,)."""

    epoch: int
    loss: np.ndarray  # mean over the epoch's steps
    label_loss: np.ndarray
    distillation_loss: np.ndarray
    validation_accuracy: np.ndarray  # share of right decisions, for real outputs R2; nan without a validation split
    finite_steps: np.ndarray  # steps taken before the first loss that is not finite
    last_finite_loss: np.ndarray


class Outcome(NamedTuple):
    """A trained cohort, one row a student."""

    variables: Variables  # leaves of shape (S, ...)
    test_logits: np.ndarray  # (S, M, ..., C)
    validation_logits: np.ndarray  # (S, V, ..., C)
    train_predictions: np.ndarray | None  # (S, N, ...), decisions or real outputs; None where they were not requested
    example_logits: np.ndarray | None = None  # (S, K, ..., C); None without `Examples.x_examples`


class Footprint(NamedTuple):
    """The memory that a device needs, in bytes."""

    shared: int  # the examples
    slot: int  # a student's weights, optimiser, labels and order, before and after an epoch
    working: int  # temporary memory of a student's step
    together: bool  # whether the students of a device train at once, not one after another

    def bytes(self, students: int) -> int:
        """The memory of some students on one device.

        Args:
            students: how many.
        """
        return self.shared + students * self.slot + (students if self.together else 1) * self.working

    def students(self, limit: int) -> int:
        """The number of students that fit one device; 0 where not even one does.

        Args:
            limit: bytes of the device.
        """
        free = limit - self.shared - (0 if self.together else self.working)
        return max(0, free // (self.slot + (self.working if self.together else 0)))
