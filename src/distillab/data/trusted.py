"""Trusted examples: their labels are known to be right, and no student trains on them before it is judged by them."""

from __future__ import annotations

import numpy as np

from distillab.data.array_store import pieces, taken
from distillab.data.dataset import Dataset
from distillab.errors import RequestError


def checked_trusted(dataset: Dataset) -> Dataset:
    """The data set, whose trusted inputs are not among the training inputs.

    Args:
        dataset: with or without trusted rows.

    Raises:
        RequestError: a trusted input is a training input too: students would be judged by what they learned.

    Example:
        >>> x, y = np.arange(8.0, dtype=np.float32).reshape(4, 2), [0, 1, 0, 1]
        >>> held_out = {"validation": np.array([2, 3]), "trusted": np.array([2])}
        >>> len(checked_trusted(Dataset("tiny", x, y, x, y, ("no", "yes"), 1.0, **held_out)).trusted)
        1
    """
    if not len(dataset.trusted):
        return dataset
    trusted = {row.tobytes() for row in np.ascontiguousarray(taken(dataset.x_train, dataset.trusted))}
    training = np.zeros(len(dataset.x_train), np.bool_)
    training[dataset.training] = True
    same = sum(
        row.tobytes() in trusted
        for start, rows in pieces(dataset.x_train)
        for row in rows[training[start : start + len(rows)]]
    )
    if same:
        raise RequestError(
            f"The trusted examples overlap the training examples: {same:,} inputs are in both. Leave these out of the "
            "training part: students would be judged by what they learned."
        )
    return dataset
