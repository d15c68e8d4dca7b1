"""The outputs of a model to an export: what each one means, and how an exported model compares on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, WorkError, not_allowed, unknown
from distillab.export.agreement import Agreement, agreement, check_agreement
from distillab.export.meaning import Meaning, Quality, meaning_of, meaning_of_head
from distillab.tasks import Task
from distillab.tasks.matching import parsed_tasks
from distillab.tasks.several import labels_of

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]


class Output(NamedTuple):
    """One output of a model.

    Args:
        name: of one of several; "" of the only one.
        meaning: what it means.
        columns: its place among the model's outputs side by side.
    """

    name: str
    meaning: Meaning
    columns: slice

    @property
    def graph_name(self) -> str:
        """What a graph calls it."""
        return self.name or self.meaning.output_name


class Judged(NamedTuple):
    """How an exported model compares on one of several outputs."""

    agreement: Agreement
    """With Keras."""
    quality: Quality | None = None
    """Of the exported model; None without labels."""


def outputs_of_model(model: keras.Model, task: str | Mapping[str, str] | None = None) -> tuple[Output, ...]:
    """What each output of a model means.

    Args:
        model: built.
        task: its task; of several outputs "age=regression, income=binary" or a mapping. None, and for an output that
            is not named: as its last activation says.

    Raises:
        RequestError: an unknown output, or a task that does not fit one.
    """
    from distillab.models.several import several_outputs

    several = several_outputs(model)
    stated = None if task is None else parsed_tasks(task)
    if several is None:
        if isinstance(stated, dict):
            raise not_allowed("task", task, "a single task: the model has one output")
        return (Output("", meaning_of(model, stated), slice(None)),)
    if isinstance(stated, str):
        example = ", ".join(f"{name}=regression" for name in several.names)
        raise not_allowed("task", stated, f"stated by output, such as {example}")
    for name in stated or {}:
        if name not in several.names:
            raise unknown("output", name, several.names)
    found, column = list[Output](), 0
    for head in several.head(f"the model {model.name!r}").parts:
        meaning = meaning_of_head(head, (stated or {}).get(head.output))
        found.append(Output(head.output, meaning, slice(column, column + head.outputs)))
        column += head.outputs
    return tuple(found)


def graph_order(model: keras.Model, outputs: Sequence[Output]) -> list[Output]:
    """The outputs in the order of a converted graph: of a dictionary, by name.

    Args:
        model: of these outputs.
        outputs: made by `outputs_of_model`.
    """
    keyed = isinstance(getattr(model, "_outputs_struct", None), Mapping)
    return sorted(outputs, key=lambda output: output.name) if keyed else list(outputs)


def only(outputs: Sequence[Output], form: str) -> Meaning:
    """What the only output means.

    Args:
        outputs: of the model.
        form: the format, for the message.

    Raises:
        RequestError: there are several.
    """
    if len(outputs) > 1 or outputs[0].name:
        names = ", ".join(output.name for output in outputs)
        raise RequestError(
            f"{form} is written of models of one output, and this one has {len(outputs)} ({names}). Export it with "
            "--to onnx, without --int8."
        )
    return outputs[0].meaning


def compared(ours: Array, theirs: Array, outputs: Sequence[Output]) -> list[Agreement]:
    """How predictions of two models compare, output by output.

    Args:
        ours, theirs: all outputs side by side, (N, ..., C).
        outputs: what they mean.
    """
    return [agreement(ours[..., of.columns], theirs[..., of.columns], of.meaning) for of in outputs]


def check_compared(agreements: Sequence[Agreement], outputs: Sequence[Output], form: str) -> None:
    """Refuse an export of which an output differs from Keras's.

    Args:
        agreements: one for each output.
        outputs: of the model.
        form: the format, for the message.

    Raises:
        WorkError: one differs by more than rounding.
    """
    for found, output in zip(agreements, outputs, strict=True):
        try:
            check_agreement(found, form)
        except WorkError as error:
            if not output.name:
                raise
            raise WorkError(f"Output {output.name!r}: {error}") from error


def worst(agreements: Sequence[Agreement]) -> Agreement:
    """The comparison whose difference is the largest share of what rounding explains.

    Args:
        agreements: at least one.
    """
    return max(agreements, key=lambda found: found.difference / max(found.rounding, np.finfo(float).tiny))


def qualities(predictions: Array, labels: Array, task: Task, outputs: Sequence[Output]) -> dict[str, Quality]:
    """The default metric of each of several outputs, where some of its labels are known.

    Args:
        predictions: all outputs side by side, (N, C).
        labels: packed as the task says, (N, L).
        task: of several outputs, of the same names in any order.
        outputs: of the model.

    Raises:
        RequestError: the model's outputs are not those of the labels.
    """
    names = [output.name for output in outputs]
    found = {}
    for part in task.parts:
        if part.name not in names:
            raise unknown("output", part.name, names)
        output, own = outputs[names.index(part.name)], labels_of(part, labels)
        known = (own >= 0 if part.task.discrete else ~np.isnan(own)).reshape(len(own), -1).any(axis=1)
        if known.any():
            found[part.name] = output.meaning.quality(predictions[known][:, output.columns], own[known])
    return found
