"""Checks for class labels, complete or partly missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed

Labels = NDArray[np.int32]
Rows = NDArray[np.intp]
Array = NDArray[Any]

UNLABELLED = -1
"""The label of an example without one."""


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
        raise not_allowed(f"{name}.dtype", str(array.dtype), "an integer type", "Labels are class numbers from 0.")
    limit = np.iinfo(np.int32).max if classes is None else classes
    wrong = (array < 0) | (array >= limit)
    if wrong.any():
        row = int(wrong.argmax())
        rule = "a class number >= 0" if classes is None else f"a class number from 0 to {classes - 1}"
        raise not_allowed(f"{name}[{row}]", int(array[row]), rule)
    return array.astype(np.int32)


def as_partial_labels(values: ArrayLike, name: str, count: int) -> Labels:
    """Check class labels of which some may be missing, and return them with -1 there, shape (N,).

    Args:
        values: class numbers, shape (N,) or (N, 1), integers or whole floats; -1 or NaN marks a missing label.
        name: the caller's name for them, for the message.
        count: N, the number of inputs.

    Raises:
        RequestError: the wrong number of labels, or a label that is no class number.

    Example:
        >>> as_partial_labels([1.0, float("nan")], "y", 2).tolist()
        [1, -1]
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,):
        raise not_allowed(f"{name}.shape", array.shape, f"({count},), a class number for each input")
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), UNLABELLED, array)
        if (array != np.floor(array)).any():
            raise RequestError(f"{name} holds {array[array != np.floor(array)][0]:g}, and labels are whole numbers.")
    elif array.dtype.kind not in "iub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "whole numbers, the classes' numbers from 0")
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < UNLABELLED or high > 2**31 - 2:
        wrong = low if low < UNLABELLED else high
        raise not_allowed(f"label in {name}", wrong, "a class number from 0, or -1 for none")
    return array.astype(np.int32)
