"""The zoo's models of token ids: their sizes by hand, what padding changes (nothing), and how they train."""

from __future__ import annotations

from pathlib import Path

import jax
import keras
import numpy as np
import pytest

from distillab.engine.functional import Functional, read_variables
from distillab.errors import RequestError
from distillab.models import build

NAMES = ("bag-of-embeddings-8", "bag-of-embeddings-8-6", "textcnn-8-5", "transformer-encoder-8-2")
T, V, C = 12, 50, 3

# Embeddings V*8 = 400; a dense layer has in*out + out numbers.
PARAMETERS = {
    "bag-of-embeddings-8": 400 + 8 * 3 + 3,
    "bag-of-embeddings-8-6": 400 + (8 * 6 + 6) + (6 * 3 + 3),
    # windows of 3, 4 and 5 tokens: each window*8*5 + 5; then 15*3 + 3
    "textcnn-8-5": 400 + (125 + 165 + 205) + 48,
    # projection 8*8 and positions 12*8; a block: norms 16 and 16, attention 4*(8*8 + 8), 8*32 + 32 and 32*8 + 8;
    # then a norm, and 8*3 + 3
    "transformer-encoder-8-2": 400 + 64 + 96 + 2 * (32 + 288 + 288 + 264) + 16 + 27,
}


def texts(padding: int, lengths: tuple[int, ...] = (12, 5, 1, 7)) -> np.ndarray:
    ids = np.random.default_rng(0).integers(4, V, (len(lengths), T)).astype(np.int32)
    for row, length in enumerate(lengths):
        ids[row, length:] = padding
    return ids


def with_padding_vector(model: keras.Model, padding: int, value: float) -> keras.Model:
    """The model with another embedding of the padding."""
    (embedding,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    (weights,) = embedding.get_weights()
    weights[padding] = value
    embedding.set_weights([weights])
    return model


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_tokens_has_the_parameters_counted_by_hand(name: str) -> None:
    model = build(name, (T,), C, vocabulary=V)
    assert model.count_params() == PARAMETERS[name]
    assert (model.input_shape, model.output_shape) == ((None, T), (None, C))
    assert model.inputs[0].dtype == "int32"
    assert model.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_padding_changes_nothing(name: str, padding: int) -> None:
    model, ids = build(name, (T,), C, vocabulary=V, padding=padding), texts(padding)
    before = np.asarray(model(ids))
    after = np.asarray(with_padding_vector(model, padding, 100.0)(ids))
    np.testing.assert_array_equal(before, after)
    ids[1, 4] += 1  # a token, which does
    assert np.abs(np.asarray(model(ids)) - before)[1].max() > 0


@pytest.mark.parametrize("name", ["bag-of-embeddings-8", "textcnn-8-5"])
def test_a_text_padded_further_has_the_same_logits(name: str) -> None:
    short, long = (build(name, (length,), C, vocabulary=V) for length in (T, 2 * T))
    long.set_weights(short.get_weights())
    ids = texts(0)
    # Sums of 8 float32 numbers in another order.
    np.testing.assert_allclose(long(np.pad(ids, ((0, 0), (0, T)))), short(ids), rtol=1e-5, atol=1e-6)


def test_a_bag_of_embeddings_is_the_mean_over_the_tokens() -> None:
    model = build("bag-of-embeddings-8", (T,), C, vocabulary=V)
    table, kernel, bias = model.get_weights()
    ids = texts(0)
    means = np.stack([table[row[row > 0]].mean(0) for row in ids])
    np.testing.assert_allclose(model(ids), means @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_a_textcnn_takes_the_largest_value_of_each_filter_over_the_tokens() -> None:
    model = build("textcnn-2-3", (6,), 2, vocabulary=9)
    table, *rest = model.get_weights()
    ids = np.array([[4, 7, 2, 8, 0, 0]], np.int32)
    vectors = np.where((ids[0] > 0)[:, None], table[ids[0]], 0)
    found = []
    for window, (kernel, bias) in zip((3, 4, 5), zip(rest[0:6:2], rest[1:6:2], strict=True), strict=True):
        before = (window - 1) // 2
        padded = np.pad(vectors, ((before, window - 1 - before), (0, 0)))
        values = [np.einsum("wd,wdf->f", padded[at : at + window], kernel) + bias for at in range(4)]
        found.append(np.maximum(0, np.max(values, 0)))
    expected = np.concatenate(found) @ rest[6] + rest[7]
    np.testing.assert_allclose(model(ids)[0], expected, rtol=1e-5, atol=1e-6)


def test_a_transformer_sees_the_order_of_tokens_and_a_bag_does_not() -> None:
    ids = texts(0, (12,))
    for name, sees in (("transformer-encoder-8-2", True), ("textcnn-8-5", True), ("bag-of-embeddings-8", False)):
        model = build(name, (T,), C, vocabulary=V)
        difference = np.abs(np.asarray(model(ids)) - np.asarray(model(ids[:, ::-1].copy()))).max()
        assert (difference > 1e-4) == sees, name


@pytest.mark.parametrize("name", NAMES)
def test_a_text_without_tokens_has_finite_logits_and_gradients(name: str) -> None:
    functional = Functional(build(name, (T,), C, vocabulary=V))
    variables, ids = read_variables(functional.model), np.zeros((2, T), np.int32)

    def total(trainable: list[jax.Array]) -> jax.Array:
        return functional(type(variables)(trainable, variables.fixed), ids, training=True).logits.sum()

    slopes = jax.grad(total)(variables.trainable)
    assert all(np.isfinite(np.asarray(slope)).all() for slope in slopes)


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_traces_what_keras_computes_and_keeps_nothing(name: str) -> None:
    model = build(name, (T,), C, vocabulary=V)
    functional, ids = Functional(model), texts(0)
    output = functional(read_variables(model), ids, training=False)
    np.testing.assert_allclose(output.logits, model(ids), rtol=1e-5, atol=1e-6)  # convolutions sum in another order
    assert output.mask is None  # the mask of positions must not reach the loss: there is one prediction a text
    assert not any(functional.kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_is_the_same_without_distillab(name: str, tmp_path: Path) -> None:
    model = build(name, (T,), C, vocabulary=V, padding=3)
    model.save(tmp_path / "model.keras")
    assert "distillab" not in model.to_json()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(texts(3)), model(texts(3)))


def test_a_model_of_tokens_reads_nothing_else_and_others_read_no_tokens() -> None:
    with pytest.raises(RequestError, match=r"textcnn-8-5 reads token ids, and the inputs are no text. Choose another"):
        build("textcnn-8-5", (T,), C)
    with pytest.raises(RequestError, match=r"mlp-8 reads numbers, and the inputs are token ids. .* such as textcnn"):
        build("mlp-8", (T,), C, vocabulary=V)
    with pytest.raises(RequestError, match="of at most 1,073,741,824 weights"):
        build("textcnn-16384-2", (T,), C, vocabulary=200_000)
    with pytest.raises(RequestError, match="of at most 256 blocks"):
        build("transformer-encoder-8-300", (T,), C, vocabulary=V)
