"""A teacher's logits for the rows of a batch: gathered where all are stored, rebuilt where only the top k are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from distillab.models.top_k import TopK, as_dense, even_share

TeacherRows = np.ndarray | TopK
"""The predictions of several teachers: logits of shape (teachers, N, ..., C), or a `TopK` of such arrays."""


def stacked_teachers(predictions: Sequence[TeacherRows], outputs: int) -> TeacherRows:
    """Several teachers' predictions for the same rows; all logits, unless each keeps the top k of the same k.

    Args:
        predictions: of each teacher, logits (N, ..., C) or a `TopK`.
        outputs: C.
    """
    kept = [rows for rows in predictions if isinstance(rows, TopK)]
    if len(kept) == len(predictions) and len({rows.values.shape for rows in kept}) == 1:
        return TopK(*(np.stack(parts) for parts in zip(*kept, strict=True)))
    return np.stack([as_dense(rows, outputs) for rows in predictions])


def batch_logits(stored: Any, teacher: Any, rows: Any, outputs: int) -> Any:
    """One teacher's logits for a batch, shape (B, ..., C), in a compiled step.

    Args:
        stored: the arrays of `TeacherRows` on the device.
        teacher: its number, a scalar.
        rows: shape (B,).
        outputs: C.
    """
    if not isinstance(stored, TopK):
        return stored[teacher, rows]
    top = TopK(*(part[teacher, rows] for part in stored))
    share = even_share(top, outputs)[..., None]
    logits = jnp.broadcast_to(share, (*share.shape[:-1], outputs))
    values, classes = top.values.astype("float32"), top.classes.astype("int32")
    return jnp.put_along_axis(logits, classes, values, axis=-1, inplace=False)
