"""Canvases with several digits on them: which digits occur, or which digit each pixel belongs to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.dataset import Dataset
from distillab.data.inputs import INPUT, for_input
from distillab.data.labels import Array, Labels
from distillab.tasks import TASKS

INK = 0.25
"""Fraction of the darkest value from which a pixel belongs to its digit; fainter ones are the blurred edge."""


class Layout(NamedTuple):
    """The canvases of a data set.

    Args:
        shape: (H, W) of a canvas.
        most: a canvas has 0 to this many digits, each number equally likely.
        train, test: how many canvases.
        seed: of digits and places.
    """

    shape: tuple[int, int]
    most: int
    train: int
    test: int
    seed: int


SMALL = Layout((16, 24), 3, 3_000, 1_000, 24)
"""For scikit-learn's digits of 8 x 8 pixels."""

LARGE = Layout((32, 72), 2, 10_000, 2_000, 72)
"""For MNIST's digits of 28 x 28 pixels."""


def multilabel(digits: Dataset, layout: Layout, name: str) -> Dataset:
    """Make canvases whose labels say which of the ten digits occur.

    Args:
        digits: images of single digits; test canvases show test digits only.
        layout: of the canvases.
        name: of the data set.

    Returns:
        Canvases (N, H, W, 1) of bytes, the digits without overlap, and labels (N, 10).
    """
    x, y = {}, {}
    for part, canvases in _parts(digits, layout).items():
        x[part], y[part] = canvases.images, np.zeros((len(canvases.images), digits.classes), np.int32)
        shown = canvases.classes >= 0
        y[part][np.nonzero(shown)[0], canvases.classes[shown]] = 1
    task, names = TASKS["multilabel"], digits.class_names
    return Dataset(name, x["train"], y["train"], x["test"], y["test"], names, digits.scale, task=task)


def segmentation(digits: Dataset, layout: Layout, name: str) -> Dataset:
    """Make canvases with a label for each pixel: 0 for the background, 1 + k for the ink of a digit k.

    Args:
        digits: images of single digits; test canvases show test digits only.
        layout: of the canvases.
        name: of the data set.

    Returns:
        Canvases (N, H, W, 1) of bytes, the digits without overlap, and labels (N, H, W).
    """
    parts = _parts(digits, layout)
    train, test = parts["train"], parts["test"]
    names = ("background", *digits.class_names)
    return Dataset(name, train.images, train.pixels, test.images, test.pixels, names, digits.scale)


class _Canvases(NamedTuple):
    images: Array
    classes: Labels
    """Shape (N, most): the digits of each canvas, -1 where there are fewer."""
    pixels: Labels
    """Shape (N, H, W): 0 or 1 + the digit."""


def _parts(digits: Dataset, layout: Layout) -> dict[str, _Canvases]:
    rng = np.random.default_rng(layout.seed)
    return {
        "train": _draw(
            digits.x_train[..., 0], digits.y_train, layout, layout.train, for_input(digits.scale, INPUT), rng
        ),
        "test": _draw(digits.x_test[..., 0], digits.y_test, layout, layout.test, for_input(digits.scale, INPUT), rng),
    }


def _draw(
    glyphs: Array, labels: Labels, layout: Layout, count: int, scale: float, rng: np.random.Generator
) -> _Canvases:
    side = glyphs.shape[1]
    numbers = rng.integers(0, layout.most + 1, size=count)
    chosen = rng.integers(0, len(glyphs), size=(count, layout.most))
    corners = _corners(numbers, layout, side, rng)
    images = np.zeros((count, *layout.shape), glyphs.dtype)
    pixels = np.zeros((count, *layout.shape), np.int32)
    inside = np.arange(side)
    for place in range(layout.most):
        rows = np.flatnonzero(numbers > place)
        down = corners[rows, place, 0][:, None, None] + inside[:, None]
        right = corners[rows, place, 1][:, None, None] + inside
        shown = chosen[rows, place]
        images[rows[:, None, None], down, right] = glyphs[shown]
        ink = glyphs[shown] * scale >= INK
        pixels[rows[:, None, None], down, right] = np.where(ink, 1 + labels[shown][:, None, None], 0)
    classes = np.where(np.arange(layout.most) < numbers[:, None], labels[chosen], -1).astype(np.int32)
    return _Canvases(images[..., None], classes, pixels)


def _corners(numbers: NDArray[np.int64], layout: Layout, side: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Top left corners (N, most, 2) of digits without overlap: each canvas is drawn again until it has none."""
    room = np.array(layout.shape) - side + 1
    corners = np.zeros((len(numbers), layout.most, 2), np.int64)
    rows = np.arange(len(numbers))
    while len(rows):
        corners[rows] = rng.integers(0, room, size=(len(rows), layout.most, 2))
        apart = (np.abs(corners[rows, :, None] - corners[rows, None, :]) >= side).any(axis=-1)
        used = np.arange(layout.most) < numbers[rows, None]
        pairs = used[:, :, None] & used[:, None, :] & ~np.eye(layout.most, dtype=bool)
        rows = rows[(pairs & ~apart).any(axis=(1, 2))]
    return corners
