"""Which task a distiller has: from its models and losses where they decide it, else from the first labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from distillab.errors import RequestError
from distillab.tasks import TASKS, Head, Task, check_head, recognise


def from_models(heads: Sequence[Head], given: str | None) -> Task | None:
    """The task that the user states, or that the final activations of the models decide; None where they do not.

    Args:
        heads: of student and teachers.
        given: the task's name.

    Raises:
        RequestError: the models contradict each other or the stated task.
    """
    if given is not None:
        return recognise((), heads, given=given)
    endings = {head.ending for head in heads}
    if {"softmax", "sigmoid"} <= endings:
        return recognise([0], heads)  # which refuses them by name
    if "sigmoid" in endings:
        task = TASKS["binary" if heads[0].outputs == 1 else "multilabel"]
    elif endings & {"softmax", "log_softmax"}:
        task = TASKS["categorical"]
    else:
        return None
    for head in heads:
        check_head(task, head)
    return task


def possible(heads: Sequence[Head]) -> list[Task]:
    """The tasks that models may have whose last layers do not decide it.

    Args:
        heads: of student and teachers.
    """
    return [task for task in TASKS.values() if all(_fits(task, head) for head in heads)]


def _fits(task: Task, head: Head) -> bool:
    try:
        check_head(task, head)
    except RequestError:
        return False
    return task.name != "multilabel" or head.outputs > 1  # a single label is binary, unless the user states it


def of_stream(labels: Any, heads: Sequence[Head]) -> Task:
    """The task of streamed labels, of which shape and type alone are known: whole numbers count classes.

    Args:
        labels: a batch's, or None.
        heads: of student and teachers.

    Raises:
        RequestError: they do not decide it.
    """
    head = heads[0]
    if labels is not None and head.outputs > 1 and "int" in str(labels.dtype):
        rank = len(labels.shape) - (len(labels.shape) == head.positions + 2 and labels.shape[-1] == 1)
        if rank == head.positions + 1:
            return TASKS["categorical"]
    what = "There are no labels" if labels is None else "The labels are a stream whose values cannot be looked at"
    names = ", ".join(task.name for task in possible(heads))
    raise RequestError(
        f"{what}, and the models do not end in an activation, so the task is not clear. Pass task= to Distiller: one "
        f"of {names}."
    )
