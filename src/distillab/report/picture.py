"""A stored example as an image that stands inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from distillab.study.storage.records import GalleryExamples


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


def _address(image: NDArray[np.float64]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * image).astype(np.uint8)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
