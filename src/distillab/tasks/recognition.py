"""Which task a model and its labels have: recognised from both, or refused where two tasks are possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError
from distillab.tasks.task import TASKS, Task, task_named


class Head(NamedTuple):
    """The outputs of a model.

    Args:
        outputs: the length of the last axis.
        ending: the final activation: "softmax", "log_softmax", "sigmoid", or "" for none.
        positions: the number of axes between the first and the last.
        name: of the model, for messages.
        parts: of a model with several outputs, each of them; then the fields above say nothing of their task.
        output: the name of one of several outputs; "" where the model gives none.
        keyed: whether several outputs are given as a dictionary.
    """

    outputs: int
    ending: str = ""
    positions: int = 0
    name: str = "the model"
    parts: tuple[Head, ...] = ()
    output: str = ""
    keyed: bool = False


class _Labels(NamedTuple):
    """What labels look like.

    `kind` is "words", "classes", "zero_one", "one_hot", "distribution", "multi_hot" or "real".
    """

    kind: str
    matrix: bool
    """Whether there is a number for each output."""
    example: str


def recognise(labels: ArrayLike, heads: Sequence[Head] = (), *, given: str | None = None) -> Task:
    """Find the task of a model and its labels.

    Args:
        labels: as the user has them, shape (N, ...); -1 and NaN mark missing ones.
        heads: of teacher and student, those that are known.
        given: the task's name, where the user states it; it is then only checked against the heads.

    Raises:
        RequestError: labels and model contradict each other, or two tasks are possible; the message names the choices.

    Example:
        >>> recognise([0, 1, 1], [Head(1, "sigmoid")]).name, recognise([0.5, 2.5], [Head(1)]).name
        ('binary', 'regression')
        >>> recognise([[1, 1, 0], [0, 0, 1]], [Head(3, "softmax")])
        Traceback (most recent call last):
        distillab.errors.RequestError: Labels such as [1, 1, 0] are several ones a row, or none, and the model ends...
    """
    if given is not None:
        task = task_named(given)
        for head in heads:
            check_head(task, head)
        return task
    endings = {head.ending for head in heads} - {"", "log_softmax"}
    if len(endings) > 1:
        names = " and ".join(f"{head.name} ends in {head.ending}" for head in heads if head.ending)
        raise RequestError(f"{names}: they do not have the same task. Give models of one task.")
    ending = endings.pop() if endings else ""
    seen = _look_at(np.asarray(labels), heads)
    outputs = heads[0].outputs if heads else None
    name = _of_one_output(seen, ending) if outputs == 1 else _of_several(seen, ending, alone=not heads)
    return TASKS[name]


def check_head(task: Task, head: Head) -> None:
    """Refuse a task that does not fit a model.

    Args:
        task: as stated.
        head: of the model.

    Raises:
        RequestError: the message says what the model would have to end in.
    """
    one = head.outputs == 1
    ends = f"ends in {head.ending}" if head.ending else "ends in no activation"
    fits = {
        "categorical": not one and head.ending != "sigmoid",
        "binary": one and head.ending in ("", "sigmoid"),
        "multilabel": head.ending in ("", "sigmoid"),
        "regression": head.ending == "",
    }
    if not fits[task.name]:
        needs = {
            "categorical": "one output for each class, as logits or with softmax",
            "binary": "one output, as a logit or with sigmoid",
            "multilabel": "one output for each label, as logits or with sigmoid",
            "regression": "a last layer without activation",
        }[task.name]
        has = f"{head.outputs} output{'s' * (not one)}"
        raise RequestError(f"task={task.name} needs {needs}; {head.name} has {has} and {ends}.")


def _look_at(labels: NDArray[np.generic], heads: Sequence[Head]) -> _Labels:
    if labels.dtype.kind in "OUS":
        two = len(np.unique(labels.astype(str))) == 2
        return _Labels("zero_one" if two else "words", False, repr(str(labels.reshape(-1)[0])))
    if labels.dtype.kind not in "fiub" or labels.size == 0:
        raise RequestError(f"Labels of shape {labels.shape} and type {labels.dtype} are no numbers. Give numbers.")
    matrix = labels.ndim in (2, 4) if not heads else labels.ndim == heads[0].positions + 2
    values = labels.astype(np.float64)
    if matrix and labels.shape[-1] == 1:
        matrix, values = False, values[..., 0]
    known = ~np.isnan(values) & (values != -1)
    if not known.any():
        raise RequestError("No example has a label: every one is missing (-1 or NaN). Give labels.")
    of_known = values[known]
    zero_one = bool(np.isin(of_known, (0, 1)).all())
    if not matrix:
        odd = of_known[of_known != np.round(of_known)]
        kind = "zero_one" if zero_one else "real" if len(odd) else "classes"
        telling = odd if len(odd) else of_known if zero_one else of_known[~np.isin(of_known, (0, 1))]
        return _Labels(kind, False, f"{telling[0]:g}")
    rows = values.reshape(-1, values.shape[-1])
    rows = rows[known.reshape(rows.shape).all(axis=-1)]
    sums = rows.sum(axis=-1)
    odd = np.abs(sums - 1) >= 1e-3
    if not len(rows) or odd.any():
        row = rows[int(odd.argmax())] if len(rows) else values.reshape(-1, values.shape[-1])[0]
        kind = "multi_hot" if zero_one else "real"
    else:
        row, kind = rows[0], "one_hot" if zero_one else "distribution" if (rows >= 0).all() else "real"
    shown = ", ".join(f"{value:g}" for value in row[:5]) + (", ..." if len(row) > 5 else "")
    return _Labels(kind, True, f"[{shown}]")


def _of_one_output(labels: _Labels, ending: str) -> str:
    if ending == "softmax":
        raise RequestError("The model has one output and ends in softmax, which is always 1. End it in sigmoid.")
    if labels.matrix:
        raise RequestError(
            f"The model has one output, and labels such as {labels.example} are a row an example. Give one number for "
            "each example."
        )
    if labels.kind == "words":
        raise RequestError(
            f"The model has one output, and labels such as {labels.example} are names of several classes. Give a model "
            "with one output for each class (task=categorical)."
        )
    if labels.kind == "zero_one":
        return "binary"
    if ending == "sigmoid":
        raise RequestError(
            f"The model ends in one sigmoid, and there are labels such as {labels.example}. Give labels 0 and 1 "
            "(task=binary), or end the model without activation (task=regression)."
        )
    return "regression"


def _of_several(labels: _Labels, ending: str, *, alone: bool) -> str:
    if not labels.matrix:
        return _of_numbers(labels, ending, alone=alone)
    if labels.kind in ("one_hot", "distribution") and ending != "sigmoid":
        return "categorical"
    if ending == "sigmoid" and labels.kind in ("one_hot", "multi_hot"):
        return "multilabel"
    where = f"the model ends in {ending}" if ending else "the last layer does not say which task they are of"
    if labels.kind == "multi_hot":
        raise RequestError(
            f"Labels such as {labels.example} are several ones a row, or none, and {where}. State the task: "
            "multilabel for independent labels (a model that ends in sigmoid or in logits), regression for real "
            "numbers; or give one-hot labels (categorical)."
        )
    raise RequestError(
        f"Labels such as {labels.example} are real numbers, no distribution over classes, and {where}. State the task: "
        "regression for real numbers (a last layer without activation); or give class numbers or one-hot labels "
        "(categorical)."
    )


def _of_numbers(labels: _Labels, ending: str, *, alone: bool) -> str:
    if labels.kind == "real":
        if alone:
            return "regression"
        raise RequestError(
            f"Labels such as {labels.example} are one real number an example, and the model has several outputs. Give "
            "class numbers from 0 (task=categorical), or a model with one output (task=regression)."
        )
    if ending == "sigmoid":
        raise RequestError(
            f"Labels such as {labels.example} are one class number an example, and the model ends in several sigmoids. "
            "Give a row of 0 and 1 for each example (task=multilabel), or a model that ends in softmax or logits "
            "(task=categorical)."
        )
    return "categorical"
