"""Convolutions and pooling rewritten, in any traced function, as matrix products and slices.

XLA's CPU convolutions are slow inside a loop (jax issue 12868), and mapping a convolution over weights makes a grouped
convolution, which is slow on every device. Matrix products avoid both problems. `lower(function)` traces a function to
its jaxpr and evaluates that with three primitives replaced:

- `conv_general_dilated` becomes patches x kernel (`convolutions`);
- `reduce_window_max` and `reduce_window_sum` become maxima and sums of shifted slices (`pooling`).

Nested jaxprs (jit, scan, while, cond, remat, custom derivatives) are rewritten inside. The rewrite happens before
differentiation, so the gradient is made of matrix products and slices as well; only a function that declares its own
derivative keeps it as declared. An unsupported equation stays unchanged, and a warning names it. The results are equal
up to float rounding, with one exception: if several numbers of a pooling window are the largest, XLA assigns the whole
derivative to the first of them, and the maximum of slices shares it among them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
from jax.extend import core

from distillab.engine import convolutions, pooling

P = ParamSpec("P")
R = TypeVar("R")
Pays = Callable[[Any], bool]

LARGEST_PATCHES = 2 * 2**30
"""Bytes of patches up to which a convolution is rewritten. On a CPU every measured rewrite was faster, 4 to 200 times
(`benchmarks/lowering.py`), so only memory sets a limit."""


def small_patches(equation: Any) -> bool:
    """The default rule: rewrite a convolution unless its patches would fill the memory.

    Args:
        equation: an equation that can be rewritten.
    """
    return equation.primitive.name != "conv_general_dilated" or convolutions.patch_bytes(equation) <= LARGEST_PATCHES


def lower(function: Callable[P, R], pays: Pays = small_patches) -> Callable[P, R]:
    """Return a function with the same results whose convolutions are matrix products.

    Args:
        function: a JAX function of arrays (pytrees allowed). It is traced anew at every call, so call the result
            inside `jax.jit`.
        pays: whether to rewrite an equation that can be rewritten.

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
        results = _evaluate(closed.jaxpr, closed.consts, leaves, pays)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return lowered


def _evaluate(jaxpr: core.Jaxpr, consts: Sequence[Any], args: Sequence[Any], pays: Pays) -> list[Any]:
    """Run a jaxpr equation by equation, with the rewritten primitives in place of the originals."""
    values: dict[core.Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        name = equation.primitive.name
        if name in _REWRITES and _rewritten(equation, pays):
            results = [_REWRITES[name][1](*operands, **equation.params)]
        else:
            nested = {key: _relower(value, pays) for key, value in equation.params.items()}
            parameters = equation.primitive.get_bind_params(nested)
            bound = equation.primitive.bind(*operands, **parameters)
            results = list(bound) if equation.primitive.multiple_results else [bound]
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _rewritten(equation: Any, pays: Pays) -> bool:
    """Whether an equation is rewritten; a warning names one that cannot be."""
    understands, _ = _REWRITES[equation.primitive.name]
    if understands(equation):
        return pays(equation)
    if 0 not in equation.outvars[0].aval.shape:
        shapes = " x ".join(str(operand.aval.shape) for operand in equation.invars)
        warnings.warn(
            f"{equation.primitive.name} of {shapes} is not rewritten as matrix products: it runs as XLA has it, "
            "which may be slow.",
            stacklevel=2,
        )
    return False


def _relower(parameter: Any, pays: Pays) -> Any:
    """Rewrite the jaxprs among an equation's parameters; a parameter without any is returned unchanged."""
    if isinstance(parameter, tuple) and any(isinstance(part, (core.Jaxpr, core.ClosedJaxpr)) for part in parameter):
        return tuple(_relower(part, pays) for part in parameter)
    if isinstance(parameter, core.ClosedJaxpr) and _has_rewrites(parameter.jaxpr):
        jaxpr, consts = parameter.jaxpr, parameter.consts
    elif isinstance(parameter, core.Jaxpr) and _has_rewrites(parameter):
        jaxpr, consts = parameter, ()
    else:
        return parameter
    avals: list[Any] = [variable.aval for variable in jaxpr.invars]
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
    closed = jax.make_jaxpr(lambda *args: _evaluate(jaxpr, consts, args, pays))(*shapes)
    return closed if isinstance(parameter, core.ClosedJaxpr) else closed.jaxpr


def _has_rewrites(jaxpr: Any) -> bool:
    """Whether a jaxpr, or one nested in it, holds a primitive to rewrite."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in _REWRITES:
            return True
        for parameter in equation.params.values():
            for part in parameter if isinstance(parameter, tuple) else (parameter,):
                if isinstance(part, (core.Jaxpr, core.ClosedJaxpr)) and _has_rewrites(getattr(part, "jaxpr", part)):
                    return True
    return False


_REWRITES: dict[str, tuple[Callable[[Any], bool], Callable[..., jax.Array]]] = {
    "conv_general_dilated": (convolutions.understands, convolutions.convolve),
    "reduce_window_max": (pooling.understands, pooling.largest),
    "reduce_window_sum": (pooling.understands, pooling.total),
}
