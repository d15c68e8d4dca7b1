"""Squared distance between the logits themselves."""

from __future__ import annotations

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.signature import Array


def logit_mse(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
    """Half the mean squared difference of the logits: regression onto the teacher, without softmax.

    Formula: `1 / (2 C) * sum_k (z_s,k - z_t,k)^2`. Unlike the divergences it changes when a constant is added to all of
    a model's logits. For centred logits it is the limit of `distillation_kl` at high temperature.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: ignored; logits are compared as they are.

    Returns:
        The loss in squared logits, shape (B,); >= 0, and 0 exactly where the logits are equal.

    Example:
        >>> import numpy as np
        >>> float(logit_mse(np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]]), temperature=3.0)[0])
        0.5

    Source: Ba and Caruana, "Do Deep Nets Really Need to be Deep?", 2014, equation 1; Hinton, Vinyals and Dean, 2015,
    section 2.1 for the limit.

    Note: The paper sums over the classes, which is C times this. Divided by C, the gradient has the size of the other
    losses' gradients, so that one alpha means about the same for all of them.
    """
    difference = ops.subtract(student_logits, teacher_logits)
    return mean_of_last(difference * difference) / 2
