"""The last operation of a model of any construction, and its outputs before a final softmax or sigmoid."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import ops

from distillab.models.input_names import symbolic_inputs

_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "LogSoftmax": "log_softmax"}
_RESHAPING = {
    *("Flatten", "Reshape", "Permute", "Squeeze", "Identity", "Dropout"),
    *(f"Global{kind}Pooling{axes}D" for kind in ("Average", "Max") for axes in (1, 2, 3)),
}


def as_graph(model: keras.Model) -> keras.Model | None:
    """A model whose operations are visible: the model itself, or a functional twin of a custom class's.

    The twin has the same weights, not copies. It is made by calling the model on symbolic inputs.

    Args:
        model: a built model.

    Returns:
        None where the model cannot be traced, or computes differently in training (beyond what its layers do).
    """
    if getattr(model, "outputs", None):
        return model
    shapes = input_shapes(model)
    if shapes is None:
        return None
    for dtype in ("float32", "int32"):
        try:
            inputs = _symbolic(shapes, dtype)
            twin = keras.Model(inputs, _traced(model, (inputs,), {}), name=model.name)
        except Exception:  # a class's own code can raise anything
            continue
        return twin
    return None


def _symbolic(shapes: Any, dtype: str) -> Any:
    if isinstance(shapes, dict):  # of which Keras wants every input to have the name of its key
        return {name: keras.Input(shape[1:], dtype=dtype, name=name) for name, shape in shapes.items()}
    return keras.tree.map_shape_structure(lambda shape: keras.Input(shape[1:], dtype=dtype), shapes)


def input_shapes(model: keras.Model) -> Any:
    """The shapes of the inputs that a custom class's model was built with, in their structure; None if not known.

    Args:
        model: a built model.
    """

    def plain(value: Any) -> Any:  # Keras wraps dictionaries and lists that a layer holds, and JAX takes none of these
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            shape = all(part is None or isinstance(part, int) for part in value)
            return tuple(value) if shape else [plain(part) for part in value]
        return value

    return plain((model.get_build_config() or {}).get("input_shape"))


def _traced(layer: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A layer's output as the operations inside it computed it.

    Raises:
        ValueError: the operations depend on whether the layer trains, which one graph cannot express.
    """
    if "training" not in inspect.signature(layer.call).parameters:
        return layer.call(*inputs, **options)
    outputs = [layer.call(*inputs, **{**options, "training": training}) for training in (True, False, None)]
    graphs = [_operations(output) for output in outputs]
    if not graphs[0] == graphs[1] == graphs[2]:
        raise ValueError("The layer computes differently in training.")
    return outputs[2]


def _operations(output: Any) -> list[str]:
    """The kinds of the operations that lead to an output, or to several, the last first."""
    found, waiting, seen = [], keras.tree.flatten(output), set()
    while waiting:
        tensor = waiting.pop()
        node = _node(tensor)
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        found.append(type(node.operation).__name__)
        waiting += node.input_tensors
    return found


def _node(tensor: Any) -> Any:
    """Where a symbolic tensor comes from; None for an input."""
    history = getattr(tensor, "_keras_history", None)
    node = history.operation._inbound_nodes[history.node_index] if history else None
    return None if node is None or node.is_input else node


def _last_node(output: Any) -> Any:
    """The last operation that can be seen, inside nested models and custom layers too."""
    node = _node(output)
    while node is not None:
        inner = _inside(output)
        if inner is None:
            return node
        output, node = inner, _node(inner)
    return node


def _inside(output: Any) -> Any:
    """How a nested model or a custom layer computes an output, as a symbolic tensor; None for a single operation."""
    operation = _node(output).operation
    if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
        return operation.outputs[output._keras_history.tensor_index]
    return _expanded(output)


def _expanded(output: Any) -> Any:
    """The same computation as the operations of a nested model or custom layer, in the graph around it."""
    node = _node(output)
    operation = node.operation
    builtin = type(operation).__module__.partition(".")[0] == "keras" and not isinstance(operation, keras.Model)
    if builtin or not isinstance(operation, keras.Layer) or isinstance(operation, _Preactivation):
        return None
    options = {key: value for key, value in node.arguments.kwargs.items() if key not in ("training", "mask")}
    try:
        traced = keras.tree.flatten(_traced(operation, node.arguments.args, options))
    except Exception:  # a class's own code can raise anything
        return None
    same = traced[output._keras_history.tensor_index]
    return same if _node(same) is not None else None


def last_layer(model: keras.Model, output: int = 0) -> Any:
    """The layer or operation that computes a model's output, inside nested models and custom classes too.

    Args:
        model: of one output, or of several whose operations are visible.
        output: which of several.
    """
    graph = as_graph(model)
    node = None if graph is None else _last_node(graph.outputs[output])
    if node is not None:
        return node.operation
    return model.layers[-1] if model.layers else model


