"""Students of one device that train one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def take_turns(function: Callable[[Any], Any], arguments: Any, count: jax.Array) -> Any:
    """Apply a function to the first `count` rows of its arguments, one after another.

    The number of turns is not known to the compiler, so the program of a turn is the same whatever the number of
    seats: a student's numbers cannot depend on how many others there are.
    """
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), arguments)
    seats = len(jax.tree.leaves(arguments)[0])
    empty = jax.tree.map(lambda leaf: jnp.zeros((seats, *leaf.shape), leaf.dtype), jax.eval_shape(function, row))

    def turn(seat: jax.Array, answers: Any) -> Any:
        answer = function(jax.tree.map(lambda leaf: leaf[seat], arguments))
        return jax.tree.map(lambda leaf, value: leaf.at[seat].set(value), answers, answer)

    return lax.fori_loop(0, count, turn, empty)
