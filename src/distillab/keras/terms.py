"""The two terms of the loss as Keras losses: they honour sample weights, masks and Keras's reductions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
from distillab.errors import RequestError, not_allowed, unknown
from distillab.losses import LOSSES, Array, DistillationLoss, label_cross_entropy
from keras import ops


class LabelLoss(keras.losses.Loss):
    """Cross-entropy of logits with the labels: class numbers (B,) or (B, 1), or distributions (B, C) such as one-hot.

    A class number outside 0..C-1 makes the loss NaN: it cannot pass unseen.
    """

    def __init__(self, name: str = "student_loss", **options: Any) -> None:
        super().__init__(name=name, **options)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """Keras's part of a loss: (B, ...) labels and (B, ..., C) logits to (B, ...)."""
        if are_distributions(y_true, y_pred):
            return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)
        labels = class_numbers(y_true, y_pred)
        known = ops.logical_and(labels >= 0, labels < y_pred.shape[-1])
        return ops.where(known, label_cross_entropy(y_pred, ops.where(known, labels, 0)), float("nan"))


def are_distributions(labels: Array, logits: Array) -> bool:
    """Whether labels are given as a number for each class, and not as a class number."""
    return len(labels.shape) == len(logits.shape) and labels.shape[-1] == logits.shape[-1]


def class_numbers(labels: Array, logits: Array) -> Array:
    """Labels of any accepted shape as class numbers, shape (B, ...)."""
    if are_distributions(labels, logits):
        return ops.argmax(labels, axis=-1)
    if len(labels.shape) == len(logits.shape) and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if len(labels.shape) != len(logits.shape) - 1:
        raise RequestError(
            f"Labels of shape {tuple(labels.shape)} do not fit logits of shape {tuple(logits.shape)}: they must be "
            "class numbers, one an example, or one-hot."
        )
    return ops.cast(labels, "int32")


def label_loss(loss: Any, *, unwrapped: bool) -> keras.losses.Loss:
    """Make of what the user gave a Keras loss of logits.

    Args:
        loss: None (cross-entropy of whatever labels come), a name, a Keras loss, or a function (y, logits).
        unwrapped: whether the student ended in softmax, so that a loss of probabilities was meant for it.

    Raises:
        RequestError: a loss of probabilities for a student of logits, or an unknown name.
    """
    if loss is None:
        return LabelLoss()
    if isinstance(loss, str):
        return _named(loss)
    if isinstance(loss, keras.losses.Loss):
        if getattr(loss, "from_logits", True):
            return loss
        if not unwrapped:
            raise RequestError(
                f"The student gives logits, and {type(loss).__name__}(from_logits=False) expects probabilities. Pass "
                f"keras.losses.{type(loss).__name__}(from_logits=True), or leave the loss out."
            )
        # The student ended in softmax and is trained by its logits: the same loss, computed from them.
        return type(loss).from_config({**loss.get_config(), "from_logits": True})
    if callable(loss):
        return _Function(loss)
    raise not_allowed("loss", loss, "a name, a keras.losses object or a function (y, logits)")


def _named(name: str) -> keras.losses.Loss:
    if name.lower() in ("crossentropy", "ce"):
        return LabelLoss()
    try:
        found = keras.losses.get(name)
    except ValueError as error:
        raise RequestError(f"There is no Keras loss {name!r}. The default, None, is cross-entropy.") from error
    if isinstance(found, keras.losses.Loss):
        return label_loss(found, unwrapped=True)
    if "from_logits" not in inspect.signature(found).parameters:
        raise RequestError(
            f"loss={name!r} cannot be told that the student gives logits. Leave the loss out for cross-entropy, or "
            "pass a function (y, logits)."
        )
    return _Function(lambda y, logits: found(y, logits, from_logits=True))


class _Function(keras.losses.Loss):
    """A function (y, logits) as a Keras loss."""

    def __init__(self, function: Callable[[Array, Array], Array]) -> None:
        super().__init__(name="student_loss")
        self._function = function

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._function(y_true, y_pred)


class TeacherLoss(keras.losses.Loss):
    """A distillation loss as a Keras loss, whose "true values" are the teacher's logits and the labels."""

    def __init__(self, function: DistillationLoss, reduction: str = "sum_over_batch_size") -> None:
        super().__init__(name="distillation_loss", reduction=reduction)
        self._function = function

    def call(self, y_true: dict[str, Array], y_pred: Array) -> Array:
        """Keras's part of a loss: (B, ..., C) logits to (B, ...)."""
        more = {"weights": y_true["weights"]} if "weights" in y_true else {}
        return self._function(
            y_pred, y_true.get("teacher"), y_true.get("labels"), temperature=y_true["temperature"], **more
        )


def teacher_loss(loss: Any) -> tuple[DistillationLoss, TeacherLoss]:
    """Make of what the user gave a distillation loss.

    Args:
        loss: None (`kl`), a name in `LOSSES`, a function called like those, or a Keras loss that expects probabilities:
            `loss(softmax(z_t / T), softmax(z_s / T)) * T^2`, as in the well-known Keras example.
    """
    if loss is None:
        loss = "kl"
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise unknown("distillation loss", loss, LOSSES)
        return LOSSES[loss], TeacherLoss(LOSSES[loss])
    if isinstance(loss, keras.losses.Loss):
        if getattr(loss, "from_logits", False):
            raise RequestError(
                f"{type(loss).__name__}(from_logits=True) cannot be a distillation loss: it is given softened "
                f"probabilities. Pass keras.losses.{type(loss).__name__}(), or distillation_loss='cross_entropy'."
            )
        function = _of_probabilities(loss)
        return function, TeacherLoss(function, loss.reduction)
    if callable(loss):
        return loss, TeacherLoss(loss)
    raise not_allowed(
        "distillation_loss", loss, f"one of {', '.join(LOSSES)}, a keras.losses object or a function like those"
    )


def _of_probabilities(loss: keras.losses.Loss) -> DistillationLoss:
    def of_probabilities(
        student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array
    ) -> Array:
        student, teacher = (ops.softmax(z / temperature, axis=-1) for z in (student_logits, teacher_logits))
        return loss.call(teacher, student) * temperature**2

    return of_probabilities
