"""Weights of examples: given one by one, by class, or both, whose product counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.labels import Array, Rows
from distillab.errors import RequestError, not_allowed, unknown
from distillab.tasks import Task

Weights = NDArray[np.float32]

BALANCED = "balanced"
"""Class weights that give every class the same total."""

ClassWeight = str | Mapping[str, float]
"""`BALANCED`, or a weight for each class by name; classes that it leaves out weigh 1."""


def checked_weights(values: ArrayLike, count: int, name: str = "weights") -> Weights:
    """Check weights of examples and copy them: float32, read-only.

    Args:
        values: (N,) or (N, 1), finite, >= 0, not all 0.
        count: N.
        name: the caller's name for them, for messages.

    Raises:
        RequestError: they are not; the message names the first such row.

    Example:
        >>> checked_weights([1, 0.5], 2).tolist()
        [1.0, 0.5]
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,):
        raise not_allowed(f"{name}.shape", array.shape, f"({count},): a weight for each example")
    if array.dtype.kind not in "fiub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "numbers")
    weights = array.astype(np.float32)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise not_allowed(f"{name}[{wrong[0]}]", float(array[wrong[0]]), "a finite number >= 0")
    if not weights.any():
        raise not_allowed(name, "0 everywhere", "more than 0 for at least one example")
    weights.setflags(write=False)
    return weights


def weights_of_column(values: Sequence[Any], column: str, where: Sequence[str] | None = None) -> Weights:
    """The weights in a column of a table.

    Args:
        values: its entries, texts or numbers.
        column: its name, for messages.
        where: of each row its file and number, for messages, such as "data.csv: row 7"; by default "row 0" and so on.

    Raises:
        RequestError: an entry is no finite number >= 0, or all are 0; the message names the row.

    Example:
        >>> weights_of_column(["1", "2.5"], "weight").tolist()
        [1.0, 2.5]
    """
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            numbers[row] = float("nan" if value is None else value)
        except (TypeError, ValueError):
            numbers[row] = math.nan
        if not 0 <= numbers[row] < math.inf:
            place = f"row {row}" if where is None else where[row]
            raise not_allowed(f"{place}: the weight in column {column!r}", value, "a finite number >= 0")
    return checked_weights(numbers, len(values), f"the column {column!r}")


def check_class_weight(given: ClassWeight | None) -> None:
    """Check what `ReadOptions.class_weight` says, before there are data.

    Args:
        given: by the user.

    Raises:
        RequestError: another word than "balanced", or a weight that is no finite number >= 0.
    """
    if isinstance(given, str) and given != BALANCED:
        raise not_allowed("class_weight", given, f"{BALANCED!r}, or from Python a mapping of class names to weights")
    if isinstance(given, Mapping):
        for name, weight in given.items():
            number = isinstance(weight, (int, float, np.number)) and not isinstance(weight, bool)
            if not number or not 0 <= weight < math.inf:
                raise not_allowed(f"class_weight[{name!r}]", weight, "a finite number >= 0")


def class_weights(labels: Array, task: Task, names: Sequence[str], given: ClassWeight) -> Weights:
    """The weight of each example by its class.

    Formula: balanced weights are `N / (C n_c)`, where n_c is the number of examples of class c.

    Args:
        labels: class numbers, (N,).
        task: what they mean: one of several classes, or yes or no.
        names: of the classes.
        given: `BALANCED`, or weights by class name.

    Raises:
        RequestError: the labels are no classes of whole examples, or a class has another name.

    Example:
        >>> from distillab.tasks import TASKS
        >>> class_weights(np.array([0, 0, 1]), TASKS["categorical"], ("no", "yes"), "balanced").tolist()
        [0.75, 0.75, 1.5]

    Source: King and Zeng, "Logistic Regression in Rare Events Data", 2001, as in scikit-learn's `class_weight`.
    """
    check_class_weight(given)
    if task.name not in ("categorical", "binary") or labels.ndim != 1:
        raise RequestError(
            "class_weight weighs examples by their class, and these labels are no classes of whole examples. Give a "
            "weight for each example instead, as (x, y, weights)."
        )
    known = labels[labels >= 0]
    counts = np.bincount(known, minlength=len(names))
    if isinstance(given, Mapping):
        for name in given:
            if str(name) not in names:
                raise unknown("class in class_weight", str(name), names)
        by_name = {str(name): float(weight) for name, weight in given.items()}
        each = np.array([by_name.get(name, 1.0) for name in names])
    else:
        each = len(known) / (len(names) * np.maximum(1, counts))
    return np.where(labels >= 0, each[np.maximum(labels, 0)], 1).astype(np.float32)


def example_weights(
    arrays: Mapping[str, Any], rows: Rows, added: int, labels: Array, task: Task, names: Sequence[str],
    given: ClassWeight | None,
) -> Weights | None:  # fmt: skip
    """The weights of a data set's training examples: those that were given times those of their classes.

    Args:
        arrays: as read, perhaps with w_train and w_validation.
        rows: of the training part, those that are training examples.
        added: the number of examples of a validation part, which follow them.
        labels, task, names: of all of them.
        given: class weights.

    Returns:
        Shape (N,); None where there are neither.

    Raises:
        RequestError: weights are unusable.
    """
    weights = None
    if "w_train" in arrays:
        train = checked_weights(arrays["w_train"], len(arrays["y_train"]), "weights")
        further = arrays.get("w_validation")
        more = np.ones(added, np.float32)
        if further is not None:  # trusted examples follow, and weigh 1
            count = len(arrays["y_validation"])
            more[:count] = checked_weights(further, count, "w_validation")
        weights = np.concatenate([train[rows], more])
    if given is not None:
        by_class = class_weights(labels, task, names, given)
        weights = by_class if weights is None else weights * by_class
    return weights
