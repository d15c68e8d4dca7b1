"""Mean and standard deviation of features, and of the numbers that a regression predicts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore, is_mapped, pieces
from distillab.data.inputs import INPUT, input_kind, parts_of
from distillab.data.labels import Array
from distillab.errors import RequestError


def feature_scale(x: Array, store: ArrayStore | None = None) -> tuple[Any, Any]:
    """Mean and standard deviation of each feature, (F,), of a series over its examples and times; None for others.

    Args:
        x: inputs, (N, F), (N, T, F), (N, H, W, C) or token ids (N, T); structured, (N,), of several inputs.
        store: keeps what is computed of mapped inputs.

    Returns:
        Mean and standard deviation; of several inputs, each a dictionary by name; (None, None) where none is scaled.
    """
    found = {name: _scale_of(part, store or ArrayStore()) for name, part in parts_of(x).items()}
    if x.dtype.names is None:
        return found[INPUT]
    if all(mean is None for mean, _ in found.values()):
        return None, None
    return {name: mean for name, (mean, _) in found.items()}, {name: spread for name, (_, spread) in found.items()}


def _scale_of(part: Array, store: ArrayStore) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    if input_kind(part) not in ("features", "series"):
        return None, None
    if is_mapped(part):
        mean = _mean(part, lambda rows: rows.astype(np.float64), store)
        spread = np.sqrt(_mean(part, lambda rows: (rows - mean) ** 2, store))
        return mean.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32)
    rows = np.ascontiguousarray(part).reshape(-1, part.shape[-1])  # the order of the sums depends on the layout
    with np.errstate(invalid="ignore"):  # `Dataset` reports infinities
        mean, spread = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32)


def _mean(part: Array, of: Callable[[Array], Array], store: ArrayStore) -> NDArray[np.float64]:
    """The mean over examples and times, a piece at a time, added up in NumPy's order.

    NumPy adds the rows of several columns one after another. It adds a single column in pairs of pairs, which no
    pieces can: the numbers then go to a file.
    """
    columns, count = part.shape[-1], math.prod(part.shape[:-1])
    if columns == 1:
        numbers = store.gather([(part, None)], of)
        return np.asarray(np.add.reduce(numbers.reshape(-1, 1), axis=0) / count)
    total: NDArray[np.float64] | None = None
    for _, rows in pieces(part):
        values = of(np.ascontiguousarray(rows).reshape(-1, columns))
        total = np.add.reduce(values if total is None else np.concatenate([total[None], values]), axis=0)
    return np.asarray(total) / count


def target_scale(labels: Array, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each number over the examples and positions where it is known, (C,).

    Args:
        labels: training labels of a regression, (N, P..., C), NaN for unknown.
        names: of the numbers, for the message.

    Raises:
        RequestError: all known labels of a number are equal.

    Example:
        >>> mean, spread = target_scale(np.array([[1.0], [3.0], [np.nan]]), ("price",))
        >>> mean.tolist(), spread.tolist()
        ([2.0], [1.0])
    """
    columns = labels.reshape(-1, len(names)).astype(np.float64)
    known = [columns[~np.isnan(columns[:, number]), number] for number in range(len(names))]
    for name, values in zip(names, known, strict=True):
        if not len(values) or values.min() == values.max():  # a standard deviation may round to more than 0
            held = f"are all {values[0]:g}" if len(values) else "are all unknown"
            raise RequestError(f"The training labels of {name!r} {held}: there is nothing to learn. Give other labels.")
    return np.array([values.mean() for values in known]), np.array([values.std() for values in known])
