"""What the inputs of a Keras model are: their names and shapes, and whether they are token ids."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import keras
import numpy as np

from distillab.data import Dataset
from distillab.data.forms import ModelInput
from distillab.data.inputs import INPUT, Scale, parts_of
from distillab.errors import RequestError
from distillab.models.ending import as_graph
from distillab.models.foreign import ForeignInput, ForeignModel
from distillab.models.input_names import input_names, input_readers, vocabularies
from distillab.models.scaling import reads_raw


def model_inputs(model: keras.Model) -> tuple[ModelInput, ...]:
    """The inputs of a model, in its order.

    An input is of token ids where its type is a whole number or an Embedding reads it.

    Args:
        model: built.

    Returns:
        () where the model does not show its inputs.
    """
    graph = as_graph(model)
    if graph is None or not getattr(graph, "inputs", None):
        return ()
    return tuple(map(_model_input, graph.inputs, input_names(graph), vocabularies(graph)))


def _model_input(tensor: Any, name: str, vocabulary: int | None) -> ModelInput:
    shape = tuple(tensor.shape[1:])
    whole = np.dtype(tensor.dtype).kind in "iu" and tensor.dtype != "uint8" and len(shape) == 1
    return ModelInput(name, shape, vocabulary is not None or whole, vocabulary)


def foreign_inputs(model: ForeignModel) -> tuple[ModelInput, ...]:
    """The inputs that a model of another framework states; () where it states none.

    Args:
        model: of any framework.
    """
    stated = model.several
    if not stated and model.shape is not None:
        stated = (ForeignInput(INPUT, model.shape, model.dtype),)
    return tuple(
        ModelInput(name, shape, dtype in ("int32", "int64") and len(shape) == 1) for name, shape, dtype in stated
    )


def matched_inputs(
    who: str, inputs: tuple[ModelInput, ...], dataset: Dataset, *, student: bool = False
) -> list[tuple[str, ModelInput]]:
    """For each of a model's inputs, in its order, the data's input that it reads.

    They are matched by name where all names are the same, otherwise by place.

    Args:
        who: the model, for messages: "The student mine.keras".
        inputs: made by `model_inputs`.
        dataset: the data.
        student: whether it reads inputs as students do: the columns of a table encoded.

    Raises:
        RequestError: their numbers differ, a shape does not fit, a model takes token ids for numbers or numbers for
            token ids, or a token id is not in its vocabulary.
    """
    shapes = dataset.student_shapes if student else dataset.input_shapes
    if len(inputs) != len(shapes):
        raise RequestError(
            f"{who} has {len(inputs)} input{'s' * (len(inputs) > 1)} ({', '.join(one.name for one in inputs)}), and "
            f"the data have {len(shapes)} ({', '.join(shapes)}). Give an array for each input of the models, by name "
            "or in their order: ([a, b], y) or ({'a': a, 'b': b}, y)."
        )
    by_name = {one.name for one in inputs} == set(shapes)
    pairs = [(one.name if by_name else name, one) for one, name in zip(inputs, shapes, strict=True)]
    for name, one in pairs:
        _check_fits(who, name, one, shapes[name], several=len(pairs) > 1)
        _check_tokens(who, name, one, dataset)
    return pairs


def _check_fits(who: str, name: str, one: ModelInput, shape: tuple[int, ...], *, several: bool) -> None:
    if len(one.shape) == len(shape) and all(a in (None, b) for a, b in zip(one.shape, shape, strict=True)):
        return
    size = " Give --image-size." if len(one.shape) == len(shape) == 3 and one.shape[-1] == shape[-1] else ""
    what = f"{shape} for its input {one.name!r}" if several else f"{shape}"
    raise RequestError(f"{who} reads inputs of shape {one.shape}, and the data have {what}.{size}")


def _check_tokens(who: str, name: str, one: ModelInput, dataset: Dataset) -> None:
    tokens = dataset.input_kinds[name] == "tokens"
    if one.tokens != tokens:
        reads, holds = ("token ids", "numbers") if one.tokens else ("numbers", "token ids")
        advice = "State --inputs tokens" if one.tokens else "State --inputs features"
        raise RequestError(
            f"{who} reads {reads} ({one.name!r}), and the data hold {holds}. {advice}, or give another model."
        )
    if not tokens or one.vocabulary is None:
        return
    for part, x in (("train", dataset.x_train), ("test", dataset.x_test), ("unlabelled", dataset.unlabelled)):
        ids = parts_of(x)[name]
        if ids.max(initial=0) >= one.vocabulary:
            row = int(np.flatnonzero((ids >= one.vocabulary).any(axis=1))[0])
            example = next(islice(dataset.example_ids.of(part), row, None))[0]
            raise RequestError(
                f"{who} knows the token ids from 0 to {one.vocabulary - 1}, and the example {example!r}, counted as "
                f"read, holds {ids[row].max()}. Give the tokenizer that it was trained with, or a model of a larger "
                "vocabulary."
            )


def model_scale(model: keras.Model, dataset: Dataset, stated: str | None) -> Scale:
    """What stored inputs are multiplied by for a model: 1 where it scales them itself, otherwise the data's scale.

    Args:
        model: of the data's inputs.
        dataset: the data.
        stated: "raw", "unit" or, where the model shows it, None; of all inputs.
    """
    if not isinstance(dataset.scale, Mapping):
        raw = reads_raw(model) if stated is None else stated == "raw"
        return 1.0 if raw else dataset.scale
    scales = {}
    for place, (name, _) in enumerate(matched_inputs(f"The model {model.name}", model_inputs(model), dataset)):
        readers = input_readers(model, place)
        scales_itself = any(isinstance(one, (keras.layers.Rescaling, keras.layers.Normalization)) for one in readers)
        raw = scales_itself if stated is None else stated == "raw"
        scales[name] = 1.0 if raw else dataset.scale[name]
    return scales
