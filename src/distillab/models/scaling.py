"""Whether a model scales its inputs itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

FIRST = 4
"""The number of first layers that are examined."""


def reads_raw(model: keras.Model) -> bool:
    """Whether one of a model's first layers is a Rescaling or a Normalization, so that it reads inputs as stored.

    One after the first layer with weights scales what that layer gives, and no input.

    Args:
        model: any model.

    Example:
        >>> import keras
        >>> reads_raw(keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(1 / 255), keras.layers.Dense(2)]))
        True
    """
    import keras

    for layer in getattr(model, "layers", [])[:FIRST]:
        if isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
            return True
        if isinstance(layer, keras.Model):
            return reads_raw(layer)
        if layer.weights:
            return False
    return False
