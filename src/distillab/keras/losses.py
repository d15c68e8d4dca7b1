"""The two terms of the objective on a batch: with sample weights, masks, missing labels and Keras's reductions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from distillab.errors import RequestError, not_allowed, unknown
from distillab.keras.labels import Labels, marked, possible_values
from distillab.losses import (
    DISTILLATION_LOSSES,
    LABEL_LOSS_FUNCTIONS,
    Array,
    DistillationLoss,
    label_losses_for,
    losses_for,
    relates_examples,
)
from distillab.tasks import Task

OF_NUMBERS = tuple(
    f"mean_{kind}_error" for kind in ("squared", "absolute", "absolute_percentage", "squared_logarithmic")
)
"""Keras's losses of real outputs that may be given by name."""

MEAN = "sum_over_batch_size"  # Keras's name: the sum of weighted values, over the number of entries


class Share(NamedTuple):
    """How much the entries of a batch count.

    Args:
        weights: of examples (B,) or positions (B, ...), or None for equal ones.
        counts: bool (B, ...), False for positions that a mask hides, or None.
    """

    weights: Array | None
    counts: Array | None

    def of(self, values: Array, counts: Array | None = None, *, normalised: bool = True) -> Array | None:
        """The weight of each entry of some values, 0 for those that do not count.

        Args:
            values: shape (B, ...) or more.
            counts: bool, of the values' shape or of its first axes: False for further entries that do not count.
            normalised: whether the weights make the values' mean one over the entries that count, as Keras's masks do.
        """
        ones = ops.ones_like(values)
        parts = [part for part in (self.counts, counts) if part is not None]
        if not parts:
            return None if self.weights is None else ones * _spread(self.weights, values)
        counted = ones
        for part in parts:
            counted = counted * _spread(part, values)
        if normalised:
            counted = counted * ops.divide_no_nan(ops.sum(ones), ops.sum(counted))
        return counted if self.weights is None else counted * _spread(self.weights, values)


def _spread(part: Array, values: Array) -> Array:
    """Numbers of examples or positions, in a shape that multiplies values with more axes."""
    part = ops.cast(part, values.dtype)
    for _ in range(len(values.shape) - len(part.shape)):
        part = ops.expand_dims(part, -1)
    return part


