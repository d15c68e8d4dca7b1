"""A Keras model as pure functions of its weights: the only place where the engine meets Keras layers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from distillab.engine.lowering import lower
from distillab.engine.randomness import stream
from distillab.errors import RequestError

Weights = list[Any]  # arrays of JAX or NumPy


@dataclass(frozen=True)
class Variables:
    """A model's weights as two lists of arrays, in Keras's order: those that learn and those that do not."""

    trainable: Weights
    fixed: Weights


jax.tree_util.register_dataclass(Variables, ["trainable", "fixed"], [])


@dataclass(frozen=True)
class Functional:
    """A Keras classifier as a pure function of its variables, with its convolutions lowered.

    Args:
        model: a built Keras model that maps (B, ...) inputs to (B, C) logits.

    Raises:
        RequestError: where Keras does not run on JAX, or the model is not built.
    """

    model: keras.Model

    def __post_init__(self) -> None:
        if keras.backend.backend() != "jax":
            raise RequestError(
                f"Keras runs on {keras.backend.backend()!r} here, and the engine needs JAX. "
                "Set KERAS_BACKEND=jax before Keras is first imported."
            )
        if not self.model.built:
            raise RequestError(
                f"The model {self.model.name!r} is not built: its input shape is not known. "
                "Call model.build(input_shape), or begin it with keras.Input."
            )

    def __call__(self, variables: Variables, inputs: jax.Array, *, training: bool) -> tuple[jax.Array, Weights]:
        """Answer a batch.

        Args:
            variables: the weights to answer with.
            inputs: a batch, shape (B, ...).
            training: whether layers such as Dropout and BatchNormalization behave as in training.

        Returns:
            The logits, shape (B, C), and the fixed variables as the pass leaves them.
        """

        def call(trainable: Weights, fixed: Weights, batch: jax.Array) -> tuple[jax.Array, Weights]:
            logits, after = self.model.stateless_call(trainable, fixed, batch, training=training)
            return logits, list(after)

        logits, fixed = lower(call)(variables.trainable, variables.fixed, inputs)
        return logits.astype(jnp.float32), fixed

    def initial(self, seed: int) -> Variables:
        """Draw the weights that a student of this architecture starts from.

        Every student of one seed starts from the same weights, whatever its alpha. Keras's and Python's own random
        state is left as it was.

        Args:
            seed: the trial's seed, >= 0.

        Returns:
            NumPy arrays, drawn by the layers' own initialisers.
        """
        with _keras_seed(int(stream("initial weights", seed).integers(2**31))):
            fresh = keras.models.clone_model(self.model)
        return read_variables(fresh)


def read_variables(model: keras.Model) -> Variables:
    """Copy a model's weights out of it, as NumPy arrays."""
    return Variables(
        [np.asarray(variable.value) for variable in model.trainable_variables],
        [np.asarray(variable.value) for variable in model.non_trainable_variables],
    )


def write_variables(model: keras.Model, variables: Variables) -> keras.Model:
    """Copy weights into a model of the same architecture, in place, and return it."""
    pairs = [
        *zip(model.trainable_variables, variables.trainable, strict=True),
        *zip(model.non_trainable_variables, variables.fixed, strict=True),
    ]
    for variable, value in pairs:
        variable.assign(value)
    return model


@contextmanager
def _keras_seed(seed: int) -> Iterator[None]:
    """Seed Keras's initialisers, which draw from Python's global generator, and put that back afterwards."""
    python_state: Any = random.getstate()
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - saved and restored because Keras seeds it
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
