"""The label loss: cross-entropy, or the squared error that the theory assumes."""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.signature import Array


def label_cross_entropy(student_logits: Array, labels: Array) -> Array:
    """Cross-entropy of the student's predictions with the labels.

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
    return -at_label(ops.log_softmax(student_logits, axis=-1), labels)


def label_squared_error(student_logits: Array, labels: Array) -> Array:
    """Half the mean squared difference between the student's outputs and the one-hot labels.

    Formula: `1 / (2 C) * sum_k (z_k - [k = y])^2`: the outputs estimate the labels and are not logits. With
    `logit_mse` against a teacher trained in the same way, mixing the losses is mixing the targets, up to a constant.

    Args:
        student_logits: outputs z, shape (B, C).
        labels: class numbers y, shape (B,), integers in 0..C-1.

    Returns:
        Shape (B,), each >= 0.

    Example:
        >>> import numpy as np
        >>> float(label_squared_error(np.array([[0.5, 1.0]]), np.array([1]))[0])
        0.0625

    Source: Hui and Belkin, "Evaluation of neural architectures trained with square loss vs cross-entropy", 2021, with
    the scale of `logit_mse`.
    """
    difference = student_logits - ops.one_hot(ops.cast(labels, "int32"), student_logits.shape[-1])
    return mean_of_last(difference * difference) / 2


def at_label(values: Array, labels: Array) -> Array:
    """Select the label's entry of each row, shape (B,).

    Args:
        values: shape (B, C).
        labels: class numbers, shape (B,).
    """
    columns = ops.expand_dims(ops.cast(labels, "int32"), -1)
    return ops.squeeze(ops.take_along_axis(values, columns, axis=-1), -1)


LabelLoss = Callable[[Array, Array], Array]
"""`(student_logits, labels) -> (B,)`."""
