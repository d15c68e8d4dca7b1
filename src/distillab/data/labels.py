"""Checks for the labels of a data set, and the names of their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.several import as_packed_labels, check_known
from distillab.errors import RequestError, not_allowed
from distillab.tasks import Task, canonical_labels, known_entries
from distillab.tasks.several import labels_of

Labels = NDArray[np.int32]
Rows = NDArray[np.intp]
Array = NDArray[Any]

UNLABELLED = -1
"""The label of an example without one."""

SEVERAL = ("multilabel", "regression", "several")
"""The tasks whose labels have a last axis: an entry for each name, or the packed columns of several outputs."""


def as_labels(values: ArrayLike, name: str = "labels", *, classes: int | None = None) -> Labels:
    """Check class labels, one for each example, and copy them.

    Args:
        values: class numbers, shape (N,), N >= 1, of any integer type.
        name: the caller's name for them, for the message.
        classes: C, if known: labels must then be in 0..C-1.

    Raises:
        RequestError: not one-dimensional, empty, not integers, negative, or not below C.

    Example:
        >>> as_labels([2, 0, 1], classes=3).tolist()
        [2, 0, 1]
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        do = f"One-hot labels become class numbers with {name}.argmax(axis=1)." if array.ndim == 2 else ""
        raise not_allowed(f"{name}.shape", array.shape, "(N,) with N >= 1: one class number for each example", do)
    if array.dtype.kind not in "iu":
        do = "Labels are class numbers from 0; state task=regression for real numbers."
        raise not_allowed(f"{name}.dtype", str(array.dtype), "an integer type", do)
    limit = np.iinfo(np.int32).max if classes is None else classes
    wrong = (array < 0) | (array >= limit)
    if wrong.any():
        row = int(wrong.argmax())
        rule = "a class number >= 0" if classes is None else f"a class number from 0 to {classes - 1}"
        raise not_allowed(f"{name}[{row}]", int(array[row]), rule)
    return array.astype(np.int32)


def as_task_labels(values: ArrayLike, task: Task, name: str = "labels", *, names: int) -> Array:
    """Check labels of any task in the form of `canonical_labels`, and copy them.

    Args:
        values: shape (N, P...), or (N, P..., C) for several labels or numbers. Some labels of an example may be
            unknown, never all of them.
        task: what they mean.
        name: the caller's name for them, for the message.
        names: C, the number of classes, labels or numbers.

    Raises:
        RequestError: another shape or type, a value that the task does not have, or an example without a known label.

    Example:
        >>> from distillab.tasks import TASKS
        >>> as_task_labels([[0, -1], [1, 1]], TASKS["multilabel"], names=2).tolist()
        [[0, -1], [1, 1]]
    """
    if task.parts:
        return as_packed_labels(values, task, name)
    array, several = np.asarray(values), task.name in SEVERAL
    if not several and (array.ndim < 2 or _is_one_hot(array, names)):
        return as_labels(array, name, classes=names)
    if array.size == 0 or (several and (array.ndim < 2 or array.shape[-1] != names)):
        each = f", {names}) with N >= 1: for each example {'a number' if task.name == 'regression' else '0 or 1'}"
        rule = f"(N{each} for each name" if several else "(N, P...) with N >= 1, no axis of length 0"
        raise not_allowed(f"{name}.shape", array.shape, rule)
    labels = canonical_labels(array, task, name, positions=array.ndim - 1 - several)
    if not several and (largest := int(labels.max())) >= names:
        raise not_allowed(
            f"label in {name}", largest, f"a class number from 0 to {names - 1}, or -1 for an unknown one"
        )
    unknown = ~known_entries(labels, task).reshape(len(labels), -1).any(axis=1)
    if unknown.any():
        row = int(unknown.argmax())
        raise RequestError(f"{name}[{row}] has no known label. Give its input as an unlabelled one.")
    return labels


def _is_one_hot(array: Array, classes: int) -> bool:
    if array.ndim != 2 or array.shape[1] != classes:
        return False
    return bool(np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all())


def label_positions(labels: ArrayLike) -> int:
    """The number of axes of positions in labels as users store them, where no model states it.

    Args:
        labels: (N,), (N, 1), (N, C), (N, H, W), (N, H, W, 1) or (N, H, W, C).
    """
    return 0 if np.ndim(labels) <= 2 else 2


def class_names(labels: Array, task: Task, names: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The names of classes or labels, by default 0, 1, ..., or of numbers, y; each class must have an example.

    Args:
        labels: in the form of `canonical_labels`.
        task: what they mean.
        names: if they are known.

    Raises:
        RequestError: a class without an example, or only one class.

    Example:
        >>> from distillab.tasks import TASKS
        >>> class_names(np.array([0, 2, 1]), TASKS["categorical"])
        ('0', '1', '2')
    """
    if task.name != "categorical":
        count = labels.shape[-1] if task.name in SEVERAL else 2
        letter = "y" if task.name == "regression" else ""
        numbered = (letter,) if letter and count == 1 else tuple(f"{letter}{number}" for number in range(count))
        return numbered if names is None else names
    present = np.unique(labels[labels != UNLABELLED])  # a label of two billion must not create as many classes
    if len(present) < 2:
        held = f"Every labelled example is of class {present[0]}" if len(present) else "No example has a label"
        raise RequestError(f"{held}; there must be at least 2 classes.")
    classes = len(names) if names is not None else int(present[-1]) + 1
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps) or len(present) < classes:
        missing = gaps[0] if len(gaps) else len(present)
        raise RequestError(
            f"No labelled example is of class {missing}, and the largest is {classes - 1}. Number the classes from "
            "0 without a gap, or state task=regression if the labels are real numbers."
        )
    return names if names is not None else tuple(str(number) for number in range(classes))


def check_variety(labels: Array, task: Task, names: tuple[str, ...], part: str) -> None:
    """Refuse a part of the data whose labels hardly differ: no metric can judge predictions by them.

    Args:
        labels: of the part, in the form of `canonical_labels`.
        task: what they mean. Regressions pass, and classes of whole examples: of those, the training part decides.
        names: of the classes or labels.
        part: its name, for the message.

    Raises:
        RequestError: a label has fewer than two positives or two negatives, or all positions are of one class.

    Example:
        >>> from distillab.tasks import TASKS
        >>> check_variety(np.array([0, 0, 1]), TASKS["binary"], ("no", "yes"), "test")
        Traceback (most recent call last):
        distillab.errors.RequestError: The test part has 1 positive label of 'yes', and at least 2 are needed...
    """
    for part_of in task.parts:
        try:
            check_variety(labels_of(part_of, labels), part_of.task, part_of.class_names, part)
        except RequestError as error:
            raise RequestError(f"Output {part_of.name!r}: {error}") from error
        check_known(labels_of(part_of, labels), part_of, part)
    if task.name == "categorical" and labels.ndim > 1:
        known = labels[labels != UNLABELLED]
        if known.min() == known.max():
            only = f"Every known label of the {part} part is {names[known[0]]!r}"
            raise RequestError(f"{only}; there must be at least 2 classes.")
    if task.name not in ("binary", "multilabel"):
        return
    entries = labels.reshape(-1, task.outputs(len(names)))
    for number, name in enumerate(names[1:] if task.name == "binary" else names):
        for value, side in ((1, "positive"), (0, "negative")):
            count = int((entries[:, number] == value).sum())
            if count < 2:
                raise RequestError(
                    f"The {part} part has {count} {side} label{'s' * (count != 1)} of {name!r}, and at least 2 are "
                    "needed. Give more examples, or split them in another way."
                )
