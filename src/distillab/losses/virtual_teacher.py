"""Teacher-free distillation: a virtual teacher that is always right and uniform over the other classes."""

from __future__ import annotations

import math

from keras import ops

from distillab.losses.divergences import distillation_kl
from distillab.losses.signature import Array
from distillab.losses.temperature import float_type


def teacher_free(
    student_logits: Array,
    teacher_logits: Array = None,
    labels: Array = None,
    *,
    temperature: Array,
    correct: float = 0.99,
) -> Array:
    """Distil from a virtual teacher with a fixed probability for the label: label smoothing, softened.

    Formula: `T^2 * KL( u_T || softmax(z_s / T) )` with `u = correct` at the label, `(1 - correct) / (C - 1)` elsewhere,
    and `u_T = softmax(log(u) / T)`.

    Args:
        student_logits: z_s, shape (B, C).
        teacher_logits: ignored; may be None.
        labels: class numbers, shape (B,).
        temperature: T > 0, a scalar or shape (B,); the paper uses 20 and more.
        correct: the virtual teacher's probability of the label, in (1 / C, 1); the paper uses 0.9 and more. A plain
            number.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the student's logits are log(u) up to a
        constant.

    Example:
        >>> import numpy as np
        >>> student = np.log(np.array([[0.005, 0.99, 0.005]]))
        >>> round(float(teacher_free(student, None, np.array([1]), temperature=20.0)[0]), 4)
        0.0

    Source: Yuan, Tay, Li, Wang and Feng, "Revisiting Knowledge Distillation via Label Smoothing Regularization", 2020,
    equations 9 and 10 (Tf-KD_reg).

    Note: The authors' code divides the teacher's probabilities by T and takes the softmax of that, does not soften
    the student, and has a free factor instead of T^2. This follows the paper's formula, with T^2 as everywhere here.
    """
    student_logits = ops.convert_to_tensor(student_logits)
    classes = student_logits.shape[-1]
    label_logit, other_logit = math.log(correct), math.log((1 - correct) / (classes - 1))
    is_label = ops.expand_dims(ops.cast(labels, "int32"), -1) == ops.arange(classes, dtype="int32")
    virtual = ops.cast(ops.where(is_label, label_logit, other_logit), float_type(student_logits))
    return distillation_kl(student_logits, virtual, temperature=temperature)
