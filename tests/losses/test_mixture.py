"""The one place where alpha mixes the losses: alpha weights the labels, padding weighs nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from distillab.losses import LOSSES, LossTerms, dist, distillation_kl, label_cross_entropy, objective

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1


def batch(seed: int = 0, examples: int = 6, classes: int = 4) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    student, teacher = (2 * rng.standard_normal((2, examples, classes))).astype(np.float32)
    labels = rng.integers(0, classes, examples).astype(np.int32)
    return tuple(map(jnp.asarray, (student, teacher, labels, np.ones(examples, np.float32))))  # type: ignore[return-value]


def mixed(*arrays: Any, alpha: float, T: float = 3.0, loss: Any = distillation_kl) -> LossTerms:
    return objective(*arrays, alpha=jnp.float32(alpha), temperature=jnp.float32(T), distillation_loss=loss)


def test_the_mixture_is_the_one_worked_by_hand() -> None:
    # Student [2, 1, 4] with label 2: e^ = [7.3891, 2.7183, 54.5982], sum 64.7055, -ln(54.5982 / 64.7055) = 0.16985.
    # Teacher [1, 2, 3] at T = 3: T^2 KL = 0.3978 (worked in the tests of the losses).
    # alpha = 0.25: 0.25 * 0.16985 + 0.75 * 0.3978 = 0.34081
    terms = mixed(jnp.array([[2.0, 1.0, 4.0]]), jnp.array([[1.0, 2.0, 3.0]]), jnp.array([2]), jnp.ones(1), alpha=0.25)
    np.testing.assert_allclose(terms, [0.3408, 0.1698, 0.3978], atol=1e-4)


@pytest.mark.parametrize("name", ["kl", "cross_entropy"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_mixture_agrees_with_numpy_in_float64(alpha: float, name: str) -> None:
    arrays = batch(1)
    student, teacher, labels, _ = (np.asarray(array, np.float64) for array in arrays)
    T, rows = 2.0, np.arange(len(labels))
    label_loss = -log_softmax(student, axis=-1)[rows, labels.astype(int)].mean()
    p = softmax(teacher / T, axis=-1)
    distillation_loss = T**2 * -(p * log_softmax(student / T, axis=-1)).sum(-1).mean()
    if name == "kl":
        distillation_loss -= T**2 * -(p * np.log(p)).sum(-1).mean()
    terms = mixed(*arrays, alpha=alpha, T=T, loss=LOSSES[name])
    expected = [alpha * label_loss + (1 - alpha) * distillation_loss, label_loss, distillation_loss]
    np.testing.assert_allclose(terms, expected, rtol=0, atol=1e2 * EPSILON)


def test_alpha_one_is_the_labels_alone_and_alpha_zero_the_teacher_alone() -> None:
    arrays = batch(2)
    labels_alone, teacher_alone = mixed(*arrays, alpha=1.0), mixed(*arrays, alpha=0.0)
    assert labels_alone.loss == labels_alone.label_loss
    assert teacher_alone.loss == teacher_alone.distillation_loss
    np.testing.assert_allclose(
        labels_alone.label_loss, label_cross_entropy(arrays[0], arrays[2]).mean(), rtol=4 * EPSILON
    )
    slopes = {
        alpha: np.asarray(jax.grad(lambda z, a=alpha: mixed(z, *arrays[1:], alpha=a).loss)(arrays[0]))
        for alpha in (0.0, 0.25, 1.0)
    }
    others = batch(3)
    relabelled = jax.grad(lambda z: mixed(z, arrays[1], others[2], arrays[3], alpha=0.0).loss)(arrays[0])
    other_teacher = jax.grad(lambda z: mixed(z, others[1], arrays[2], arrays[3], alpha=1.0).loss)(arrays[0])
    np.testing.assert_array_equal(slopes[0.0], relabelled)
    np.testing.assert_array_equal(slopes[1.0], other_teacher)
    np.testing.assert_allclose(slopes[0.25], 0.25 * slopes[1.0] + 0.75 * slopes[0.0], rtol=0, atol=4 * EPSILON)


def test_the_factor_of_the_temperature_does_not_depend_on_alpha() -> None:
    """Between alpha = 0 and a very small alpha there is no jump."""
    arrays = batch(4)
    zero, nearly = mixed(*arrays, alpha=0.0, T=10.0), mixed(*arrays, alpha=1e-6, T=10.0)
    assert float(nearly.loss) == pytest.approx(float(zero.loss), abs=1e-5)


@pytest.mark.parametrize(("name", "alpha"), [*((name, 0.5) for name in sorted(LOSSES)), ("kl", 0.0), ("kl", 1.0)])
def test_padding_of_weight_zero_changes_neither_loss_nor_gradient(alpha: float, name: str) -> None:
    student, teacher, labels, weights = batch(5)
    padded = (
        jnp.concatenate([student, 50 * student[:3]]),
        jnp.concatenate([teacher, teacher[:3]]),
        jnp.concatenate([labels, labels[:3]]),
        jnp.concatenate([weights, jnp.zeros(3)]),
    )

    def loss(z: Any, *rest: Any) -> Any:
        return mixed(z, *rest, alpha=alpha, loss=LOSSES[name]).loss

    value, slope = jax.value_and_grad(loss)(student, teacher, labels, weights)
    padded_value, padded_slope = jax.value_and_grad(loss)(*padded)
    np.testing.assert_allclose(padded_value, value, rtol=16 * EPSILON)
    # Sums in another order: a few roundings of the largest slope.
    np.testing.assert_allclose(
        padded_slope[: len(student)], slope, rtol=0, atol=16 * EPSILON * max(1, np.abs(slope).max())
    )
    np.testing.assert_array_equal(padded_slope[len(student) :], 0)


def test_an_example_of_twice_the_weight_counts_as_two() -> None:
    student, teacher, labels, weights = batch(6)
    twice = mixed(student, teacher, labels, weights.at[0].set(2.0), alpha=0.5)
    again = jnp.array([0, *range(len(labels))])
    repeated = mixed(student[again], teacher[again], labels[again], jnp.ones(len(again)), alpha=0.5)
    np.testing.assert_allclose(twice, repeated, rtol=8 * EPSILON)


def test_alpha_and_temperature_can_be_mapped_over_students() -> None:
    arrays = batch(7)
    alphas, temperatures = jnp.array([0.0, 0.5, 1.0]), jnp.array([1.0, 3.0, 5.0])

    def terms(alpha: Any, temperature: Any) -> Any:
        return objective(*arrays, alpha=alpha, temperature=temperature, distillation_loss=distillation_kl)

    with jax.numpy_dtype_promotion("strict"):
        together = jax.vmap(terms)(alphas, temperatures)
    for index, (alpha, T) in enumerate(zip(alphas, temperatures, strict=True)):
        np.testing.assert_allclose([term[index] for term in together], terms(alpha, T), rtol=8 * EPSILON)


def test_a_loss_that_relates_examples_receives_their_weights() -> None:
    student, teacher, labels, weights = batch(8)
    weights = weights.at[0].set(3.0)
    terms = mixed(student, teacher, labels, weights, alpha=0.0, loss=dist)
    expected = dist(student, teacher, temperature=3.0, weights=weights)
    np.testing.assert_allclose(terms.distillation_loss, np.average(expected, weights=weights), rtol=8 * EPSILON)
