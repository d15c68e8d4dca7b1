"""Checks of the closed forms' arguments: arrays that fit each other, numbers in their range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed

Floats = NDArray[np.float64]


def as_vector(values: ArrayLike, name: str, length: int | None = None) -> Floats:
    """Check a finite vector.

    Args:
        values: shape (n,), n >= 1.
        name: the argument's, for messages.
        length: required n; None: any.
    """
    array = _finite(values, name)
    if array.ndim != 1 or not len(array) or (length is not None and len(array) != length):
        raise not_allowed(f"{name}.shape", array.shape, f"({'n' if length is None else length},)")
    return array


def as_matrix(values: ArrayLike, name: str, shape: tuple[int | None, int | None] = (None, None)) -> Floats:
    """Check a finite matrix.

    Args:
        values: shape (n, m), n >= 1.
        name: the argument's, for messages.
        shape: required rows and columns; None: any.
    """
    array = _finite(values, name)
    fits = array.ndim == 2 and all(wanted in (None, given) for given, wanted in zip(array.shape, shape, strict=True))
    if not fits or not len(array):
        allowed = ", ".join("any" if wanted is None else str(wanted) for wanted in shape)
        raise not_allowed(f"{name}.shape", array.shape, f"({allowed})")
    return array


def as_covariance(values: ArrayLike, name: str, examples: int) -> Floats:
    """Check a covariance, and give its matrix, shape (n, n).

    Args:
        values: one variance, one an example (n,), or a covariance matrix (n, n).
        name: the argument's, for messages.
        examples: n.
    """
    array = _finite(values, name)
    if array.ndim < 2:
        if array.ndim == 1 and len(array) != examples:
            raise not_allowed(f"{name}.shape", array.shape, f"(), ({examples},) or ({examples}, {examples})")
        if (array < 0).any():
            raise not_allowed(name, float(array.min()), "a variance, at least 0")
        return np.diag(np.broadcast_to(array, (examples,)))
    array = as_matrix(array, name, (examples, examples))
    if not np.allclose(array, array.T):
        raise not_allowed(name, "a matrix", "symmetric")
    if np.linalg.eigvalsh(array)[0] < -1e-9 * max(np.trace(array), 1.0):
        raise not_allowed(name, "a matrix", "positive semidefinite: no combination of labels has a negative variance")
    return array


def as_number(value: float, name: str, low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> float:
    """Check a finite number in a range.

    Args:
        value: the number.
        name: the argument's, for messages.
        low: the smallest allowed value.
        high: the largest allowed value.
        above: whether `low` itself is excluded.
    """
    finite = not isinstance(value, bool) and isinstance(value, int | float | np.number) and math.isfinite(value)
    if not finite or not low <= value <= high or (above and value == low):
        bound = f"{'more than' if above else 'at least'} {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise not_allowed(name, value, bound if finite else "a finite number")
    return float(value)


def as_count(value: int, least: int, name: str) -> int:
    """Check a whole number with a lower bound.

    Args:
        value: the number.
        least: its smallest allowed value.
        name: the argument's, for messages.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise not_allowed(name, value, f"a whole number, at least {least}")
    return int(value)


def _finite(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise not_allowed(name, "an array with NaN or infinity", "finite")
    return array
