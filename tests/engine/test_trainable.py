"""Models that are rebuilt: the same layers, the same weights that train."""

from __future__ import annotations

import keras
import pytest

from distillab.engine.trainable import rebuilt
from distillab.errors import RequestError

layers = keras.layers


def test_a_rebuilt_model_trains_the_same_variables() -> None:
    attention, inputs = layers.MultiHeadAttention(1, 2), keras.Input((3, 4))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(attention(inputs, inputs))))
    attention.trainable = False
    model.layers[-1].bias.trainable = False
    twin = rebuilt(model)
    assert [variable.path.split("/")[-1] for variable in twin.trainable_variables] == ["kernel"]
    assert len(twin.non_trainable_variables) == len(model.non_trainable_variables) == 9


@keras.saving.register_keras_serializable(package="distillab_tests")
class Growing(layers.Layer):
    """Its weights depend on a number that its configuration does not hold."""

    units = 2

    def build(self, shape: object) -> None:
        self.kernel = self.add_weight(shape=(4, self.units))

    def call(self, x: object) -> object:
        return x @ self.kernel


def test_a_model_that_is_rebuilt_with_other_weights_is_refused() -> None:
    grown = Growing()
    grown.units = 3
    model = keras.Sequential([keras.Input((4,)), grown], name="grown")
    with pytest.raises(RequestError, match=r"'grown' cannot be rebuilt .*: the rebuilt model trains other weights"):
        rebuilt(model)
