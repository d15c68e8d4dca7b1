"""The loss against the labels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from distillab.losses import label_cross_entropy

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    z = (2 * np.random.default_rng(seed).standard_normal((6, 5))).astype(np.float32)
    return z, np.arange(len(z)) % z.shape[-1]


def test_the_value_is_the_one_worked_by_hand() -> None:
    # softmax([1, 2, 3]): e^ = [2.7183, 7.3891, 20.0855], sum 30.1929
    # -ln(20.0855 / 30.1929) = 0.4076;  -ln(2.7183 / 30.1929) = 2.4076
    logits = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(label_cross_entropy(logits, np.array([2, 0])), [0.4076, 2.4076], atol=5e-5)


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(st.lists(st.floats(-20, 20, width=32), min_size=4, max_size=4), min_size=2, max_size=2))
def test_the_value_agrees_with_numpy_in_float64(rows: list[list[float]]) -> None:
    z, labels = np.array(rows, np.float32), np.array([1, 3])
    expected = -log_softmax(z.astype(np.float64), axis=-1)[np.arange(len(z)), labels]
    value = np.asarray(label_cross_entropy(z, labels))
    np.testing.assert_allclose(value, expected, rtol=0, atol=16 * EPSILON * (1 + 2 * np.abs(z).max() + np.log(4)))
    assert (value >= 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_are_taken_as_data_sets_hold_them(dtype: str) -> None:
    z, labels = drawn(10)
    np.testing.assert_array_equal(label_cross_entropy(z, labels.astype(dtype)), label_cross_entropy(z, labels))


def test_the_gradient_is_that_of_softmax_regression() -> None:
    z, labels = drawn(11)
    slopes = jax.grad(lambda z: jnp.sum(label_cross_entropy(z, labels)))(z)
    np.testing.assert_allclose(
        slopes, softmax(z.astype(np.float64), axis=-1) - np.eye(z.shape[-1])[labels], rtol=0, atol=16 * EPSILON
    )


def test_huge_logits_stay_finite() -> None:
    z = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(label_cross_entropy(z, np.array([0, 0])), [0, 2e4])
    assert np.isfinite(jax.grad(lambda z: jnp.sum(label_cross_entropy(z, np.array([0, 0]))))(z)).all()
