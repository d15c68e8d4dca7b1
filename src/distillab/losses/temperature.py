"""Student and teacher softened by one temperature, in log space: the start of every divergence."""

from __future__ import annotations

from typing import NamedTuple

from keras import backend, ops

from distillab.losses.signature import Array


class Softened(NamedTuple):
    """Log-probabilities softened by one temperature."""

    student: Array  # log softmax(z_s / T), shape (B, C)
    teacher: Array  # log softmax(z_t / T), shape (B, C)
    square: Array  # T^2, a scalar or shape (B,)


def soften(student_logits: Array, teacher_logits: Array, temperature: Array) -> Softened:
    """Divide both models' logits by the temperature and take their log-probabilities.

    Args:
        student_logits, teacher_logits: shape (B, C).
        temperature: T > 0, a scalar or shape (B,).
    """
    T = _column(temperature, student_logits)
    student = ops.log_softmax(ops.divide(student_logits, T), axis=-1)
    teacher = ops.log_softmax(ops.divide(teacher_logits, T), axis=-1)
    return Softened(student, teacher, ops.squeeze(T * T, -1) if len(T.shape) else T * T)


def _column(temperature: Array, logits: Array) -> Array:
    """A temperature, scalar or one an example, in a shape that divides logits of shape (B, ..., C)."""
    temperature = ops.cast(ops.convert_to_tensor(temperature), float_type(logits))
    missing = len(logits.shape) - len(temperature.shape) if len(temperature.shape) else 0
    return ops.reshape(temperature, (*temperature.shape, *[1] * missing)) if missing else temperature


def float_type(logits: Array) -> str:
    """The type to compute in: that of the logits, so that half and double precision stay; a float for whole numbers.

    Args:
        logits: shape (B, C).
    """
    dtype = backend.standardize_dtype(ops.convert_to_tensor(logits).dtype)
    # Keras's promotion makes float32 of float64.
    return dtype if backend.is_float_dtype(dtype) else str(backend.result_type(dtype, float))