def ending(model: keras.Model, output: int = 0) -> str:
    """The final activation of a model: "softmax", "sigmoid", "log_softmax", or "" for none that is known.

    Args:
        model: its last layer or operation decides.
        output: which of several outputs.

    Example:
        >>> ending(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]))
        'softmax'
    """
    return "" if as_graph(model) is None else _activation(last_layer(model, output))


def _activation(operation: Any) -> str:
    name = getattr(getattr(operation, "activation", None), "__name__", "")
    name = name or _OPERATIONS.get(type(operation).__name__, "")
    return name if name in _OPERATIONS.values() else ""


def ending_is_certain(model: keras.Model, output: int = 0) -> bool:
    """Whether the last operations show the final activation, or that there is none: trial inputs need not decide it.

    Args:
        model: of one output, or several.
        output: which of several.
    """
    graph = as_graph(model)
    node = None if graph is None else _last_node(graph.outputs[output])
    if node is None:
        return False
    if _activation(node.operation):
        return True
    while node is not None and type(node.operation).__name__ in _RESHAPING:
        node = _last_node(node.input_tensors[0])
    return node is not None and _is_unbounded(getattr(node.operation, "activation", ""))


def _is_unbounded(activation: Any) -> bool:
    """Whether an activation is one of Keras's that give no probabilities; "" for an operation without one."""
    name, module = (getattr(activation, part, "") for part in ("__name__", "__module__"))
    bounded = any(part in name for part in ("sigmoid", "softmax", "sparsemax"))
    return activation is None or (module.startswith("keras.") and not bounded)


def without_activation(model: keras.Model) -> keras.Model:
    """A functional model with the same weights (not copies) that ends before the final softmax or sigmoid.

    Args:
        model: one whose `ending` is "softmax" or "sigmoid": as an activation, a layer or an operation. Of several
            outputs those that end in neither stay as they are.
    """
    graph = as_graph(model)
    if graph is None:
        raise ValueError(f"{model.name} cannot be traced.")
    if len(graph.outputs) == 1:
        return keras.Model(symbolic_inputs(graph), before_activation(graph.outputs[0]), name=f"{model.name}_logits")
    called: dict[int, Any] = {}
    outputs = [
        before_activation(output, called) if ending(graph, index) in ("softmax", "sigmoid") else output
        for index, output in enumerate(graph.outputs)
    ]
    packed = keras.tree.pack_sequence_as(getattr(graph, "_outputs_struct", graph.outputs), outputs)
    return keras.Model(symbolic_inputs(graph), packed, name=f"{model.name}_logits")


def before_activation(output: Any, called: dict[int, Any] | None = None) -> Any:
    """What a final softmax or sigmoid is applied to, as a symbolic tensor of the same graph.

    Args:
        output: of a functional model, whose last operation is one.
        called: one dictionary for all outputs of a model, empty at first: a nested model is called once for them.
    """
    called = {} if called is None else called
    node = _node(output)
    operation, before = node.operation, node.input_tensors
    single = before if len(before) > 1 else before[0]
    if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
        if id(node) not in called:
            options = {key: value for key, value in node.arguments.kwargs.items() if key not in ("training", "mask")}
            logits = without_activation(operation)(*node.arguments.args, **options)
            called[id(node)] = keras.tree.flatten(logits)
        return called[id(node)][output._keras_history.tensor_index]
    inside = _expanded(output)
    if inside is not None:
        return before_activation(inside, called)
    if type(operation).__name__ in _OPERATIONS or isinstance(operation, keras.layers.Activation):
        return before[0]
    return _Preactivation(operation)(single)


class _Preactivation(keras.layers.Layer):
    """A layer's output before its activation function, with the layer's own weights."""

    def __init__(self, layer: Any) -> None:
        super().__init__(name=f"{layer.name}_logits", dtype=layer.dtype_policy)
        self.layer = layer
        self.supports_masking = layer.supports_masking
        self.activation = None
        self.built = True

    def call(self, inputs: Any) -> Any:
        activation = self.layer.activation
        self.layer.activation = keras.activations.linear
        try:
            return self.layer(inputs)
        finally:
            self.layer.activation = activation


def gives_probabilities(outputs: Any) -> bool:
    """Whether every row is a distribution over several outputs: nothing below 0, and a sum of 1.

    Args:
        outputs: shape (B, ..., C).
    """
    outputs = ops.convert_to_numpy(ops.cast(outputs, "float32"))
    return bool((outputs >= 0).all() and (abs(outputs.sum(axis=-1) - 1) < 1e-3).all())
