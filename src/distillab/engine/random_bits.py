"""Random bits in one pass over memory, the same ones that JAX draws.

On a CPU, JAX computes the Threefry hash in a loop of five turns, each of which reads and writes two arrays of the size
of the result. Written out, the twenty rounds are one pass: the dropout of a small vision transformer took a third of
its step, and takes a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
GROUPS = 5
"""Groups of four rounds; after each the key is added."""


def understands(equation: Any) -> bool:
    """Whether `draw` supports a `random_bits` equation: on a CPU, 32 bits of one Threefry key, numbered one by one.

    Args:
        equation: the equation of a jaxpr.
    """
    key, shape = equation.invars[0].aval, equation.params["shape"]
    return (
        jax.default_backend() == "cpu"
        and str(key.dtype) == "key<fry>"
        and key.shape == ()
        and equation.params["bit_width"] == 32
        and math.prod(shape) < 2**32
        and bool(jax.config.values["jax_threefry_partitionable"])
    )


def draw(key: jax.Array, *, shape: Sequence[int], **_: Any) -> jax.Array:
    """Draw 32 random bits for each element of a shape, equal to `jax.random.bits`.

    Args:
        key: a JAX key of the Threefry generator.
        shape: of the result.

    Returns:
        uint32, behind a barrier: forward and backward pass read the same array instead of drawing twice.

    Example:
        >>> bool((draw(jax.random.key(1), shape=(3,)) == jax.random.bits(jax.random.key(1), (3,))).all())
        True

    Source: Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, 2011, section 3.3.
    """
    first, second = jax.random.key_data(key)
    keys = (first, second, first ^ second ^ jnp.uint32(PARITY))
    count = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    x, y = jnp.zeros_like(count) + keys[0], count + keys[1]
    for group in range(GROUPS):
        for rotation in ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return lax.optimization_barrier(x ^ y)
