"""Low-rank adapters: rebuilt models have the same ones, with the same scale."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab.engine.functional import Functional, read_variables, write_variables
from distillab.engine.lora import adapters, read_adapters
from distillab.engine.trainable import rebuilt

layers = keras.layers


def model_of(kind: str) -> keras.Model:
    """A model with an adapter of rank 2, scaled by 8 / 2, on one layer."""
    if kind == "Embedding":
        parts = [keras.Input((4,)), layers.Embedding(5, 3), layers.Flatten(), layers.Dense(3)]
    elif kind == "EinsumDense":
        parts = [keras.Input((4, 4)), layers.EinsumDense("abc,cd->abd", (4, 5)), layers.Flatten(), layers.Dense(3)]
    elif kind == "Conv2D":
        parts = [keras.Input((4, 4, 1)), layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(3)]
    elif kind == "nested":
        inner = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(5)])
        inner.layers[0].enable_lora(2, lora_alpha=8)
        return keras.Sequential([keras.Input((4,)), inner, layers.Dense(3)])
    elif kind == "attention":
        inputs, attention = keras.Input((4, 4)), layers.MultiHeadAttention(1, 3)
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(attention(inputs, inputs))))
        attention.query_dense.enable_lora(2, lora_alpha=8)
        return model
    else:
        parts = [keras.Input((4,)), layers.Dense(5), layers.Dense(3)]
    model = keras.Sequential(parts)
    model.layers[0].enable_lora(2, lora_alpha=8)
    return model


KINDS = ("Dense", "Embedding", "EinsumDense", "Conv2D", "nested", "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_a_rebuilt_model_has_the_same_variables_in_the_same_order_and_predicts_the_same(kind: str) -> None:
    model = model_of(kind)
    ((a, b),) = adapters(model)
    b.assign(np.random.default_rng(0).normal(size=b.shape))
    twin = write_variables(rebuilt(model), read_variables(model))
    for of in ("trainable_variables", "non_trainable_variables"):
        assert [v.name for v in getattr(twin, of)] == [v.name for v in getattr(model, of)]
    assert [adapter[1:] for adapter in read_adapters(twin)] == [(2, 8)]
    x = np.random.default_rng(1).integers(0, 5, (7, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(twin(x), model(x))
    assert "kernel" in a.name or "embeddings" in a.name


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_keeps_the_kernel_under_its_adapter_and_draws_the_adapter(kind: str) -> None:
    functional = Functional(model_of(kind))
    ((a, b),) = adapters(functional.model)
    (kernel,) = functional.kept_variables
    kernel.assign(np.full(kernel.shape, 7.0))
    names = [id(variable) for variable in functional.model.trainable_variables]
    first, other = functional.initial(0), functional.initial(1)
    assert (first.fixed[functional.kept.index(True)] == 7).all()
    assert not np.array_equal(first.trainable[names.index(id(a))], other.trainable[names.index(id(a))])
    assert not first.trainable[names.index(id(b))].any()  # so the student begins with the given kernel


def test_a_model_without_adapters_has_none() -> None:
    assert read_adapters(keras.Sequential([keras.Input((4,)), layers.Dense(3)])) == []


def test_adapters_that_were_saved_start_anew_and_change_no_prediction(tmp_path: object) -> None:
    model = model_of("Dense")
    ((_, b),) = adapters(model)
    b.assign(np.ones(b.shape))
    model.save(f"{tmp_path}/lora.keras")
    loaded = keras.models.load_model(f"{tmp_path}/lora.keras")
    functional, x = Functional(loaded), np.ones((2, 4), np.float32)
    given = read_variables(loaded)
    awake = functional.awake(given, seed=3)
    names = [variable.name for variable in loaded.trainable_variables]
    place = names.index("lora_kernel_a")
    assert not given.trainable[place].any()
    np.testing.assert_array_equal(awake.trainable[place], functional.initial(3).trainable[place])
    assert awake.trainable[place].any()
    np.testing.assert_allclose(functional(awake, x, training=False).logits, model(x), rtol=1e-5, atol=1e-5)
    assert functional.awake(awake, seed=4) is awake  # one that has learned keeps its weights
