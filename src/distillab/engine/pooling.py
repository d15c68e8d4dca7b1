"""Pooling as maxima and sums of shifted slices, one dimension after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def understands(equation: Any) -> bool:
    """Whether `largest` or `total` supports a `reduce_window_max` or `reduce_window_sum` equation.

    Args:
        equation: the equation of a jaxpr.
    """
    parameters = equation.params
    return (
        all(gap == 1 for gap in (*parameters["base_dilation"], *parameters["window_dilation"]))
        and bool(jnp.issubdtype(equation.invars[0].aval.dtype, jnp.floating))
        and 0 not in equation.outvars[0].aval.shape  # a window larger than its padded image has no position
    )


def largest(x: jax.Array, **window: Any) -> jax.Array:
    """Max pooling: the maximum over a box is a maximum of maxima.

    Args:
        x: any shape.
        window: the parameters of `reduce_window_max`.
    """
    return _pool(x, jnp.maximum, -jnp.inf, **window)


def total(x: jax.Array, **window: Any) -> jax.Array:
    """Sum pooling, the basis of average pooling: the sum over a box is a sum of sums.

    Args:
        x: any shape.
        window: the parameters of `reduce_window_sum`.
    """
    return _pool(x, add, 0, **window)


def _pool(
    x: jax.Array,
    combine: Callable[[Any, Any], Any],
    neutral: float,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    **_: Any,
) -> jax.Array:
    for axis, (window, stride, (low, high)) in enumerate(zip(window_dimensions, window_strides, padding, strict=True)):
        if window == 1 and stride == 1 and low == high == 0:
            continue
        edges = [(0, 0, 0)] * x.ndim
        edges[axis] = (low, high, 0)
        padded = lax.pad(x, jnp.array(neutral, x.dtype), edges)
        length = (padded.shape[axis] - window) // stride + 1
        shifted = [
            lax.slice_in_dim(padded, start, start + (length - 1) * stride + 1, stride, axis) for start in range(window)
        ]
        x = reduce(combine, shifted)
    return x
