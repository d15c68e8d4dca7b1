"""Low-rank adapters (LoRA): a layer's kernel stays as it is, and the product of two small matrices is added to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras

Pair = tuple[Any, Any]


class Adapter(NamedTuple):
    """The adapter of a layer; alpha / rank scales the product of its matrices."""

    layer: int
    """Its layer's index among all layers of the model, also those inside other layers."""
    rank: int
    alpha: float


def read_adapters(model: keras.Model) -> list[Adapter]:
    """List a model's adapters.

    Args:
        model: any model.
    """
    layers = enumerate(model._flatten_layers())
    return [Adapter(index, layer.lora_rank, layer.lora_alpha) for index, layer in layers if has_adapter(layer)]


def set_adapters(model: keras.Model, wanted: Sequence[Adapter]) -> None:
    """Add the adapters that a rebuilt model lacks, and scale all of them as the original's are, in place.

    Layers inside other layers, such as those of MultiHeadAttention, are rebuilt without their adapters. Keras's Dense
    and Embedding layers lose `lora_alpha`.

    Args:
        model: rebuilt from its configuration.
        wanted: the original's.
    """
    layers = model._flatten_layers()
    for adapter in wanted:
        layer: Any = layers[adapter.layer]
        if not layer.lora_enabled:
            layer.enable_lora(adapter.rank)
        layer.lora_alpha = adapter.alpha


def has_adapter(layer: keras.Layer) -> bool:
    """Whether a layer has an adapter.

    Args:
        layer: any layer.
    """
    return bool(getattr(layer, "lora_enabled", False))


def adapters(model: keras.Model) -> Iterator[Pair]:
    """The two matrices of every adapter, as Keras's variables: the first is drawn at random, the second begins at zero.

    Args:
        model: any model.
    """
    for layer in model._flatten_layers():
        if has_adapter(layer):
            kind = "embeddings" if hasattr(layer, "lora_embeddings_a") else "kernel"
            yield getattr(layer, f"lora_{kind}_a"), getattr(layer, f"lora_{kind}_b")
