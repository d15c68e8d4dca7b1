"""What the closed forms accept: arrays that fit each other, numbers in their range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed

Floats = NDArray[np.float64]


def as_vector(values: ArrayLike, name: str, length: int | None = None) -> Floats:
    """A finite vector, of a given length where one is asked for."""
    array = _finite(values, name)
    if array.ndim != 1 or not len(array) or (length is not None and len(array) != length):
        raise not_allowed(f"{name}.shape", array.shape, f"({'n' if length is None else length},)")
    return array


def as_matrix(values: ArrayLike, name: str, shape: tuple[int | None, int | None] = (None, None)) -> Floats:
    """A finite matrix, of given numbers of rows and columns where they are asked for."""
    array = _finite(values, name)
    fits = array.ndim == 2 and all(wanted in (None, given) for given, wanted in zip(array.shape, shape, strict=True))
    if not fits or not len(array):
        told = ", ".join("any" if wanted is None else str(wanted) for wanted in shape)
        raise not_allowed(f"{name}.shape", array.shape, f"({told})")
    return array


def as_covariance(values: ArrayLike, name: str, examples: int) -> Floats:
    """A variance, a variance an example, or a covariance matrix, as a matrix of shape (n, n)."""
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


def at_least(value: float, least: float, name: str) -> float:
    """A finite number that is not below a bound."""
    number = as_number(value, name)
    if number < least:
        raise not_allowed(name, value, f"at least {least:g}")
    return number


def more_than(value: float, bound: float, name: str) -> float:
    """A finite number above a bound."""
    number = as_number(value, name)
    if number <= bound:
        raise not_allowed(name, value, f"more than {bound:g}")
    return number


def within(value: float, low: float, high: float, name: str) -> float:
    """A number in a closed range."""
    number = as_number(value, name)
    if not low <= number <= high:
        raise not_allowed(name, value, f"from {low:g} to {high:g}")
    return number


def as_number(value: float, name: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise not_allowed(name, value, "a finite number")
    return float(value)


def as_count(value: int, least: int, name: str) -> int:
    """A whole number that is not below a bound."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise not_allowed(name, value, f"a whole number, at least {least}")
    return int(value)


def _finite(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise not_allowed(name, "an array with NaN or infinity", "finite")
    return array
