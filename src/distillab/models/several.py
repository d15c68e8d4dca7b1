"""Keras models of several outputs: their names and endings, and the same model with its outputs packed into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from distillab.errors import RequestError
from distillab.models.ending import as_graph, before_activation, ending
from distillab.models.input_names import symbolic_inputs
from distillab.tasks import Head, Task
from distillab.tasks.matching import output_order

PROBABILITIES = ("softmax", "sigmoid")


class ModelOutputs(NamedTuple):
    """The outputs of a model that has several.

    Args:
        names: in the model's own order; layers name those of a list.
        widths: C of each.
        endings: the final activation of each, as `ending` gives it.
        keyed: whether the model gives a dictionary.
    """

    names: tuple[str, ...]
    widths: tuple[int, ...]
    endings: tuple[str, ...]
    keyed: bool

    def head(self, name: str) -> Head:
        """What helps to recognise the tasks.

        Args:
            name: of the model, for messages.
        """
        outputs = zip(self.names, self.widths, self.endings, strict=True)
        parts = tuple(Head(width, end, 0, f"{name}, output {of!r},", output=of) for of, width, end in outputs)
        return Head(sum(self.widths), "", 0, name, parts=parts, keyed=self.keyed)


def several_outputs(model: keras.Model) -> ModelOutputs | None:
    """The outputs of a model, where they are several or named by a dictionary; None for a model of one.

    Args:
        model: built.

    Raises:
        RequestError: outputs at many positions, or nested ones.
    """
    graph = as_graph(model)
    if graph is None:
        return None
    struct = getattr(graph, "_outputs_struct", None)
    struct = graph.outputs if struct is None else struct
    keyed = isinstance(struct, Mapping)
    if len(graph.outputs) == 1 and not keyed:
        return None
    given = list(struct.values()) if keyed else list(struct) if isinstance(struct, (list, tuple)) else [struct]
    if len(given) != len(graph.outputs) or any(isinstance(of, (list, tuple, Mapping)) for of in given):
        raise RequestError(f"The model {model.name!r} nests its outputs. Give a list or a dictionary of tensors.")
    names = tuple(map(str, struct)) if keyed else tuple(graph.output_names)
    for name, tensor in zip(names, given, strict=True):
        if len(tensor.shape) != 2 or tensor.shape[-1] is None:
            raise RequestError(
                f"Output {name!r} of the model {model.name!r} has shape {tuple(tensor.shape)}. Several outputs must be "
                "one prediction an example each, (batch, outputs). Maps and sequences need a model of one output."
            )
    places = [next(i for i, other in enumerate(graph.outputs) if other is tensor) for tensor in given]
    return ModelOutputs(
        names, tuple(int(tensor.shape[-1]) for tensor in given), tuple(ending(graph, i) for i in places), keyed
    )


def tensors_of(graph: keras.Model) -> list[Any]:
    """The symbolic outputs of a functional model, in the order of `ModelOutputs.names`.

    Args:
        graph: of several outputs.
    """
    struct = getattr(graph, "_outputs_struct", graph.outputs)
    return list(struct.values()) if isinstance(struct, Mapping) else list(struct)


def order_of(found: ModelOutputs | None, task: Task, who: str, name: str) -> list[int]:
    """For each of the data's outputs, the number of the model's.

    Args:
        found: of the model; None: it has one.
        task: of several outputs.
        who: "The student" or "The teacher".
        name: of the model, for messages.

    Raises:
        RequestError: their numbers, names or widths differ.
    """
    called = f"{who} {name}"
    if found is None:
        return output_order([part.name for part in task.parts], [""], called, keyed=False)
    order = output_order([part.name for part in task.parts], found.names, called, keyed=found.keyed)
    for part, place in zip(task.parts, order, strict=True):
        if found.widths[place] != part.width:
            raise RequestError(
                f"Output {found.names[place]!r} of the {who.split()[1]} {name} has shape ({found.widths[place]},), and "
                f"the data need ({part.width},) for {part.name!r} with task={part.task.name} "
                f"({', '.join(part.class_names[:5])}). Give a model of the same outputs, or state another task."
            )
    return order


def packed(graph: keras.Model, order: Sequence[int], *, raw: bool) -> keras.Model:
    """The model with its outputs side by side, (B, sum of C), of the same weights (not copies).

    Args:
        graph: functional, of several outputs.
        order: of the data's outputs, the number of the model's.
        raw: whether final softmaxes and sigmoids are left out.
    """
    found = several_outputs(graph)
    if found is None:
        raise ValueError(f"{graph.name} has one output.")
    tensors, called = tensors_of(graph), dict[int, Any]()

    def chosen(place: int) -> Any:
        activated = raw and found.endings[place] in PROBABILITIES
        return before_activation(tensors[place], called) if activated else tensors[place]

    return joined(symbolic_inputs(graph), [chosen(place) for place in order], graph.name)


def joined(inputs: Any, tensors: Sequence[Any], name: str) -> keras.Model:
    """A model whose outputs are tensors side by side.

    Args:
        inputs: symbolic.
        tensors: symbolic, (B, C) each.
        name: of the model.
    """
    return keras.Model(inputs, keras.layers.Concatenate(axis=-1)(list(tensors)), name=f"{name}_packed")


def taken_apart(model: keras.Model) -> keras.Model:
    """A model that `joined` made, or a copy of it, with its outputs as a list again.

    Args:
        model: its last layer concatenates them.
    """
    history = model.outputs[0]._keras_history
    tensors = history.operation._inbound_nodes[history.node_index].input_tensors
    return keras.Model(symbolic_inputs(model), list(tensors), name=model.name)


def with_heads(model: keras.Model, task: Task) -> keras.Model:
    """A model of the zoo with a last layer for each of several outputs, side by side.

    Args:
        model: one that ends in a dense layer.
        task: of several outputs.

    Raises:
        RequestError: it predicts at many positions.
    """
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        raise RequestError(f"The model {model.name!r} predicts at many positions, and the data have several outputs.")
    heads = [keras.layers.Dense(part.width)(last.input) for part in task.parts]
    return joined(symbolic_inputs(model), heads, model.name)
