"""Small generated images: a data set for tests and first steps, without a file or a network."""

from __future__ import annotations

import numpy as np

from distillab.data.dataset import Dataset
from distillab.data.labels import Array, Labels
from distillab.errors import not_allowed

NOISE = 0.9  # against a grating of amplitude 0.5 to 1: a single pixel is not enough to classify, the whole image is


def synthetic(*, train: int, test: int, classes: int, side: int, seed: int) -> Dataset:
    """Generate noisy gratings whose orientation is the class.

    Formula: pixel(u, v) = 128 + 50 * (a sin(f (u cos t + v sin t) + p) + NOISE * e), clipped to 0..255; t = pi k / C
    for class k, and for each image a in [0.5, 1], f in [0.8, 1.1] radians per pixel, p in [0, pi], e standard normal.

    Args:
        train: training examples, >= classes.
        test: test examples, >= classes.
        classes: C >= 2.
        side: height and width in pixels, >= 4.
        seed: >= 0; the same seed gives the same bytes.

    Returns:
        Images (N, side, side, 1) of bytes, scale 1/255; classes of equal size, up to one example.

    Raises:
        RequestError: a number below its minimum.

    Example:
        >>> synthetic(train=20, test=10, classes=2, side=8, seed=0).x_train.shape
        (20, 8, 8, 1)
    """
    least = {"classes": (classes, 2), "train": (train, classes), "test": (test, classes), "side": (side, 4)}
    for name, (given, minimum) in (least | {"seed": (seed, 0)}).items():
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < minimum:
            raise not_allowed(name, given, f"a whole number >= {minimum}")
    rng = np.random.default_rng(seed)
    x_train, y_train = _gratings(train, classes, side, rng)
    x_test, y_test = _gratings(test, classes, side, rng)
    names = tuple(f"{180 * number / classes:.4g} degrees" for number in range(classes))
    return Dataset("synthetic", x_train, y_train, x_test, y_test, names, 1 / 255)


def _gratings(count: int, classes: int, side: int, rng: np.random.Generator) -> tuple[Array, Labels]:
    labels = rng.permutation(np.arange(count, dtype=np.int32) % classes)
    angle = (np.pi * labels / classes)[:, None, None]
    amplitude, frequency, phase = (
        rng.uniform(low, high, size=(count, 1, 1)) for low, high in ((0.5, 1.0), (0.8, 1.1), (0.0, np.pi))
    )
    axis = np.arange(side) - (side - 1) / 2
    along = axis[None, :, None] * np.cos(angle) + axis[None, None, :] * np.sin(angle)
    wave = amplitude * np.sin(frequency * along + phase)
    pixels = 128 + 50 * (wave + NOISE * rng.standard_normal(wave.shape))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)[..., None], labels
