"""A stride-1 convolution and its two gradients: worked by hand, against NumPy in float64, and its symmetries."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from distillab.engine.direct_convolutions import Window, convolve, depthwise

EPSILON = 2.0**-23  # float32: spacing of the numbers at 1
HERE = Window(((0, 0), (0, 0)), (1, 1), None, None)


def gradients(x: Any, k: Any, g: Any, window: Window) -> tuple[Any, Any, Any]:
    """The output, and the gradients by images and kernel of its product with g."""
    y, pull = jax.vjp(lambda x, k: convolve(x, k, window), x, k)
    return y, *pull(jnp.asarray(g))


def by_definition(x: np.ndarray, k: np.ndarray, g: np.ndarray, window: Window) -> tuple[np.ndarray, ...]:
    """The same in float64, cell by cell of the window: y += x_shifted k, dx_shifted += g k^T, dk = x_shifted^T g."""
    margin = 4  # as wide as any padding: a window over images with it starts at margin - padding
    padded = np.pad(x.astype(float), ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    y, by_images, by_kernel = np.zeros(g.shape), np.zeros(padded.shape), np.zeros(k.shape)
    for cell in np.ndindex(*k.shape[:2]):
        starts = [
            margin - low + n * gap for n, gap, (low, _) in zip(cell, window.dilation, window.padding, strict=True)
        ]
        rows, columns = (slice(start, start + size) for start, size in zip(starts, g.shape[1:3], strict=True))
        y += padded[:, rows, columns] @ k[cell]
        by_images[:, rows, columns] += g @ k[cell].T
        by_kernel[cell] = np.einsum("bhwc,bhwo->co", padded[:, rows, columns], g)
    return y, by_images[:, margin:-margin, margin:-margin], by_kernel


def test_the_output_and_both_gradients_are_those_worked_by_hand() -> None:
    # x = [1 2 3], k = [a b] = [10 1]: y = [1*10 + 2, 2*10 + 3] = [12, 23]
    # g = [1 2]: dx = [10, 1 + 2*10, 2] = [10, 21, 2]; dk = [1*1 + 2*2, 2*1 + 3*2] = [5, 8]
    x, k = jnp.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1), jnp.array([10.0, 1.0]).reshape(1, 2, 1, 1)
    y, by_images, by_kernel = gradients(x, k, np.reshape([1.0, 2.0], (1, 1, 2, 1)), HERE)
    assert y.ravel().tolist() == [12, 23]
    assert by_images.ravel().tolist() == [10, 21, 2]
    assert by_kernel.ravel().tolist() == [5, 8]


edges = st.tuples(st.integers(-2, 4), st.integers(-2, 4))


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(edges, edges),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_the_gradients_are_those_of_the_definition(
    size: Any, window: Any, padding: Any, dilation: Any, channels: Any
) -> None:
    rng = np.random.default_rng(0)
    places = [
        n + sum(pad) - gap * (cells - 1) for n, pad, gap, cells in zip(size, padding, dilation, window, strict=True)
    ]
    assume(min(places) > 0)
    x = rng.standard_normal((2, *size, channels[0])).astype(np.float32)
    k = rng.standard_normal((*window, *channels)).astype(np.float32)
    g = rng.standard_normal((2, *places, channels[1])).astype(np.float32)
    how = Window(padding, dilation, None, None)
    for ours, exact in zip(gradients(x, k, g, how), by_definition(x, k, g, how), strict=True):
        assert ours.shape == exact.shape
        # Sums of at most 2 * 16 * 16 products of numbers of size 1 to 4, rounded each time.
        np.testing.assert_allclose(ours, exact, rtol=0, atol=8 * EPSILON * 512**0.5 * max(1.0, np.abs(exact).max()))


def test_depthwise_output_and_gradients_are_those_worked_by_hand() -> None:
    # channel by channel: x = [1 2 3], k = [10 1]: as above; x = [4 5 6], k = [1 0]: y = [4, 5],
    # g = [1 1]: dx = [1, 1, 0], dk = [4 + 5, 5 + 6] = [9, 11]
    x = jnp.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]).reshape(1, 1, 3, 2)
    k = jnp.array([[10.0, 1.0], [1.0, 0.0]]).reshape(1, 2, 2)
    y, pull = jax.vjp(lambda x, k: depthwise(x, k, HERE), x, k)
    by_images, by_kernel = pull(jnp.array([[1.0, 1.0], [2.0, 1.0]]).reshape(1, 1, 2, 2))
    assert y.reshape(2, 2).T.tolist() == [[12, 23], [4, 5]]
    assert by_images.reshape(3, 2).T.tolist() == [[10, 21, 2], [1, 1, 0]]
    assert by_kernel.reshape(2, 2).T.tolist() == [[5, 8], [9, 11]]


@settings(deadline=None, max_examples=20)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(edges, edges),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
)
def test_depthwise_gradients_are_those_of_the_definition(size: Any, window: Any, padding: Any, dilation: Any) -> None:
    rng = np.random.default_rng(0)
    moves = zip(size, padding, dilation, window, strict=True)
    places = [n + sum(pad) - gap * (cells - 1) for n, pad, gap, cells in moves]
    assume(min(places) > 0)
    x, k, g = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((2, *size, 2), (*window, 2), (2, *places, 2))
    )
    how = Window(padding, dilation, None, None)
    y, pull = jax.vjp(lambda x, k: depthwise(x, k, how), x, k)
    for channel in range(2):
        only = slice(channel, channel + 1)
        exact = by_definition(x[..., only], k[..., only, None], g[..., only], how)
        ours = [one[..., only] for one in (y, *pull(jnp.asarray(g)))]
        for one, other in zip(ours, (*exact[:2], exact[2][..., 0]), strict=True):
            scale = max(1.0, np.abs(other).max())
            np.testing.assert_allclose(one, other, rtol=0, atol=8 * EPSILON * 512**0.5 * scale)


def test_shifted_images_shift_the_output() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((1, 12, 12, 2), np.float32)
    x[:, 4:7, 4:7] = rng.standard_normal((1, 3, 3, 2))
    k = rng.standard_normal((3, 3, 2, 3)).astype(np.float32)
    y, shifted = (convolve(jnp.asarray(images), k, HERE) for images in (x, np.roll(x, (1, 2), (1, 2))))
    np.testing.assert_allclose(np.roll(y, (1, 2), (1, 2)), shifted, rtol=0, atol=64 * EPSILON)


def test_output_and_gradients_are_linear_in_images_kernel_and_gradient() -> None:
    rng = np.random.default_rng(0)
    x, k, g = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 6, 6, 2), (3, 3, 2, 3), (2, 4, 4, 3)))
    once, doubled = gradients(x, k, g, HERE), gradients(2 * x, 4 * k, 8 * g, HERE)
    for one, more, factor in zip(once, doubled, (8, 32, 16), strict=True):
        np.testing.assert_array_equal(factor * one, more)  # powers of two round nowhere


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_gradients_have_the_types_of_images_and_kernel(dtype: Any) -> None:
    x, k = jnp.ones((2, 5, 5, 2), dtype), jnp.ones((3, 3, 2, 3), dtype)
    y, pull = jax.vjp(lambda x, k: convolve(x, k, HERE._replace(dtype=jnp.dtype("float32"))), x, k)
    assert y.dtype == jnp.float32
    assert [one.dtype for one in pull(jnp.ones_like(y))] == [dtype, dtype]
