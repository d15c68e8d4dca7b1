"""New rows for a table, each between a training row and its nearest neighbour: inputs for a teacher to label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array, Rows

SWAP = 0.5
"""The default probability with which a value is taken from the neighbour."""

LOCAL = 1.0
"""The default divisor of the distance between two numbers, which gives the spread of the numbers between them."""

PAIRS = 2**24
"""Pairs of rows whose distances are computed at once."""


def munge(
    x: Array, count: int, *, words: Sequence[bool], rng: np.random.Generator, p: float = SWAP, s: float = LOCAL
) -> Array:
    """Make rows that are like the rows of a table, without knowing how those were drawn.

    A row e is copied, and e' is its nearest neighbour. With probability p, each for itself, a value e_a becomes
    e'_a where it is a word, or where either is missing; a number is drawn from N(e'_a, (|e_a - e'_a| / s)^2). All rows
    are used equally often, up to one.

    Args:
        x: (N, F), N >= 2: numbers, codes of words, NaN where missing.
        count: the number of rows to make, M >= 0.
        words: of each column, whether its numbers are codes of words or booleans.
        rng: chooses rows, values and numbers.
        p: from 0 to 1.
        s: > 0.

    Returns:
        (M, F), of the type of x.

    Example:
        >>> x = np.float32([[1, 0], [2, 1], [9, 0]])
        >>> munge(x, 3, words=[False, True], rng=np.random.default_rng(0), p=0.0)[:, 0].tolist()
        [9.0, 1.0, 2.0]

    Source: C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006, algorithm 1.

    Note: the paper exchanges values, so that the neighbour changes too and later rows meet changed ones. Here each row
        is made from the table as it is, so that the order of rows means nothing.
    """
    order = np.concatenate([rng.permutation(len(x)) for _ in range(-(-count // len(x)))] or [np.empty(0, int)])[:count]
    chosen, back = np.unique(order, return_inverse=True)
    other = x[nearest_others(x, chosen, words=words)[back]].astype(np.float64)
    own = x[order].astype(np.float64)
    taken = rng.random(own.shape) < p
    spread = np.where(np.isnan(own - other) | np.asarray(words, bool), 0.0, np.abs(own - other) / s)
    made = np.where(taken, other + spread * rng.standard_normal(own.shape), own)
    if x.dtype == np.uint8:
        made = np.clip(np.rint(made), 0, 255)
    return np.asarray(made, x.dtype)


def nearest_others(x: Array, rows: Rows, *, words: Sequence[bool]) -> Rows:
    """The nearest other row of each of some rows; of equally near ones the first.

    The squared distance is a sum over columns: (a - b)^2 of numbers, each column scaled to a range of 1; of words 0 if
    they are equal, otherwise 1. A missing word is a word like others; a missing number lies in the middle of the range,
    and 1 away from all known ones besides.

    Args:
        x: (N, F), N >= 2, NaN where missing.
        rows: (M,), from 0 to N-1.
        words: as in `munge`.

    Returns:
        (M,), none equal to its own row.

    Example:
        >>> x = np.float32([[0, 0], [10, 0], [4, 0], [5, 1]])
        >>> nearest_others(x, np.array([0, 2]), words=[False, True]).tolist()
        [2, 0]
    """
    points = _points(np.asarray(x, np.float64), np.asarray(words, bool))
    squares = (points**2).sum(axis=1)
    step, found = max(1, PAIRS // len(x)), []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        distances = squares - 2 * points[part] @ points.T  # less the square of the row itself, the same for all others
        distances[np.arange(len(part)), part] = np.inf
        least = distances.min(axis=1, keepdims=True)
        found.append((distances <= least + 1e-9).argmax(axis=1))  # equally near ones differ in their last bits
    return np.concatenate(found) if found else np.empty(0, np.intp)


def _points(x: NDArray[np.float64], words: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The rows as points whose Euclidean distance is that of `nearest_others`."""
    parts: list[Any] = []
    for values, is_words in zip(x.T, words, strict=True):
        missing = np.isnan(values)
        if is_words:
            codes = np.where(missing, -1, values)
            parts.append((codes[:, None] == np.unique(codes)) / np.sqrt(2))
            continue
        known = values[~missing]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
        scaled = (values - (low + high) / 2) / (high - low) if high > low else np.zeros_like(values)
        parts += [np.where(missing, 0.0, scaled)[:, None], missing[:, None].astype(np.float64)]
    return np.concatenate(parts, axis=1)
