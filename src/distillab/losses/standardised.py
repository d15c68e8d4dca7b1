"""Logit standardisation: the student matches the shape of the teacher's logits, not their scale."""

from __future__ import annotations

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.divergences import distillation_kl
from distillab.losses.signature import Array

CONSTANT = 1e-12  # variance of logits that differ by rounding alone


def standardised_kl(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """Compare the softened predictions after standardising both models' logits to mean 0 and deviation 1.

    Formula: `T^2 * KL( softmax(Z(z_t) / T) || softmax(Z(z_s) / T) )` with `Z(z) = (z - mean(z)) / std(z)`, mean and
    standard deviation over the classes (divided by C). A student with small logits can agree with the teacher
    fully, whatever the teacher's scale.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,); the paper's base temperature is 2.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 where `z_s = a z_t + b` with a > 0. Equal logits
        count as zeros, without gradient.

    Example:
        >>> import numpy as np
        >>> teacher = np.array([[1.0, 2.0, 6.0]])
        >>> bool(abs(standardised_kl(0.1 * teacher + 5, teacher, temperature=2.0)[0]) < 1e-5)
        True

    Source: Sun, Ren, Li, Wang and Cao, "Logit Standardization in Knowledge Distillation", 2024, algorithms 1 and 2.

    Note: The authors' code divides by C - 1 and adds 1e-7 to the deviation; this follows the paper.
    """
    return distillation_kl(_standardised(student_logits), _standardised(teacher_logits), temperature=temperature)


def _standardised(logits: Array) -> Array:
    logits = ops.convert_to_tensor(logits)
    centred = logits - mean_of_last(logits, keepdims=True)
    variance = mean_of_last(centred * centred, keepdims=True)
    varies = variance > CONSTANT
    # Replaced before the root is taken: the branch that `where` discards has an infinite gradient, and 0 * inf is nan.
    return ops.where(varies, centred / ops.sqrt(ops.where(varies, variance, 1.0)), 0.0)
