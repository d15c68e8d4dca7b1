"""Randomness by name: every stream depends on a seed and a purpose, never on a position in a batch or a queue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

PURPOSES: Mapping[str, int] = MappingProxyType(
    {
        "initial weights": 0,
        "order": 1,
        "label noise": 2,
        "validation split": 3,
        "training subset": 4,
        "augmentation": 5,
        "layers": 6,
        "teacher's label noise": 7,
        "shown examples": 8,
        "trusted examples": 12,
    }
)
"""The streams. Numbers are never reused, since results depend on them."""


def stream(purpose: str, seed: int, *steps: int) -> np.random.Generator:
    """Open the random stream of one purpose; the same arguments always give the same stream.

    Args:
        purpose: one of `PURPOSES`.
        seed: the trial's seed, >= 0.
        steps: further integers that separate streams of one purpose, such as the epoch.

    Example:
        >>> bool(stream("order", 3, 0).random() == stream("order", 3, 0).random())
        True
        >>> bool(stream("order", 3, 0).random() == stream("label noise", 3, 0).random())
        False
    """
    return np.random.default_rng([PURPOSES[purpose], seed, *steps])


def example_keys(purpose: str, seed: Any, epoch: Any, rows: jax.Array) -> jax.Array:
    """The JAX key of each example's draws in one epoch, inside a compiled program: the same in every batch.

    Args:
        purpose: one of `PURPOSES`.
        seed: the trial's seed, a scalar, possibly traced.
        epoch: counted from 0, a scalar, possibly traced.
        rows: the examples' row numbers, shape (B,).
    """
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(PURPOSES[purpose]), seed), epoch)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, rows)


def epoch_order(seed: int, epoch: int, examples: int, length: int) -> np.ndarray:
    """Draw the order of the training examples in one epoch: row numbers, int32, shape (length,).

    Args:
        seed: the trial's seed; every alpha at one seed sees the same order.
        epoch: counted from 0.
        examples: N, the number of training examples.
        length: the number of rows, >= N: the last batch is padded with row 0, which has no weight.
    """
    rows = np.zeros(length, np.int32)
    rows[:examples] = stream("order", seed, epoch).permutation(examples)
    return rows
