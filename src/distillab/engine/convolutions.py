"""A convolution in the form that is fast for its shape: patches of the images times the kernel, or direct.

Images are brought to (B, H, W, C) and kernels to (kh, kw, C/groups, O) first, whatever their layout; one spatial
dimension is two of which the first has length 1; gaps between pixels (`lhs_dilation`, a transposed convolution) are
filled with zeros. Groups are convolved one by one, and a depthwise convolution is a sum of scaled images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from distillab.engine import direct_convolutions
from distillab.engine.products import product

Pair = tuple[int, ...]


class Form(Enum):
    """How a convolution is computed."""

    XLA = "xla"
    """As XLA has it, forward and backward."""

    PATCHES = "patches"
    """Patches of the images times the kernel, one matrix product."""

    DIRECT = "direct"
    """XLA's forward convolution, for the derivatives too (`direct_convolutions`)."""


FormOf = Callable[[Any], Form]
"""From a `conv_general_dilated` equation that is understood to its form."""

LARGEST_PATCHES = 2 * 2**30
"""Bytes of patches up to which they are made: beyond, they would fill the memory."""

CACHED_PATCHES = 4 * 2**20
"""Bytes of patches up to which they are made at a stride of 1; beyond, the direct form is as a rule faster. Where two
processes shared 2 MiB of second-level cache (`benchmarks/lowering.py`), patches of 4.7 to 40 MB took 1.2 to 5.4 times
as long as the direct form. Smaller ones won 16-fold (1.2 MB, 2x2 images) and twofold (3.5 MB, 3 channels), and lost by
1.2 (2.4 MB, 4x4 images) and 1.4 (4.1 MB, a series)."""

NARROW = 16
"""Largest patch and largest number of filters whose product leaves a processor's vectors half empty; one wider product
then computes two neighbouring columns. On two cores of a Xeon (AVX-512) this took the first
convolution of the study's student, forward and backward, from 293 to 205 microseconds for a batch of 32."""


@dataclass(frozen=True)
class _Geometry:
    """How a window moves over images of shape (B, H, W, C)."""

    window: Pair
    strides: Pair
    padding: tuple[Pair, ...]
    dilation: Pair = (1, 1)

    def positions(self, size: Pair) -> Pair:
        """The number of window positions in rows and columns of images of size (H, W)."""
        rows, columns = (
            (length + sum(edges) - (window - 1) * gap - 1) // stride + 1
            for length, window, stride, edges, gap in zip(
                size, self.window, self.strides, self.padding, self.dilation, strict=True
            )
        )
        return rows, columns


def understands(equation: Any) -> bool:
    """Whether `convolve` supports a `conv_general_dilated` equation.

    Args:
        equation: the equation of a jaxpr.
    """
    return (
        len(equation.params["window_strides"]) in (1, 2)
        and equation.params["batch_group_count"] == 1
        and 0 not in equation.outvars[0].aval.shape
    )


def patch_bytes(equation: Any) -> int:
    """Bytes of the patches of a convolution: the positions of its output times the numbers in a window.

    Args:
        equation: a `conv_general_dilated` equation of a jaxpr.
    """
    kernel, spec = equation.invars[1].aval, equation.params["dimension_numbers"].rhs_spec
    window = math.prod(kernel.shape[axis] for axis in spec[1:])
    output, out = equation.outvars[0].aval, equation.params["dimension_numbers"].out_spec
    positions = math.prod(output.shape[axis] for axis in (out[0], *out[2:]))
    return int(positions * window * equation.params["feature_group_count"] * output.dtype.itemsize)


def form_of_one(equation: Any) -> Form:
    """The form for a program that runs one model at a time.

    Args:
        equation: a `conv_general_dilated` equation of a jaxpr.
    """
    if jax.default_backend() != "cpu":  # not measured there
        return form_side_by_side(equation)
    of_a_group = patch_bytes(equation) // equation.params["feature_group_count"]
    if of_a_group > CACHED_PATCHES and all(step == 1 for step in equation.params["window_strides"]):
        return Form.DIRECT
    return form_side_by_side(equation)


