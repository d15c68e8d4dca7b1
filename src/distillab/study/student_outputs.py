"""What a student ends in: its last activations taken off for training, and its outputs put back for shipping."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import keras

from distillab.data import Dataset
from distillab.engine.functional import read_variables, write_variables
from distillab.engine.trainable import rebuilt
from distillab.errors import RequestError
from distillab.models.ending import as_graph, ending, last_layer
from distillab.models.several import PROBABILITIES, order_of, packed, several_outputs, with_heads


class StudentOutputs(NamedTuple):
    """How a student gives several outputs.

    Args:
        names: of the data's outputs, in the student's own order.
        endings: the final activation of each; "" for logits and real numbers.
        keyed: whether they are given as a dictionary.
        order: for each of the data's outputs, its place among `names`.
    """

    names: tuple[str, ...]
    endings: tuple[str, ...]
    keyed: bool
    order: tuple[int, ...]

    @property
    def in_order_of_data(self) -> list[tuple[str, bool]]:
        """Names, and which are given as probabilities of classes, which is part of a student's identity."""
        return [(self.names[place], self.endings[place] == "softmax") for place in self.order]

    def gives(self, name: str) -> str:
        """What the shipped student gives: "probabilities", or "" for logits and real numbers.

        Args:
            name: of the output.
        """
        return "probabilities" if self.ending_of(name) else ""

    def ending_of(self, name: str) -> str:
        """The final activation of an output.

        Args:
            name: of the output.
        """
        return self.endings[self.names.index(name)]


def of_zoo(model: keras.Model, dataset: Dataset) -> tuple[keras.Model, StudentOutputs | None]:
    """A model of the zoo with a last layer for each of the data's outputs; as it is where they have one.

    Args:
        model: built.
        dataset: the data.
    """
    if not dataset.task.parts:
        return model, None
    parts = dataset.task.parts
    endings = tuple(part.task.activation if part.task.activation == "sigmoid" else "" for part in parts)
    names = tuple(part.name for part in parts)
    return with_heads(model, dataset.task), StudentOutputs(names, endings, True, tuple(range(len(parts))))


def packed_student(model: keras.Model, name: str, dataset: Dataset) -> tuple[keras.Model, StudentOutputs]:
    """A user's student with its outputs side by side, without final softmaxes and sigmoids.

    Args:
        model: as given; its weights are kept.
        name: in reports.
        dataset: the data, of several outputs.

    Raises:
        RequestError: its outputs are not those of the data, or its operations cannot be seen.
    """
    graph = as_graph(model)
    if graph is None:
        raise RequestError(
            f"The student {name} does not show its outputs. Build it from keras.Input, or as Sequential."
        )
    found = several_outputs(graph)
    order = order_of(found, dataset.task, "The student", name)
    if found is None:
        raise ValueError("a model of one output has been refused")
    names = [""] * len(order)
    for part, place in zip(dataset.task.parts, order, strict=True):
        names[place] = part.name
    ended = [index for index, end in enumerate(found.endings) if end in PROBABILITIES]
    plain = without_activations(graph, name, ended) if ended else graph
    endings = tuple(end if end in PROBABILITIES else "" for end in found.endings)
    return packed(plain, order, raw=False), StudentOutputs(tuple(names), endings, found.keyed, tuple(order))


def without_activations(model: keras.Model, name: str, outputs: Collection[int]) -> keras.Model:
    """The same architecture and weights, some outputs ending in logits.

    Args:
        model: as given.
        name: in reports.
        outputs: the numbers of those that end in softmax or sigmoid, in the order of `ModelOutputs`.

    Raises:
        RequestError: an activation is inside a nested model.
    """
    layers = {last_layer(model, output).name for output in _places(model, outputs)}

    def linear(layer: keras.Layer) -> keras.Layer:
        if layer.name not in layers:
            return layer.__class__.from_config(layer.get_config())
        if not hasattr(layer, "activation"):
            return keras.layers.Activation("linear", name=layer.name)
        return layer.__class__.from_config({**layer.get_config(), "activation": "linear"})

    twin = rebuilt(model, linear)
    left = next((end for output in _places(twin, outputs) if (end := ending(twin, output))), "")
    if left:
        raise RequestError(f"The student {name} ends in a {left} inside a nested model. Let it end in logits.")
    return write_variables(twin, read_variables(model))


def _places(model: keras.Model, outputs: Collection[int]) -> list[int]:
    """The places of outputs in a model's flat list, which orders a dictionary by its keys."""
    struct = getattr(model, "_outputs_struct", None)
    if not isinstance(struct, dict):
        return list(outputs)
    given = list(struct.values())
    return [next(i for i, other in enumerate(model.outputs) if other is given[output]) for output in outputs]


def shipped_outputs(raw: Any, outputs: StudentOutputs, dataset: Dataset) -> Any:
    """The outputs of a shipped student, symbolic: named, with their activations, numbers in the labels' unit.

    Args:
        raw: the student's raw outputs, symbolic, in the data's order.
        outputs: how they are given.
        dataset: the data.
    """
    raw = raw if isinstance(raw, list) else [raw]
    made: dict[str, Any] = {}
    for part, tensor in zip(dataset.task.parts, raw, strict=True):
        last: Any = keras.layers.Identity(name=part.name)
        if end := outputs.ending_of(part.name):
            last = keras.layers.Activation(end, name=part.name)
        elif part.task.name == "regression" and dataset.target_mean is not None and dataset.target_spread is not None:
            columns = slice(*part.outputs)
            spread, mean = dataset.target_spread[columns], dataset.target_mean[columns]
            last = keras.layers.Rescaling(spread.tolist(), mean.tolist(), name=part.name)
        made[part.name] = last(tensor)
    return {name: made[name] for name in outputs.names} if outputs.keyed else [made[name] for name in outputs.names]
