"""A traced function with its slow operations rewritten as fast ones of the same result.

`lower(function)` traces a function to its jaxpr and evaluates that with some primitives replaced:

- `conv_general_dilated` becomes patches x kernel, or a convolution with derivatives of its own (`convolutions`): XLA's
  backward convolutions are slow inside a loop on a CPU (jax issue 12868), and mapping a convolution over weights makes
  a grouped convolution, which is slow on every device;
- `reduce_window_max` and `reduce_window_sum` become maxima and sums of shifted slices (`pooling`);
- `dot_general` gets derivatives that read the output's gradient once (`products`);
- `random_bits` becomes one pass over memory (`random_bits`), on a CPU.

Nested jaxprs (jit, scan, while, cond, remat, custom derivatives) are rewritten inside. The rewrite happens before
differentiation; only a function that declares its own derivative keeps it as declared. A convolution or pooling that is
not supported stays unchanged, and a warning names it. The results are equal up to float rounding, with one exception:
if several numbers of a pooling window are the largest, XLA assigns the whole derivative to the first of them, and the
maximum of slices shares it among them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax
from jax.extend import core

from distillab.engine import convolutions, pooling, products, random_bits
from distillab.engine.convolutions import Form, FormOf, form_of_one

P = ParamSpec("P")
R = TypeVar("R")


def lower(function: Callable[P, R], form_of: FormOf = form_of_one) -> Callable[P, R]:
    """Return a function with the same results whose convolutions, pooling, products and random bits are fast.

    Args:
        function: a JAX function of arrays (pytrees allowed). It is traced anew at every call, so call the result
            inside `jax.jit`.
        form_of: the form of a convolution that can be rewritten.

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
        results = _evaluate(closed.jaxpr, closed.consts, leaves, form_of)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return lowered


def _evaluate(jaxpr: core.Jaxpr, consts: Sequence[Any], args: Sequence[Any], form_of: FormOf) -> list[Any]:
    """Run a jaxpr equation by equation, with the rewritten primitives in place of the originals."""
    values: dict[core.Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        rewrite = _rewrite_of(equation, form_of)
        if rewrite is not None:
            results = [rewrite(*operands, **equation.params)]
        else:
            nested = {key: _relower(value, form_of) for key, value in equation.params.items()}
            parameters = equation.primitive.get_bind_params(nested)
            bound = equation.primitive.bind(*operands, **parameters)
            results = list(bound) if equation.primitive.multiple_results else [bound]
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _rewrite_of(equation: Any, form_of: FormOf) -> Callable[..., jax.Array] | None:
    """What computes an equation in another way; None: it stays as it is. A warning names one that is slow so."""
    name = equation.primitive.name
    if name not in _REWRITES or 0 in equation.outvars[0].aval.shape:
        return None
    rewrite = _REWRITES[name]
    if not rewrite.understands(equation):
        if rewrite.slow_otherwise:
            shapes = " x ".join(str(operand.aval.shape) for operand in equation.invars)
            warnings.warn(
                f"{name} of {shapes} is not rewritten: it runs as XLA has it, which may be slow.", stacklevel=2
            )
        return None
    if name != "conv_general_dilated":
        return rewrite.compute
    form = form_of(equation)
    return None if form is Form.XLA else partial(rewrite.compute, form=form)


def _relower(parameter: Any, form_of: FormOf) -> Any:
    """Rewrite the jaxprs among an equation's parameters; a parameter without any is returned unchanged."""
    if isinstance(parameter, tuple) and any(isinstance(part, (core.Jaxpr, core.ClosedJaxpr)) for part in parameter):
        return tuple(_relower(part, form_of) for part in parameter)
    if isinstance(parameter, core.ClosedJaxpr) and _has_rewrites(parameter.jaxpr):
        jaxpr, consts = parameter.jaxpr, parameter.consts
    elif isinstance(parameter, core.Jaxpr) and _has_rewrites(parameter):
        jaxpr, consts = parameter, ()
    else:
        return parameter
    avals: list[Any] = [variable.aval for variable in jaxpr.invars]
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
    closed = jax.make_jaxpr(lambda *args: _evaluate(jaxpr, consts, args, form_of))(*shapes)
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


class _Rewrite(NamedTuple):
    """Another way to compute a primitive."""

    understands: Callable[[Any], bool]
    compute: Callable[..., jax.Array]
    slow_otherwise: bool


_REWRITES = {
    "conv_general_dilated": _Rewrite(convolutions.understands, convolutions.convolve, True),
    "reduce_window_max": _Rewrite(pooling.understands, pooling.largest, True),
    "reduce_window_sum": _Rewrite(pooling.understands, pooling.total, True),
    "dot_general": _Rewrite(products.understands, products.contract, False),
    "random_bits": _Rewrite(random_bits.understands, random_bits.draw, False),
}
