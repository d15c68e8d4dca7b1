"""A matrix product and its gradients: worked by hand, against NumPy in float64, and for every order of axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from distillab.engine.lowering import lower
from distillab.engine.products import product

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_product_and_both_gradients_are_those_worked_by_hand() -> None:
    # [1 2] [3 5]   [1*3 + 2*4, 1*5 + 2*6] = [11 17];  g = [1 10]: g w^T = [53 64], x^T g = [[1 10] [2 20]]
    #       [4 6]
    x, w = jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 5.0], [4.0, 6.0]])
    y, pull = jax.vjp(lambda x, w: product(x, w, None, None), x, w)
    by_x, by_w = pull(jnp.array([[1.0, 10.0]]))
    assert y.tolist() == [[11, 17]]
    assert by_x.tolist() == [[53, 64]]
    assert by_w.tolist() == [[1, 10], [2, 20]]


@pytest.mark.parametrize(
    ("x", "w", "contracted", "equation"),
    [
        ((5, 4, 6), (6, 3), ((2,), (0,)), "abc,cd->abd"),
        ((5, 6), (3, 6), ((1,), (1,)), "ab,cb->ac"),
        ((5, 4, 6), (6, 2, 3), ((2,), (0,)), "abc,cde->abde"),
        ((5, 2, 3), (2, 3, 6), ((1, 2), (0, 1)), "abc,bcd->ad"),
        ((2, 5, 3), (3, 6, 2), ((0, 2), (2, 0)), "abc,cda->bd"),
        ((6,), (6,), ((0,), (0,)), "a,a->"),
    ],
)
def test_value_and_gradients_equal_numpys_in_float64(x: Any, w: Any, contracted: Any, equation: str) -> None:
    def multiply(x: Any, w: Any) -> Any:
        return lax.dot_general(x, w, (contracted, ((), ())))

    a, b = normal(1, *x), normal(2, *w)
    y, pull = jax.vjp(lower(multiply), a, b)
    g = normal(3, *y.shape)
    left, right, out = *equation.split("->")[0].split(","), equation.split("->")[1]
    exact = (
        np.einsum(equation, a.astype(float), b),
        np.einsum(f"{out},{right}->{left}", g.astype(float), b),
        np.einsum(f"{left},{out}->{right}", a.astype(float), g),
    )
    for ours, theirs in zip((y, *pull(jnp.asarray(g))), exact, strict=True):
        # Sums of at most 30 products of numbers of size 1.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=8 * EPSILON * 30**0.5 * max(1, np.abs(theirs).max()))


def test_the_gradient_is_computed_once_for_both_products() -> None:
    text = str(
        jax.make_jaxpr(jax.grad(lambda x, w: lower(jnp.dot)(x, w).sum(), argnums=(0, 1)))(
            normal(1, 2, 3), normal(2, 3, 4)
        )
    )
    assert text.count("optimization_barrier") == 1


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda x, w: jnp.einsum("bij,bjk->bik", x, w), (normal(1, 2, 3, 4), normal(2, 2, 4, 5))),
        (lambda x, w: x @ w, (np.ones((2, 3), np.int32), np.ones((3, 4), np.int32))),
    ],
)
def test_batches_of_products_and_whole_numbers_stay_as_they_are(function: Any, arguments: Any) -> None:
    assert "custom_vjp" not in str(jax.make_jaxpr(lower(function))(*arguments))
    np.testing.assert_array_equal(lower(function)(*arguments), function(*arguments))


def test_mapped_products_equal_one_after_another() -> None:
    x, w = normal(1, 4, 3), normal(2, 5, 3, 2)

    def slopes(w: Any) -> Any:
        return jax.grad(lambda x, w: jnp.tanh(lower(jnp.dot)(x, w)).sum(), argnums=(0, 1))(x, w)

    for together, alone in zip(jax.vmap(slopes)(w), zip(*map(slopes, w), strict=True), strict=True):
        np.testing.assert_allclose(together, np.stack(alone), rtol=0, atol=32 * EPSILON)


def test_gradients_have_the_types_of_the_factors() -> None:
    x, w = jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 4), jnp.float32)
    y, pull = jax.vjp(lambda x, w: product(x, w, None, jnp.dtype("float32")), x, w)
    assert y.dtype == jnp.float32
    assert [one.dtype for one in pull(y)] == [jnp.bfloat16, jnp.float32]
