"""A data set with more unlabelled rows, made from its training rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.example_ids import ExampleIds
from distillab.data.munge import munge
from distillab.errors import RequestError

SEED = 13
"""Of the rows: the same data give the same."""


def with_resampled_rows(dataset: Dataset, count: int) -> Dataset:
    """Add unlabelled rows that `munge` makes from the training rows; validation and test rows take no part in them.

    Args:
        dataset: of features, at least two training rows.
        count: the number of rows to add; 0: the data set comes back as it is.

    Raises:
        RequestError: the data are no features.
    """
    if count == 0:
        return dataset
    kinds = list(dataset.input_kinds.values())
    if kinds != ["features"]:
        raise RequestError(f"resample={count} is for tables of features, and the data are {' and '.join(kinds)}.")
    x, training = dataset.x_train[dataset.training], len(dataset.training)
    if training < 2:
        raise RequestError(f"resample={count} needs at least 2 training rows, and the data have {training}.")
    words = [False] * x.shape[1] if dataset.columns is None else dataset.columns.are_words
    made = munge(x, count, words=words, rng=np.random.default_rng(SEED))
    note = (
        f"{count:,} unlabelled rows were made from the {training:,} training rows, each between a row and its nearest "
        "neighbour (munge); the teacher labels them."
    )
    ids = dataset.example_ids
    others = (*ids.unlabelled, ("resampled", np.arange(count)))
    return replace(
        dataset,
        unlabelled=np.concatenate([dataset.unlabelled, made]),
        notes=(*dataset.notes, note),
        ids=ExampleIds(ids.train, ids.test, others, ids.names),
    )
