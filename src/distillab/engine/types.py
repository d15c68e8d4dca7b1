"""What a cohort is given to learn from, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distillab.engine.augmentation import NONE, Augmentation
from distillab.engine.functional import Variables


@dataclass(frozen=True)
class Examples:
    """The arrays that all students of a cohort share.

    Args:
        x_train: training inputs as stored, shape (N, ...), any number type.
        x_validation: validation inputs, shape (V, ...); V may be 0.
        x_test: test inputs, shape (M, ...).
        teacher_logits: answers over the training inputs, shape (teachers, N, C).
        scale: stored inputs times this are the models' inputs.
        x_shown: further inputs that finished students answer, shape (K, ...); None for none.
    """

    x_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    teacher_logits: np.ndarray
    scale: float
    x_shown: np.ndarray | None = None


@dataclass(frozen=True)
class Student:
    """What makes one student differ from its neighbours.

    Args:
        alpha: weight of the hard labels, in [0, 1].
        temperature: T > 0.
        learning_rate: the rate at the schedule's height.
        seed: decides the order of the examples.
        initial: the weights to start from.
        labels: training labels, perturbed or not, shape (N,); with `Recipe.unlabelled`, -1 where there is none.
        validation_labels: shape (V,).
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
        epochs: passes over the training examples.
        batch_size: examples a step; the last batch of an epoch may be smaller.
        loss: a name in `distillab.losses.LOSSES`.
        label_loss: a name in `distillab.losses.LABEL_LOSSES`.
        optimiser: a name in `OPTIMISERS`.
        schedule: a name in `SCHEDULES`, stretched over the whole training.
        augmentation: how training images are changed, anew in every epoch. Stored logits answer the images as they lie,
            so students that hear a teacher then need a live one.
        unlabelled: whether labels may be missing. An example without one counts for the teacher's term alone, and the
            mean of the labels' term is over the examples that have one.
    """

    epochs: int
    batch_size: int
    loss: str = "kl"
    label_loss: str = "cross_entropy"
    optimiser: str = "adam"
    schedule: str = "cosine"
    augmentation: Augmentation = NONE
    unlabelled: bool = False


LiveTeacher = Callable[[int, int, int], np.ndarray]
"""(which teacher, seed, epoch) -> its logits (N, C) over the training images as that seed's students see them then."""


class Epoch(NamedTuple):
    """One epoch's record of each student of a cohort; every array has shape (S,)."""

    epoch: int
    loss: np.ndarray  # mean over the epoch's steps
    hard: np.ndarray
    soft: np.ndarray
    validation_accuracy: np.ndarray  # nan where there is no validation split
    finite_steps: np.ndarray  # steps taken before the first loss that is not finite
    last_finite_loss: np.ndarray


class Outcome(NamedTuple):
    """What a finished cohort leaves behind, one row a student."""

    variables: Variables  # leaves of shape (S, ...)
    test_logits: np.ndarray  # (S, M, C)
    validation_logits: np.ndarray  # (S, V, C)
    train_answers: np.ndarray | None  # (S, N), class numbers; None where they were not asked for
    shown_logits: np.ndarray | None = None  # (S, K, C); None where nothing is shown


class Footprint(NamedTuple):
    """The memory that a device needs, in bytes."""

    shared: int  # the examples
    seat: int  # what a student leaves and takes: weights, optimiser, labels, order
    working: int  # what a student's step needs besides
    together: bool  # whether students of a device train at once, and not in turn

    def bytes(self, students: int) -> int:
        """What so many students on one device need."""
        return self.shared + students * self.seat + (students if self.together else 1) * self.working

    def students(self, limit: int) -> int:
        """How many students fit one device; 0 where not even one does."""
        free = limit - self.shared - (0 if self.together else self.working)
        return max(0, free // (self.seat + (self.working if self.together else 0)))
