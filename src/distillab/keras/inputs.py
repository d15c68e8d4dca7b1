"""A distiller's training data: inputs with or without the teacher's logits, and their checks."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from distillab.errors import RequestError, not_allowed

KEYS = {"inputs", "teacher_logits"}
"""Inputs with a teacher's logits are a mapping with exactly these keys."""


def join(inputs: Any, teacher_logits: Any) -> dict[str, Any]:
    """Put a teacher's logits next to the inputs that they belong to.

    Args:
        inputs: the student's inputs, shape (B, ...).
        teacher_logits: shape (B, ..., C).
    """
    return {"inputs": inputs, "teacher_logits": teacher_logits}


def split(inputs: Any) -> tuple[Any, Any]:
    """Separate the student's inputs from the teacher's logits, which are None where the data hold none.

    Args:
        inputs: as given to `fit`, with or without logits.
    """
    if isinstance(inputs, dict) and set(inputs) == KEYS:
        return inputs["inputs"], inputs["teacher_logits"]
    return inputs, None


def check_arrays(x: Any, y: Any, logits_shape: tuple[Any, ...]) -> bool:
    """Check labels and teacher's logits where they are arrays; False where the labels are none.

    Args:
        x: inputs as given to `fit`.
        y: labels as given to `fit`.
        logits_shape: the student's, (None, ..., C).

    Raises:
        RequestError: labels outside 0..C-1, of another shape, not whole; logits of another shape or not finite.
    """
    logits = split(x)[1]
    if _is_array(logits):
        _check_logits(np.asarray(logits), logits_shape[-1])
    if not _is_array(y):
        return False
    _check_labels(np.asarray(y), logits_shape)
    return True


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "shape")


def _check_logits(logits: np.ndarray, classes: int) -> None:
    if logits.shape[-1] != classes:
        raise RequestError(
            f"The data hold teacher's logits of {logits.shape[-1]} classes, and the student has {classes}: they must "
            "be the same classes."
        )
    finite = np.isfinite(logits).reshape(len(logits), -1).all(axis=1)
    if not finite.all():
        raise RequestError(
            f"The data hold teacher's logits that are not finite, first at example {int(np.argmin(finite))}: the "
            "teacher has diverged, or its inputs were not finite."
        )


def _check_labels(labels: np.ndarray, logits_shape: tuple[Any, ...]) -> None:
    classes, rank = logits_shape[-1], len(logits_shape)
    if labels.ndim != rank - 1 and not (labels.ndim == rank and labels.shape[-1] in (1, classes)):
        raise wrong_labels(labels.shape, logits_shape)
    if labels.ndim == rank and labels.shape[-1] == classes:
        if not np.isfinite(labels).all() or (labels < 0).any():
            raise RequestError(
                "y holds a number for each class, and some are below 0 or not finite. They must be >= 0."
            )
        return
    if labels.dtype.kind not in "iub":
        whole = labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.round(labels)).all()
        if not whole:
            raise not_allowed(
                "y.dtype", str(labels.dtype), "whole class numbers, or one-hot", "np.unique(y, return_inverse=True)."
            )
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise RequestError(
            f"y holds labels from {labels.min()} to {labels.max()}, and must hold class numbers from 0 to "
            f"{classes - 1}: the student has {classes} classes."
        )


def wrong_labels(labels_shape: tuple[Any, ...], logits_shape: tuple[Any, ...]) -> RequestError:
    """The error for labels whose shape does not fit the logits.

    Args:
        labels_shape: as given.
        logits_shape: the student's.
    """
    return RequestError(
        f"Labels of shape {labels_shape} do not fit logits of shape {logits_shape}: they must be class numbers, one an "
        "example, or one-hot."
    )


class FirstBatchCheck(keras.callbacks.Callback):
    """Stop with a clear error when the first batch's loss is not finite: streamed data cannot be checked before.

    Args:
        classes: C, for the message.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self._classes, self._checked = classes, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check the first loss, once.

        Args:
            batch, logs: Keras's.
        """
        if not self._checked and not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise RequestError(
                f"The loss of the first batch is not finite. Are there labels outside 0..{self._classes - 1}, or NaN "
                "among the inputs or the teacher's logits? Check a batch of the data set."
            )
        self._checked = True
