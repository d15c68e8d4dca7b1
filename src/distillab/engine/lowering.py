"""Convolutions and max pooling rewritten, in any traced function, as matrix products and maxima of slices.

XLA's CPU convolutions are slow inside a loop (jax issue 12868), and mapping a convolution over weights makes a grouped
convolution, which is slow on every device. A matrix product has neither trouble. `lower(function)` traces a function to
its jaxpr and evaluates that with two primitives replaced:

- `conv_general_dilated` becomes patches x kernel;
- `reduce_window_max` becomes, dimension by dimension, a maximum of shifted slices.

The rewrite happens before differentiation, so the gradient is made of matrix products and slices as well. What is not
understood (dilation, groups, one or three spatial dimensions) passes through untouched. The numbers are the same to
float rounding, but for one choice: where several numbers of a pooling window are the largest, XLA gives the whole
derivative to the first of them, and the maximum of slices shares it among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

P = ParamSpec("P")
R = TypeVar("R")


def lower(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function with the same results whose convolutions are matrix products.

    Args:
        function: a JAX function of arrays (pytrees allowed). It is traced anew at every call, so call the result
            inside `jax.jit`.

    Returns:
        The rewritten function; it may be differentiated, mapped and compiled like the original.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> convolve = lambda x, k: jax.lax.conv(x, k, (1, 1), "SAME")
        >>> float(jax.jit(lower(convolve))(jnp.ones((1, 1, 4, 4)), jnp.ones((1, 1, 3, 3)))[0, 0, 1, 1])
        9.0
    """

    def lowered(*args: P.args, **kwargs: P.kwargs) -> R:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*args, **kwargs)
        leaves = jax.tree.leaves((args, kwargs))
        results = _evaluate(closed.jaxpr, closed.consts, leaves)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return lowered


