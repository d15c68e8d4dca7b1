"""Labels of several outputs: how users store them, the matrix that they become, and the groups that splits keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, not_allowed
from distillab.tasks import SEVERAL, Head, Part, Task, known_entries
from distillab.tasks.matching import parsed_tasks
from distillab.tasks.several import labels_of, outputs_of, packed_labels

PARTS = ("train", "test", "validation", "trusted")

RARE = 10
"""Combinations of classes that fewer examples have are one group: a split cannot keep each in proportion."""


def grouped(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays in which the labels of several outputs, such as `y_age` and `y_income`, are mappings by output.

    Args:
        arrays: by name; `y_train_age` or `y_age` where there is no array `y_train` or `y`.

    Example:
        >>> grouped({"x": 0, "y_age": 1, "y_income": 2})
        {'x': 0, 'y': {'age': 1, 'income': 2}}
    """
    found: dict[str, Any] = dict(arrays)
    for whole in (*(f"y_{part}" for part in PARTS), "y"):
        others = [name for name in found if name.startswith(f"{whole}_") and name not in {f"y_{p}" for p in PARTS}]
        if whole not in found and others:
            found[whole] = {name.removeprefix(f"{whole}_"): found.pop(name) for name in others}
    return found


def as_mappings(arrays: Mapping[str, Any], heads: Sequence[Head] = ()) -> dict[str, Any] | None:
    """The arrays with the labels of several outputs as mappings by output's name; None where there is one output.

    Args:
        arrays: x_train, y_train and perhaps others; labels of several outputs are mappings, or lists of arrays.
        heads: of the models, whose outputs name those of a list.

    Raises:
        RequestError: the parts of the data have different outputs.
    """
    labels = {part: arrays[f"y_{part}"] for part in PARTS if f"y_{part}" in arrays}
    first = labels["train"]
    if not isinstance(first, Mapping) and not _is_listed(first, arrays["x_train"]):
        return None
    names = [str(name) for name in first] if isinstance(first, Mapping) else _names(len(first), heads)
    found = dict(arrays)
    for part, of in labels.items():
        if isinstance(of, Mapping):
            of = {str(name): of[name] for name in of}
        elif isinstance(of, (list, tuple)) and len(of) == len(names):
            of = dict(zip(names, of, strict=True))
        if not isinstance(of, Mapping) or sorted(of) != sorted(names):
            given = ", ".join(of) if isinstance(of, Mapping) else "one array"
            raise not_allowed(f"the outputs of y_{part}", given, f"those of y_train: {', '.join(names)}")
        found[f"y_{part}"] = {name: of[name] for name in names}
    return found


def _is_listed(labels: Any, inputs: Any) -> bool:
    """Whether labels are a list of arrays, one for each output: each is as long as the inputs, the list is not."""
    if isinstance(inputs, Mapping):
        inputs = next(iter(inputs.values()))
    elif isinstance(inputs, (list, tuple)) and np.ndim(inputs[0]) > 1:
        inputs = inputs[0]
    if not isinstance(labels, (list, tuple)) or len(labels) < 2 or len(labels) == len(inputs):
        return False
    return all(np.ndim(of) > 0 and len(of) == len(inputs) for of in labels)


def _names(count: int, heads: Sequence[Head]) -> list[str]:
    for head in sorted(heads, key=lambda head: not head.keyed):
        names = [part.output for part in head.parts]
        if len(names) == count and all(names):
            return names
    return [f"output{number}" for number in range(1, count + 1)]


def check_one_output(heads: Sequence[Head], task: Any = None) -> None:
    """Refuse models and tasks of several outputs where the data have labels of one.

    Args:
        heads: of the models.
        task: as the user states it.

    Raises:
        RequestError: one has several.
    """
    if task is not None and (task == SEVERAL or not isinstance(parsed_tasks(task), str)):
        do = "Give labels by output, such as y={'age': ..., 'income': ...}."
        raise not_allowed("task", task, "a single task: the data have labels of one output", do)
    for head in heads:
        if head.parts:
            names = [part.output or f"output{number}" for number, part in enumerate(head.parts, start=1)]
            example = ", ".join(f"{name!r}: ..." for name in names)
            raise RequestError(
                f"{head.name.capitalize()} has {len(names)} outputs ({', '.join(names)}), and the data have labels of "
                f"one. Give the labels of each, such as y={{{example}}}."
            )


