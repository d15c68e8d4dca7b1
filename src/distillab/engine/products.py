"""A matrix product whose derivatives read a gradient that is computed once, in its own order.

The gradient of a product's output is read twice, by the products for the inputs and for the weights. Left to itself,
XLA fuses what computes it into the transposition that the second needs, and computes it again, number by number down
the columns. A barrier before both keeps it one pass over memory: a small vision transformer's step fell by a quarter.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def understands(equation: Any) -> bool:
    """Whether `contract` supports a `dot_general` equation: a product of floats that is none of a batch of products.

    Args:
        equation: the equation of a jaxpr.
    """
    _, (batch, _) = equation.params["dimension_numbers"]
    return not batch and all(jnp.issubdtype(operand.aval.dtype, jnp.floating) for operand in equation.invars)


def contract(
    x: jax.Array, w: jax.Array, *, dimension_numbers: Any, precision: Any, preferred_element_type: Any, **_: Any
) -> jax.Array:
    """Compute what `lax.dot_general` does without batch dimensions, as one product of matrices.

    Args:
        x, w: the factors.
        dimension_numbers, precision, preferred_element_type: as there.
    """
    (of_x, of_w), _ = dimension_numbers
    rows = [axis for axis in range(x.ndim) if axis not in of_x]
    columns = [axis for axis in range(w.ndim) if axis not in of_w]
    shape = (*(x.shape[axis] for axis in rows), *(w.shape[axis] for axis in columns))
    length = math.prod(x.shape[axis] for axis in of_x)
    x = jnp.transpose(x, (*rows, *of_x)).reshape(math.prod(shape[: len(rows)]), length)
    w = jnp.transpose(w, (*of_w, *columns)).reshape(length, math.prod(shape[len(rows) :]))
    return product(x, w, precision, preferred_element_type).reshape(shape)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def product(x: jax.Array, w: jax.Array, precision: Any, dtype: Any) -> jax.Array:
    """Multiply two matrices.

    Formula: `y = x w`; of its gradient `g`: `g w^T` by `x`, and `x^T g` by `w`.

    Args:
        x: (M, K).
        w: (K, N).
        precision: as in `lax.dot`.
        dtype: of the result; None: the factors'.

    Returns:
        Shape (M, N).

    Example:
        >>> product(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]]), None, None).tolist()
        [[11.0]]
    """
    return jnp.dot(x, w, precision=precision, preferred_element_type=dtype)


def _residuals(x: jax.Array, w: jax.Array, precision: Any, dtype: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return product(x, w, precision, dtype), (x, w)


def _gradients(
    precision: Any, dtype: Any, residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, w = residuals
    gradient = lax.optimization_barrier(gradient)
    options = {"precision": precision, "preferred_element_type": dtype}
    by_x, by_w = jnp.dot(gradient, w.T, **options), jnp.dot(x.T, gradient, **options)
    return by_x.astype(x.dtype), by_w.astype(w.dtype)


product.defvjp(_residuals, _gradients)
