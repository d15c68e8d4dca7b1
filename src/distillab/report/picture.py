"""A stored example as an image that stands inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from distillab.report.charts.theme import BAD
from distillab.study.storage.records import GalleryExamples

PALETTE = (
    *("#e7ebef", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8e4585", "#7a6a00", "#1b1f24", "#6b8e23"),
    *("#00684c", "#c24e00"),
)
"""Of the classes of maps, the first for what is mostly background; red is left for wrong positions."""


def pictures(examples: GalleryExamples, places: list[int]) -> dict[int, str] | None:
    """Draw some examples: by index, PNGs as data addresses; None if not images, (K, H, W) or (K, H, W, 1 or 3).

    Args:
        examples: those that are shown.
        places: the indices of those to draw.
    """
    inputs = examples.inputs
    if inputs.ndim == 4 and inputs.shape[-1] == 1:
        inputs = inputs[..., 0]
    if not (inputs.ndim == 3 or (inputs.ndim == 4 and inputs.shape[-1] == 3)):
        return None
    seen = inputs.astype(np.float64) * examples.scale
    low, high = min(0.0, float(seen.min())), max(1.0, float(seen.max()))  # what lies outside [0, 1] is brought into it
    seen = (seen - low) / (high - low)
    return {index: _address(seen[index]) for index in places}


def map_picture(classes: NDArray[np.integer], clean: NDArray[np.integer], shape: tuple[int, int]) -> str:
    """Draw a map of classes, wrong positions in red, as a PNG in a data address.

    Args:
        classes: class numbers, shape (H * W,).
        clean: the right ones; where these are -1, the map is white.
        shape: (H, W).
    """
    colours = np.array([_rgb(colour) for colour in PALETTE], np.uint8)
    image = colours[classes % len(colours)]
    image[classes != clean] = _rgb(BAD)
    image[clean < 0] = 255
    return _png(image.reshape(*shape, 3))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _address(image: NDArray[np.float64]) -> str:
    return _png(np.round(255 * image).astype(np.uint8))


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
