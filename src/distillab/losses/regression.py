"""Losses of real outputs: against the labels, and against the teacher. A temperature has no meaning here.

The outputs are standardised: in units of the training labels' standard deviation, from their mean.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.bernoulli import like_labels
from distillab.losses.signature import Array, DistillationLoss

HUBER_DELTA = 1.0
"""Where the Huber loss turns from squared to absolute: one standard deviation of the labels."""


def squared_error(predictions: Array, targets: Array) -> Array:
    """Squared difference of every output from its target: `(p - y)^2`.

    Args:
        predictions: p, shape (B, ..., C).
        targets: y, shape (B, ..., C); for a single output also (B, ...).

    Returns:
        The targets' shape, each >= 0; not averaged over the outputs, of which some targets may be missing.

    Example:
        >>> import numpy as np
        >>> float(squared_error(np.array([[2.0]]), np.array([0.5]))[0])
        2.25
    """
    difference = _difference(predictions, targets)
    return difference * difference


def absolute_error(predictions: Array, targets: Array) -> Array:
    """Absolute difference of every output from its target: `|p - y|`, which outliers move less than squares.

    Args:
        predictions, targets: as in `squared_error`.

    Example:
        >>> import numpy as np
        >>> float(absolute_error(np.array([[2.0]]), np.array([0.5]))[0])
        1.5
    """
    difference = _difference(predictions, targets)
    return difference * ops.sign(difference)  # JAX's abs has the slope 1 at 0, where a student that agrees must rest


def huber(predictions: Array, targets: Array) -> Array:
    """Half the squared difference up to delta = 1, and linear beyond: `d^2 / 2` or `|d| - 1/2` with `d = p - y`.

    Args:
        predictions, targets: as in `squared_error`.

    Example:
        >>> import numpy as np
        >>> huber(np.array([[2.0], [0.5]]), np.array([0.0, 0.0])).tolist()
        [1.5, 0.125]

    Source: Huber, "Robust Estimation of a Location Parameter", 1964, with k = 1.
    """
    size = ops.abs(_difference(predictions, targets))
    inside = ops.minimum(size, HUBER_DELTA)
    return inside * (size - inside / 2)


def _difference(predictions: Array, targets: Array) -> Array:
    targets = ops.convert_to_tensor(targets)
    predictions = like_labels(predictions, targets)
    return predictions - ops.cast(targets, predictions.dtype)


def _to_teacher(error: Callable[[Array, Array], Array], name: str) -> DistillationLoss:
    """The mean over outputs of an error, with the teacher's outputs as targets."""

    def loss(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array = None) -> Array:
        return mean_of_last(error(student_logits, teacher_logits))

    loss.__name__ = loss.__qualname__ = name
    loss.__doc__ = f"""`{error.__name__}` against the teacher's outputs, averaged over the outputs.

    Args:
        student_logits, teacher_logits: the outputs of both, shape (B, ..., C).
        labels: ignored.
        temperature: ignored: real outputs are compared as they are.

    Returns:
        Shape (B, ...), each >= 0, and 0 exactly where student and teacher agree.
    """
    return loss


teacher_squared_error = _to_teacher(squared_error, "teacher_squared_error")
teacher_absolute_error = _to_teacher(absolute_error, "teacher_absolute_error")
teacher_huber = _to_teacher(huber, "teacher_huber")


def teacher_bounded(
    student_logits: Array, teacher_logits: Array, labels: Array, *, temperature: Array = None, margin: float = 0.0
) -> Array:
    """The student's squared error, where it is not yet smaller than the teacher's by a margin; 0 elsewhere.

    Formula: `|p_s - y|^2` where `|p_s - y|^2 + m > |p_t - y|^2`, else 0, with means over the outputs in place of sums.
    The teacher is a bound and no target: its outputs may point away from the labels, and a student that is better than
    it learns nothing from it.

    Args:
        student_logits, teacher_logits: the outputs p_s and p_t, shape (B, ..., C).
        labels: y, shape (B, ..., C); for a single output also (B, ...).
        temperature: ignored.
        margin: m >= 0, in squared standard deviations. A plain number.

    Returns:
        Shape (B, ...), each >= 0.

    Example:
        >>> import numpy as np
        >>> student, teacher, y = np.array([[2.0], [0.5]]), np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]])
        >>> teacher_bounded(student, teacher, y).tolist()  # worse than the teacher; better than it
        [4.0, 0.0]

    Source: Chen, Choi, Yu, Han and Chandraker, "Learning Efficient Object Detection Models with Knowledge
    Distillation", NeurIPS 2017, equation 4.
    """
    labels = ops.convert_to_tensor(labels)
    labels = ops.expand_dims(labels, -1) if len(labels.shape) == len(student_logits.shape) - 1 else labels
    student, teacher = (mean_of_last(squared_error(outputs, labels)) for outputs in (student_logits, teacher_logits))
    return ops.where(student + margin > teacher, student, ops.zeros_like(student))
