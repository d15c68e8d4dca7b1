"""Inputs as the data store them, prepared for a model of another framework: scale, normalisation, size and layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distillab.errors import not_allowed

Array = NDArray[Any]
Layout = Literal["nhwc", "nchw", "nhw", "flat"]
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel or feature, or one of either for all."""

LAYOUTS: dict[Layout, str] = {
    "nhwc": "(height, width, channels)",
    "nchw": "(channels, height, width)",
    "nhw": "(height, width)",
    "flat": "a row of numbers",
}
"""The layouts of one image."""

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What the models of torchvision are trained with, for images from 0 to 1."""


@dataclass(frozen=True)
class Preparation:
    """How stored inputs become a model's inputs: `(x * scale - mean) / spread`, resized, in the model's layout.

    Args:
        scale: stored inputs times this.
        normalisation: mean and spread; None: 0 and 1.
        size: (H, W) that images are resized to; None: as stored.
        channels: to which a single channel is repeated.
        layout: of images; None for other inputs.
        dtype: that the model reads.
    """

    scale: float
    normalisation: Normalisation | None = None
    size: tuple[int, int] | None = None
    channels: int = 1
    layout: Layout | None = None
    dtype: str = "float32"

    def __call__(self, inputs: Array) -> Array:
        """Prepare a batch.

        Args:
            inputs: as stored, (B, ...); token ids keep their numbers.

        Example:
            >>> Preparation(0.5, ((1.0,), (2.0,)))(np.array([[6.0]])).tolist()
            [[1.0]]
        """
        if inputs.dtype == np.int32:
            return np.ascontiguousarray(inputs, self.dtype)
        x = inputs.astype(np.float32) * np.float32(self.scale)
        if x.ndim == 4 and x.shape[-1] == 1 and self.channels > 1:
            x = np.repeat(x, self.channels, axis=-1)
        if self.size is not None and x.shape[1:3] != self.size:
            import keras

            x = np.asarray(keras.ops.convert_to_numpy(keras.ops.image.resize(x, self.size)))
        if self.normalisation is not None:
            mean, spread = (np.asarray(numbers, np.float32) for numbers in self.normalisation)
            x = (x - mean) / spread
        if self.layout == "nchw":
            x = x.transpose(0, 3, 1, 2)
        elif self.layout == "nhw":
            x = x[..., 0]
        elif self.layout == "flat":
            x = x.reshape(len(x), -1)
        if np.dtype(self.dtype).kind in "iu":
            x = np.rint(x)
        return np.ascontiguousarray(x, self.dtype)

    def described(self) -> str:
        """What the model is given, in words."""
        parts = [self.dtype]
        if self.layout is not None:
            parts.append(LAYOUTS[self.layout])
        if self.size is not None:
            parts.append(f"resized to {self.size[0]}x{self.size[1]}")
        parts.append("as stored" if self.scale == 1 else f"times {_fraction(self.scale)}")
        if self.normalisation is not None:
            mean, spread = (", ".join(f"{number:g}" for number in numbers) for numbers in self.normalisation)
            parts.append(f"less {mean}, divided by {spread}")
        return ", ".join(parts)


@dataclass(frozen=True)
class NamedInputs:
    """How several stored inputs become a model's: a dictionary by name, numbers times their scale.

    Args:
        scale: of each input, by name.
    """

    scale: Mapping[str, float]

    def __call__(self, inputs: Array) -> dict[str, Array]:
        """Prepare a batch.

        Args:
            inputs: structured, (B,).
        """
        read = {}
        for name in inputs.dtype.names or ():
            part = inputs[name]
            whole = part.dtype == np.int32
            read[name] = np.ascontiguousarray(part) if whole else part.astype(np.float32) * np.float32(self.scale[name])
        return read

    def described(self) -> str:
        """What the model is given, in words."""
        return f"a dictionary of {', '.join(self.scale)}"


def _fraction(scale: float) -> str:
    return f"1/{1 / scale:.6g}" if scale < 1 else f"{scale:g}"


def possible_layouts(reads: tuple[int | None, ...] | None, shape: tuple[int, ...], first: bool) -> list[Layout]:
    """The layouts in which a model can read images, the likeliest first.

    Args:
        reads: the shape of one input as the model states it; None: it does not.
        shape: (H, W, C) of an image, resized if it is.
        first: whether the model's framework has channels first.

    Returns:
        [] where no layout fits.

    Example:
        >>> possible_layouts((3, None, None), (32, 32, 3), False), possible_layouts((784,), (28, 28, 1), True)
        (['nchw'], ['flat'])
    """
    height, width, channels = shape
    order: tuple[Layout, ...] = ("nchw", "nhwc") if first else ("nhwc", "nchw")
    if reads is None:
        return [*order, "flat"]
    shapes: dict[Layout, tuple[int, ...]] = {
        "nchw": (channels, height, width),
        "nhwc": shape,
        "nhw": (height, width) if channels == 1 else (),
        "flat": (math.prod(shape),),
    }
    return [layout for layout in (*order, "nhw", "flat") if _fits(reads, shapes[layout])]


def _fits(reads: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    return bool(shape) and len(reads) == len(shape) and all(a in (None, b) for a, b in zip(reads, shape, strict=True))


def parse_normalisation(text: str) -> Normalisation:
    """Read a normalisation.

    Args:
        text: "imagenet", or means and standard deviations such as "0.5/0.25" or "0.5,0.5,0.4/0.2,0.2,0.3".

    Raises:
        RequestError: it is neither.

    Example:
        >>> parse_normalisation("0.5/0.25")
        ((0.5,), (0.25,))
    """
    if text == "imagenet":
        return IMAGENET
    try:
        mean, spread = (tuple(float(number) for number in part.split(",")) for part in text.split("/"))
    except ValueError:
        mean, spread = (), ()
    fits = mean and len(mean) == len(spread) and all(map(math.isfinite, mean))
    if not fits or not all(0 < number < math.inf for number in spread):
        allowed = "imagenet, or means/standard deviations such as 0.5,0.5,0.5/0.25,0.25,0.25"
        raise not_allowed("teacher_normalise", text, allowed)
    return mean, spread