def form_side_by_side(equation: Any) -> Form:
    """The form for models that are mapped (`vmap`), whose convolutions XLA would turn into slow grouped ones.

    Args:
        equation: a `conv_general_dilated` equation of a jaxpr.
    """
    return Form.PATCHES if patch_bytes(equation) <= LARGEST_PATCHES else Form.XLA


def convolve(
    images: jax.Array,
    kernel: jax.Array,
    *,
    form: Form,
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    precision: Any,
    preferred_element_type: Any,
    **window: Any,
) -> jax.Array:
    """Compute what `lax.conv_general_dilated` does, in a form and in the layout that it would have.

    Formula: `y[b, h, w, o] = sum_{i, j, c} x[b, h*sh + i*dh - top, w*sw + j*dw - left, c] * k[i, j, c, o]`.

    Args:
        images: in the layout that `dimension_numbers` names; one or two spatial dimensions.
        kernel: likewise.
        form: PATCHES, or DIRECT at a stride of 1.
        dimension_numbers, feature_group_count, precision, preferred_element_type: as there.
        window: window_strides, padding, lhs_dilation and rhs_dilation.

    Source: Chellapilla, Puri and Simard, High Performance Convolutional Neural Networks for Document Processing, 2006,
    section 3.1 (unrolled convolution).
    """
    batch, feature, *space = dimension_numbers.lhs_spec
    outputs, inputs, *cells = dimension_numbers.rhs_spec
    x = jnp.transpose(images, (batch, *space, feature))
    k = jnp.transpose(kernel, (*cells, inputs, outputs))
    if any(gap > 1 for gap in window["lhs_dilation"]):
        spread = ((0, 0, 0), *((0, 0, gap - 1) for gap in window["lhs_dilation"]), (0, 0, 0))
        x = lax.pad(x, jnp.zeros((), x.dtype), spread)
    strides, edges, dilation = (tuple(window[name]) for name in ("window_strides", "padding", "rhs_dilation"))
    flat = len(space) == 1
    if flat:
        x, k = x[:, None], k[None]
        strides, edges, dilation = (1, *strides), ((0, 0), *edges), (1, *dilation)
    geometry = _Geometry(k.shape[:2], strides, edges, dilation)
    if feature_group_count > 1 and k.shape[2] == 1:
        output = _depthwise(x, k, geometry, preferred_element_type)
    else:
        one = _direct if form is Form.DIRECT else _by_patches
        images_of, kernel_of = (jnp.split(whole, feature_group_count, axis=-1) for whole in (x, k))
        groups = [
            one(images, kernel, geometry, precision, preferred_element_type)
            for images, kernel in zip(images_of, kernel_of, strict=True)
        ]
        output = groups[0] if len(groups) == 1 else jnp.concatenate(groups, axis=-1)
    if flat:
        output = output[:, 0]
    out_batch, out_feature, *out_space = dimension_numbers.out_spec
    order = sorted(range(output.ndim), key=(out_batch, *out_space, out_feature).__getitem__)
    return jnp.transpose(output, order)


def _direct(x: jax.Array, k: jax.Array, geometry: _Geometry, precision: Any, dtype: Any) -> jax.Array:
    window = direct_convolutions.Window(geometry.padding, geometry.dilation, precision, dtype)
    return direct_convolutions.convolve(x, k, window)


