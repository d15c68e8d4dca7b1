"""The one check that class labels pass on their way in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed

Labels = NDArray[np.int32]
Rows = NDArray[np.intp]
Array = NDArray[Any]


def as_labels(values: ArrayLike, name: str = "labels", *, classes: int | None = None) -> Labels:
    """Take class labels in, refusing what would be misread later.

    Args:
        values: class numbers, shape (N,), N >= 1, of any integer type.
        name: what the caller calls them, for the message.
        classes: C, where it is known: labels must then be in 0..C-1.

    Returns:
        A fresh copy, shape (N,).

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
