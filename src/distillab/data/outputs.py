"""Reading the labels of several outputs: numbers or words by output become one matrix, and a task with its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import UNLABELLED, Array, class_names
from distillab.data.several import PARTS
from distillab.errors import RequestError
from distillab.tasks import Head, Task, canonical_labels, known_entries
from distillab.tasks.matching import recognised_parts, stated_tasks
from distillab.tasks.several import Meant, packed_labels, several

MANY = 20
"""Different whole numbers in a label column, with gaps, above which they are hardly classes: the user must decide."""


def several_outputs(
    arrays: Mapping[str, Any], heads: Sequence[Head], *, task: Any = None, ignore: int | None = None
) -> tuple[dict[str, Any], Task]:
    """Recognise the task of every output, and pack the labels.

    Args:
        arrays: as from `several.as_mappings`. Labels of an output are numbers, or text as tables hold it: then words
            are classes, and so are the different numbers of a column of classes; "" is a missing one.
        heads: of the models.
        task: what the user states, as in `stated_tasks`.
        ignore: a number that means "no label here".

    Returns:
        The arrays with packed labels, float32 (N, L), and the task with its parts.

    Raises:
        RequestError: the labels of an output are of no task, or of several possible ones; the message names it.

    Example:
        >>> labels = {"age": np.array([20.5, 31.5]), "kind": np.array(["cat", "dog"])}
        >>> arrays, task = several_outputs({"x_train": np.zeros((2, 1)), "y_train": labels}, ())
        >>> arrays["y_train"].tolist(), [(part.name, part.task.name) for part in task.parts]
        ([[20.5, 0.0], [31.5, 1.0]], [('age', 'regression'), ('kind', 'categorical')])
    """
    found = dict(arrays)
    parts = [part for part in PARTS if f"y_{part}" in arrays]
    labels = {part: {name: _numbers(of, ignore) for name, of in arrays[f"y_{part}"].items()} for part in parts}
    tasks = recognised_parts({name: _given(of) for name, of in labels["train"].items()}, heads, given=task)
    stated, meant = stated_tasks(task, list(tasks)), list[Meant]()
    for name, of in tasks.items():
        told = name in stated or any(head.parts for head in heads)
        texts = np.asarray(arrays["y_train"][name]).dtype.kind in "OUS"
        names = _as_classes({part: labels[part] for part in parts}, name, of, certain=told) if texts else None
        try:
            known = canonical_labels(labels["train"][name], of, "labels")
            known = known[known_entries(known, of).reshape(len(known), -1).any(axis=1)]
            meant.append(Meant(name, of, class_names(known, of, names or _of_number(name, known, of))))
        except RequestError as error:
            raise RequestError(f"Output {name!r}: {error}") from error
    several_task = several(meant)
    return found | {f"y_{part}": packed_labels(several_task, labels[part], f"y_{part}") for part in parts}, several_task


def _of_number(name: str, labels: Array, task: Task) -> tuple[str, ...] | None:
    """The name of a single number is that of its output."""
    return (name,) if task.name == "regression" and labels.shape[-1] == 1 else None


def _numbers(values: Any, ignore: int | None) -> Array:
    """Numbers as they are, or those that text holds, NaN for a missing one; words stay words."""
    array = np.asarray(values)
    if array.dtype.kind in "OUS":
        words = np.array(["" if _is_missing(value) else str(value).strip() for value in array.reshape(-1).tolist()])
        numbers = _as_numbers(words)
        array = words if numbers is None else numbers
    if ignore is not None and array.dtype.kind in "fiub":
        array = np.where(array == ignore, np.nan, array)
    return array


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _as_numbers(words: Array) -> NDArray[np.float64] | None:
    try:
        values = np.array([float(word or "nan") for word in words])
    except ValueError:
        return None
    return values if np.isfinite(values[words != ""]).all() else None  # "nan" and "inf" are words


def _given(labels: Array) -> Array:
    """What the task is recognised by: of words, those that are not missing."""
    return labels[labels != ""] if labels.dtype.kind == "U" else labels


def _as_classes(
    labels: Mapping[str, dict[str, Array]], name: str, task: Task, *, certain: bool
) -> tuple[str, ...] | None:
    """Number the classes of a text column in all parts, in place; gives their names, or None where there are none."""
    values = labels["train"][name]
    words = values.dtype.kind == "U"
    if not task.exclusive:
        if words:
            raise RequestError(f"Output {name!r}: labels such as {values[0]!r} are words, and task={task.name} needs "
                               "numbers. Give numbers, or leave the task out.")  # fmt: skip
        return None
    classes = np.unique(values[values != ""]) if words else np.unique(values[~np.isnan(values)])
    if not words and not certain and len(classes) > MANY and classes[-1] - classes[0] >= len(classes):
        raise RequestError(
            f"The column {name!r} holds {len(classes)} different whole numbers from {classes[0]:g} to "
            f"{classes[-1]:g}. State {name}=regression if they are amounts, or {name}=categorical if they are classes."
        )
    if not words and task.name == "binary" and 0 in classes and np.isin(classes, (UNLABELLED, 0, 1)).all():
        return "0", "1"
    for part, of in labels.items():
        own = of[name]
        absent = own == "" if words else np.isnan(own)
        places = np.minimum(np.searchsorted(classes, own), len(classes) - 1)
        strange = ~absent & (classes[places] != own)
        if strange.any():
            raise RequestError(f"Output {name!r}: the {part} part has the label {own[strange][0]}, and no training "
                               "example has it. Give examples of it, or leave it out.")  # fmt: skip
        of[name] = np.where(absent, UNLABELLED, places).astype(np.int32)
    return tuple(str(value) if words else f"{value:.15g}" for value in classes)
