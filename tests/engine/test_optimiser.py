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
    # Six steps in float32. Keras's Adam divides by sqrt(v) + epsilon before it corrects the bias of v, and optax
    # after: for the gradients of 1e-6 the epsilon of 1e-7 then weighs otherwise, up to 1.4 rate in six steps.
    room = np.full(5, 4e-6)
    if name == "adam":
        room[2] = 0.1 * 6 * rate
        room[1] = 1e-3 * 6 * rate
    assert (np.abs(np.asarray(variable.value) - np.asarray(ours)) <= room).all()


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_the_first_step_goes_downhill_at_the_size_of_the_rate(name: str) -> None:
    transformation = OPTIMISERS[name]()
    slope = jnp.array([2.0, -3.0])
    direction, _ = transformation.update(slope, transformation.init(slope), slope)
    # Adam's first step is the sign; plain descent is the gradient; Nesterov's first step is 1 + 0.9 of it; RMSprop
    # divides by the root of a tenth of the square.
    signs = jnp.sign(slope)
    expected = {"adam": signs, "sgd": slope, "momentum": 1.9 * slope, "rmsprop": signs / 0.1**0.5}[name]
    # Adam divides by the root of 1 - 0.999, which float32 knows to 2^-24 / 0.001 = 6e-5, and its root to half of that.
    np.testing.assert_allclose(direction, expected, rtol=3e-5)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_schedule_follows_its_formula_from_one_over_the_whole_training(name: str) -> None:
    schedule = SCHEDULES[name](STEPS)
    values = [float(schedule(jnp.int32(step))) for step in range(STEPS + 1)]
    assert values[0] == 1
    np.testing.assert_allclose(values, [FORMULAS[name](step / STEPS) for step in range(STEPS + 1)], atol=1e-6)
    assert all(value > 0 for value in values[:-1])  # the last step that is taken still moves
