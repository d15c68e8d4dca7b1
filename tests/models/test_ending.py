"""What a classifier ends in, and its logits: of the same weights, whatever way the softmax was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from distillab.models.ending import ending, ending_is_certain, gives_probabilities, last_layer, without_activation

F, C = 4, 3


def sequential(*after: Any) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential([keras.Input((F,)), *after])


def functional(softmax: Callable[[Any], Any]) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        inputs = keras.Input((F,))
        return keras.Model(inputs, softmax(layers.Dense(C)(inputs)))

    return make


def nested() -> keras.Model:
    head = keras.Sequential([keras.Input((5,)), layers.Dense(C, activation="softmax")])
    return keras.Sequential([keras.Input((F,)), layers.Dense(5), head])


def of_named_inputs() -> keras.Model:
    inputs = {"a": keras.Input((F,), name="a"), "b": keras.Input((F,), name="b")}
    joined = layers.Concatenate()([inputs["a"], inputs["b"]])
    return keras.Model(inputs, layers.Dense(C, activation="softmax")(joined))


class Written(keras.Model):
    """A class of its own, whose layers no graph connects until it is called."""

    def __init__(self, activation: Any, function: Any = None, *, own_training: bool = False) -> None:
        super().__init__()
        self.hidden, self.drop, self.out = layers.Dense(5, "tanh"), layers.Dropout(0.5), layers.Dense(C, activation)
        self.function, self.own_training = function, own_training

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        z = self.out(self.drop(self.hidden(inputs), training=training))
        if self.own_training and training:
            z = 2 * z
        return self.function(z) if self.function else z


class WrittenLayer(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(C)

    def call(self, inputs: Any) -> Any:
        return ops.softmax(self.dense(inputs))


def called(*arguments: Any, **options: Any) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        model = Written(*arguments, **options)
        model(np.zeros((2, F), np.float32))
        return model

    return make


WAYS = {
    "class": called("softmax"),
    "class with an operation": called(None, ops.softmax),
    "class inside": sequential(layers.Dense(F), Written("softmax")),
    "custom layer": sequential(layers.Dense(F), WrittenLayer()),
    "activation": sequential(layers.Dense(C, activation="softmax")),
    "function": sequential(layers.Dense(C, activation=keras.activations.softmax)),
    "layer": sequential(layers.Dense(C), layers.Softmax()),
    "activation layer": sequential(layers.Dense(C), layers.Activation("softmax")),
    "operation": functional(ops.softmax),
    "nested": nested,
    "convolution": sequential(
        layers.Reshape((F, 1)), layers.Conv1D(C, F, activation="softmax"), layers.Reshape((C,)), layers.Softmax()
    ),
    "named inputs": of_named_inputs,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_softmax_is_seen_and_undone_without_a_copy_of_the_weights(way: str) -> None:
    model = WAYS[way]()
    assert ending(model) == "softmax"
    logits_model = without_activation(model)
    x = np.random.default_rng(0).standard_normal((6, F)).astype(np.float32)
    x = {"a": x, "b": 2 * x} if way == "named inputs" else x
    logits, probabilities = (ops.convert_to_numpy(one(x)) for one in (logits_model, model))
    np.testing.assert_allclose(ops.convert_to_numpy(ops.softmax(logits, axis=-1)), probabilities, atol=1e-6)
    assert gives_probabilities(probabilities)
    if way != "convolution":  # there, two softmaxes follow each other, and one of them stays
        assert not gives_probabilities(logits)
        assert ending(logits_model) == ""
    assert {id(v) for v in logits_model.variables} == {id(v) for v in model.variables}
    model.set_weights([2 * weight for weight in model.get_weights()])
    assert not np.allclose(ops.convert_to_numpy(logits_model(x)), logits)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (sequential(layers.Dense(C)), ""),
        (sequential(layers.Dense(C, activation="relu")), ""),
        (sequential(layers.Dense(C, activation="softmax"), layers.Dense(C)), ""),
        (sequential(layers.Dense(C, activation="sigmoid")), "sigmoid"),
        (sequential(layers.Dense(C, activation="log_softmax")), "log_softmax"),
        (functional(ops.sigmoid), "sigmoid"),
        (called("sigmoid"), "sigmoid"),
        (called(None, ops.sigmoid), "sigmoid"),
        (called(None), ""),
        (called("softmax", own_training=True), ""),  # one graph cannot express it
        (functional(ops.log_softmax), "log_softmax"),
    ],
)
def test_other_endings_are_distinguished(make: Callable[[], keras.Model], name: str) -> None:
    assert ending(make()) == name


@pytest.mark.parametrize(
    ("make", "certain"),
    [
        (sequential(layers.Dense(C)), True),
        (sequential(layers.Dense(C), layers.Reshape((C, 1)), layers.Flatten()), True),
        (sequential(layers.Dense(C, "sigmoid"), layers.Reshape((C, 1)), layers.Flatten()), False),
        (sequential(layers.Dense(C, "hard_sigmoid")), False),
        (functional(lambda z: 1 / (1 + ops.exp(-z))), False),
        (called(None), True),
        (called("softmax", own_training=True), False),
    ],
)
def test_trial_inputs_are_needed_where_no_operation_shows_the_activation(
    make: Callable[[], keras.Model], certain: bool
) -> None:
    assert ending_is_certain(make()) is certain


@pytest.mark.parametrize("way", ["activation", "operation", "class"])
def test_a_sigmoid_is_undone_as_a_softmax_is(way: str) -> None:
    make = {"activation": sequential(layers.Dense(1, "sigmoid")), "operation": functional(ops.sigmoid)}
    model = make.get(way, called("sigmoid"))()
    x = np.random.default_rng(0).standard_normal((6, F)).astype(np.float32)
    logits = without_activation(model)(x)
    np.testing.assert_allclose(*(ops.convert_to_numpy(one) for one in (ops.sigmoid(logits), model(x))), atol=1e-6)


def test_the_dropout_of_a_class_still_drops_in_training() -> None:
    logits_model = without_activation(called("softmax")())
    x = np.ones((50, F), np.float32)
    trained = ops.convert_to_numpy(logits_model(x, training=True))
    assert not np.allclose(trained, trained[:1])
    assert np.allclose(*(ops.convert_to_numpy(logits_model(x, training=False)) for _ in range(2)))


def test_the_last_layer_is_found_inside_nested_models() -> None:
    assert last_layer(nested()).name.startswith("dense")
    assert last_layer(nested()).units == C


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], True),
        ([[0.2, 0.8], [1.0, 0.1]], False),
        ([[1.2, -0.2]], False),
        ([[0.5, 0.5 + 1e-4]], True),
    ],
)
def test_probabilities_are_known_by_their_sum_and_sign(rows: list[list[float]], expected: bool) -> None:
    assert gives_probabilities(np.array(rows, np.float32)) is expected


def test_each_of_several_outputs_has_its_ending_inside_nested_models_too() -> None:
    inputs = keras.Input((4,))
    heads = {"a": keras.layers.Dense(1, "sigmoid")(inputs), "b": keras.layers.Dense(3)(inputs)}
    inner = keras.Model(inputs, heads | {"c": keras.layers.Dense(3, "softmax")(inputs)})
    outer = keras.Model(inputs, inner(inputs))
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    for model in (inner, outer):
        assert [ending(model, index) for index in range(3)] == ["sigmoid", "", "softmax"]
        raw, given = without_activation(model)(x), model(x)
        np.testing.assert_allclose(keras.ops.sigmoid(raw["a"]), given["a"], atol=1e-6)
        np.testing.assert_allclose(raw["b"], given["b"], atol=1e-6)
        np.testing.assert_allclose(keras.ops.softmax(raw["c"]), given["c"], atol=1e-6)
