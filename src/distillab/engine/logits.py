"""A teacher's logits for many inputs, and the digest of everything else that they depend on."""

from __future__ import annotations

import hashlib
import json

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from distillab.engine.batches import TEACHER_BATCH, batched_logits
from distillab.engine.functional import Functional, Variables
from distillab.models.digests import add_array, architecture


def teacher_logits(teacher: Functional, variables: Variables, inputs: np.ndarray, scale: float) -> np.ndarray:
    """Predict the logits of many inputs with one model, in inference mode: float32, shape (N, ..., C).

    Args:
        teacher: the architecture.
        variables: its weights.
        inputs: as stored, shape (N, ...).
        scale: stored inputs times this are the model's inputs.
    """

    def predict(weights: Variables, rows: jax.Array) -> jax.Array:
        def predict_batch(batch: jax.Array) -> jax.Array:
            return teacher(weights, batch.astype("float32") * scale, training=False).logits

        return batched_logits(predict_batch, rows, batch_size)

    batch_size = TEACHER_BATCH
    if teacher.rows is not None:
        batch_size *= teacher.rows.size
        variables, inputs = jax.device_put((variables, inputs), NamedSharding(teacher.rows, PartitionSpec()))
    return np.asarray(jax.jit(predict)(variables, inputs))


def teacher_digest(teacher: Functional, variables: Variables, scale: float) -> str:
    """SHA-256, in hex, of what a teacher's logits depend on, except the inputs: architecture, weights and scale.

    Args:
        teacher: the architecture.
        variables: its weights.
        scale: stored inputs times this are the model's inputs.
    """
    digest = hashlib.sha256(json.dumps(architecture(teacher.model), sort_keys=True).encode())
    for array in (*variables.trainable, *variables.fixed):
        add_array(digest, array)
    digest.update(repr(float(scale)).encode())
    return digest.hexdigest()
