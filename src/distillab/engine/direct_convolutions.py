"""A convolution whose two derivatives are forward convolutions as well.

XLA's forward convolution is near a processor's peak on one thread, inside a loop too; the two backward ones that it
derives are 20 to 200 times slower there. At a stride of 1 both can be written as forward convolutions, and no patches
are stored. With output `y = x * k`, its gradient `g`, window k x k and dilation d:

- by the images: `g` padded by d (k - 1) - padding, with the kernel turned round and its channels swapped;
- by the kernel: images with batch and channels swapped, (C, H, W, B), the output's gradient (h, w, B, O) as a kernel of
  the size of the image, and d as the stride.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Pair = tuple[int, ...]
LAYOUT = ("NHWC", "HWIO", "NHWC")


class Window(NamedTuple):
    """How a window moves over images (B, H, W, C) in steps of 1."""

    padding: tuple[Pair, ...]  # below 0, it crops
    dilation: Pair
    precision: Any
    dtype: Any  # of the output; None: the images'


def convolve(x: jax.Array, k: jax.Array, window: Window) -> jax.Array:
    """Convolve images by XLA's forward convolution, with derivatives that are forward convolutions too.

    Formula: `y[b, h, w, o] = sum_{i, j, c} x[b, h + i*d - top, w + j*d - left, c] * k[i, j, c, o]`.

    Args:
        x: images, (B, H, W, C).
        k: kernel, (kh, kw, C, O).
        window: how the kernel moves.

    Returns:
        Shape (B, h, w, O).

    Example:
        >>> window = Window(((1, 1), (1, 1)), (1, 1), None, None)
        >>> y = convolve(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)), window)
        >>> y[0, :, :, 0].tolist()[0]
        [4.0, 6.0, 6.0, 4.0]

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, section 4.
    """
    x, padding = _cropped(x, window.padding)
    return _convolved(x, k, window._replace(padding=padding))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolved(x: jax.Array, k: jax.Array, window: Window) -> jax.Array:
    return _forward(x, k, window, padding=window.padding, rhs_dilation=window.dilation)


def _residuals(x: jax.Array, k: jax.Array, window: Window) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolved(x, k, window), (x, k)


def _gradients(
    window: Window, residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, k = (kept.astype(gradient.dtype) for kept in residuals)
    gradient = lax.optimization_barrier(gradient)  # it is read twice: compute it once
    by_images, by_kernel = _by_images(x, k, gradient, window), _by_kernel(x, k, gradient, window)
    return by_images.astype(residuals[0].dtype), by_kernel.astype(residuals[1].dtype)


_convolved.defvjp(_residuals, _gradients)


def _by_images(x: jax.Array, k: jax.Array, gradient: jax.Array, window: Window) -> jax.Array:
    """The gradient by the images: every output reaches back to the pixels that its window covered."""
    gradient, padding = _cropped(gradient, _edges_back(x, k, gradient, window))
    turned = jnp.flip(k, (0, 1)).swapaxes(2, 3)
    return _forward(gradient, turned, window, padding=padding, rhs_dilation=window.dilation)


def _edges_back(x: jax.Array, k: jax.Array, gradient: jax.Array, window: Window) -> list[Pair]:
    """The padding with which the output's gradient has the size of the images after one more convolution."""
    edges: list[Pair] = []
    for size, out, cells, gap, (low, _) in zip(
        x.shape[1:3], gradient.shape[1:3], k.shape[:2], window.dilation, window.padding, strict=True
    ):
        before = gap * (cells - 1) - low
        edges.append((before, size - out - before + gap * (cells - 1)))
    return edges


def _by_kernel(x: jax.Array, k: jax.Array, gradient: jax.Array, window: Window) -> jax.Array:
    """The gradient by the kernel: what the images and the output's gradient have in common at each shift."""
    images, outputs = jnp.transpose(x, (3, 1, 2, 0)), jnp.transpose(gradient, (1, 2, 0, 3))
    by_channel = _forward(images, outputs, window, padding=window.padding, window_strides=window.dilation)
    return by_channel.transpose(1, 2, 0, 3)


def _cropped(x: jax.Array, edges: Sequence[Pair]) -> tuple[jax.Array, tuple[Pair, ...]]:
    """Images without what negative edges cut off, which XLA's fast path does not know, and the other edges."""
    negative = [(min(0, low), min(0, high), 0) for low, high in edges]
    if any(edge != (0, 0, 0) for edge in negative):
        x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *negative, (0, 0, 0)))
    return x, tuple((max(0, low), max(0, high)) for low, high in edges)


def _forward(x: jax.Array, k: jax.Array, window: Window, **moves: Any) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        k,
        moves.pop("window_strides", (1, 1)),
        dimension_numbers=LAYOUT,
        precision=window.precision,
        preferred_element_type=window.dtype,
        **moves,
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(x: jax.Array, k: jax.Array, window: Window) -> jax.Array:
    """Convolve every channel with a filter of its own: a sum of shifted images, each scaled by a number a channel.

    Formula: `y[b, h, w, c] = sum_{i, j} x[b, h + i*d - top, w + j*d - left, c] * k[i, j, c]`. Left to itself, the
    gradient by the images would be a sum of images that are each padded, which is slow: XLA checks the place of every
    number.

    Args:
        x: images, (B, H, W, C).
        k: (kh, kw, C).
        window: how the filters move; precision and dtype do not count.

    Returns:
        Shape (B, h, w, C).

    Example:
        >>> window = Window(((1, 0), (1, 0)), (1, 1), None, None)
        >>> depthwise(jnp.ones((1, 2, 2, 1)), jnp.ones((2, 2, 1)), window)[0, :, :, 0].tolist()
        [[1.0, 2.0], [2.0, 4.0]]
    """
    return reduce(add, (tap * scale for tap, scale in _taps(x, k, window.padding, window.dilation)))


def _depthwise_gradients(
    window: Window, residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, k = residuals
    gradient = lax.optimization_barrier(gradient)
    back = window._replace(padding=tuple(_edges_back(x, k, gradient, window)))
    by_kernel = [jnp.sum(tap * gradient, (0, 1, 2)) for tap, _ in _taps(x, k, window.padding, window.dilation)]
    return depthwise(gradient, jnp.flip(k, (0, 1)), back), jnp.stack(by_kernel).reshape(k.shape)


depthwise.defvjp(lambda x, k, window: (depthwise(x, k, window), (x, k)), _depthwise_gradients)


def _taps(x: jax.Array, k: jax.Array, padding: Sequence[Pair], dilation: Pair) -> Iterator[tuple[jax.Array, jax.Array]]:
    """For each cell of the window the images as it sees them, (B, h, w, C), and its numbers, (C,)."""
    edges = [(low, high, 0) for low, high in padding]
    padded = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    h, w = (size - gap * (cells - 1) for size, gap, cells in zip(padded.shape[1:3], dilation, k.shape[:2], strict=True))
    for i, j in np.ndindex(*k.shape[:2]):
        top, left = i * dilation[0], j * dilation[1]
        yield padded[:, top : top + h, left : left + w], k[i, j]
