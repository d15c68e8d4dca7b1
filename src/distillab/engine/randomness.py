"""Randomness by name: every stream is drawn from a seed and a purpose, never from a place in a batch or a queue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import jax
import numpy as np

PURPOSES: Mapping[str, int] = MappingProxyType(
    {"initial weights": 0, "order": 1, "label noise": 2, "validation split": 3, "training subset": 4, "shift": 5}
)
"""The streams there are. Numbers are never reused: they decide results."""


def stream(purpose: str, seed: int, *steps: int) -> np.random.Generator:
    """Open the random stream of one purpose.

    Args:
        purpose: one of `PURPOSES`.
        seed: the trial's seed, >= 0.
        steps: further whole numbers that tell streams of a purpose apart, such as the epoch.

    Returns:
        A fresh generator; the same arguments always give the same stream.

    Example:
        >>> bool(stream("order", 3, 0).random() == stream("order", 3, 0).random())
        True
        >>> bool(stream("order", 3, 0).random() == stream("label noise", 3, 0).random())
        False
    """
    return np.random.default_rng([PURPOSES[purpose], seed, *steps])


def step_key(purpose: str, seed: jax.Array, step: jax.Array) -> jax.Array:
    """The JAX key of one step's draws, inside a compiled program.

    Args:
        purpose: one of `PURPOSES`.
        seed: the trial's seed, a scalar, possibly traced.
        step: counted from the start of the training, a scalar, possibly traced.

    Returns:
        A key for that step alone.
    """
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(PURPOSES[purpose]), seed), step)


def epoch_order(seed: int, epoch: int, examples: int, length: int) -> np.ndarray:
    """Draw the order in which one epoch visits the training examples.

    Args:
        seed: the trial's seed; every alpha at one seed sees the same order.
        epoch: counted from 0.
        examples: N, the number of training examples.
        length: the number of rows wanted, >= N: the last batch is filled up with rows 0, which carry no weight.

    Returns:
        Row numbers, int32, shape (length,).
    """
    rows = np.zeros(length, np.int32)
    rows[:examples] = stream("order", seed, epoch).permutation(examples)
    return rows
