"""Several outputs, each with a task of its own: packed into a matrix of outputs and one of labels, and taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed, unknown
from distillab.tasks.labels import UNKNOWN, Array, canonical_labels
from distillab.tasks.recognition import Head, check_head, recognise
from distillab.tasks.task import SEVERAL, TASKS, Part, Task, task_named

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
        >>> parts = several([Meant(name, TASKS["regression"], ("y",)) for name in "ab"]).parts
        >>> weighted_score(parts, [0.5, 1.0]), weighted_score(parts, [0.5, float("nan")])
        (0.75, 0.5)
    """
    pairs = [(part.weight, value) for part, value in zip(parts, values, strict=True) if not np.isnan(value)]
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else float("nan")


def output_order(names: Sequence[str], found: Sequence[str], who: str, *, keyed: bool) -> list[int]:
    """For each of the data's outputs, the place of the model's own: by name, or else by order.

    Args:
        names: of the data's outputs.
        found: of the model's; "" for one without a name.
        who: the model, for messages: "The student mine".
        keyed: whether the model gives a dictionary, whose names are meant.

    Raises:
        RequestError: their numbers or names differ.

    Example:
        >>> output_order(["age", "kind"], ["kind", "age"], "The model", keyed=False)
        [1, 0]
        >>> output_order(["age", "kind"], ["dense_1", "dense_2"], "The model", keyed=False)
        [0, 1]
    """
    if sorted(names) == sorted(found):
        return [list(found).index(name) for name in names]
    of_model, of_data = (", ".join(each or "unnamed" for each in several) for several in (found, names))
    if len(names) != len(found):
        raise RequestError(
            f"{who} has {len(found)} output{'s' * (len(found) != 1)} ({of_model}), and the data have {len(names)} "
            f"({of_data}). Give each output its labels."
        )
    misplaced = any(name in names and names[place] != name for place, name in enumerate(found))
    if keyed or misplaced:
        raise RequestError(f"{who} names its outputs {of_model}, and the data name theirs {of_data}. Name them alike.")
    return list(range(len(names)))


def stated_tasks(value: Any, names: Sequence[str]) -> dict[str, str]:
    """The tasks that a user states for some outputs.

    Args:
        value: "age=regression, income=binary", or a mapping; None or "several": none are stated.
        names: of the data's outputs.

    Raises:
        RequestError: an unknown output or task, or a single task for several outputs.
    """
    if value is None or value == SEVERAL:
        return {}
    tasks = parsed_tasks(value)
    if isinstance(tasks, str):
        allowed = f"stated for each output, such as {', '.join(f'{name}=regression' for name in names)}"
        raise not_allowed("task", tasks, allowed)
    for name in tasks:
        if name not in names:
            raise unknown("output", name, names)
    return tasks


def parsed_tasks(value: str | Mapping[str, str]) -> str | dict[str, str]:
    """A task's name, or those of several outputs by name, checked to exist.

    Args:
        value: "regression", "age=regression, income=binary", or a mapping.

    Raises:
        RequestError: no such task, or text of another form.

    Example:
        >>> parsed_tasks("age=regression, income=binary")
        {'age': 'regression', 'income': 'binary'}
    """
    if isinstance(value, str) and "=" not in value:
        return task_named(value).name
    pairs = value.items() if isinstance(value, Mapping) else [text.partition("=")[::2] for text in value.split(",")]
    tasks = {str(name).strip(): str(task).strip() for name, task in pairs}
    for task in tasks.values():
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    return tasks


def recognised_parts(
    labels: Mapping[str, ArrayLike], heads: Sequence[Head] = (), *, given: Any = None
) -> dict[str, Task]:
    """The task of every output: as stated, or recognised from its labels and from the models' own outputs.

    Args:
        labels: by output's name, as the user has them.
        heads: of teacher and student; those of one output say nothing.
        given: as in `stated_tasks`.

    Raises:
        RequestError: as `recognise` raises, the output named; or names differ.
    """
    names = list(labels)
    stated = stated_tasks(given, names)
    own = _by_output(names, heads)
    tasks = {}
    for name in names:
        try:
            tasks[name] = recognise(labels[name], own[name], given=stated.get(name))
        except RequestError as error:
            raise RequestError(f"Output {name!r}: {error}") from error
    return tasks


def _by_output(names: Sequence[str], heads: Sequence[Head]) -> dict[str, list[Head]]:
    own: dict[str, list[Head]] = {name: [] for name in names}
    for head in heads:
        if head.parts:
            order = output_order(names, [part.output for part in head.parts], head.name.capitalize(), keyed=head.keyed)
            for name, place in zip(names, order, strict=True):
                own[name].append(head.parts[place])
    return own


def check_heads(task: Task, heads: Sequence[Head]) -> None:
    """Refuse a task, or one of several outputs, that does not fit a model.

    Args:
        task: as stated.
        heads: of the models.

    Raises:
        RequestError: as `check_head` raises, or names differ.
    """
    if not task.parts:
        for head in heads:
            check_head(task, head)
        return
    own = _by_output([part.name for part in task.parts], heads)
    for part in task.parts:
        for head in own[part.name]:
            check_head(part.task, head)


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
