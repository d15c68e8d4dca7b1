"""Checked samples in float64, and the one rule for identical values."""

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
    """Check one number per seed, shape (R,).

    Args:
        values: shape (R,), R >= 1, all finite.
        name: the argument's, for the message.
    """
    return _checked(values, name, dimensions=1, shape="(seeds,)")


def as_scores(scores: ArrayLike, name: str = "scores") -> Floats:
    """Check one number per seed (row) and candidate (column), shape (R, K).

    Args:
        scores: shape (R, K), R >= 1 and K >= 1, all finite.
        name: the argument's, for the message.
    """
    return _checked(scores, name, dimensions=2, shape="(seeds, candidates)")


def identical(values: Floats) -> NDArray[np.bool_]:
    """Find the columns that hold one value only: their spread is at most `SAME` times their largest magnitude.

    Args:
        values: shape (R, ...). One seed is always identical.
    """
    spread = values.max(axis=0) - values.min(axis=0)
    return np.asarray(spread <= SAME * np.abs(values).max(axis=0), dtype=np.bool_)


def contiguous_columns(values: Floats) -> Floats:
    """The same values with each column contiguous in memory.

    NumPy then sums a column of many in the same order as a single one: the results are equal to the bit.

    Args:
        values: shape (R, K).
    """
    return np.asfortranarray(values)


def check_significance(significance: float) -> None:
    """Check the significance of one-sided tests.

    Args:
        significance: strictly between 0 and 0.5.
    """
    if not 0.0 < significance < 0.5:
        raise not_allowed("significance", significance, "a number strictly between 0 and 0.5")


def check_share(name: str, value: float) -> None:
    """Check a confidence, significance or power.

    Args:
        name: the argument's.
        value: strictly between 0 and 1.
    """
    if not 0.0 < value < 1.0:
        raise not_allowed(name, value, "a number strictly between 0 and 1")


def check_margin(margin: float) -> None:
    """Check a margin.

    Args:
        margin: finite, > 0.
    """
    if not (np.isfinite(margin) and margin > 0.0):
        raise not_allowed("margin", margin, "> 0", "It is the largest difference that does not matter in practice.")


def check_count(name: str, value: SupportsIndex, least: int) -> None:
    """Check a count.

    Args:
        name: the argument's.
        value: a whole number.
        least: its smallest allowed value.
    """
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
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise not_allowed(
            f"{name}{list(index)}",
            float(array[index]),
            "a finite number",
            "A student that diverged has no accuracy to compare: leave its seed out of every column and say so.",
        )
    return array
