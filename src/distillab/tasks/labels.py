"""Labels of each task in one form, the unknown ones marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed
from distillab.tasks.task import Task

UNKNOWN = -1
"""A label that is missing, of every task but regression, where it is NaN."""

Array = NDArray[Any]


def canonical_labels(
    values: ArrayLike, task: Task, name: str = "y", *, positions: int = 0, ignore: int | None = None
) -> Array:
    """Check labels of a task, and return them in the one form that everything else expects.

    Args:
        values: labels, (N, P...) or (N, P..., 1) for one of several classes (also one-hot) and for yes or no, (N, P...,
            C) for several labels or numbers; -1 or NaN marks a missing one.
        task: what they mean.
        name: the caller's name for them, for messages.
        positions: the number of axes P.
        ignore: a class number, or value, that means "no label here", such as 255.

    Returns:
        int32 of shape (N, P...) for categorical and binary, int32 (N, P..., C) for multilabel, with -1 for unknown;
        float32 (N, P..., C) for regression, with NaN for unknown.

    Raises:
        RequestError: another shape or type, or values that the task does not have.

    Example:
        >>> from distillab.tasks import TASKS
        >>> canonical_labels([[1.0], [float("nan")]], TASKS["binary"]).tolist()
        [1, -1]
        >>> canonical_labels([2.5, 1.0], TASKS["regression"]).tolist()
        [[2.5], [1.0]]
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "numbers")
    if ignore is not None:
        array = np.where(array == ignore, np.nan, array)
    if array.dtype.kind == "f":
        _check_finite(array, name)
    alone = array.ndim == positions + 1
    if 0 in array.shape[1:] or (not alone and array.ndim != positions + 2):
        axes = ", ".join(["N", *["P"] * positions]) + "," * (positions == 0)
        raise not_allowed(f"{name}.shape", array.shape, f"({axes}) or with one more axis, none of length 0")
    if task.name == "regression":
        return (array[..., None] if alone else array).astype(np.float32)
    numbers = np.where(np.isnan(array), UNKNOWN, array) if array.dtype.kind == "f" else array.astype(np.int64)
    if task.name == "multilabel":
        return _zero_one(numbers[..., None] if alone else numbers, name, task)
    if not alone and array.shape[-1] > 1:
        if task.name == "binary":
            raise not_allowed(f"{name}.shape", array.shape, "one 0 or 1 for each example", "task=multilabel has more.")
        return _from_one_hot(numbers, name)
    numbers = numbers if alone else numbers[..., 0]
    return _zero_one(numbers, name, task) if task.name == "binary" else _classes(numbers, name)


def _check_finite(array: Array, name: str) -> None:
    infinite = np.abs(array.astype(np.float64)) > np.finfo(np.float32).max  # a NaN is not
    if infinite.any():
        row = int(np.argwhere(infinite)[0][0])
        raise RequestError(
            f"{name}[{row}] is infinite in float32; labels are finite numbers, or NaN for a missing one."
        )


def _zero_one(array: Array, name: str, task: Task) -> Array:
    wrong = ~np.isin(array, (0, 1, UNKNOWN))
    if wrong.any():
        value = array[wrong].reshape(-1)[0]
        raise not_allowed(
            f"label in {name}", float(value) if array.dtype.kind == "f" else int(value), "0 or 1, or -1 for a missing "
            f"label, with task={task.name}",
        )  # fmt: skip
    return array.astype(np.int32)


def _classes(array: Array, name: str) -> Array:
    if (array != np.floor(array)).any():
        value = array[array != np.floor(array)].reshape(-1)[0]
        raise RequestError(
            f"{name} holds {value:g}, and labels are whole numbers. State task=regression if they are real numbers."
        )
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < UNKNOWN or high > 2**31 - 2:
        wrong = low if low < UNKNOWN else high
        do = "State task=regression for real numbers."
        raise not_allowed(f"label in {name}", wrong, "a class number from 0, or -1 for none", do)
    return array.astype(np.int32)


def _from_one_hot(array: Array, name: str) -> Array:
    unknown = (array == UNKNOWN).any(axis=-1)
    one_hot = np.isin(array, (0, 1)).all(axis=-1) & (array.sum(axis=-1) == 1)
    wrong = ~(one_hot | unknown)
    if wrong.any():
        row = np.argwhere(wrong)[0]
        raise RequestError(
            f"{name}{row.tolist()} is {array[tuple(row)].tolist()[:8]}, which is not one-hot: one 1 among 0s. Give "
            "class numbers or one-hot labels, or state task=multilabel or task=regression."
        )
    return np.where(unknown, UNKNOWN, array.argmax(axis=-1)).astype(np.int32)


def known_entries(labels: Array, task: Task) -> NDArray[np.bool_]:
    """Which entries of labels are known, of the labels' shape.

    Args:
        labels: in the form of `canonical_labels`.
        task: what they mean.
    """
    return np.asarray(labels != UNKNOWN if task.discrete else ~np.isnan(labels))
