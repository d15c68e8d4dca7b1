"""Samples as the statistics take them: checked once, in float64, with one rule for "all the same"."""

from __future__ import annotations

import operator
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed

Floats = NDArray[np.float64]

SAME = 1e-9
"""Relative spread below which a sample counts as identical.

Differences of accuracies near 1 carry rounding errors near 2e-16, which is 2e-12 of a difference of 0.0001: far below
this bound. One example more or less in a test set of a million is 1e-6: far above it.
"""


def as_sample(values: ArrayLike, name: str = "values") -> Floats:
    """Check one number per seed.

    Args:
        values: shape (R,), R >= 1, all finite.
        name: what the caller calls them, for the message.

    Returns:
        The values, shape (R,).

    Raises:
        RequestError: wrong shape, no value, or a value that is not finite.
    """
    return _checked(values, name, dimensions=1, shape="(seeds,)")


def as_scores(scores: ArrayLike, name: str = "scores") -> Floats:
    """Check one number per seed (row) and candidate (column).

    Args:
        scores: shape (R, K), R >= 1 and K >= 1, all finite.
        name: what the caller calls them, for the message.

    Returns:
        The scores, shape (R, K).

    Raises:
        RequestError: wrong shape, nothing in it, or a value that is not finite.
    """
    return _checked(scores, name, dimensions=2, shape="(seeds, candidates)")


def identical(values: Floats) -> NDArray[np.bool_]:
    """Say which columns hold one value only, up to rounding.

    Args:
        values: shape (R, ...).

    Returns:
        shape (...): True where the spread is at most `SAME` times the largest magnitude. One seed is always identical.
    """
    spread = values.max(axis=0) - values.min(axis=0)
    return np.asarray(spread <= SAME * np.abs(values).max(axis=0), dtype=np.bool_)


def along_memory(values: Floats) -> Floats:
    """The same values with each column in one piece of memory.

    NumPy then sums a column of many as it sums one that stands alone, in pairs: to the bit the same.

    Args:
        values: shape (R, K).
    """
    return np.asfortranarray(values)


def check_share(name: str, value: float) -> None:
    """Refuse a confidence, significance or power outside (0, 1)."""
    if not 0.0 < value < 1.0:
        raise not_allowed(name, value, "a number strictly between 0 and 1")


def check_margin(margin: float) -> None:
    """Refuse a margin that is not a positive, finite number."""
    if not (np.isfinite(margin) and margin > 0.0):
        raise not_allowed("margin", margin, "> 0", "It is the largest difference that does not matter in practice.")


def check_count(name: str, value: SupportsIndex, least: int) -> None:
    """Refuse a count below `least`, or one that is no whole number."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = least - 1
    if whole < least:
        raise not_allowed(name, value, f"a whole number of at least {least}")


def _checked(values: ArrayLike, name: str, dimensions: int, shape: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or array.size == 0:
        raise not_allowed(f"{name}.shape", array.shape, f"{shape}, with at least one of each")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise not_allowed(
            f"{name}{list(place)}",
            float(array[place]),
            "a finite number",
            "A student that diverged has no accuracy to compare: leave its seed out of every column and say so.",
        )
    return array
