"""Weighted examples train as Keras's `fit` trains them, and equal weights change nothing."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, write_variables
from distillab.engine.randomness import epoch_order
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Outcome, Recipe, Student
from distillab.losses import dist, objective
from distillab.models import build

N, C, EPOCHS, BATCH = 27, 3, 2, 8
RECIPE = Recipe(EPOCHS, BATCH, optimiser="sgd", schedule="constant")


@pytest.fixture(scope="module")
def model() -> Functional:
    return Functional(build("mlp-6", (4,), C))


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 4)).astype(np.float32)
    weights = rng.uniform(0, 3, N).astype(np.float32)
    return Examples(x, x[:6], x[:9], rng.normal(size=(1, N, C)).astype(np.float32), 1.0, weights=weights)


def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, C, N)


def trained(model: Functional, examples: Examples, alpha: float) -> Outcome:
    student = Student(alpha, 2.0, 0.1, 3, model.initial(3), labels(), labels()[:6])
    return CohortTrainer(model, examples, RECIPE, mesh=mesh(1), capacity=1).train([student])


def test_a_training_equals_keras_with_sample_weight(model: Functional, examples: Examples) -> None:
    reference = write_variables(keras.models.clone_model(model.model), model.initial(3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    reference.compile(keras.optimizers.SGD(0.1), loss)
    assert examples.weights is not None
    for epoch in range(EPOCHS):
        order = epoch_order(3, epoch, N, N)
        for start in range(0, N, BATCH):
            rows = order[start : start + BATCH]
            reference.train_on_batch(examples.x_train[rows], labels()[rows], examples.weights[rows])
    ours = trained(model, examples, alpha=1.0).test_logits[0]
    # Eight steps of float32 gradients, summed in another order.
    np.testing.assert_allclose(ours, reference.predict(examples.x_test, verbose=0), atol=1e-5)
    unweighted = trained(model, replace(examples, weights=None), alpha=1.0).test_logits[0]
    assert np.abs(ours - unweighted).max() > 1e-2


def test_both_terms_are_weighed(model: Functional, examples: Examples) -> None:
    """A loop by hand: the sum over a batch of w (alpha H + (1 - alpha) D), over the batch's size."""
    weights, y = examples.weights, labels()
    assert weights is not None
    state = model.initial(3)
    keep = state.fixed

    def loss(trainable: list[jax.Array], rows: np.ndarray) -> jax.Array:
        logits, _ = model.model.stateless_call(trainable, keep, examples.x_train[rows], training=True)
        hard = -jax.nn.log_softmax(logits)[jnp.arange(len(rows)), y[rows]]
        p = jax.nn.log_softmax(examples.teacher_logits[0][rows] / 2)
        soft = 4 * jnp.sum(jnp.exp(p) * (p - jax.nn.log_softmax(logits / 2)), axis=-1)
        return jnp.sum(weights[rows] * (0.3 * hard + 0.7 * soft)) / len(rows)

    trainable = state.trainable
    for epoch in range(EPOCHS):
        order = epoch_order(3, epoch, N, N)
        for start in range(0, N, BATCH):
            gradient = jax.grad(loss)(trainable, order[start : start + BATCH])
            trainable = [w - 0.1 * g for w, g in zip(trainable, gradient, strict=True)]
    expected, _ = model.model.stateless_call(trainable, keep, examples.x_test)
    # Eight steps of float32 gradients, summed in another order.
    np.testing.assert_allclose(trained(model, examples, alpha=0.3).test_logits[0], expected, atol=1e-5)


def test_weights_of_one_change_no_bit(model: Functional, examples: Examples) -> None:
    ones = trained(model, replace(examples, weights=np.ones(N, np.float32)), 0.5)
    none = trained(model, replace(examples, weights=None), 0.5)
    for one, other in zip(jax.tree.leaves(ones), jax.tree.leaves(none), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_by_hand() -> None:
    # Label losses ln 2 (equal logits) twice; weights 3 and 0: 3 ln 2 / 2 examples. The teacher agrees: 0.
    zeros = jnp.zeros((2, 2))
    terms = objective(
        zeros, zeros, jnp.array([0, 1]), jnp.ones(2), alpha=1.0, temperature=1.0, distillation_loss=dist,
        example_weights=jnp.array([3.0, 0.0]),
    )  # fmt: skip
    np.testing.assert_allclose(terms.label_loss, 1.5 * np.log(2), rtol=1e-6)
    assert np.isfinite(terms.distillation_loss)
