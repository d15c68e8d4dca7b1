"""Weight decay and the largest norm of a unit's weights: by hand, beside other libraries, and in a training."""

from __future__ import annotations

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional
from distillab.engine.regularisation import constrained, decayed
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Recipe, Student
from distillab.models import build

N, C = 20, 3


def test_decay_adds_its_share_of_every_weight_to_the_slope() -> None:
    slopes, weights = [jnp.array([1.0, -2.0]), jnp.array([[0.5]])], [jnp.array([10.0, 20.0]), jnp.array([[-4.0]])]
    after = decayed(slopes, weights, 0.1)  # 1 + 0.1 * 10 = 2, -2 + 0.1 * 20 = 0, 0.5 - 0.1 * 4 = 0.1
    np.testing.assert_allclose(after[0], [2.0, 0.0])
    np.testing.assert_allclose(after[1], [[0.1]], rtol=1e-6)  # 0.1 in float32


@pytest.mark.parametrize("shape", [(7, 4), (3, 3, 2, 4)])
def test_the_constraint_is_that_of_keras_for_every_unit(shape: tuple[int, ...]) -> None:
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    inner = list(range(len(shape) - 1))
    norms = np.sqrt((kernel.astype(np.float64) ** 2).sum(tuple(inner)))
    largest = float(np.median(norms))  # half of the units are over it
    expected = keras.constraints.MaxNorm(largest, axis=inner)(kernel)
    # Keras adds 1e-7 to the norm that it divides by.
    np.testing.assert_allclose(constrained([jnp.asarray(kernel)], largest)[0], expected, rtol=1e-6)


def test_units_within_the_norm_keep_their_weights_to_the_bit_and_biases_are_free() -> None:
    small, bias = jnp.array([[0.1, 0.0], [0.2, 0.0]]), jnp.array([50.0, -50.0])
    for before, after in zip([small, bias], constrained([small, bias], 1.0), strict=True):
        np.testing.assert_array_equal(before, after)


def trained(**recipe: object) -> list[np.ndarray]:
    """The weights of a linear student after one step of plain descent, at a rate of 0.5."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (N, 4, 4, 1)).astype(np.uint8), rng.integers(0, C, N)
    examples = Examples.for_labels(images, 1 / 255, (C,))
    model = Functional(build("linear", (4, 4, 1), C))
    student = Student(1.0, 1.0, 0.5, 0, model.initial(0), labels, labels[:0])
    how = Recipe(1, N, optimiser="sgd", schedule="constant", **recipe)  # type: ignore[arg-type]
    return [
        leaf[0]
        for leaf in CohortTrainer(model, examples, how, mesh=mesh(), capacity=1).train([student]).variables.trainable
    ]


def test_a_decayed_step_of_a_student_is_the_step_less_the_rate_times_the_decay_of_its_weights() -> None:
    start = Functional(build("linear", (4, 4, 1), C)).initial(0).trainable
    for plain, decay, weight in zip(trained(), trained(weight_decay=0.1), start, strict=True):
        np.testing.assert_allclose(decay, plain - 0.5 * 0.1 * weight, rtol=0, atol=1e-6)  # float32, numbers near 1


def test_a_students_kernels_obey_the_norm_after_every_step() -> None:
    free, bound = trained()[0], trained(max_norm=0.5)[0]
    lengths = np.linalg.norm(free, axis=0)
    assert (lengths > 0.5).all()
    np.testing.assert_allclose(bound, free * (0.5 / lengths), rtol=1e-5)  # one step: the free one, scaled
