"""What a student keeps as given: all that training does not change, and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab.engine.functional import Functional
from distillab.engine.given import changed_by_training, freeze_inside, read_flags, set_flags
from distillab.models import ARCHITECTURES, build

layers = keras.layers


def stack(*parts: keras.Layer, units: int = 3) -> keras.Sequential:
    return keras.Sequential([keras.Input((4,)), *parts, layers.Dense(units)])


def kept(model: keras.Model) -> list[str]:
    """The last parts of the paths of what a student of the model keeps."""
    return ["/".join(v.path.split("/")[-2:]) for v in Functional(model).kept_variables]


def test_moving_statistics_and_random_generators_are_what_training_changes() -> None:
    model = stack(layers.Dense(5), layers.BatchNormalization(), layers.Dropout(0.5), layers.Normalization())
    changed = changed_by_training(model)
    names = [variable.name for variable in model.non_trainable_variables]
    assert dict(zip(names, changed, strict=True)) == {
        "moving_mean": True, "moving_variance": True, "seed_generator_state": True,
        "mean": False, "variance": False, "count": False,
    }  # fmt: skip


def test_a_model_that_trains_everything_keeps_nothing() -> None:
    assert kept(stack(layers.Dense(5), layers.BatchNormalization(), layers.Dropout(0.5, seed=1))) == []
    assert changed_by_training(stack()) == ()


@pytest.mark.parametrize("name", [entry.example for entry in ARCHITECTURES.values() if not entry.tokens])
def test_a_student_of_the_zoo_keeps_nothing(name: str) -> None:
    assert not any(Functional(build(name, (8, 8, 1), 10)).kept)


def test_frozen_layers_are_kept_in_nested_models_too() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="a"), layers.BatchNormalization(name="b")])
    inner.trainable = False
    assert kept(stack(inner)) == ["a/kernel", "a/bias", "b/gamma", "b/beta", "b/moving_mean", "b/moving_variance"]
    inner.get_layer("a").trainable = True
    assert kept(stack(inner)) == ["b/gamma", "b/beta", "b/moving_mean", "b/moving_variance"]


def test_a_single_frozen_variable_is_kept() -> None:
    model = stack(layers.Dense(5, name="a"))
    model.layers[0].kernel.trainable = False
    assert kept(model) == ["a/kernel"]


class Still(layers.Layer):
    """It normalises in inference mode, even in training."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.norm = layers.BatchNormalization()

    def build(self, shape: tuple[int, ...]) -> None:
        self.norm.build(shape)

    def call(self, x: object) -> object:
        return self.norm(x, training=False)


def test_statistics_of_a_batch_normalisation_that_learns_are_not_kept_in_inference_mode_either() -> None:
    model = stack(Still())
    assert changed_by_training(model) == (False, False)
    assert kept(model) == []


def test_vectors_of_spectral_normalisation_are_kept_only_where_the_layer_is_frozen() -> None:
    model = stack(layers.SpectralNormalization(layers.Dense(5, name="inside"), name="around"))
    assert kept(model) == []
    model.layers[0].trainable = False
    assert sorted(kept(model)) == ["around/vector_u", "inside/bias", "inside/kernel"]


def test_parts_of_a_frozen_layer_are_frozen_and_parts_of_a_frozen_model_have_their_own_flags() -> None:
    attention = layers.MultiHeadAttention(1, 2, name="attention")
    inputs = keras.Input((3, 4))
    inner = keras.Sequential([keras.Input((12,)), layers.Dense(2), layers.Dense(2)])
    model = keras.Model(inputs, layers.Dense(3)(inner(layers.Flatten()(attention(inputs, inputs)))))
    attention._trainable = False  # as Keras loads a frozen one: its parts are built later
    inner.trainable = False
    inner.layers[1].trainable = True
    assert any("attention" in variable.path for variable in model.trainable_variables)
    freeze_inside(model)
    assert [variable.path for variable in model.trainable_variables] == [
        variable.path for layer in (inner.layers[1], model.layers[-1]) for variable in layer.variables
    ]


def test_flags_of_another_model_are_set_on_layers_and_on_single_variables() -> None:
    one, other = (stack(layers.Dense(5), layers.Dense(6)) for _ in range(2))
    one.layers[0].trainable = False
    one.layers[1].bias.trainable = False
    set_flags(other, read_flags(one))
    assert [variable.trainable for variable in other.variables] == [False, False, True, False, True, True]
    assert [layer.trainable for layer in other.layers] == [False, True, True]


def test_only_training_makes_a_batchs_examples_depend_on_each_other() -> None:
    frozen = layers.BatchNormalization(trainable=False)
    assert not Functional(stack(frozen)).depends_on_batch
    assert Functional(stack(layers.BatchNormalization())).depends_on_batch
    assert np.all(Functional(stack(frozen)).kept)
