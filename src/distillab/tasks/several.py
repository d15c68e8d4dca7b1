"""Several outputs, each with a task of its own: packed into a matrix of outputs and one of labels, and taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed, unknown
from distillab.tasks.labels import UNKNOWN, Array, canonical_labels
from distillab.tasks.task import SEVERAL, Part, Task, task_named

SCORES: Mapping[str, str] = {"categorical": "accuracy", "binary": "auroc", "multilabel": "map", "regression": "r2"}
"""By task, the metric of an output that counts for the score."""

FORBIDDEN = "/:,="
"""Characters that no output's name has: layers and options write them between names."""


class Meant(NamedTuple):
    """What one of several outputs is, before its columns are known."""

    name: str
    task: Task
    class_names: tuple[str, ...]


class Options(Protocol):
    """What a user states of one output: see `Part`."""

    @property
    def alpha(self) -> float | None:
        """Weight of its labels."""

    @property
    def weight(self) -> float:
        """Of its loss."""


def several(outputs: Sequence[Meant]) -> Task:
    """The task of several outputs.

    Args:
        outputs: in the order in which they are packed, at least one.

    Raises:
        RequestError: two have one name, or a name has a character of `FORBIDDEN`.

    Example:
        >>> from distillab.tasks import TASKS
        >>> age, kind = Meant("age", TASKS["regression"], ("age",)), Meant("kind", TASKS["categorical"], ("a", "b"))
        >>> task = several([age, kind])
        >>> [(part.outputs, part.labels) for part in task.parts], task.metrics[:4]
        ([((0, 1), (0, 1)), ((1, 3), (1, 2))], ('score', 'loss', 'age.mae', 'age.rmse'))
    """
    names = [output.name for output in outputs]
    for name in names:
        if not name.strip() or any(character in name for character in FORBIDDEN):
            raise not_allowed("output", name, f"a name without any of the characters {' '.join(FORBIDDEN)}")
    if len(set(names)) < len(names):
        raise not_allowed("outputs", names, "different names")
    parts, column, label = list[Part](), 0, 0
    for name, task, class_names in outputs:
        width = task.outputs(len(class_names))
        labels = 1 if task.exclusive else len(class_names)
        ends = column + width, label + labels
        parts.append(
            Part(name=name, task=task, class_names=class_names, outputs=(column, ends[0]), labels=(label, ends[1]))
        )
        column, label = ends
    return of_parts(tuple(parts))


def of_parts(parts: tuple[Part, ...]) -> Task:
    """The task whose outputs are known.

    Args:
        parts: in their order.
    """
    base = task_named(SEVERAL)
    metrics = (*base.metrics, *(f"{part.name}.{name}" for part in parts for name in part.task.metrics))
    compared = (*base.compared, *(f"{part.name}.{name}" for part in parts for name in part.task.compared))
    return replace(base, metrics=metrics, map_metrics=metrics, compared=compared, map_compared=compared, parts=parts)


def with_options(task: Task, options: Mapping[str, Options]) -> Task:
    """The task with the weights and alphas that a user states for some of its outputs.

    Args:
        task: of several outputs, or, without options, any.
        options: by output's name.

    Raises:
        RequestError: there is no such output, or all weights are 0.
    """
    if not options:
        return task
    if not task.parts:
        raise RequestError(f"outputs={', '.join(options)}: the data have one output, task={task.name}. Leave them out.")
    names = [part.name for part in task.parts]
    for name in options:
        if name not in names:
            raise unknown("output", name, names)
    parts = tuple(
        replace(part, alpha=of.alpha, weight=of.weight) if (of := options.get(part.name)) is not None else part
        for part in task.parts
    )
    if not any(part.weight for part in parts):
        raise RequestError("The weights of all outputs are 0: there is nothing to learn. Give one a weight above 0.")
    return of_parts(parts)