def _evaluate(jaxpr: core.Jaxpr, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """Run a jaxpr equation by equation, with the rewritten primitives in place of the originals."""
    values: dict[core.Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        name = equation.primitive.name
        rewrite = _REWRITES.get(name)
        inner = _INLINED.get(name)
        if rewrite is not None and rewrite.understands(equation):
            results = [rewrite.apply(*operands, **equation.params)]
        elif inner is not None and _has_rewrites(inner(equation).jaxpr):
            closed = inner(equation)
            results = _evaluate(closed.jaxpr, closed.consts, operands)
        else:
            parameters = equation.primitive.get_bind_params(equation.params)
            answer = equation.primitive.bind(*operands, **parameters)
            results = list(answer) if equation.primitive.multiple_results else [answer]
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _has_rewrites(jaxpr: core.Jaxpr) -> bool:
    """Whether a jaxpr, or one that it calls and that would be inlined, holds a primitive to rewrite."""
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in _REWRITES or (name in _INLINED and _has_rewrites(_INLINED[name](equation).jaxpr)):
            return True
    return False


def _understands_convolution(equation: core.JaxprEqn) -> bool:
    parameters = equation.params
    return (
        len(parameters["window_strides"]) == 2
        and parameters["lhs_dilation"] == (1, 1)
        and parameters["rhs_dilation"] == (1, 1)
        and parameters["feature_group_count"] == 1
        and parameters["batch_group_count"] == 1
        and parameters["preferred_element_type"] is None
        and not _is_empty(equation.outvars[0].aval)
    )


def _convolution(
    images: jax.Array,
    kernel: jax.Array,
    *,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dimension_numbers: lax.ConvDimensionNumbers,
    precision: Any,
    **_: Any,
) -> jax.Array:
    """Two-dimensional convolution as one matrix product of patches (B*h*w, kh*kw*C) and kernel (kh*kw*C, O)."""
    batch, feature, *space = dimension_numbers.lhs_spec
    outputs, inputs, *window = dimension_numbers.rhs_spec
    x = jnp.transpose(images, (batch, *space, feature))
    k = jnp.transpose(kernel, (*window, inputs, outputs))
    patches = _patches(x, k.shape[:2], window_strides, padding)
    flat = jnp.dot(patches.reshape(-1, patches.shape[-1]), k.reshape(-1, k.shape[-1]), precision=precision)
    answer = flat.reshape(*patches.shape[:-1], k.shape[-1])
    out_batch, out_feature, *out_space = dimension_numbers.out_spec
    order = sorted(range(4), key=(out_batch, *out_space, out_feature).__getitem__)
    return jnp.transpose(answer, order)


def _patches(
    x: jax.Array, window: Sequence[int], strides: Sequence[int], padding: Sequence[tuple[int, int]]
) -> jax.Array:
    """Gather the patches that a window sees, shape (B, h, w, kh*kw*C).

    Rows and columns are first split into blocks one stride long, (H/s, s) x (W/s, s*C). A patch is then made of
    whole runs of s*C neighbouring numbers, and its derivative of plain additions: without the split, every slice would
    skip numbers, and its derivative would write zeros between them.
    """
    batch, height, width, channels = x.shape
    (kh, kw), (sh, sw) = window, strides
    (top, bottom), (left, right) = padding
    h = (height + top + bottom - kh) // sh + 1
    w = (width + left + right - kw) // sw + 1
    blocks_h, blocks_w = h + (kh - 1) // sh, w + (kw - 1) // sw
    zero = jnp.zeros((), x.dtype)
    edges = ((0, 0, 0), (top, blocks_h * sh - height - top, 0), (left, blocks_w * sw - width - left, 0), (0, 0, 0))
    blocks = lax.pad(x, zero, edges).reshape(batch, blocks_h, sh, blocks_w, sw * channels)
    runs = [
        blocks[:, i // sh : i // sh + h, i % sh, q : q + w, : min(sw, kw - q * sw) * channels]
        for i in range(kh)
        for q in range((kw - 1) // sw + 1)
    ]
    return jnp.concatenate(runs, axis=-1)


def _understands_pooling(equation: core.JaxprEqn) -> bool:
    dilations = (*equation.params["base_dilation"], *equation.params["window_dilation"])
    return (
        all(dilation == 1 for dilation in dilations)
        and _is_floating(equation.invars[0].aval)
        and not _is_empty(equation.outvars[0].aval)
    )


def _is_floating(aval: Any) -> bool:
    return bool(jnp.issubdtype(aval.dtype, jnp.floating))


def _is_empty(aval: Any) -> bool:
    """Whether there is nothing to compute: a window larger than its padded image has no place to stand."""
    return 0 in aval.shape


def _max_pooling(
    x: jax.Array,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    **_: Any,
) -> jax.Array:
    """Max pooling, one dimension after another: the maximum over a box is a maximum of maxima."""
    for axis, (window, stride, (low, high)) in enumerate(zip(window_dimensions, window_strides, padding, strict=True)):
        if window == 1 and stride == 1 and low == high == 0:
            continue
        edges = [(0, 0, 0)] * x.ndim
        edges[axis] = (low, high, 0)
        padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), edges)
        length = (padded.shape[axis] - window) // stride + 1
        shifted = [
            lax.slice_in_dim(padded, start, start + (length - 1) * stride + 1, stride, axis) for start in range(window)
        ]
        x = reduce(jnp.maximum, shifted)
    return x


class _Rewrite:
    """A primitive's replacement, and the test of whether an equation is one that it covers."""

    def __init__(self, understands: Callable[[core.JaxprEqn], bool], apply: Callable[..., jax.Array]) -> None:
        self.understands = understands
        self.apply = apply


_REWRITES = {
    "conv_general_dilated": _Rewrite(_understands_convolution, _convolution),
    "reduce_window_max": _Rewrite(_understands_pooling, _max_pooling),
}
_INLINED: dict[str, Callable[[core.JaxprEqn], core.ClosedJaxpr]] = {
    "jit": lambda equation: equation.params["jaxpr"],
    "closed_call": lambda equation: equation.params["call_jaxpr"],
}
