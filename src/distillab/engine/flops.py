"""The floating-point operations of a model's matrix products and convolutions, counted from its jaxpr."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend import core

from distillab.engine.functional import Functional, read_variables
from distillab.engine.inputs import input_specs


def training_flops(model: Functional, batch: int) -> int:
    """Multiplications and additions of one training step's matrix products, forward and backward.

    Formula: `3 sum_i f_i - f_1`, where `f_i` is the forward cost of product i. Its two derivatives cost as much each,
    and the first product's inputs are data, which need no derivative.

    Args:
        model: the classifier.
        batch: examples per step.
    """
    products = forward_flops(model, batch)
    return 3 * sum(products) - products[0]


def forward_flops(model: Functional, batch: int) -> list[int]:
    """Floating-point operations of each matrix product and convolution of a forward pass, in order.

    Args:
        model: the classifier.
        batch: examples.
    """
    variables = read_variables(model.model)
    call = jax.make_jaxpr(lambda v, x: model.model.stateless_call(v.trainable, v.fixed, x, training=False)[0])
    return list(_products(call(variables, input_specs(model.model, batch)).jaxpr))


def _products(jaxpr: Any) -> Iterator[int]:
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel, spec = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec
            yield 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // kernel[spec[0]]
        elif equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            yield 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
        repeats = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for parameter in equation.params.values():
            if isinstance(parameter, (core.Jaxpr, core.ClosedJaxpr)):
                yield from (repeats * flops for flops in _products(getattr(parameter, "jaxpr", parameter)))
