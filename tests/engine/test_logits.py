"""The teacher predicts once, and its digest names everything that the predictions depend on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import keras
import numpy as np
import pytest

from distillab.engine.batches import EVALUATION_BATCH
from distillab.engine.functional import Functional, Variables
from distillab.engine.logits import teacher_digest, teacher_logits
from distillab.models import build
from distillab.models.digests import add_array

SHAPE = (6, 3)


@pytest.fixture(scope="module")
def teacher() -> Functional:
    return Functional(build("mlp-4", (2, 2, 1), 3))


@pytest.fixture(scope="module")
def weights(teacher: Functional) -> Variables:
    return teacher.initial(0)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 2, 2, 1), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH, 2 * EVALUATION_BATCH + 3])
def test_the_logits_are_the_models_own_on_scaled_inputs_whatever_their_number(
    teacher: Functional, weights: Variables, count: int
) -> None:
    stored = np.random.default_rng(2).integers(0, 256, (count, 2, 2, 1), dtype=np.uint8)
    logits = teacher_logits(teacher, weights, stored, 1 / 255)
    first, first_bias, second, second_bias = weights.trainable
    hidden = np.maximum(stored.reshape(count, 4) / 255.0 @ first + first_bias, 0)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, hidden @ second + second_bias, rtol=0, atol=1e-5)  # float32 sums of 4 terms


def test_the_teacher_predicts_in_inference_mode() -> None:
    layers = [keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    teacher = Functional(keras.Sequential(layers))
    weights, x = teacher.initial(0), np.ones((5, 4), np.float32)
    expected = np.ones((5, 4)) @ weights.trainable[0]
    np.testing.assert_allclose(teacher_logits(teacher, weights, x, 1.0), expected, rtol=0, atol=1e-5)


def digest_of_array(x: np.ndarray) -> str:
    digest = hashlib.sha256()
    add_array(digest, x)
    return digest.hexdigest()


def test_the_digest_is_the_same_for_the_same_things(teacher: Functional, weights: Variables, x: np.ndarray) -> None:
    digest = teacher_digest(teacher, weights, 1 / 255)
    assert len(digest) == 64
    copies = Variables([a.copy() for a in weights.trainable], [a.copy() for a in weights.fixed])
    assert teacher_digest(teacher, copies, 1 / 255) == digest
    assert digest_of_array(np.asfortranarray(x)) == digest_of_array(x)


def test_the_digest_does_not_depend_on_the_models_own_weights_nor_on_automatic_names(
    weights: Variables,
) -> None:
    """Layers are called dense, dense_1, dense_2 ... in the order in which a process happens to make them."""
    first, second = (Functional(build("mlp-4", (2, 2, 1), 3)) for _ in range(2))
    assert first.model.layers[-1].name != second.model.layers[-1].name
    assert teacher_digest(first, weights, 1.0) == teacher_digest(second, weights, 1.0)


def test_the_digest_changes_with_everything_the_logits_depend_on_except_the_inputs(
    teacher: Functional, weights: Variables
) -> None:
    nudged = [array.copy() for array in weights.trainable]
    nudged[-1][0] += 1e-6
    digests = {
        "as it is": teacher_digest(teacher, weights, 1.0),
        "weights": teacher_digest(teacher, replace(weights, trainable=nudged), 1.0),
        "fixed variables": teacher_digest(teacher, replace(weights, fixed=[np.zeros(1)]), 1.0),
        "scale": teacher_digest(teacher, weights, 1 / 255),
    }
    assert len(set(digests.values())) == len(digests)


def test_the_digest_of_inputs_changes_with_their_values_order_type_shape_and_number(x: np.ndarray) -> None:
    inputs = x.copy()
    inputs[-1, -1, -1] ^= 1
    digests = {
        "as it is": digest_of_array(x),
        "an input": digest_of_array(inputs),
        "order of inputs": digest_of_array(x[::-1]),
        "type of inputs": digest_of_array(x.astype(np.float32)),
        "shape of inputs": digest_of_array(x.reshape(6, 4, 1)),
        "fewer inputs": digest_of_array(x[:-1]),
    }
    assert len(set(digests.values())) == len(digests)


def test_the_digest_changes_with_the_architecture_at_equal_weights(weights: Variables) -> None:
    def model(activation: str, negative_slope: float = 0.2) -> Functional:
        layers = keras.layers
        return Functional(
            keras.Sequential(
                [
                    keras.Input((2, 2, 1)),
                    layers.Flatten(),
                    layers.Dense(4, activation=activation),
                    layers.LeakyReLU(negative_slope=negative_slope),
                    layers.Dense(3),
                ]
            )
        )

    variants = [model("relu"), model("tanh"), model("relu", 0.3)]
    assert len({teacher_digest(variant, weights, 1.0) for variant in variants}) == len(variants)


def test_the_digest_changes_with_the_precision_at_equal_weights() -> None:
    def model(policy: str) -> Functional:
        return Functional(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype=policy)]))

    weights = model("float32").initial(0)
    precisions = [model("float32"), model("mixed_bfloat16"), model("mixed_float16")]
    assert len({teacher_digest(precision, weights, 1.0) for precision in precisions}) == len(precisions)


def test_the_digest_of_a_branching_model_knows_its_wiring_and_not_its_names() -> None:
    """The functional API names layers in each reference to them, too."""

    def model(*, crossed: bool) -> Functional:
        layers = keras.layers
        start = keras.Input((3,))
        once = layers.Dense(3)(start)
        twice = layers.Dense(3)(once)
        return Functional(keras.Model(start, layers.Subtract()([twice, once] if crossed else [once, twice])))

    weights = model(crossed=False).initial(0)
    straight, again, crossed = (teacher_digest(model(crossed=way), weights, 1.0) for way in (False, False, True))
    assert straight == again
    assert straight != crossed
