"""The inputs of models: an array, or several arrays by name, and what a model takes of them.

On the host several inputs are one structured array (`distillab.data.inputs`); on the device they are an `OrderedDict`,
whose order JAX keeps, as it would not that of a dict.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from distillab.data.inputs import INPUT, Scale, for_input, parts_of
from distillab.errors import RequestError
from distillab.models.input_names import given_by_name, input_names, symbolic_inputs

Inputs = Any
"""One array (N, ...), or an `OrderedDict` of such arrays by name."""

ANY_LENGTH = 32
"""The length at which a model is traced along an axis whose length it leaves open."""


def unstructured(stored: np.ndarray) -> Inputs:
    """Take apart stored inputs: a plain array stays as it is.

    Args:
        stored: shape (N, ...), or structured, shape (N,).

    Example:
        >>> both = np.zeros(3, [("text", np.int32, (5,)), ("age", np.float32, (1,))])
        >>> {name: part.shape for name, part in unstructured(both).items()}
        {'text': (3, 5), 'age': (3, 1)}
    """
    if stored.dtype.names is None:
        return stored
    return OrderedDict((name, np.ascontiguousarray(part)) for name, part in parts_of(stored).items())


def count(inputs: Inputs) -> int:
    """N, the number of examples.

    Args:
        inputs: one array or several.
    """
    return len(jax.tree.leaves(inputs)[0])


def take(inputs: Inputs, rows: Any) -> Inputs:
    """Some examples.

    Args:
        inputs: one array or several.
        rows: row numbers, or a slice.
    """
    return jax.tree.map(lambda part: part[rows], inputs)


def scaled(stored: Inputs, scale: Scale) -> Inputs:
    """What a model reads: numbers as float32 times their scale, token ids as they are.

    Args:
        stored: inputs in the type that they are stored in.
        scale: a number, or one for each input.
    """
    if not isinstance(stored, Mapping):
        return _scaled(stored, scale)
    return OrderedDict((name, _scaled(part, for_input(scale, name))) for name, part in stored.items())


def _scaled(stored: Any, scale: Any) -> Any:
    return stored if are_ids(stored.dtype) else stored.astype(jnp.float32) * scale


def are_ids(dtype: Any) -> bool:
    """Whether numbers of a type are token ids: all integers but bytes.

    Args:
        dtype: of stored inputs.

    Example:
        >>> are_ids(np.int32), are_ids(np.uint8), are_ids(np.float32)
        (True, False, False)
    """
    return bool(jnp.issubdtype(dtype, jnp.integer)) and dtype != np.uint8


def as_read(example: np.ndarray, batch: int) -> Inputs:
    """A batch of one example repeated, in the types that models read.

    Args:
        example: one input as a model sees it, shape (...), or a structured scalar of several.
        batch: how often.
    """
    repeated = unstructured(np.repeat(np.asarray(example)[None], batch, axis=0))
    return jax.tree.map(lambda part: part if are_ids(part.dtype) else part.astype(np.float32), repeated)


def input_specs(model: keras.Model, batch: int) -> Any:
    """Shapes and types of a batch of a model's inputs, as it is called with them.

    Args:
        model: a built model.
        batch: examples.
    """

    def spec(tensor: Any) -> jax.ShapeDtypeStruct:
        shape = (ANY_LENGTH if side is None else side for side in tensor.shape[1:])
        return jax.ShapeDtypeStruct((batch, *shape), tensor.dtype)

    return keras.tree.map_structure(spec, symbolic_inputs(model))


def arranged(model: keras.Model, inputs: Inputs) -> Any:
    """Inputs as a model takes them: by name where their names are the model's, otherwise in order.

    Args:
        model: a built model.
        inputs: one array, or several by name, as many as the model has inputs.

    Raises:
        RequestError: the model has another number of inputs.
    """
    names = input_names(model)
    of_data = list(inputs) if isinstance(inputs, Mapping) else [INPUT]
    if len(names) != len(of_data):
        raise RequestError(
            f"The model {model.name!r} has {len(names)} inputs ({', '.join(names)}), and the data {len(of_data)} "
            f"({', '.join(of_data)}). Give the model an input for each of them, by the same names or in their order."
        )
    return given_by_name(model, inputs) if isinstance(inputs, Mapping) else inputs
