"""A teacher's logits for many inputs, and the digest of everything else that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from distillab.data.inputs import Scale
from distillab.engine.batches import TEACHER_BATCH, batched_logits
from distillab.engine.functional import Functional, Variables
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

    def predict(weights: Variables, rows: Inputs) -> jax.Array:
        def predict_batch(batch: Inputs) -> jax.Array:
            return teacher(weights, scaled(batch, scale), training=False).logits

        return batched_logits(predict_batch, rows, batch_size)

    batch_size, stored = TEACHER_BATCH, unstructured(inputs)
    if teacher.rows is not None:
        batch_size *= teacher.rows.size
        variables, stored = jax.device_put((variables, stored), NamedSharding(teacher.rows, PartitionSpec()))
    return np.asarray(jax.jit(predict)(variables, stored))


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
