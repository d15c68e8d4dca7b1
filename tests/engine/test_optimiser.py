"""Optimisers step as Keras's do, and schedules run from the full rate over the whole training."""

from __future__ import annotations

import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest

from distillab.engine.optimiser import OPTIMISERS, SCHEDULES

STEPS = 20
KERAS = {
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop,
}
# 0 at the first step; the rest as written in the names' formulas.
FORMULAS = {
    "constant": lambda t: 1.0,
    "cosine": lambda t: 0.5 * (1 + np.cos(np.pi * t)),
    "linear": lambda t: 1 - t,
}


def test_every_optimiser_and_schedule_has_its_reference() -> None:
    assert set(KERAS) == set(OPTIMISERS)
    assert set(FORMULAS) == set(SCHEDULES)


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_a_few_steps_go_where_the_optimiser_of_keras_goes(name: str) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal(5).astype(np.float32)
    # Gradients of very different sizes, one of them zero: where a wrong epsilon or bias correction would show.
    slopes = (rng.standard_normal((6, 5)) * [1, 1e-3, 1e-6, 10, 0]).astype(np.float32)
    rate = 0.01

    variable, optimiser = keras.Variable(start), KERAS[name](rate)
    ours, transformation = jnp.asarray(start), OPTIMISERS[name]()
    state = transformation.init(ours)
    for slope in slopes:
        optimiser.apply([jnp.asarray(slope)], [variable])
        direction, state = transformation.update(jnp.asarray(slope), state, ours)
        ours = optax.apply_updates(ours, -rate * direction)
    # Six steps in float32, of values up to 3 and steps up to the rate.
    np.testing.assert_allclose(ours, np.asarray(variable.value), rtol=0, atol=4e-6)


@pytest.mark.parametrize("size", [1e-9, 1e-7, 1e-6, 1e-3])
def test_gradients_near_the_epsilon_of_adam_step_as_far_as_in_keras(size: float) -> None:
    slope, rate = jnp.array([size, -size]), 0.5
    variable, optimiser = keras.Variable(np.zeros(2, np.float32)), keras.optimizers.Adam(rate)
    optimiser.apply([slope], [variable])
    transformation = OPTIMISERS["adam"]()
    direction, _ = transformation.update(slope, transformation.init(slope), slope)
    # By hand at 1e-6: m = 1e-7, sqrt(v) = 3.1623e-8, sqrt(1 - b2) / (1 - b1) = 0.31623; over sqrt(v) + 1e-7: 0.24025.
    if size == 1e-6:
        np.testing.assert_allclose(direction, [0.24025, -0.24025], rtol=1e-4)
    # Three roundings in float32, and 1 - 0.999, which it knows to 6e-5.
    np.testing.assert_allclose(-rate * direction, np.asarray(variable.value), rtol=1e-4)


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_the_first_step_goes_downhill_at_the_size_of_the_rate(name: str) -> None:
    transformation = OPTIMISERS[name]()
    slope = jnp.array([2.0, -3.0])
    direction, _ = transformation.update(slope, transformation.init(slope), slope)
    # Adam's first step is the sign; plain descent is the gradient; Nesterov's first step is 1 + 0.9 of it; RMSprop
    # divides by the root of a tenth of the square.
    signs = jnp.sign(slope)
    expected = {"adam": signs, "sgd": slope, "momentum": 1.9 * slope, "rmsprop": signs / 0.1**0.5}[name]
    # Adam takes the root of 1 - 0.999, which float32 knows to 2^-24 / 0.001 = 6e-5, and its root to half of that.
    np.testing.assert_allclose(direction, expected, rtol=3e-5)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_schedule_follows_its_formula_from_one_over_the_whole_training(name: str) -> None:
    schedule = SCHEDULES[name](STEPS)
    values = [float(schedule(jnp.int32(step))) for step in range(STEPS + 1)]
    assert values[0] == 1
    np.testing.assert_allclose(values, [FORMULAS[name](step / STEPS) for step in range(STEPS + 1)], atol=1e-6)
    assert all(value > 0 for value in values[:-1])  # the last step that is taken still moves
