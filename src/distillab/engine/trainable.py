"""Requirements of trainable models: one output without activation, traceable by JAX, and able to be rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import keras

from distillab.engine.given import read_flags, set_flags
from distillab.engine.inputs import input_specs
from distillab.engine.lora import read_adapters, set_adapters
from distillab.errors import RequestError, reason
from distillab.models.ending import ending, last_layer
from distillab.models.input_names import symbolic_inputs


def check_model(model: keras.Model) -> None:
    """Check that a model has inputs of its own and one raw output, and that JAX can trace it.

    Args:
        model: a built model.

    Raises:
        RequestError: it is not, or JAX cannot; the message names the layer.
    """
    _check_output(model)
    _check_traceable(model)


def _check_output(model: keras.Model) -> None:
    outputs = getattr(model, "outputs", None)
    _check_inputs(model)
    shape = model.output_shape
    last = last_layer(model)
    if isinstance(shape, list) or (outputs is not None and len(outputs) != 1):
        raise RequestError(f"The model {model.name!r} has several outputs, and must have one.")
    if len(shape) < 2 or any(side is None for side in shape[1:]):
        raise RequestError(
            f"The last layer {last.name!r} of the model {model.name!r} gives shape {shape}, and must give (batch, "
            "outputs), or (batch, positions, outputs) of known size. End it with Flatten and Dense(outputs)."
        )
    name = ending(model)
    if name in ("softmax", "sigmoid"):  # log-probabilities are logits: they are defined up to a constant
        raise RequestError(
            f"The model {model.name!r} ends in {name} (layer {last.name!r}), and must end in logits: the loss applies "
            f"the {name} itself. Remove that activation."
        )


def _check_inputs(model: keras.Model) -> None:
    tensors = symbolic_inputs(model)
    parts = list(tensors.values()) if isinstance(tensors, dict) else tensors
    if any(isinstance(part, (dict, list, tuple)) for part in (parts if isinstance(parts, (list, tuple)) else [])):
        raise RequestError(
            f"The model {model.name!r} has inputs inside inputs, and must have one, or a list or dict of them. Build "
            "it with keras.Model([a, b], outputs) or keras.Model({'a': a, 'b': b}, outputs)."
        )


def _check_traceable(model: keras.Model) -> None:
    try:
        _trace(model, input_specs(model, 2))
    except Exception as error:  # a layer can raise anything
        raise RequestError(
            f"The model {model.name!r} cannot be traced by JAX: {_first_fault(model)} ({_first_sentence(error)}). Its "
            "layers must be made of keras.ops or jax.numpy, without Python decisions on values."
        ) from error


def _trace(layer: Any, inputs: Any) -> None:
    trainable = [variable.value for variable in layer.trainable_variables]
    fixed = [variable.value for variable in layer.non_trainable_variables]
    jax.eval_shape(lambda v, x: layer.stateless_call(*v, x, training=True)[0], (trainable, fixed), inputs)


def _first_fault(model: keras.Model) -> str:
    """A description of the first layer that cannot be traced alone."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) or len(layer._inbound_nodes) != 1:
            continue
        shapes = jax.tree.map(lambda t: jax.ShapeDtypeStruct((2, *t.shape[1:]), t.dtype), layer.input)
        try:
            _trace(layer, shapes)
        except Exception:  # a layer can raise anything
            return f"layer {layer.name!r} ({type(layer).__name__}) fails"
    return "its layers do not fit together"


def rebuilt(model: keras.Model, rebuild: Callable[[keras.Layer], keras.Layer] | None = None) -> keras.Model:
    """Rebuild a model of the same architecture with fresh weights, and the same adapters and frozen variables.

    Args:
        model: the model.
        rebuild: makes each layer; by default from its configuration.

    Raises:
        RequestError: a layer cannot be rebuilt from its configuration; the message names it.
    """
    twin = _cloned(model, rebuild)
    set_adapters(twin, read_adapters(model))
    set_flags(twin, read_flags(model))
    pairs = ((model.trainable_variables, twin.trainable_variables), (model.variables, twin.variables))
    if any([v.shape for v in of] != [v.shape for v in other] for of, other in pairs):
        raise RequestError(
            f"The model {model.name!r} cannot be rebuilt with fresh weights: the rebuilt model trains other weights. "
            "Let get_config() of its layers hold everything that their weights depend on."
        )
    return twin


def _cloned(model: keras.Model, rebuild: Callable[[keras.Layer], keras.Layer] | None) -> keras.Model:
    try:
        return keras.models.clone_model(model, clone_function=rebuild)
    except Exception as error:  # a constructor can raise anything
        for layer in model.layers:
            try:
                type(layer).from_config(layer.get_config())
            except Exception as fault:
                raise RequestError(
                    f"The model {model.name!r} cannot be rebuilt with fresh weights: layer {layer.name!r} "
                    f"({type(layer).__name__}) cannot be rebuilt from its get_config() ({_first_sentence(fault)}). "
                    "Return every argument of its constructor there."
                ) from error
        why = f"cannot be rebuilt with fresh weights: {_first_sentence(error)}"
        raise RequestError(f"The model {model.name!r} {why}.") from error


def _first_sentence(error: Exception) -> str:
    return reason(error).split(". ")[0]
