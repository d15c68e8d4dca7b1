"""Teachers of several outputs: whatever they give becomes one matrix, raw, in the order of the data's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.errors import RequestError, not_allowed
from distillab.models.foreign import ForeignModel, Gives, as_raw_outputs, number_of, recognised_outputs
from distillab.models.predictions import as_logits
from distillab.models.several import order_of, packed, several_outputs
from distillab.study.model_options import ModelOptions
from distillab.tasks import Task
from distillab.tasks.matching import check_heads, output_order
from distillab.tasks.several import outputs_of


def packed_teacher(graph: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> keras.Model:
    """A Keras teacher with its outputs side by side, before their softmaxes and sigmoids.

    Args:
        graph: trained, its operations visible.
        name: in reports.
        dataset: the data, of several outputs.
        options: how models are read.

    Raises:
        RequestError: its outputs are not those of the data, or names of classes are stated.
    """
    check_no_classes(options)
    found = several_outputs(graph)
    order = order_of(found, dataset.task, "The teacher", name)
    if found is not None:
        check_heads(dataset.task, [found.head(f"the teacher {name}")])
    return packed(graph, order, raw=True)


def check_no_classes(options: ModelOptions) -> None:
    """Refuse names of a teacher's classes: they cannot say of which output they are.

    Args:
        options: how models are read.

    Raises:
        RequestError: they are stated.
    """
    if options.teacher_classes is not None:
        allowed = "left out with several outputs, whose classes have the order of the data"
        raise not_allowed("teacher_classes", options.teacher_classes, allowed)


def logits_of_classes(task: Task, outputs: Array) -> NDArray[np.float32]:
    """Packed outputs in which probabilities of classes that were not recognised by an ending are logits.

    Args:
        task: of several outputs.
        outputs: shape (N, C').
    """
    parts = [outputs_of(part, outputs) for part in task.parts]
    pairs = zip(task.parts, parts, strict=True)
    return np.concatenate([as_logits(own) if part.task.name == "categorical" else own for part, own in pairs], axis=-1)


class ForeignOutputs:
    """How a model of another framework gives several outputs, as a trial of it shows.

    Args:
        model: trained; it gives a list, a dictionary, or one matrix of all outputs side by side.
        inputs: some examples as it reads them.
        dataset: the data, of several outputs.

    Raises:
        RequestError: its outputs are not those of the data.
    """

    def __init__(self, model: ForeignModel, inputs: Any, dataset: Dataset) -> None:
        self.model, self.task = model, dataset.task
        parts = self._parts(inputs)
        self.gives: list[Gives] = [
            recognised_outputs(own, part.task) for own, part in zip(parts, self.task.parts, strict=True)
        ]

    @property
    def described(self) -> str:
        """What each output gives, in words."""
        return ", ".join(f"{part.name} {gives}" for part, gives in zip(self.task.parts, self.gives, strict=True))

    def raw(self, inputs: Any) -> NDArray[np.float32]:
        """Logits, and real numbers as they are, packed: shape (N, C').

        Args:
            inputs: as the model reads them.

        Raises:
            RequestError: an output has another number of columns than the data need.
        """
        found = []
        for part, own, gives in zip(self.task.parts, self._parts(inputs), self.gives, strict=True):
            classes = len(part.class_names) if gives == "decisions" else own.shape[-1]
            of = as_raw_outputs(own, gives, part.task, classes)
            if of.shape[1:] != (part.width,):
                raise RequestError(
                    f"Output {part.name!r} of the teacher {self.model.name} has shape {own.shape[1:]}, and the data "
                    f"need ({part.width},) with task={part.task.name}. Give another model, or state another task."
                )
            found.append(of)
        return np.concatenate(found, axis=-1)

    def _parts(self, inputs: Any) -> list[Array]:
        given = self.model.outputs_for(inputs, every=True)
        width = self.task.parts[-1].outputs[1]
        if not isinstance(given, (Mapping, list, tuple)):
            whole = self.model.checked(given, number_of(inputs))
            if whole.shape[1:] != (width,):
                names = ", ".join(part.name for part in self.task.parts)
                raise RequestError(
                    f"The teacher {self.model.name} gives one output of shape {whole.shape[1:]}, and the data have "
                    f"several ({names}). Let it give a dictionary or a list of them, or all {width} columns side by "
                    "side."
                )
            return [outputs_of(part, whole) for part in self.task.parts]
        return self._in_order(given, number_of(inputs))

    def _in_order(self, given: Mapping[Any, Any] | Sequence[Any], count: int) -> list[Array]:
        keyed = isinstance(given, Mapping) and not self.model.named_by_graph
        names = [str(name) for name in given] if isinstance(given, Mapping) else [""] * len(given)
        values = list(given.values()) if isinstance(given, Mapping) else list(given)
        of_data = [part.name for part in self.task.parts]
        order = output_order(of_data, names, f"The teacher {self.model.name}", keyed=keyed)
        return [self.model.checked(values[place], count) for place in order]
