"""The two terms of the objective as Keras losses: they support sample weights, masks and Keras's reductions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from distillab.errors import RequestError, not_allowed, unknown
from distillab.keras.inputs import wrong_labels
from distillab.losses import LOSSES, Array, DistillationLoss, label_cross_entropy


class _LabelCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits with the labels: class numbers (B,) or (B, 1), or distributions (B, C) such as one-hot.

    A class number outside 0..C-1 makes the loss NaN, so that it is noticed.
    """

    def __init__(self, name: str = "student_loss", **options: Any) -> None:
        super().__init__(name=name, **options)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        if _are_distributions(y_true, y_pred):
            return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)
        labels = class_numbers(y_true, y_pred)
        known = ops.logical_and(labels >= 0, labels < y_pred.shape[-1])
        return ops.where(known, label_cross_entropy(y_pred, ops.where(known, labels, 0)), float("nan"))


def _are_distributions(labels: Array, logits: Array) -> bool:
    """Whether labels are given as a number for each class, and not as a class number."""
    return len(labels.shape) == len(logits.shape) and labels.shape[-1] == logits.shape[-1]


def class_numbers(labels: Array, logits: Array) -> Array:
    """Convert labels of any accepted shape to class numbers, shape (B, ...).

    Args:
        labels: shape (B, ...), (B, ..., 1) or (B, ..., C).
        logits: shape (B, ..., C).

    Raises:
        RequestError: labels of another shape.
    """
    if _are_distributions(labels, logits):
        return ops.argmax(labels, axis=-1)
    if len(labels.shape) == len(logits.shape) and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if len(labels.shape) != len(logits.shape) - 1:
        raise wrong_labels(tuple(labels.shape), tuple(logits.shape))
    return ops.cast(labels, "int32")


def as_label_loss(loss: Any, *, unwrapped: bool) -> keras.losses.Loss:
    """Make a Keras loss of logits from the `loss` argument of `Distiller.compile`.

    Args:
        loss: None (cross-entropy), a name, a Keras loss, or a function (y, logits).
        unwrapped: whether the student ended in softmax, so that a loss of probabilities was meant for it.

    Raises:
        RequestError: a loss of probabilities for a student of logits, or an unknown name.
    """
    if loss is None:
        return _LabelCrossEntropy()
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
        return _FunctionLoss(loss)
    raise not_allowed("loss", loss, "a name, a keras.losses object or a function (y, logits)")


def _named(name: str) -> keras.losses.Loss:
    if name.lower() in ("crossentropy", "ce"):
        return _LabelCrossEntropy()
    try:
        loss = keras.losses.get(name)
    except ValueError as error:
        raise RequestError(f"There is no Keras loss {name!r}. The default, None, is cross-entropy.") from error
    if isinstance(loss, keras.losses.Loss):
        return as_label_loss(loss, unwrapped=True)
    if "from_logits" not in inspect.signature(loss).parameters:
        raise RequestError(
            f"loss={name!r} cannot take logits, which the student gives. Leave the loss out for cross-entropy, or "
            "pass a function (y, logits)."
        )
    return _FunctionLoss(lambda y, logits: loss(y, logits, from_logits=True))


class _FunctionLoss(keras.losses.Loss):
    """A function (y, logits) as a Keras loss."""

    def __init__(self, function: Callable[[Array, Array], Array]) -> None:
        super().__init__(name="student_loss")
        self._function = function

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._function(y_true, y_pred)


class _DistillationLoss(keras.losses.Loss):
    """A distillation loss as a Keras loss, whose "true values" are its other arguments by name."""

    def __init__(self, function: DistillationLoss, reduction: str = "sum_over_batch_size") -> None:
        super().__init__(name="distillation_loss", reduction=reduction)
        self.function = function

    def call(self, y_true: dict[str, Array], y_pred: Array) -> Array:
        options = {"teacher_logits": None, "labels": None, **y_true}
        return self.function(y_pred, options.pop("teacher_logits"), options.pop("labels"), **options)


def as_distillation_loss(loss: Any) -> _DistillationLoss:
    """Make a Keras loss from the `distillation_loss` argument of `Distiller.compile`.

    Args:
        loss: None (`kl`), a name in `LOSSES`, a function called like those, or a Keras loss that expects probabilities:
            `loss(softmax(z_t / T), softmax(z_s / T)) * T^2`, as in the Keras example.

    Raises:
        RequestError: an unknown name, or a Keras loss of logits.
    """
    if loss is None:
        loss = "kl"
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise unknown("distillation loss", loss, LOSSES)
        return _DistillationLoss(LOSSES[loss])
    if isinstance(loss, keras.losses.Loss):
        if getattr(loss, "from_logits", False):
            raise RequestError(
                f"{type(loss).__name__}(from_logits=True) cannot be a distillation loss: it receives softened "
                f"probabilities. Pass keras.losses.{type(loss).__name__}(), or distillation_loss='cross_entropy'."
            )
        return _DistillationLoss(_of_probabilities(loss), loss.reduction)
    if callable(loss):
        return _DistillationLoss(loss)
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
