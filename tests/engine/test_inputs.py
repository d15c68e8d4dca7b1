"""Inputs of any number and type: they reach a model by name or in order, and token ids stay whole numbers."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
from keras import layers

from distillab.data.inputs import joined
from distillab.engine.cost import flops, timed
from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, Variables, read_variables
from distillab.engine.inputs import arranged, as_read, input_names, scaled, take, unstructured
from distillab.engine.logits import teacher_digest, teacher_logits
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Outcome, Recipe, Student
from distillab.errors import RequestError

N, C = 37, 3


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def of_two(left: str, right: str, *, by_name: bool) -> Functional:
    a, b = keras.Input((2,), name=left), keras.Input((4,), name=right)
    outputs = layers.Dense(C, kernel_initializer=keras.initializers.GlorotUniform(1))(layers.Concatenate()([a, b]))
    return Functional(keras.Model({left: a, right: b} if by_name else [a, b], outputs))


def trained(model: Functional, x: np.ndarray, scale: object = 1.0, initial: Variables | None = None) -> Outcome:
    rng = np.random.default_rng(1)
    teacher = rng.normal(size=(1, len(x), C)).astype(np.float32)
    examples = Examples(x, x[:5], x[5:15], teacher, scale)  # type: ignore[arg-type]
    trainer = CohortTrainer(model, examples, Recipe(2, 8), mesh=mesh(1), capacity=1)
    labels = rng.integers(0, C, len(x))
    start = model.initial(0) if initial is None else initial
    return trainer.train([Student(0.5, 2.0, 0.05, 0, start, labels, labels[:5])])


def same(one: Outcome, other: Outcome) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_model_of_two_inputs_trains_as_one_of_their_columns(rng: np.random.Generator, by_name: bool) -> None:
    left, right = rng.normal(size=(N, 2)).astype(np.float32), rng.integers(0, 256, (N, 4)).astype(np.uint8)
    alone = keras.Sequential([keras.Input((6,)), layers.Dense(C)])
    initial = read_variables(of_two("left", "right", by_name=by_name).model)
    columns = np.concatenate([left, right.astype(np.float32) * np.float32(1 / 255)], axis=1)
    expected = trained(Functional(alone), columns, initial=initial)
    scale = {"left": 1.0, "right": 1 / 255}
    # The fields of the data in another order than the model's inputs: their names decide.
    data = joined({"right": right, "left": left})
    same(trained(of_two("left", "right", by_name=by_name), data, scale, initial), expected)
    # Other names than the model's, the first of which sorts last: the order decides.
    data = joined({"z": left, "a": right})
    same(
        trained(of_two("left", "right", by_name=by_name), data, {"z": 1.0, "a": 1 / 255}, initial),
        expected,
    )


def test_token_ids_reach_an_embedding_as_the_numbers_that_they_are(rng: np.random.Generator) -> None:
    ids = rng.integers(0, 7, (N, 5)).astype(np.int32)
    tokens = keras.Input((5,), dtype="int32")
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(7, C)(tokens))
    bag = Functional(keras.Model(tokens, embedded))
    shares = np.stack([np.bincount(row, minlength=7) / 5 for row in ids]).astype(np.float32)
    dense = Functional(keras.Sequential([keras.Input((7,)), layers.Dense(C, use_bias=False)]))
    initial = read_variables(bag.model)
    one, other = trained(bag, ids, 1 / 255, initial), trained(dense, shares, 1.0, initial)
    # A mean of five rows of a matrix, or the product with their shares: float32 sums in another order, over ten steps
    # of Adam, which divides by the size of the gradient.
    np.testing.assert_allclose(one.test_logits, other.test_logits, atol=1e-4)


def test_a_teacher_of_two_inputs_predicts_rows_of_a_structured_array(rng: np.random.Generator) -> None:
    x = joined({"left": rng.normal(size=(70, 2)).astype(np.float32), "right": np.ones((70, 4), np.uint8)})
    model = of_two("left", "right", by_name=True)
    scale = {"left": 2.0, "right": 0.5}
    logits = teacher_logits(model, read_variables(model.model), x, scale)
    direct = model.model.predict({"left": x["left"] * 2, "right": x["right"] * np.float32(0.5)}, verbose=0)
    np.testing.assert_allclose(logits, direct, rtol=1e-5, atol=1e-6)  # float32 sums of six products
    weights = read_variables(model.model)
    assert teacher_digest(model, weights, scale) == teacher_digest(model, weights, dict(reversed(scale.items())))
    assert teacher_digest(model, weights, scale) != teacher_digest(model, weights, {**scale, "left": 1.0})


def test_only_numbers_are_scaled() -> None:
    large = 2**24 + 1  # float32 would round it
    both = unstructured(joined({"ids": np.array([[large]], np.int32), "bytes": np.array([[255]], np.uint8)}))
    read = scaled(jax.tree.map(jax.numpy.asarray, both), {"ids": 1 / 255, "bytes": 1 / 255})
    assert int(read["ids"][0, 0]) == large
    assert float(read["bytes"][0, 0]) == 1.0


def test_several_inputs_keep_their_order_through_a_compiled_program() -> None:
    both = unstructured(joined({"z": np.zeros((3, 1), np.float32), "a": np.ones((3, 1), np.float32)}))
    assert list(jax.jit(lambda inputs: take(inputs, slice(2)))(both)) == ["z", "a"]


def test_a_model_of_another_number_of_inputs_is_refused() -> None:
    model = of_two("left", "right", by_name=False).model
    assert input_names(model) == ["left", "right"]
    with pytest.raises(RequestError, match=r"has 2 inputs \(left, right\), and the data 1 \(only\)"):
        arranged(model, {"only": np.zeros((1, 2))})


def test_cost_is_measured_of_any_inputs() -> None:
    model = of_two("left", "right", by_name=True)
    assert flops(model) == 2 * 6 * C
    example = joined({"left": np.zeros((1, 2), np.float32), "right": np.zeros((1, 4), np.float32)})[0]
    assert timed(model.model, example, 2).p50 > 0
    assert as_read(np.arange(3, dtype=np.int32), 2).dtype == np.int32
    tokens = keras.Input((None,), dtype="int32")
    Functional(keras.Model(tokens, layers.GlobalAveragePooling1D()(layers.Embedding(7, C)(tokens))))


def test_inputs_inside_inputs_are_refused() -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(RequestError, match="has inputs inside inputs"):
        Functional(keras.Model([a, [b]], layers.Dense(C)(layers.Concatenate()([a, b]))))
