"""Response-based losses: what the student's answer costs against the labels and against the teacher's answer.

Every loss takes logits, works in log space and returns one value per example, unreduced. Mixing the terms by alpha
and averaging over a batch is the caller's work (`distillab.engine.objective`).

All functions are written on `keras.ops` and run on every Keras backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from keras import backend, ops

Array = Any  # a backend tensor, whichever backend Keras runs on
DistillationLoss = Callable[..., Array]


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
    log_probabilities = ops.log_softmax(student_logits, axis=-1)
    chosen = ops.take_along_axis(log_probabilities, ops.expand_dims(ops.cast(labels, "int32"), -1), axis=-1)
    return -ops.squeeze(chosen, -1)


def _column(temperature: Array, logits: Array) -> Array:
    """Shape a temperature, scalar or (B,), so that it divides logits of shape (B, C)."""
    # The type of the logits, so that half precision stays half; but whole-numbered logits must not cut T to an integer.
    dtype = backend.result_type(ops.convert_to_tensor(logits).dtype, float)
    temperature = ops.cast(ops.convert_to_tensor(temperature), dtype)
    return ops.expand_dims(temperature, -1) if len(temperature.shape) == 1 else temperature


def distillation_kl(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """Cost of the student's softened answer against the teacher's: the distance from one to the other.

    Formula: `T^2 * KL( softmax(z_t / T) || softmax(z_s / T) )`. The factor T^2 keeps the gradient's size when T
    changes, and is applied at every alpha.

    Args:
        student_logits: z_s, shape (B, C).
        teacher_logits: z_t, shape (B, C).
        labels: ignored; present so that all distillation losses are called alike.
        temperature: T > 0, a scalar or shape (B,). Not checked here: it may be a traced array.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]])
        >>> round(float(distillation_kl(s, t, temperature=3.0)[0]), 4)
        0.3978

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    T = _column(temperature, student_logits)
    log_student = ops.log_softmax(student_logits / T, axis=-1)
    log_teacher = ops.log_softmax(teacher_logits / T, axis=-1)
    divergence = ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return ops.squeeze(T * T, -1) * divergence if len(T.shape) else T * T * divergence


def distillation_cross_entropy(
    student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array
) -> Array:
    """Cost of the student's softened answer against the teacher's soft targets, as a cross-entropy.

    Formula: `-T^2 * sum_k softmax(z_t / T)_k log softmax(z_s / T)_k`. It differs from `distillation_kl` by T^2 times
    the teacher's entropy, which does not depend on the student: the gradients are equal.

    Args:
        student_logits: z_s, shape (B, C).
        teacher_logits: z_t, shape (B, C).
        labels: ignored; present so that all distillation losses are called alike.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        The loss in nats times T^2, shape (B,), each >= 0.

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    T = _column(temperature, student_logits)
    log_student = ops.log_softmax(student_logits / T, axis=-1)
    entropy = -ops.sum(ops.softmax(teacher_logits / T, axis=-1) * log_student, axis=-1)
    return ops.squeeze(T * T, -1) * entropy if len(T.shape) else T * T * entropy


LOSSES: Mapping[str, DistillationLoss] = MappingProxyType(
    {"kl": distillation_kl, "cross_entropy": distillation_cross_entropy}
)
"""The names that a study's `loss` key may hold."""
