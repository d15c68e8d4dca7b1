"""Teachers whose predictions are stored: looked up by the contents of the inputs, all classes or the top k."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.models.prediction_files import chunks, is_top_k, read_mapped, read_top_k
from distillab.models.predictions import CATEGORICAL, Predictions, are_probabilities
from distillab.models.top_k import TopK
from distillab.study.outputs import check_outputs
from distillab.tasks import Head


class StoredTeacher(NamedTuple):
    """Stored predictions of one teacher for the examples of a data set."""

    name: str
    digest: str
    predict: Callable[[Array], NDArray[np.float32]]
    """From inputs as stored to logits of all classes."""
    top_k: Callable[[Array], TopK] | None = None
    """From inputs as stored to the top k; None where all classes are stored, or the top k is no smaller."""


def stored_teacher(path: Path, dataset: Dataset) -> StoredTeacher:
    """Read stored predictions.

    Args:
        path: of `store_predictions`.
        dataset: the data.

    Raises:
        RequestError: the files are damaged or do not fit the data, or an example has no prediction.
    """
    stored = Predictions.read(path, dataset.task)
    check_outputs(f"The teacher {path.name}", stored.shape[1:], dataset)
    for part in (dataset.x_train, dataset.unlabelled, dataset.x_test):
        stored.rows(part)  # missing predictions are an error now, not after the search
    top_k = stored.top_k_of if _is_short(stored) else None
    return StoredTeacher(path.name, stored.digest(), lambda inputs: dataset.standardised(stored.of(inputs)), top_k)


def stored_head(path: Path) -> Head:
    """The outputs of the model that made stored predictions, as far as their values show them.

    Args:
        path: of `store_predictions`.

    Raises:
        RequestError: the files are damaged.
    """
    if is_top_k(path):
        top, outputs = read_top_k(path)
        return Head(outputs, "softmax", top.rest.ndim - 1, path.name)
    stored = read_mapped(path)
    outputs = 1 if stored.ndim == 1 else stored.shape[-1]
    ending = "softmax" if outputs > 1 and _all(stored, lambda p: are_probabilities(p, CATEGORICAL)) else ""
    if not ending and _all(stored, lambda p: bool(((p >= 0) & (p <= 1)).all())):
        ending = "sigmoid"
    return Head(outputs, ending, max(0, stored.ndim - 2), path.name)


def _all(stored: Array, holds: Callable[[Array], bool]) -> bool:
    return all(holds(stored[piece]) for piece in chunks(stored))


def _is_short(stored: Predictions) -> bool:
    """Whether a top k takes less memory than all logits: k values, k numbers and the rest."""
    return isinstance(stored.stored, TopK) and 2 * stored.stored.values.shape[-1] + 1 < stored.shape[-1]
