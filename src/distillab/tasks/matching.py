"""The outputs of models matched with those of the data, and the task of each, stated or recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from distillab.errors import RequestError, not_allowed, unknown
from distillab.tasks.recognition import Head, check_head, recognise
from distillab.tasks.task import SEVERAL, TASKS, Task, task_named


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
