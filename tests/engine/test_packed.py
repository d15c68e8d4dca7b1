"""A packed model arrives with what a student keeps, and starts from the same weights."""

from __future__ import annotations

import pickle

import jax
import keras
import numpy as np

from distillab.engine.functional import Functional
from distillab.engine.packed import pack, unpack

layers = keras.layers


def test_a_student_that_travels_starts_from_the_same_weights_and_predicts_the_same() -> None:
    normalise, attention = layers.Normalization(axis=None), layers.MultiHeadAttention(1, 2)
    normalise.adapt(np.array([10.0, 14.0], np.float32))  # mean 12, variance 4
    inputs = keras.Input((3, 4))
    hidden = normalise(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(attention(hidden, hidden))))
    attention.query_dense.enable_lora(1, lora_alpha=3)
    attention.key_dense.bias.trainable = False
    functional = Functional(model)
    there = unpack(pickle.loads(pickle.dumps(pack(functional))))
    assert there.kept == functional.kept
    assert sum(there.kept) == 5  # mean, variance, count, the kernel under the adapter, the frozen bias
    start, other = functional.initial(5), there.initial(5)
    for array, copy in zip(jax.tree.leaves(start), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(array, copy)
    place = [variable.name for variable in model.trainable_variables].index("lora_kernel_b")
    start.trainable[place] = np.ones_like(start.trainable[place])
    x = np.random.default_rng(0).normal(12, 2, (5, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(there(start, x, training=False).logits, functional(start, x, training=False).logits)
