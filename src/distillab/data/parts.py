"""The parts of a user's data: training, validation and test examples, and those without labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore
from distillab.data.example_ids import Segments
from distillab.data.labels import Array, Rows
from distillab.data.read_options import ReadOptions
from distillab.data.splits import strata, stratified_split
from distillab.errors import RequestError, not_allowed
from distillab.tasks import Task, canonical_labels, known_entries


class Parts(NamedTuple):
    """Data in parts."""

    x: Array
    """Training inputs, those for validation among them, (N, ...)."""
    y: Array
    x_test: Array
    y_test: Array
    unlabelled: Array
    validation: Rows
    """The rows of x for validation, the trusted ones among them."""
    trusted: Rows
    """Those whose labels are known to be right."""
    labels: Array
    """Those of the training part before any were kept for the test."""
    read: Rows
    """For the rows of x that are from the training part as read, which come first, their places there."""
    trained: Segments
    tested: Segments
    others: Segments
    notes: tuple[str, ...]


def split_parts(
    arrays: dict[str, Any],
    task: Task,
    options: ReadOptions,
    store: ArrayStore,
    *,
    positions: int = 0,
    ignore: int | None = None,
) -> Parts:
    """Separate what has no label, and split off the parts for testing and validation where the data have none.

    Args:
        arrays: x_train and y_train, and perhaps those of other parts, inputs as a data set holds them.
        task: what the labels mean.
        options: the fractions and the seed of the splits.
        store: allocates the parts.
        positions: the number of axes of positions of the labels.
        ignore: a label that means none.

    Raises:
        RequestError: labels do not fit inputs or task, or no example has one.
    """
    parts = {
        part: _labelled_part(arrays, part, task, positions, ignore)
        for part in ("train", "test", "validation", "trusted")
        if f"x_{part}" in arrays
    }
    read = np.flatnonzero(_is_labelled(parts["train"][1], task))
    others: Segments = (("train", np.setdiff1d(np.arange(len(parts["train"][1])), read)),)
    x, y, unlabelled = _separate_unlabelled(*parts["train"], arrays, task, store)
    others += (("unlabelled", np.arange(len(unlabelled) - len(others[0][1]))),)
    labels, notes = y, tuple[str, ...]()
    rng = np.random.default_rng([11, options.seed])  # independent of every stream of a study
    if "test" in parts:
        x_test, y_test = parts["test"]
        labelled = _is_labelled(y_test, task)
        if not labelled.all():
            x_test, y_test = store.gather([(x_test, np.flatnonzero(labelled))]), y_test[labelled]
        tested: Segments = (("test", np.flatnonzero(labelled)),)
    else:
        rows, test_rows = stratified_split(strata(task, y), share=options.test, rng=rng)
        x_test, x = store.gather([(x, test_rows)]), store.gather([(x, rows)])
        y_test, y = y[test_rows], y[rows]
        tested, read = (("train", read[test_rows]),), read[rows]
        share = f"{len(y_test):,} labelled examples ({options.test:.0%})"
        notes = (f"The data have no test part: {share} were kept for it.",)
    trained: Segments = (("train", read),)
    validation, trusted = np.empty(0, np.intp), np.empty(0, np.intp)
    if "validation" not in parts:
        validation = stratified_split(strata(task, y), share=options.validation, rng=rng)[1]
    for part in ("validation", "trusted"):
        if part in parts:
            rows = np.arange(len(x), len(x) + len(parts[part][1]))
            trained += ((part, np.arange(len(rows))),)
            x = store.gather([(x, None), (parts[part][0], None)])
            y = np.concatenate([y, parts[part][1]])
            validation = np.concatenate([validation, rows])
            trusted = rows if part == "trusted" else trusted
    return Parts(x, y, x_test, y_test, unlabelled, validation, trusted, labels, read, trained, tested, others, notes)


def _separate_unlabelled(
    x: Array, y: Array, arrays: dict[str, Any], task: Task, store: ArrayStore
) -> tuple[Array, Array, Array]:
    """Labelled inputs, their labels, and the unlabelled inputs."""
    labelled = _is_labelled(y, task)
    parts: list[tuple[Array, Rows | None]] = [(x, np.flatnonzero(~labelled))]
    if "x_unlabelled" in arrays:
        parts.append((arrays["x_unlabelled"], None))
    unlabelled = store.gather(parts)
    if not labelled.all():
        x, y = store.gather([(x, np.flatnonzero(labelled))]), y[labelled]
    if len(y) == 0:
        raise RequestError("No example has a label. Choosing alpha and evaluating a student need labelled examples.")
    return x, y, unlabelled


def _is_labelled(labels: Array, task: Task) -> NDArray[np.bool_]:
    """Which examples have a known label."""
    return np.asarray(known_entries(labels, task).reshape(len(labels), -1).any(axis=1))


def _labelled_part(
    arrays: dict[str, Any], part: str, task: Task, positions: int, ignore: int | None
) -> tuple[Array, Array]:
    x, y = arrays[f"x_{part}"], np.asarray(arrays[f"y_{part}"])
    if y.shape[:1] != x.shape[:1]:
        raise not_allowed(f"y_{part}.shape", y.shape, f"({len(x)}, ...), a label for each input")
    return x, y if task.parts else canonical_labels(y, task, f"y_{part}", positions=positions, ignore=ignore)
