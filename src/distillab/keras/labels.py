"""A batch's labels in the form that losses expect, on any backend, with those that are missing marked."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from keras import ops

from distillab.errors import RequestError
from distillab.keras.checks import fit
from distillab.losses import Array
from distillab.tasks import UNKNOWN, Task


class Labels(NamedTuple):
    """Labels of a batch, with 0 in place of those that are missing."""

    values: Array  # in the form of `canonical_labels`
    known: Array  # bool, of their shape
    rows: Array  # bool, (B, ...): whether every entry at a position is known
    given: Array  # in the user's own form
    distribution: Array | None  # (B, ..., C), where they were given as one, such as one-hot


def form(labels: tuple[Any, ...], outputs: tuple[Any, ...], task: Task) -> Literal["plain", "column", "rows"]:
    """How labels are laid out: a number a position, the same as a column, or a number for each output.

    Args:
        labels: their shape.
        outputs: shape (B, ..., C).
        task: what they mean.

    Raises:
        RequestError: another shape, or another number of positions.
    """
    names, positions = outputs[-1], outputs[1:-1]
    if fit(labels[1:], positions) and (names == 1 or task.name == "categorical"):
        return "plain"
    if task.name != "binary" and fit(labels[1:], (*positions, names)):
        return "rows"
    if task.name in ("categorical", "binary") and fit(labels[1:], (*positions, 1)):
        return "column"
    raise wrong_labels(labels, outputs, task)


def wrong_labels(labels: tuple[Any, ...], outputs: tuple[Any, ...], task: Task) -> RequestError:
    """The error for labels whose shape does not fit the outputs.

    Args:
        labels: their shape, as given.
        outputs: the student's.
        task: what they mean.
    """
    needs = {
        "categorical": "class numbers, one a position, or one-hot",
        "binary": "0 or 1, one a position",
        "multilabel": "0 or 1 for each output",
        "regression": "a number for each output",
    }[task.name]
    return RequestError(
        f"Labels of shape {tuple(labels)} do not fit outputs of shape {tuple(outputs)} with task={task.name}: they "
        f"must be {needs}."
    )


def read_labels(labels: Array, outputs: Array, task: Task, ignore: int | None) -> Labels:
    """Read a batch's labels; a label that the task does not have becomes NaN in the loss, so that it is noticed.

    Args:
        labels: as the user gives them.
        outputs: shape (B, ..., C).
        task: what they mean.
        ignore: a value that means "no label here".

    Raises:
        RequestError: labels of another shape.
    """
    labels = ops.convert_to_tensor(labels)
    shape = form(tuple(labels.shape), tuple(outputs.shape), task)
    known = _known(labels, task, ignore)
    given = ops.where(known, labels, ops.zeros_like(labels))
    if task.name == "categorical" and shape == "rows":
        rows = ops.all(known, axis=-1)
        distribution = ops.cast(given, outputs.dtype)
        return Labels(ops.argmax(given, axis=-1), rows, rows, given, distribution)
    values = given
    if shape == "column" and task.name in ("categorical", "binary"):
        values, known = ops.squeeze(values, -1), ops.squeeze(known, -1)
    if shape == "plain" and task.name in ("multilabel", "regression"):
        values, known = ops.expand_dims(values, -1), ops.expand_dims(known, -1)
    values = ops.cast(values, "int32" if task.discrete else outputs.dtype)
    rows = known if task.name in ("categorical", "binary") else ops.all(known, axis=-1)
    return Labels(values, known, rows, given, None)


def _known(labels: Array, task: Task, ignore: int | None) -> Array:
    known = ops.equal(labels, labels)  # NaN differs from itself
    if task.discrete:
        known = ops.logical_and(known, ops.not_equal(labels, UNKNOWN))
    return known if ignore is None else ops.logical_and(known, ops.not_equal(labels, ignore))


def marked(labels: Labels, task: Task) -> Array:
    """The labels with the missing ones marked, as a loss of the user's own sees them.

    Args:
        labels: of a batch.
        task: what they mean.
    """
    missing = ops.cast(UNKNOWN if task.discrete else float("nan"), labels.values.dtype)
    return ops.where(labels.known, labels.values, missing)


def possible_values(labels: Labels, outputs: Array, task: Task) -> Array:
    """Whether each label is one that the task has, bool of the labels' shape.

    Args:
        labels: of a batch.
        outputs: shape (B, ..., C).
        task: what they mean.
    """
    if task.name == "regression":
        return labels.known
    highest = outputs.shape[-1] if task.name == "categorical" else 2
    return ops.logical_and(labels.values >= 0, labels.values < highest)
