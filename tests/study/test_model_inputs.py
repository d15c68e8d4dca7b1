"""What the inputs of a Keras model are, and which of the data's inputs they read."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from distillab.data import Dataset, read_data
from distillab.data.forms import ModelInput
from distillab.data.inputs import joined
from distillab.errors import RequestError
from distillab.study.model_inputs import matched_inputs, model_inputs, model_scale

RNG = np.random.default_rng(0)


def data(**inputs: np.ndarray) -> Dataset:
    x: Any = joined(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
    scale: Any = dict.fromkeys(inputs, 1 / 255) if len(inputs) > 1 else 1 / 255
    y = np.arange(len(x)) % 2
    return Dataset("made", x, y, x, y, ("no", "yes"), scale)


def words(name: str = "words", vocabulary: int = 9, dtype: str = "float32") -> Any:
    return keras.Input((3,), name=name, dtype=dtype), layers.Embedding(vocabulary, 2)


def of_words(dtype: str = "float32") -> keras.Model:
    ids, embedding = words(dtype=dtype)
    return keras.Model(ids, layers.Dense(2)(layers.Flatten()(embedding(ids))))


def of_both(order: str = "words first") -> keras.Model:
    (ids, embedding), numbers = words(), keras.Input((2,), name="numbers")
    x = layers.Concatenate()([layers.Flatten()(embedding(ids)), numbers])
    return keras.Model([ids, numbers] if order == "words first" else [numbers, ids], layers.Dense(2)(x))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_an_embedding_shows_that_an_input_is_of_token_ids(dtype: str) -> None:
    assert model_inputs(of_words(dtype)) == (ModelInput("words", (3,), tokens=True, vocabulary=9),)


def test_an_embedding_inside_a_nested_model_shows_it_too() -> None:
    nested = keras.Sequential([keras.Input((3,), name="outer"), of_words()])
    assert model_inputs(nested) == (ModelInput("outer", (3,), tokens=True, vocabulary=9),)


def test_a_subclassed_model_shows_its_inputs_where_keras_can_trace_it() -> None:
    class Custom(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.dense = layers.Embedding(7, 2), layers.Dense(2)

        def call(self, ids: Any) -> Any:
            return self.dense(keras.ops.mean(self.embedding(ids), axis=1))

    model = Custom()
    model(np.zeros((1, 3), np.int32))
    (found,) = model_inputs(model)
    assert (found.tokens, found.vocabulary, found.shape) == (True, 7, (3,))


def test_inputs_are_matched_by_name_whatever_their_order() -> None:
    both = data(words=RNG.integers(0, 9, (4, 3)).astype(np.int32), numbers=RNG.normal(size=(4, 2)).astype(np.float32))
    for order in ("words first", "numbers first"):
        pairs = matched_inputs("The student", model_inputs(of_both(order)), both)
        assert all(name == one.name for name, one in pairs)


def test_inputs_of_other_names_are_matched_by_place() -> None:
    both = data(a=RNG.integers(0, 9, (4, 3)).astype(np.int32), b=RNG.normal(size=(4, 2)).astype(np.float32))
    pairs = matched_inputs("The student", model_inputs(of_both()), both)
    assert [(name, one.name) for name, one in pairs] == [("a", "words"), ("b", "numbers")]
    with pytest.raises(
        RequestError, match=r"The student reads .* \(2,\), and the data have \(3,\) for its input 'numb"
    ):
        matched_inputs("The student", model_inputs(of_both("numbers first")), both)


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (
            of_both,
            {"x": np.zeros((4, 2), np.float32)},
            r"has 2 inputs \(words, numbers\), and the data have 1 \(inputs\)",
        ),
        (of_words, {"x": np.zeros((4, 3), np.float32)}, "reads token ids .*, and the data hold numbers"),
        (
            of_words,
            {"x": np.full((4, 3), 9, np.int32)},
            "from 0 to 8, and the example 'train/0', .* holds 9",
        ),
        (of_words, {"x": np.zeros((4, 5), np.int32)}, r"reads inputs of shape \(3,\), and the data have \(5,\)"),
    ],
)
def test_data_that_a_model_cannot_read_are_refused(model: Any, inputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        matched_inputs("The student", model_inputs(model()), data(**inputs))


def test_an_unknown_token_id_is_named_by_the_row_that_the_user_has() -> None:
    ids = RNG.integers(0, 9, (60, 3))
    ids[37, 1] = 9
    read = read_data((ids, np.arange(60) % 2), readers=[model_inputs(of_words())])
    with pytest.raises(RequestError, match=r"the example 'train/37', counted as read, holds 9"):
        matched_inputs("The student", model_inputs(of_words()), read)


def test_each_input_that_the_model_does_not_scale_itself_takes_the_data_s_scale() -> None:
    image, numbers = keras.Input((2, 2, 1), name="image"), keras.Input((2,), name="numbers")
    x = layers.Concatenate()([layers.Flatten()(layers.Rescaling(1 / 255)(image)), numbers])
    model = keras.Model([image, numbers], layers.Dense(2)(x))
    both = data(image=np.zeros((4, 2, 2, 1), np.uint8), numbers=np.zeros((4, 2), np.float32))
    assert model_scale(model, both, None) == {"image": 1.0, "numbers": 1 / 255}
    assert model_scale(model, both, "raw") == {"image": 1.0, "numbers": 1.0}
