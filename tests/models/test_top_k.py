"""The top k of a teacher's classes: by hand, against NumPy's float64, in any order, and how far a loss can be off."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from distillab.losses import LOSSES
from distillab.models.top_k import (
    TopK,
    as_dense,
    dense_rows,
    joined_rows,
    loss_error_bound,
    softened_rest,
    take_rows,
    top_k_rows,
    uniform_rows,
)

RNG = np.random.default_rng(0)


def kl(teacher: np.ndarray, student: np.ndarray, temperature: float) -> np.ndarray:
    """T^2 KL in float64."""
    t, s = (log_softmax(np.asarray(z, np.float64) / temperature, axis=-1) for z in (teacher, student))
    return temperature**2 * (np.exp(t) * (t - s)).sum(-1)


def exact_top_k(logits: np.ndarray, k: int) -> TopK:
    """In float64, straight from the definition."""
    logs = log_softmax(np.asarray(logits, np.float64), axis=-1)
    classes = np.argsort(-logs, axis=-1, kind="stable")[..., :k]
    values, others = np.take_along_axis(logs, classes, -1), logs.copy()
    np.put_along_axis(others, classes, -np.inf, axis=-1)
    return TopK(values, classes, logsumexp(others, axis=-1))


def rebuilt(top: TopK, outputs: int) -> np.ndarray:
    """In float64, class by class."""
    k = top.values.shape[-1]
    rows = []
    for values, classes, rest in zip(top.values, top.classes, top.rest, strict=True):
        row = np.full(outputs, rest - math.log(outputs - k))
        row[classes] = values
        rows.append(row)
    return np.array(rows)


def test_four_classes_of_which_two_are_stored_by_hand():
    # p = (0.1, 0.5, 0.3, 0.1): stored 0.5 and 0.3, remaining 0.2, spread over two classes: 0.1 each, as it was.
    top = top_k_rows(np.log([[0.1, 0.5, 0.3, 0.1]]), 2)
    assert top.classes.tolist() == [[1, 2]]
    np.testing.assert_allclose(np.exp(top.values), [[0.5, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(top.rest), [0.2], rtol=1e-6)
    np.testing.assert_allclose(np.exp(dense_rows(top, 4)), [[0.1, 0.5, 0.3, 0.1]], rtol=1e-6)
    # Against a uniform student, KL = sum p log(4 p) = 0.5 log 2 + 0.3 log 1.2 + 0.2 log 0.4 = 0.218012
    np.testing.assert_allclose(kl(dense_rows(top, 4), np.zeros((1, 4)), 1), [0.218012], atol=1e-6)
    # At T = 2 the square roots of p are softened: 0.316228, 0.707107, 0.547723, 0.316228, which sum to 1.887285.
    roots = np.sqrt([0.1, 0.5, 0.3, 0.1]) / 1.887285
    expected = 4 * (roots * np.log(4 * roots)).sum()
    np.testing.assert_allclose(kl(dense_rows(top, 4), np.zeros((1, 4)), 2), [expected], rtol=1e-5)


def test_the_top_k_agrees_with_float64():
    logits = RNG.normal(scale=4, size=(50, 12)).astype(np.float32)
    for k in (1, 5, 11):
        top, expected = top_k_rows(logits, k), exact_top_k(logits, k)
        np.testing.assert_array_equal(top.classes, expected.classes)
        np.testing.assert_allclose(top.values, expected.values, atol=1e-5)
        np.testing.assert_allclose(top.rest, expected.rest, atol=1e-5)
        np.testing.assert_allclose(dense_rows(top, 12), rebuilt(expected, 12), atol=1e-5)


def test_equal_values_are_kept_in_the_order_of_their_classes():
    top = top_k_rows(np.array([[1.0, 1.0, 2.0, 1.0, 1.0]]), 3)
    assert top.classes.tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("temperature", [0.5, 1, 3, 10])
def test_an_even_remainder_gives_the_exact_loss_at_every_temperature(temperature: float):
    logits = np.concatenate([RNG.uniform(1, 5, size=(20, 4)), np.zeros((20, 6))], axis=1)
    shuffled = RNG.permuted(logits, axis=1)
    student = RNG.normal(size=(20, 10))
    rows = dense_rows(top_k_rows(shuffled, 6), 10)
    expected = kl(shuffled, student, temperature)
    np.testing.assert_allclose(kl(rows, student, temperature), expected, rtol=1e-5, atol=1e-5)  # float32 logs


def test_the_order_of_the_stored_classes_and_a_shift_change_nothing():
    top = top_k_rows(RNG.normal(size=(6, 3, 8)), 4)
    order = RNG.permutation(4)
    mixed = TopK(top.values[..., order], top.classes[..., order], top.rest)
    np.testing.assert_array_equal(dense_rows(mixed, 8), dense_rows(top, 8))
    shifted = TopK(top.values + 2, top.classes, top.rest + 2)
    np.testing.assert_allclose(dense_rows(shifted, 8), dense_rows(top, 8) + 2, rtol=1e-6)


def test_a_permutation_of_the_classes_permutes_the_logits():
    logits = RNG.normal(size=(9, 7))
    order = RNG.permutation(7)
    permuted = dense_rows(top_k_rows(logits[:, order], 3), 7)
    np.testing.assert_allclose(permuted, dense_rows(top_k_rows(logits, 3), 7)[:, order], atol=1e-6)


def test_all_classes_stored_are_the_logits_themselves():
    values = RNG.normal(size=(4, 3)).astype(np.float32)
    classes = np.array([[0, 1, 2]] * 4)
    np.testing.assert_array_equal(dense_rows(TopK(values, classes, np.full(4, -np.inf, np.float32)), 3), values)


def test_uniform_rows_are_exactly_zero():
    like = TopK(np.zeros((1, 20), np.float16), np.zeros((1, 20), np.uint16), np.zeros(1, np.float32))
    rows = uniform_rows(like, (5,), 1000)
    assert rows.values.dtype == np.float16
    np.testing.assert_array_equal(dense_rows(rows, 1000), np.zeros((5, 1000), np.float32))


def test_rows_are_taken_and_joined_as_those_of_logits():
    logits = RNG.normal(size=(6, 5)).astype(np.float32)
    top, rows = top_k_rows(logits, 2), np.array([3, 1])
    np.testing.assert_array_equal(as_dense(take_rows(top, rows), 5), as_dense(top, 5)[rows])
    np.testing.assert_array_equal(as_dense(joined_rows([top, top]), 5), np.concatenate([as_dense(top, 5)] * 2))
    assert as_dense(logits, 5) is logits
    np.testing.assert_array_equal(joined_rows([logits, logits]), np.concatenate([logits, logits]))


@given(
    seed=st.integers(0, 10**6),
    outputs=st.integers(3, 30),
    scale=st.floats(0.1, 30),
    temperature=st.floats(0.3, 20),
    share=st.floats(0, 1),
)
def test_the_loss_is_never_off_by_more_than_the_bound(
    seed: int, outputs: int, scale: float, temperature: float, share: float
):
    rng = np.random.default_rng(seed)
    k = 1 + int(share * (outputs - 2))
    teacher, student = scale * rng.standard_t(2, (4, outputs)), scale * rng.normal(size=(4, outputs))
    top = exact_top_k(teacher, k)
    off = np.abs(kl(rebuilt(top, outputs), student, temperature) - kl(teacher, student, temperature))
    bound = loss_error_bound(top, student, temperature)
    assert (off <= bound * (1 + 1e-6) + 1e-9).all()


def test_the_softened_remainder_bounds_that_of_any_spread():
    for temperature in (0.5, 1.0, 4.0):
        logits = 3 * RNG.normal(size=(200, 20))
        top = exact_top_k(logits, 5)
        softened = np.exp(log_softmax(logits / temperature, axis=-1))
        actual = 1 - np.take_along_axis(softened, top.classes, -1).sum(-1)
        assert (actual <= softened_rest(top, 20, temperature) + 1e-9).all()


def test_nothing_remaining_bounds_the_error_by_nothing():
    top = TopK(np.log([[0.75, 0.25]]), np.array([[0, 1]]), np.array([-1e4]))
    np.testing.assert_allclose(loss_error_bound(top, np.array([[1.0, 2, 3, 4]]), 2.0), 0, atol=1e-12)


def test_the_losses_of_the_library_take_the_rebuilt_logits():
    teacher, student = RNG.normal(size=(5, 8)).astype(np.float32), RNG.normal(size=(5, 8)).astype(np.float32)
    rows = dense_rows(top_k_rows(teacher, 3), 8)
    value = np.asarray(LOSSES["kl"](student, rows, np.zeros(5, np.int32), temperature=2.0))
    np.testing.assert_allclose(value, kl(rows, student, 2.0), rtol=1e-4, atol=1e-5)