def without_alphas(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The outputs with the alpha of the training: for a training without a teacher, such as a teacher's own.

    Args:
        parts: of a task.
    """
    return tuple(replace(part, alpha=None) for part in parts)


def column_names(task: Task) -> tuple[str, ...]:
    """A name for each packed output: that of its output, and, where this has several, of the class, label or number.

    Args:
        task: of several outputs.
    """
    return tuple(
        name
        for part in task.parts
        for name in ([part.name] if part.width == 1 else [f"{part.name}: {each}" for each in part.class_names])
    )


def label_outputs(task: Task) -> NDArray[np.intp]:
    """For each column of the packed labels, a column of the outputs of the same part: for numbers the very one.

    Args:
        task: of several outputs.
    """
    return np.concatenate([part.outputs[0] + np.arange(part.labels[1] - part.labels[0]) for part in task.parts])


def outputs_of(part: Part, outputs: Array) -> Array:
    """A part's columns of packed outputs.

    Args:
        part: one of the outputs.
        outputs: shape (N, C').
    """
    return outputs[..., slice(*part.outputs)]


def labels_of(part: Part, labels: Array) -> Array:
    """A part's labels in the form of its task, as `canonical_labels` gives them.

    Args:
        part: one of the outputs.
        labels: packed, float32 (N, L), NaN for unknown.
    """
    own = labels[:, slice(*part.labels)]
    if not part.task.discrete:
        return own
    numbers = np.where(np.isnan(own), UNKNOWN, own).astype(np.int32)
    return numbers[:, 0] if part.task.exclusive else numbers


def packed_labels(task: Task, labels: Mapping[str, ArrayLike], where: str = "y") -> NDArray[np.float32]:
    """Labels of several outputs as one matrix.

    Args:
        task: of several outputs.
        labels: by output's name, of any form that `canonical_labels` takes, N examples each.
        where: the caller's name for them, for messages.

    Returns:
        float32 (N, L), NaN for unknown.

    Raises:
        RequestError: another shape, type or value than the output's task has, or another number of examples.

    Example:
        >>> from distillab.tasks import TASKS
        >>> task = several([Meant("age", TASKS["regression"], ("age",)), Meant("old", TASKS["binary"], ("no", "yes"))])
        >>> packed_labels(task, {"age": [20.5, 70.0], "old": [0, -1]}).tolist()
        [[20.5, 0.0], [70.0, nan]]
    """
    columns = []
    for part in task.parts:
        name = f"{where}[{part.name!r}]"
        own = canonical_labels(labels[part.name], part.task, name)
        own = own[:, None] if own.ndim == 1 else own
        width = part.labels[1] - part.labels[0]
        if own.shape[1:] != (width,):
            raise not_allowed(f"{name}.shape", own.shape, f"(N, {width})")
        if part.task.name == "categorical" and own.max(initial=0) >= part.width:
            raise not_allowed(f"label in {name}", int(own.max()), f"below {part.width}, the number of classes")
        columns.append(np.where(own == UNKNOWN, np.nan, own).astype(np.float32) if part.task.discrete else own)
    if len({len(column) for column in columns}) > 1:
        counts = ", ".join(f"{part.name} {len(column)}" for part, column in zip(task.parts, columns, strict=True))
        raise RequestError(f"The outputs have different numbers of labels in {where}: {counts}. Give all examples all.")
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


def part_of_metric(task: Task, metric: str) -> tuple[Part, str] | None:
    """The output that a metric is about, and its name there; None for one of all outputs, or of a single one.

    Args:
        task: what outputs mean.
        metric: such as "income.accuracy".
    """
    output, _, name = metric.rpartition(".")
    return next(((part, name) for part in task.parts if part.name == output), None)


def weighted_score(parts: Sequence[Part], values: Sequence[float]) -> float:
    """The weighted mean over the outputs for which a value is defined; NaN without any.

    Formula: `sum_o w_o v_o / sum_o w_o`.

    Args:
        parts: the outputs.
        values: one for each.

    Example:
        >>> from distillab.tasks import TASKS
        >>> parts = several([Meant(name, TASKS["regression"], ("y",)) for name in "ab"]).parts
        >>> weighted_score(parts, [0.5, 1.0]), weighted_score(parts, [0.5, float("nan")])
        (0.75, 0.5)
    """
    pairs = [(part.weight, value) for part, value in zip(parts, values, strict=True) if not np.isnan(value)]
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else float("nan")


def described(task: Task) -> list[dict[str, Any]]:
    """The outputs as plain values, which `from_described` reads.

    Args:
        task: of several outputs; of a single one nothing is described.
    """
    return [
        {
            "name": part.name,
            "task": part.task.name,
            "class_names": list(part.class_names),
            "weight": part.weight,
            "alpha": part.alpha,
        }
        for part in task.parts
    ]


def from_described(outputs: Sequence[Mapping[str, Any]]) -> Task:
    """The task that `described` describes.

    Args:
        outputs: at least one.
    """
    task = several([Meant(of["name"], task_named(of["task"]), tuple(of["class_names"])) for of in outputs])
    pairs = zip(task.parts, outputs, strict=True)
    return of_parts(tuple(replace(part, weight=of["weight"], alpha=of["alpha"]) for part, of in pairs))
