"""The inputs of a Keras model: their names, which layers read them, and how arrays are given to them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def input_names(model: keras.Model) -> list[str]:
    """The names of a model's inputs, in its order: the keys of a dictionary, otherwise the names of the input layers.

    Args:
        model: functional or sequential, built.
    """
    import keras

    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        return [str(name) for name in keras.tree.flatten({name: name for name in structure})]
    return [str(tensor._keras_history.operation.name) for tensor in model.inputs]


def symbolic_inputs(model: keras.Model) -> Any:
    """A model's symbolic inputs as it is called with them: one, a list or a dictionary; None where they are not known.

    Args:
        model: built.
    """
    structure = getattr(model, "_inputs_struct", None)
    structure = getattr(model, "inputs", None) if structure is None else structure
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


def given_by_name(model: keras.Model, inputs: Mapping[str, Any]) -> Any:
    """Inputs in the structure that a model is called with: by name where all names are its own, otherwise in order.

    Args:
        model: functional, of as many inputs.
        inputs: arrays by name.
    """
    import keras

    return keras.tree.pack_sequence_as(model._inputs_struct, in_order(input_names(model), inputs))


def in_order(names: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
    """Inputs in a model's order: by name where all names are its own, otherwise in their order.

    Args:
        names: of the model's inputs.
        inputs: as many, by name.

    Example:
        >>> in_order(["a", "b"], {"b": 2, "a": 1}), in_order(["a", "b"], {"q": 3, "p": 4})
        ([1, 2], [3, 4])
    """
    return [inputs[name] for name in names] if set(names) == set(inputs) else list(inputs.values())


def input_readers(model: keras.Model, place: int) -> list[keras.Layer]:
    """The layers that read an input directly, those of nested models instead of these.

    Args:
        model: functional or sequential, built.
        place: of the input in the model's order.
    """
    import keras

    tensor, found = model.inputs[place], list[keras.Layer]()
    for operation in getattr(model, "operations", None) or model.layers:
        for node in operation._inbound_nodes:
            for inner, read in enumerate(node.input_tensors):
                if read is not tensor:
                    continue
                if isinstance(operation, keras.Model) and len(getattr(operation, "inputs", None) or []) > inner:
                    found += input_readers(operation, inner)
                else:
                    found.append(operation)
    return found


def vocabularies(model: keras.Model) -> list[int | None]:
    """For each input the number of token ids that the model knows; None where no Embedding reads the input.

    Args:
        model: functional or sequential, built.
    """
    import keras

    embeddings = [
        [one.input_dim for one in input_readers(model, place) if isinstance(one, keras.layers.Embedding)]
        for place in range(len(model.inputs))
    ]
    return [min(map(int, sizes), default=None) for sizes in embeddings]
