"""DIST beyond what all losses share: its relations span the batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import pearsonr
from tests.losses.slopes import central_differences

from distillab.losses import dist

EPSILON = 2.0**-23


def drawn(seed: int, batch: int = 7, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.random.default_rng(seed).standard_normal((2, batch, classes)).astype(np.float32)
    return student, teacher


def test_two_examples_by_hand() -> None:
    # Two classes: each answer is one number, p = (p1, 1 - p1), so within an example the correlation is +1 or -1, and
    # over two examples as well. Student and teacher agree on example 0 and not on example 1: r = 1, -1; over the batch
    # the student's p1 falls from 0.9 to 0.8, the teacher's from 0.9 to 0.4: r = 1 for both classes.
    # Values: (1 - 1) + (1 - 1) = 0 and (1 + 1) + (1 - 1) = 2.
    student = np.log(np.array([[0.9, 0.1], [0.8, 0.2]], np.float32))
    teacher = np.log(np.array([[0.9, 0.1], [0.4, 0.6]], np.float32))
    np.testing.assert_allclose(dist(student, teacher, temperature=1.0), [0, 2], atol=16 * EPSILON)


def test_the_two_relations_agree_with_scipy() -> None:
    student, teacher = drawn(0)
    q, p = softmax(student.astype(float), axis=-1), softmax(teacher.astype(float), axis=-1)
    inter = [1 - pearsonr(*rows).statistic for rows in zip(q, p, strict=True)]
    intra = 1 - np.mean([pearsonr(*columns).statistic for columns in zip(q.T, p.T, strict=True)])
    np.testing.assert_allclose(dist(student, teacher, temperature=1.0, intra_weight=0.0), inter, atol=64 * EPSILON)
    np.testing.assert_allclose(
        dist(student, teacher, temperature=1.0, inter_weight=0.0), [intra] * len(q), atol=64 * EPSILON
    )


def test_an_examples_value_depends_on_its_neighbours() -> None:
    student, teacher = drawn(1)
    whole, part = dist(student, teacher, temperature=1.0), dist(student[:4], teacher[:4], temperature=1.0)
    assert np.abs(np.asarray(whole)[:4] - np.asarray(part)).max() > 1e-2


def test_a_row_of_weight_zero_might_as_well_not_be_there() -> None:
    student, teacher = drawn(2)
    weights = np.array([1, 1, 0, 1, 0, 1, 1], np.float32)
    there = weights > 0
    whole = np.asarray(dist(student, teacher, temperature=2.0, weights=weights))
    np.testing.assert_allclose(whole[there], dist(student[there], teacher[there], temperature=2.0), rtol=64 * EPSILON)


def test_a_row_of_weight_two_counts_as_two() -> None:
    student, teacher = drawn(3)
    twice = np.array([0, *range(7)])
    weights = np.array([2, 1, 1, 1, 1, 1, 1], np.float32)
    np.testing.assert_allclose(
        dist(student, teacher, temperature=2.0, weights=weights),
        np.asarray(dist(student[twice], teacher[twice], temperature=2.0))[1:],
        rtol=64 * EPSILON,
    )


def authors_dist(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """The authors' code in NumPy: cosines of centred rows, 1e-8 beside the product of the norms; T = 1."""

    def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (z - z.mean(1, keepdims=True) for z in (a, b))
        return np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-8)

    q, p = softmax(student, axis=1), softmax(teacher, axis=1)
    return (1 - cosines(q, p)) + (1 - cosines(q.T, p.T).mean())


def test_many_classes_of_small_probability_have_the_gradients_of_the_authors() -> None:
    student, teacher = 8 * np.random.default_rng(5).standard_normal((2, 8, 100))
    expected = central_differences(lambda z: authors_dist(z, teacher), student)
    with jax.enable_x64(True):
        slopes = np.asarray(
            jax.grad(lambda z: jnp.sum(dist(z, jnp.asarray(teacher), temperature=1.0)))(jnp.asarray(student))
        )
        values = np.asarray(dist(jnp.asarray(student), jnp.asarray(teacher), temperature=1.0))
    np.testing.assert_allclose(values, authors_dist(student, teacher), rtol=1e-12)
    # Central differences with a step of 1e-5 are good to 1e-9, relative to slopes of about 1.
    np.testing.assert_allclose(slopes, expected, atol=1e-8)
    in_float32 = np.asarray(
        jax.grad(lambda z: jnp.sum(dist(z, teacher.astype(np.float32), temperature=1.0)))(student.astype(np.float32))
    )
    cosine = np.sum(in_float32 * expected) / np.linalg.norm(in_float32) / np.linalg.norm(expected)
    assert cosine > 1 - 1e-4


@pytest.mark.parametrize("student", [np.zeros((3, 4), np.float32), np.eye(4, dtype=np.float32)[[1, 1, 1]] * 1e3])
def test_what_does_not_vary_has_no_relation_and_a_finite_gradient(student: np.ndarray) -> None:
    _, teacher = drawn(4, batch=3)
    value = dist(student, teacher, temperature=1.0)
    slopes = np.asarray(jax.grad(lambda z: jnp.sum(dist(z, teacher, temperature=1.0)))(student))
    if student[0, 1] == 0:  # even: no relation at all
        np.testing.assert_array_equal(value, 2)
        # The norm has slope 0 there, so that of r is b / 1e-8, as in the authors' code, and points to the teacher.
        assert np.abs(slopes).max() > 1e6
        downhill = -slopes * 1e-9
        assert (np.asarray(dist(student + downhill, teacher, temperature=1.0)) < 1.1).all()
    assert np.isfinite(slopes).all()
