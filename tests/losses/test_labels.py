"""The loss against the labels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from distillab.losses import LABEL_LOSSES, label_cross_entropy, label_squared_error, logit_mse, objective

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


def test_the_squared_error_worked_by_hand() -> None:
    # [1, 2, 3] less [0, 0, 1]: (1 + 4 + 4) / 6;  less [1, 0, 0]: (0 + 4 + 9) / 6
    outputs = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(label_squared_error(outputs, np.array([2, 0])), [9 / 6, 13 / 6], rtol=1e-6)


def test_the_squared_error_is_that_of_a_teacher_that_says_the_label() -> None:
    z, labels = drawn(3)
    one_hot = np.eye(5, dtype=np.float32)[labels]
    np.testing.assert_allclose(label_squared_error(z, labels), logit_mse(z, one_hot, temperature=1.0), rtol=1e-6)
    shuffled = [4, 2, 0, 1, 3]
    places = np.argsort(shuffled)[labels]
    np.testing.assert_allclose(label_squared_error(z[:, shuffled], places), label_squared_error(z, labels), rtol=1e-6)


def test_mixing_squared_losses_is_mixing_targets() -> None:
    """The gradient is that of the squared error to `alpha y + (1 - alpha) t`, for any alpha."""
    z, labels = drawn(4)
    teacher, one_hot = np.random.default_rng(5).standard_normal(z.shape).astype(np.float32), np.eye(5)[labels]

    def mixed(outputs: jax.Array, alpha: float) -> jax.Array:
        return objective(
            outputs,
            teacher,
            labels,
            np.ones(6, np.float32),
            alpha=alpha,
            temperature=3.0,
            distillation_loss=logit_mse,
            label_loss=label_squared_error,
        ).loss

    for alpha in (0.0, 0.3, 1.0):
        target = alpha * one_hot + (1 - alpha) * teacher
        np.testing.assert_allclose(jax.grad(mixed)(jnp.asarray(z), alpha), (z - target) / 5 / 6, atol=1e-6)


def test_label_losses_have_names() -> None:
    assert dict(LABEL_LOSSES) == {"cross_entropy": label_cross_entropy, "squared": label_squared_error}
