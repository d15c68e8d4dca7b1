"""Predictions for many inputs, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from distillab.engine.inputs import Inputs, count, take

EVALUATION_BATCH = 250  # rows in a student's forward pass
TEACHER_BATCH = 64  # rows in a teacher's, whose activations then fit the cache (30 s for 60,000 images, 37 s by 250)


def batched_logits(predict: Callable[[Inputs], jax.Array], inputs: Inputs, batch: int = EVALUATION_BATCH) -> jax.Array:
    """Predict logits (M, ..., C) of many inputs one batch at a time, so that memory does not grow with their number.

    Args:
        predict: from a batch (B, ...) to logits (B, ..., C).
        inputs: shape (M, ...), one array or several by name.
        batch: rows per batch.
    """
    examples = count(inputs)
    whole = examples // batch * batch
    parts = []
    if whole:
        batches = jax.tree.map(lambda part: part[:whole].reshape(-1, batch, *part.shape[1:]), inputs)
        logits = lax.map(predict, batches)
        parts.append(logits.reshape(whole, *logits.shape[2:]))
    if whole < examples or not examples:
        parts.append(predict(take(inputs, slice(whole, None))))
    return jnp.concatenate(parts)