class _Reduction(keras.losses.Loss):
    """Keras's reduction of values that are computed already: it also divides them among the replicas of a strategy."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return y_pred


def _reduced(values: Array, weights: Array | None, reduction: str = MEAN) -> Array:
    if weights is not None:
        values = ops.where(weights != 0, values, ops.zeros_like(values))  # what does not count may be NaN
    return _Reduction(name="mean", reduction=reduction)(values, values, weights)


class LabelTerm:
    """The label loss of a batch.

    Args:
        task: what the labels mean.
        loss: a name in `label_losses_for(task)`, or a Keras loss of the labels as the user gives them.
    """

    def __init__(self, task: Task, loss: str | keras.losses.Loss) -> None:
        self._task, self._loss = task, loss

    def __call__(self, labels: Labels, outputs: Array, share: Share) -> Array:
        """Compute it: a mean over the labels that are known, and not masked.

        Args:
            labels: of the batch.
            outputs: the student's, shape (B, ..., C).
            share: how much each position counts.
        """
        if isinstance(self._loss, keras.losses.Loss):  # without the outputs' own mask, which the weights contain
            normalised = self._loss.reduction not in ("sum", "none", None)
            return self._loss(labels.given, outputs + 0, share.of(outputs[..., 0], labels.rows, normalised=normalised))
        if labels.distribution is not None:
            values = _OF_DISTRIBUTION[self._loss](outputs, labels.distribution)
            return _reduced(values, share.of(values, labels.rows))
        allowed = possible_values(labels, outputs, self._task)
        function = label_losses_for(self._task.name)[self._loss]
        values = function(outputs, ops.where(allowed, labels.values, ops.zeros_like(labels.values)))
        values = ops.where(ops.logical_or(allowed, ops.logical_not(labels.known)), values, float("nan"))
        return _reduced(values, share.of(values, labels.known))


_OF_DISTRIBUTION = {
    "cross_entropy": lambda z, p: -ops.sum(p * ops.log_softmax(z, axis=-1), axis=-1),
    "squared": lambda z, p: ops.mean(ops.square(z - p), axis=-1) / 2,
}
"""The label losses of labels that are given as a number for each class."""


def as_label_term(loss: Any, task: Task, *, unwrapped: bool) -> LabelTerm:
    """Make the label loss from the `loss` argument of `Distiller.compile`.

    Args:
        loss: None (the task's default), a name, a Keras loss, or a function (y, outputs).
        task: what the labels mean.
        unwrapped: whether the student ended in an activation, so that a loss of probabilities was meant for it.

    Raises:
        RequestError: a loss of probabilities for a student of logits, one of another task, or an unknown name.
    """
    if loss is None:
        return LabelTerm(task, task.label_losses[0])
    if isinstance(loss, str):
        name = "cross_entropy" if loss.lower() in ("crossentropy", "ce") else loss
        if name in LABEL_LOSS_FUNCTIONS:
            if name not in task.label_losses:
                raise _undefined("loss", loss, task, task.label_losses)
            return LabelTerm(task, name)
    return LabelTerm(task, _keras_loss(loss, task, unwrapped=unwrapped))


def _undefined(argument: str, loss: str, task: Task, defined: tuple[str, ...]) -> RequestError:
    return not_allowed(argument, loss, f"one that is defined for task={task.name}: {', '.join(defined)}")


def _keras_loss(loss: Any, task: Task, *, unwrapped: bool) -> keras.losses.Loss:
    if isinstance(loss, str):
        return _named(loss, task)
    if isinstance(loss, keras.losses.Loss):
        if not task.softens and hasattr(loss, "from_logits"):
            raise _undefined(
                "loss", type(loss).__name__, task, (*task.label_losses, "a keras.losses object of numbers")
            )
        if getattr(loss, "from_logits", True):
            return loss
        if not unwrapped:
            raise RequestError(
                f"The student gives logits, and {type(loss).__name__}(from_logits=False) expects probabilities. Pass "
                f"keras.losses.{type(loss).__name__}(from_logits=True), or leave the loss out."
            )
        # The student ended in an activation and is trained by its logits: the same loss, computed from them.
        return type(loss).from_config({**loss.get_config(), "from_logits": True})
    if callable(loss):
        return _FunctionLoss(loss)
    raise not_allowed("loss", loss, "a name, a keras.losses object or a function (y, outputs)")


def _named(name: str, task: Task) -> keras.losses.Loss:
    try:
        loss = keras.losses.get(name)
    except ValueError as error:
        raise RequestError(
            f"There is no Keras loss {name!r}. The default, None, is {task.label_losses[0]!r} with task={task.name}."
        ) from error
    if isinstance(loss, keras.losses.Loss):
        return _keras_loss(loss, task, unwrapped=True)
    of_logits = "from_logits" in inspect.signature(loss).parameters
    if task.softens and of_logits:
        return _FunctionLoss(lambda y, logits: loss(y, logits, from_logits=True))
    if not task.softens and loss.__name__ in OF_NUMBERS:
        return _FunctionLoss(loss)
    if task.softens:
        raise RequestError(
            f"loss={name!r} cannot take logits, which the student gives. Leave the loss out for cross-entropy, or "
            "pass a function (y, logits)."
        )
    raise _undefined("loss", name, task, (*task.label_losses, *OF_NUMBERS))


class _FunctionLoss(keras.losses.Loss):
    """A function (y, outputs) as a Keras loss."""

    def __init__(self, function: Callable[[Array, Array], Array]) -> None:
        super().__init__(name="student_loss")
        self._function = function

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._function(y_true, y_pred)


class TeacherTerm:
    """The distillation loss of a batch.

    Args:
        task: what the outputs mean.
        function: the loss.
        name: in `DISTILLATION_LOSSES`; "" for a user's own.
        reduction: Keras's.
    """

    def __init__(self, task: Task, function: DistillationLoss, name: str = "", reduction: str = MEAN) -> None:
        self._task, self._function, self._name, self._reduction = task, function, name, reduction

    @property
    def needs_teacher(self) -> bool:
        """Whether it reads the teacher's outputs."""
        return inspect.signature(self._function).parameters["teacher_logits"].default is not None

    @property
    def relates_examples(self) -> bool:
        """Whether an example's value depends on the rest of its batch."""
        return relates_examples(self._function)

    def __call__(
        self, labels: Labels | None, student: Array, teacher: Array | None, share: Share, temperature: Array
    ) -> Array:
        """Compute it: a mean over the positions that are not masked, with or without labels.

        Args:
            labels: of the batch, or None; of a loss that reads them, positions without labels do not count.
            student, teacher: outputs, shape (B, ..., C).
            share: how much each position counts.
            temperature: T.
        """
        own = self._name == ""
        needs_labels = not own and DISTILLATION_LOSSES[self._name].needs_labels
        if needs_labels and labels is None:
            raise RequestError(
                f"distillation_loss={self._name!r} reads the labels, and the data have none. Give labels."
            )
        options: dict[str, Any] = {"temperature": temperature}
        if self.relates_examples:
            weights = ops.ones_like(student[:, 0]) if share.weights is None else share.weights
            options["weights"] = ops.cast(weights, "float32")
        read = None if labels is None else marked(labels, self._task) if own else labels.values
        values = self._function(student, teacher, read, **options)
        counts = labels.rows if needs_labels and labels is not None else None
        normalised = self._reduction not in ("sum", "none", None)
        return _reduced(values, share.of(values, counts, normalised=normalised), self._reduction)


def as_teacher_term(loss: Any, task: Task) -> TeacherTerm:
    """Make the distillation loss from the `distillation_loss` argument of `Distiller.compile`.

    Args:
        loss: None (the task's default), a name in `DISTILLATION_LOSSES`, a function called like those, or a Keras loss
            that expects probabilities: `loss(softmax(z_t / T), softmax(z_s / T)) * T^2`, as in the Keras example (with
            sigmoid for independent labels, and of real outputs as they are).
        task: what the outputs mean.

    Raises:
        RequestError: a loss of another task, an unknown name, or a Keras loss of logits.
    """
    if loss is None:
        loss = task.losses[0]
    if isinstance(loss, str):
        if loss not in DISTILLATION_LOSSES:
            raise unknown("distillation loss", loss, DISTILLATION_LOSSES)
        if loss not in task.losses:
            raise _undefined("distillation_loss", loss, task, task.losses)
        return TeacherTerm(task, losses_for(task.name)[loss], loss)
    if isinstance(loss, keras.losses.Loss):
        if getattr(loss, "from_logits", False):
            raise RequestError(
                f"{type(loss).__name__}(from_logits=True) cannot be a distillation loss: it receives softened "
                f"probabilities. Pass keras.losses.{type(loss).__name__}(), or distillation_loss='cross_entropy'."
            )
        return TeacherTerm(task, _of_predictions(loss, task), "", loss.reduction)
    if callable(loss):
        return TeacherTerm(task, loss)
    raise not_allowed(
        "distillation_loss", loss, f"one of {', '.join(task.losses)}, a keras.losses object or a function like those"
    )


def _of_predictions(loss: keras.losses.Loss, task: Task) -> DistillationLoss:
    def of_predictions(
        student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array
    ) -> Array:
        if not task.softens:
            return loss.call(teacher_logits, student_logits)
        student, teacher = (activated(z / temperature, task.activation) for z in (student_logits, teacher_logits))
        return loss.call(teacher, student) * temperature**2

    return of_predictions


def activated(outputs: Array, activation: str) -> Array:
    """Predictions of raw outputs.

    Args:
        outputs: shape (B, ..., C).
        activation: "softmax", "sigmoid" or "" for none.
    """
    if activation == "softmax":
        return ops.softmax(outputs, axis=-1)
    return ops.sigmoid(outputs) if activation == "sigmoid" else outputs


def agreement(student: Array, teacher: Array, task: Task) -> Array:
    """The share of equal decisions at each position; of real outputs the mean absolute difference. Shape (B, ...).

    Args:
        student, teacher: outputs, shape (B, ..., C).
        task: what they mean.
    """
    if task.name == "regression":
        return ops.mean(ops.abs(student - teacher), axis=-1)
    if task.name == "categorical":
        return ops.cast(ops.argmax(student, axis=-1) == ops.argmax(teacher, axis=-1), "float32")
    return ops.mean(ops.cast((student > 0) == (teacher > 0), "float32"), axis=-1)
