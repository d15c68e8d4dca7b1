"""The student's term of the labels."""

from __future__ import annotations

from keras import ops

from distillab.losses.signature import Array


def label_cross_entropy(student_logits: Array, labels: Array) -> Array:
    """Cost of the student's answer against the hard labels.

    Formula: `CE_i = -log softmax(z_i)[y_i]`.

    Args:
        student_logits: logits z, shape (B, C), any real numbers.
        labels: class numbers y, shape (B,), integers in 0..C-1.

    Returns:
        Cross-entropy in nats, shape (B,), each >= 0.

    Example:
        >>> import numpy as np
        >>> float(label_cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))[0])  # log 2
        0.6931...
    """
    return -chosen(ops.log_softmax(student_logits, axis=-1), labels)


def chosen(values: Array, labels: Array) -> Array:
    """The label's entry of each row: (B, C) and (B,) to (B,)."""
    places = ops.expand_dims(ops.cast(labels, "int32"), -1)
    return ops.squeeze(ops.take_along_axis(values, places, axis=-1), -1)
