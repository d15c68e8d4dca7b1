"""The last operation of a model, and its logits where that is a softmax."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax"}


def last_layer(model: keras.Model) -> Any:
    """The layer or operation that computes a model's output, inside nested models too.

    Args:
        model: of one output.
    """
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return model.layers[-1] if model.layers else model
    operation = outputs[0]._keras_history.operation
    return last_layer(operation) if isinstance(operation, keras.Model) else operation


def ending(model: keras.Model) -> str:
    """The final activation of a model: "softmax", "sigmoid", "log_softmax", or "" for logits.

    Args:
        model: its last layer or operation decides; computations inside a custom class are not visible.

    Example:
        >>> ending(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]))
        'softmax'
    """
    last = last_layer(model)
    name = getattr(getattr(last, "activation", None), "__name__", "")
    name = name or _OPERATIONS.get(type(last).__name__, "")
    return name if name in _OPERATIONS.values() else ""


def without_softmax(model: keras.Model) -> keras.Model:
    """A functional model with the same weights (not copies) that gives the logits of one ending in softmax.

    Args:
        model: Sequential or functional, ending in softmax as an activation, a layer or an operation.
    """
    output = model.outputs[0]
    history = output._keras_history
    operation = history.operation
    before = operation._inbound_nodes[history.node_index].input_tensors
    if isinstance(operation, keras.Model):
        logits = without_softmax(operation)(before if len(before) > 1 else before[0])
    elif type(operation).__name__ == "Softmax" or isinstance(operation, keras.layers.Activation):
        logits = before[0]
    else:
        logits = _Preactivation(operation)(before if len(before) > 1 else before[0])
    inputs = getattr(model, "_inputs_struct", model.inputs)  # one, a list or a mapping
    inputs = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
    return keras.Model(inputs, logits, name=f"{model.name}_logits")


class _Preactivation(keras.layers.Layer):
    """A layer's output before its activation function, with the layer's own weights."""

    def __init__(self, layer: Any) -> None:
        super().__init__(name=f"{layer.name}_logits", dtype=layer.dtype_policy)
        self.layer = layer
        self.built = True

    def call(self, inputs: Any) -> Any:
        activation = self.layer.activation
        self.layer.activation = keras.activations.linear
        try:
            return self.layer(inputs)
        finally:
            self.layer.activation = activation


def gives_probabilities(outputs: Any) -> bool:
    """Whether every row is a distribution: nothing below 0, and a sum of 1.

    Args:
        outputs: shape (B, ..., C).
    """
    outputs = ops.convert_to_numpy(ops.cast(outputs, "float32"))
    return bool((outputs >= 0).all() and (abs(outputs.sum(axis=-1) - 1) < 1e-3).all())
