"""Changes of training images that leave their class as it is: pure functions of a key and a batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def shift(key: jax.Array, images: jax.Array, pixels: int) -> jax.Array:
    """Move every image of a batch by a whole number of pixels, drawn for it alone; what moves in is zero.

    Args:
        key: decides the draw.
        images: shape (B, H, W, C).
        pixels: the farthest an image moves, in rows and in columns, >= 0.

    Returns:
        The moved images, shape (B, H, W, C); rows and columns move by -pixels..pixels, each equally likely.

    Example:
        >>> batch = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> bool((shift(jax.random.key(0), batch, 0) == batch).all())
        True
    """
    if pixels == 0:
        return images
    edges = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
    padded = jnp.pad(images, edges)
    corners = jax.random.randint(key, (len(images), 2), 0, 2 * pixels + 1)

    def cut(image: jax.Array, corner: jax.Array) -> jax.Array:
        return lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])

    return jax.vmap(cut)(padded, corners)