def as_packed_labels(values: Any, task: Task, name: str) -> NDArray[np.float32]:
    """Check labels of several outputs, packed or by name, and copy them.

    Args:
        values: float (N, L), NaN for unknown; or a mapping, as for `packed_labels`.
        task: of several outputs.
        name: the caller's name for them, for messages.

    Raises:
        RequestError: another shape, a value that an output's task does not have, or an example without a known label.
    """
    if isinstance(values, Mapping):
        return as_packed_labels(packed_labels(task, values, name), task, name)
    array = np.asarray(values)
    width = task.parts[-1].labels[1]
    if array.ndim != 2 or array.shape[1] != width or array.dtype.kind != "f" or not len(array):
        raise not_allowed(f"{name}: shape", (array.shape, str(array.dtype)), f"(N, {width}) floats, NaN for unknown")
    packed = packed_labels(task, {part.name: _own(part, array) for part in task.parts}, name)
    unknown = np.isnan(packed).all(axis=1)
    if unknown.any():
        row = int(unknown.argmax())
        raise RequestError(f"{name}[{row}] has no known label. Give its input as an unlabelled one.")
    return packed


def _own(part: Part, array: NDArray[Any]) -> NDArray[Any]:
    own = array[:, slice(*part.labels)]
    return own[:, 0] if part.task.exclusive else own


def check_known(labels: NDArray[Any], output: Part, part: str) -> None:
    """Refuse a part of the data in which an output has no known label.

    Args:
        labels: of the output, in the form of its task.
        output: one of several.
        part: of the data, for the message.

    Raises:
        RequestError: there is none.
    """
    if not known_entries(labels, output.task).any():
        raise RequestError(f"The {part} part has no known label of output {output.name!r}. Give some, or split anew.")


def joint_strata(task: Task, labels: NDArray[np.float32]) -> NDArray[np.int32]:
    """The groups that a split of several outputs keeps in proportion: combinations of their classes.

    Args:
        task: of several outputs.
        labels: packed, shape (N, L).

    Returns:
        Group numbers, shape (N,): rare combinations are together in the last group.

    Example:
        >>> from distillab.tasks import TASKS
        >>> from distillab.tasks.several import Meant, several
        >>> task = several([Meant(name, TASKS["binary"], ("no", "yes")) for name in "ab"])
        >>> labels = np.repeat(np.float32([[0, 0], [0, 1], [1, 1]]), [12, 15, 3], axis=0)
        >>> joint_strata(task, labels)[[0, 12, 27]].tolist()
        [0, 1, 2]
    """
    columns = [labels_of(part, labels) for part in task.parts if part.task.exclusive]
    if not columns:
        return np.zeros(len(labels), np.int32)
    _, groups, counts = np.unique(np.column_stack(columns), axis=0, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts >= RARE)
    numbers = np.full(len(counts), len(kept), np.int32)
    numbers[kept] = np.arange(len(kept))
    return numbers[groups.reshape(-1)]


def target_scale_of_parts(
    task: Task, labels: NDArray[np.float32], scale: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[None, None]:
    """Mean and standard deviation of each packed output: those of its labels for numbers, 0 and 1 for the others.

    Args:
        task: of several outputs.
        labels: packed training labels, shape (N, L).
        scale: of numbers, as `standardisation.target_scale`.

    Returns:
        Two arrays of shape (C',), or None twice where no output is of numbers.
    """
    if not any(part.task.name == "regression" for part in task.parts):
        return None, None
    width = task.parts[-1].outputs[1]
    mean, spread = np.zeros(width), np.ones(width)
    for part in task.parts:
        if part.task.name == "regression":
            outputs_of(part, mean)[:], outputs_of(part, spread)[:] = scale(labels_of(part, labels), part.class_names)
    return mean, spread
