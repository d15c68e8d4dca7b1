"""The one place where alpha mixes the losses: alpha weights the labels, padding weighs nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from distillab.losses import (
    LOSSES,
    LossTerms,
    dist,
    distillation_kl,
    label_cross_entropy,
    label_losses_for,
    logit_mse,
    losses_for,
    objective,
)
from distillab.losses.labels import label_squared_error
from distillab.losses.mixture import mix
from distillab.tasks import TASKS

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


@pytest.mark.parametrize(
    ("name", "alpha"),
    [
        ("kl", 0.0),
        ("kl", 0.5),
        ("kl", 1.0),
        ("dist", 0.5),  # the one that relates examples
        *(pytest.param(name, 0.5, marks=pytest.mark.slow) for name in sorted(set(LOSSES) - {"kl", "dist"})),
    ],
)
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


# Labels of several entries an example, some of them missing, and several positions.

SEVERAL = {
    "binary": ("kl", "cross_entropy"),
    "multilabel": ("kl", "cross_entropy"),
    "regression": ("huber", "absolute"),
}


def mixed_of(task: str, *arrays: Any, alpha: float, label_weights: Any = None) -> LossTerms:
    loss, label_loss = SEVERAL[task]
    return objective(
        *arrays,
        alpha=jnp.float32(alpha),
        temperature=jnp.float32(2.0),
        distillation_loss=losses_for(task)[loss],
        label_loss=label_losses_for(task)[label_loss],
        label_weights=label_weights,
    )


def test_labels_with_a_missing_entry_by_hand() -> None:
    # Absolute errors to the labels: example 0: |1 - 0| = 1, |2 - 0| = 2; example 1: |3 - 0| = 3, the last is missing.
    # Three of four entries are known, each of weight 4 / 3: (1 + 2 + 3) * 4/3 / 4 = 2, the mean over the known ones.
    # Huber to the teacher: differences 0, 1 and 0, 2: (0 + 0.5) / 2 and (0 + 1.5) / 2, mean 0.5. alpha = 0.25:
    # 0.25 * 2 + 0.75 * 0.5 = 0.875
    student, teacher = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 1.0], [3.0, 2.0]])
    labels, known = jnp.array([[0.0, 0.0], [0.0, 0.0]]), jnp.array([[1.0, 1.0], [1.0, 0.0]]) * 4 / 3
    terms = mixed_of("regression", student, teacher, labels, jnp.ones(2), alpha=0.25, label_weights=known)
    np.testing.assert_allclose(terms, [0.875, 2.0, 0.5], rtol=4 * EPSILON)


def test_weighted_positions_by_hand() -> None:
    # Two sequences of two positions, one output; the last position of the second is padding: weights 1, 1, 1, 0.
    # Absolute errors to the labels 0: 1, 2, 3 and 9 of weight 0: 6 / 3 = 2. Huber to the teacher: differences 0, 1, 2
    # and 9 of weight 0: (0 + 0.5 + 1.5) / 3 = 2/3. alpha = 0.5: 1 + 1/3
    student = jnp.array([[[1.0], [2.0]], [[3.0], [9.0]]])
    teacher = jnp.array([[[1.0], [1.0]], [[1.0], [0.0]]])
    weights = jnp.array([[1.0, 1.0], [1.0, 0.0]])
    for labels in (jnp.zeros((2, 2)), jnp.zeros((2, 2, 1))):
        terms = mixed_of("regression", student, teacher, labels, weights, alpha=0.5)
        np.testing.assert_allclose(terms, [4 / 3, 2.0, 2 / 3], rtol=4 * EPSILON)


@pytest.mark.parametrize("positions", [(), (3,), (2, 3)])
@pytest.mark.parametrize("task", SEVERAL)
def test_missing_entries_and_weighted_positions_agree_with_numpy_in_float64(
    task: str, positions: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(9)
    shape = (5, *positions, TASKS[task].outputs(3))
    student, teacher = (2 * rng.standard_normal((2, *shape))).astype(np.float32)
    labels = rng.standard_normal(shape).astype(np.float32) if task == "regression" else rng.integers(0, 2, shape)
    weights = rng.integers(0, 3, shape[:-1]).astype(np.float32)
    known = (rng.random(shape) < 0.7).astype(np.float32) / 0.7
    z_s, z_t = student.astype(np.float64), teacher.astype(np.float64)
    if task == "regression":
        of_labels, d = np.abs(z_s - labels), np.abs(z_s - z_t)
        of_teacher = np.where(d <= 1, d**2 / 2, d - 0.5)
    else:
        of_labels = np.logaddexp(0, z_s) - labels * z_s
        p, q = (np.stack([expit(z / 2), expit(-z / 2)]) for z in (z_t, z_s))
        of_teacher = 2.0**2 * np.sum(p * np.log(p / q), axis=0)
    entry = np.broadcast_to(weights[..., None], shape)
    label_loss = np.sum(entry * known * of_labels) / entry.sum()
    distillation_loss = np.average(of_teacher, weights=entry)
    expected = [0.3 * label_loss + 0.7 * distillation_loss, label_loss, distillation_loss]
    arrays = tuple(map(jnp.asarray, (student, teacher, labels, weights)))
    terms = mixed_of(task, *arrays, alpha=0.3, label_weights=jnp.asarray(known))
    np.testing.assert_allclose(terms, expected, rtol=0, atol=1e2 * EPSILON)


def test_an_example_weight_holds_at_all_positions() -> None:
    student, teacher = np.random.default_rng(10).standard_normal((2, 4, 3, 1)).astype(np.float32)
    labels, weights = jnp.zeros((4, 3), jnp.int32), jnp.array([1.0, 2.0, 0.0, 1.0])
    arrays = jnp.asarray(student), jnp.asarray(teacher), labels
    of_examples = mixed_of("binary", *arrays, weights, alpha=0.5)
    of_positions = mixed_of("binary", *arrays, jnp.repeat(weights[:, None], 3, axis=1), alpha=0.5)
    np.testing.assert_allclose(of_examples, of_positions, rtol=8 * EPSILON)


@pytest.mark.parametrize("alpha", [-0.5, 0.3, 1.5])
def test_squared_errors_have_their_minimum_at_the_mixed_target_for_every_alpha(alpha: float) -> None:
    rng = np.random.default_rng(4)
    teacher, labels = rng.standard_normal((6, 4)).astype(np.float32), np.array([0, 1, 2, 3, 0, 1])
    target = alpha * np.eye(4)[labels] + (1 - alpha) * teacher

    def loss(z: np.ndarray) -> np.ndarray:
        of_labels, of_teacher = label_squared_error(z, labels), logit_mse(z, teacher, temperature=1.0)
        return np.asarray(mix(of_labels, of_teacher, alpha), np.float64)

    least = loss(target.astype(np.float32))
    # The mixture is |z - target|^2 / (2 C) and a constant, so a step of any size costs its own square. Float32 sums.
    for size in (0.5, 100.0):
        step = size * rng.standard_normal((6, 4)).astype(np.float32)
        np.testing.assert_allclose(
            loss(target.astype(np.float32) + step) - least, (step**2).mean(1) / 2, rtol=1e-4, atol=1e-5
        )


def test_cross_entropies_fall_without_bound_against_a_negative_target() -> None:
    # alpha = -0.5, a sure teacher of class 0, label 1: the target is 1.5 for class 0 and -0.5 for class 1.
    labels, teacher = np.array([1]), np.array([[20.0, 0.0]], np.float32)
    losses = []
    for logit in (0.0, 10.0, 20.0, 40.0):
        z = np.array([[logit, 0.0]], np.float32)
        of_teacher = distillation_kl(z, teacher, temperature=1.0)
        losses.append(float(mix(label_cross_entropy(z, labels), of_teacher, -0.5)[0]))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < -19
