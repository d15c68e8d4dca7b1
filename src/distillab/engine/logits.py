"""A teacher's logits for many inputs, and the digest of everything else that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from distillab.data.array_store import is_mapped
from distillab.data.inputs import Scale
from distillab.engine.batches import TEACHER_BATCH, batched_logits
from distillab.engine.functional import Functional, Variables
from distillab.engine.host_inputs import gathered, row_chunks
from distillab.engine.inputs import Inputs, scaled, unstructured
from distillab.models.digests import add_array, architecture


def teacher_logits(teacher: Functional, variables: Variables, inputs: np.ndarray, scale: Scale) -> np.ndarray:
    """Predict the logits of many inputs with one model, in inference mode: float32, shape (N, ..., C).

    Args:
        teacher: the architecture.
        variables: its weights.
        inputs: as stored, shape (N, ...), plain or structured.
        scale: stored inputs times this are the model's inputs.
    """

    batch_size = TEACHER_BATCH * (1 if teacher.rows is None else teacher.rows.size)
    program = _program(teacher, tuple(scale.items()) if isinstance(scale, Mapping) else scale, batch_size)
    on_host, parts = is_mapped(inputs), []
    for first, last in row_chunks(len(inputs), batch_size, inputs[:1].nbytes) if on_host else [(0, len(inputs))]:
        stored = gathered(inputs, slice(first, last)) if on_host else unstructured(inputs)
        arguments = variables, stored
        if teacher.rows is not None:
            arguments = jax.device_put(arguments, NamedSharding(teacher.rows, PartitionSpec()))
        parts.append(np.asarray(program(*arguments)))
    return np.concatenate(parts)


@lru_cache(maxsize=8)
def _program(teacher: Functional, scale: float | tuple[tuple[str, float], ...], batch_size: int) -> Any:
    """The program of a teacher, compiled once for inputs of one shape."""
    factors: Scale = dict(scale) if isinstance(scale, tuple) else scale

    def predict(weights: Variables, rows: Inputs) -> jax.Array:
        def predict_batch(batch: Inputs) -> jax.Array:
            return teacher(weights, scaled(batch, factors), training=False).logits

        return batched_logits(predict_batch, rows, batch_size)

    return jax.jit(predict)


def teacher_digest(teacher: Functional, variables: Variables, scale: Scale) -> str:
    """SHA-256, in hex, of what a teacher's logits depend on, except the inputs: architecture, weights and scale.

    Args:
        teacher: the architecture.
        variables: its weights.
        scale: stored inputs times this are the model's inputs.
    """
    digest = hashlib.sha256(json.dumps(architecture(teacher.model), sort_keys=True).encode())
    for array in (*variables.trainable, *variables.fixed):
        add_array(digest, array)
    named = sorted(scale.items()) if isinstance(scale, Mapping) else float(scale)
    digest.update(repr(named).encode())
    return digest.hexdigest()
