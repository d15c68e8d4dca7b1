"""The cost of a model: weights, bytes, arithmetic, latency."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import jax
import keras
import numpy as np

from distillab.engine.flops import forward_flops
from distillab.engine.functional import Functional, read_variables
from distillab.engine.inputs import arranged, as_read
from distillab.engine.latency import Latency, latency

BATCHES = (1, 64)


class Cost(NamedTuple):
    """A model's cost."""

    parameters: int
    bytes: int
    """Of its `.keras` file, without an optimiser's state."""
    flops: int
    """Multiplications and additions for one example, in matrix products and convolutions."""
    latency: dict[int, Latency]
    """Seconds of a call by examples a call, compiled by JAX, on the first device."""


def cost(model: keras.Model, functional: Functional, example: np.ndarray) -> Cost:
    """Measure a model.

    Args:
        model: as it is saved.
        functional: the same up to the logits, whose arithmetic is counted and which is timed.
        example: an input as `functional` sees it, shape (...), or a structured scalar of several.
    """
    with tempfile.TemporaryDirectory(prefix="distillab-") as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        size = file.stat().st_size
    latencies = {batch: timed(functional.model, example, batch) for batch in BATCHES}
    return Cost(int(model.count_params()), size, flops(functional), latencies)


def flops(functional: Functional) -> int:
    """Count the multiplications and additions for one example, in matrix products and convolutions.

    Args:
        functional: the model.
    """
    return int(sum(forward_flops(functional, 1)))


def timed(model: keras.Model, example: np.ndarray, batch: int) -> Latency:
    """Time the predictions of a batch.

    Args:
        model: a Keras model.
        example: one input, shape (...), or a structured scalar of several.
        batch: examples of a call.
    """
    variables = read_variables(model)
    call = jax.jit(lambda x: model.stateless_call(variables.trainable, variables.fixed, x, training=False)[0])
    inputs = jax.device_put(arranged(model, as_read(example, batch)))
    return latency(lambda: call(inputs).block_until_ready())
