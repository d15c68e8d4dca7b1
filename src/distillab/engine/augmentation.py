"""Changes of training images that keep their class: pure functions of one key per image."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from distillab.errors import RequestError


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images, drawn again in every epoch.

    Args:
        shift: images move by up to this many pixels in rows and in columns; zeros fill the gap. Equivalent to a random
            crop of the image padded with `shift` zeros.
        flip: each image is mirrored left to right with probability 1/2.
    """

    shift: int = 0
    flip: bool = False

    def __bool__(self) -> bool:
        return bool(self.shift or self.flip)

    def check(self, input_shape: tuple[int, ...], positions: tuple[int, ...] = ()) -> None:
        """Check that the augmentation fits the data.

        Args:
            input_shape: the shape of one input.
            positions: of its outputs: a map would have to move with its image.

        Raises:
            RequestError: the inputs are no images, or too small for the shift, or labels are maps.
        """
        if self and positions:
            raise RequestError(
                "Augmentation moves images, and labels at every position would have to move with them. Leave shift at "
                "0 and flip at false."
            )
        if self and len(input_shape) != 3:
            raise RequestError(
                f"Augmentation needs images (height, width, channels), and the inputs have shape {input_shape}. "
                "Leave shift at 0 and flip at false."
            )
        if self.shift >= min(input_shape[:2], default=0) > 0:
            raise RequestError(
                f"shift={self.shift} is not allowed: it must be less than {min(input_shape[:2])}, the images' shorter "
                "side."
            )

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Change every image of a batch independently; the shape stays.

        Args:
            keys: one per image, shape (B,).
            images: shape (B, H, W, C).

        Example:
            >>> batch = jnp.arange(9.0).reshape(1, 3, 3, 1)
            >>> bool((Augmentation()(jax.random.split(jax.random.key(0), 1), batch) == batch).all())
            True
        """
        if self.flip:
            mirrored = jax.vmap(jax.random.bernoulli)(jax.vmap(jax.random.fold_in, (0, None))(keys, 1))
            images = jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        if self.shift:
            images = _shift(jax.vmap(jax.random.fold_in, (0, None))(keys, 0), images, self.shift)
        return images


NONE = Augmentation()
"""No augmentation."""


def _shift(keys: jax.Array, images: jax.Array, pixels: int) -> jax.Array:
    """Move every image by -pixels..pixels rows and columns, each equally likely."""
    padded = jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))

    def cut(key: jax.Array, image: jax.Array) -> jax.Array:
        row, column = jax.random.randint(key, (2,), 0, 2 * pixels + 1)
        return lax.dynamic_slice(image, (row, column, 0), images.shape[1:])

    return jax.vmap(cut)(keys, padded)
