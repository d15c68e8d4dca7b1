"""The zoo: architectures by name, for any input shape and number of classes. Every one ends in logits.

Names are checked without Keras, which is imported when a model is built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from distillab.errors import RequestError, not_allowed, unknown

if TYPE_CHECKING:
    import keras

LEAK = 0.2  # slope of the study's LeakyReLU below zero


def build(name: str, input_shape: Sequence[int], classes: int) -> keras.Model:
    """Build a model of the zoo.

    Args:
        name: architecture and widths, such as `cnn-16-32` or `mlp-64-32`.
        input_shape: one input's shape without the batch: (H, W, C) for images, (F,) for features.
        classes: C, the number of logits, at least 2.

    Returns:
        A built model, inputs (B, *input_shape) to logits (B, classes).

    Raises:
        RequestError: where the name is unknown or does not fit the input.

    Example:
        >>> build("cnn-16-32", (28, 28, 1), 10).count_params()
        20490
    """
    architecture, widths = parse(name)
    return ARCHITECTURES[architecture](name, tuple(input_shape), classes, widths)


def parse(name: str) -> tuple[str, tuple[int, ...]]:
    """Read a zoo name, without building anything.

    Returns:
        The architecture and its widths.

    Raises:
        RequestError: where there is no such architecture, or the widths are not what it takes.
    """
    architecture, _, rest = name.partition("-")
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)*", rest):
        raise not_allowed("model", name, "an architecture and its widths", f"For example {_EXAMPLES[architecture]}.")
    widths = tuple(int(width) for width in rest.split("-"))
    if architecture == "cnn" and len(widths) != 2:
        raise not_allowed("model", name, "'cnn' with the filters of its two convolutions", "For example cnn-16-32.")
    return architecture, widths


def _cnn(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """The study's network: convolution, LeakyReLU, max pooling, convolution, dense; strides of 2, `same` padding."""
    if len(input_shape) != 3:
        raise RequestError(
            f"{name} reads images (height, width, channels), and the inputs have shape {input_shape}. "
            "Choose an mlp, such as mlp-64-32."
        )
    import keras

    first, second = widths
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(first, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=LEAK),
            layers.MaxPooling2D(2, strides=1, padding="same"),
            layers.Conv2D(second, 3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(classes),
        ],
        name=_keras_name(name),
    )


def _mlp(name: str, input_shape: tuple[int, ...], classes: int, widths: tuple[int, ...]) -> keras.Model:
    """Dense layers with ReLU, on the flattened input."""
    import keras

    hidden = [keras.layers.Dense(width, activation="relu") for width in widths]
    flatten = [] if len(input_shape) == 1 else [keras.layers.Reshape((math.prod(input_shape),))]
    return keras.Sequential(
        [keras.Input(input_shape), *flatten, *hidden, keras.layers.Dense(classes)], name=_keras_name(name)
    )


def _keras_name(name: str) -> str:
    return name.replace("-", "_")


Builder = Callable[[str, tuple[int, ...], int, tuple[int, ...]], "keras.Model"]
ARCHITECTURES: Mapping[str, Builder] = MappingProxyType({"cnn": _cnn, "mlp": _mlp})
_EXAMPLES = {"cnn": "cnn-16-32", "mlp": "mlp-64-32"}