def _by_patches(x: jax.Array, k: jax.Array, geometry: _Geometry, precision: Any, dtype: Any) -> jax.Array:
    """One product of patches (B*h*w, kh*kw*C) and kernel (kh*kw*C, O)."""
    h, w = geometry.positions((x.shape[1], x.shape[2]))
    filters = k.shape[-1]
    if math.prod(k.shape[:3]) <= NARROW and filters <= NARROW and w % 2 == 0 and geometry.dilation == (1, 1):
        k, geometry = _two_columns(k, geometry)
    gathered = _patches(x, geometry)[:, :, : w * filters // k.shape[-1]]
    columns = product(gathered.reshape(-1, gathered.shape[-1]), k.reshape(-1, k.shape[-1]), precision, dtype)
    return columns.reshape(len(x), h, w, filters)


def _two_columns(k: jax.Array, geometry: _Geometry) -> tuple[jax.Array, _Geometry]:
    """A kernel of twice the filters that computes two neighbouring columns at once, and its geometry."""
    (kh, kw), (sh, sw) = geometry.window, geometry.strides
    first, second = (jnp.pad(k, ((0, 0), edges, (0, 0), (0, 0))) for edges in ((0, sw), (sw, 0)))
    return jnp.concatenate([first, second], axis=-1), _Geometry((kh, kw + sw), (sh, 2 * sw), geometry.padding)


def _depthwise(x: jax.Array, k: jax.Array, geometry: _Geometry, dtype: Any) -> jax.Array:
    """Separate filters for every channel: a sum of images, each scaled by one number per channel."""
    x = jnp.repeat(x, k.shape[-1] // x.shape[-1], axis=-1)
    if geometry.strides == (1, 1):
        window = direct_convolutions.Window(geometry.padding, geometry.dilation, None, None)
        output = direct_convolutions.depthwise(x, k[:, :, 0], window)
    else:
        scales = k.reshape(-1, k.shape[-1])
        output = reduce(add, (tap * scale for tap, scale in zip(_taps(x, geometry), scales, strict=True)))
    return output if dtype is None else output.astype(dtype)


def _patches(x: jax.Array, geometry: _Geometry) -> jax.Array:
    """Gather the numbers in the window at each position, shape (B, h, w, kh*kw*C).

    Rows and columns are first split into blocks one stride long, (H/s, s) x (W/s, s*C). A patch is then made of whole
    runs of s*C neighbouring numbers. The rows of a block are separated by `lax.split`, whose derivative joins them
    again in one pass over memory; that of a slice would write the whole image anew for each run, mostly with zeros.
    """
    if geometry.dilation != (1, 1):
        return jnp.concatenate(_taps(x, geometry), axis=-1)
    rows, (h, w) = _block_rows(x, geometry)
    (kh, kw), (sh, sw), channels = geometry.window, geometry.strides, x.shape[-1]
    runs = []
    for i in range(kh):
        line = rows[i % sh][:, i // sh : i // sh + h]
        runs += [line[:, :, q : q + w, : min(sw, kw - q * sw) * channels] for q in range((kw - 1) // sw + 1)]
    return jnp.concatenate(runs, axis=-1)


def _taps(x: jax.Array, geometry: _Geometry) -> list[jax.Array]:
    """For each cell of the window its number at each position: kh*kw arrays (B, h, w, C)."""
    (kh, kw), (sh, sw), channels = geometry.window, geometry.strides, x.shape[-1]
    if geometry.dilation == (1, 1):
        rows, (h, w) = _block_rows(x, geometry)
        return [
            rows[i % sh][:, i // sh : i // sh + h, j // sw : j // sw + w, j % sw * channels : (j % sw + 1) * channels]
            for i in range(kh)
            for j in range(kw)
        ]
    h, w = geometry.positions((x.shape[1], x.shape[2]))
    edges = [(low, high, 0) for low, high in geometry.padding]
    padded = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    steps = [(i * geometry.dilation[0], j * geometry.dilation[1]) for i in range(kh) for j in range(kw)]
    return [padded[:, i : i + (h - 1) * sh + 1 : sh, j : j + (w - 1) * sw + 1 : sw] for i, j in steps]


def _block_rows(x: jax.Array, geometry: _Geometry) -> tuple[list[jax.Array], Pair]:
    """Cut the padded images into blocks of one stride: for each row of a block (B, H/s, W/s, s*C), and (h, w)."""
    batch, height, width, channels = x.shape
    (kh, kw), (sh, sw) = geometry.window, geometry.strides
    (top, _), (left, _) = geometry.padding
    h, w = geometry.positions((height, width))
    blocks_h, blocks_w = h + (kh - 1) // sh, w + (kw - 1) // sw
    edges = ((0, 0, 0), (top, blocks_h * sh - height - top, 0), (left, blocks_w * sw - width - left, 0), (0, 0, 0))
    padded = lax.pad(x, jnp.zeros((), x.dtype), edges)
    blocks = lax.optimization_barrier(padded.reshape(batch, blocks_h, sh, blocks_w, sw * channels))
    return [row[:, :, 0] for row in lax.split(blocks, (1,) * sh, axis=2)], (h, w)
