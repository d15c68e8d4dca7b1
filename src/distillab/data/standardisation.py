"""Mean and standard deviation of features, and of the numbers that a regression predicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.errors import RequestError


def feature_scale(x: Array) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Mean and standard deviation of each feature, (F,); None for images.

    Args:
        x: inputs, (N, F) or (N, H, W, C).
    """
    if x.ndim != 2:
        return None, None
    rows = np.ascontiguousarray(x)  # the order of the sums depends on the layout
    with np.errstate(invalid="ignore"):  # `Dataset` reports infinities
        mean, spread = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32)


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
