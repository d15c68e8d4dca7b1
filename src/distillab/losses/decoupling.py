"""Decoupled knowledge distillation: the teacher's confidence in the label, apart from its view of the other classes."""

from __future__ import annotations

from typing import NamedTuple

from keras import ops

from distillab.losses.labels import at_label
from distillab.losses.signature import Array
from distillab.losses.temperature import soften

EXCLUDED = -1e30  # logit of an excluded class: its exponential is 0 in every precision


def decoupled(
    student_logits: Array,
    teacher_logits: Array,
    labels: Array,
    *,
    temperature: Array,
    target_weight: float = 1.0,
    non_target_weight: float = 8.0,
) -> Array:
    """Weight separately the divergence on the labelled class and the divergence among the other classes.

    Formula: `T^2 * ( a * KL(b_t || b_s) + b * KL(p_t || p_s) )`, where b is the pair (probability of the labelled
    class, probability of all others) and p the distribution over the other classes alone, both at temperature T. In
    `distillation_kl` the weight of the second term is 1 - (the teacher's probability of the label): a confident
    teacher then teaches almost nothing about the other classes.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: class numbers, shape (B,).
        temperature: T > 0, a scalar or shape (B,).
        target_weight: a > 0, the paper's alpha.
        non_target_weight: b > 0, the paper's beta.

    Returns:
        The loss in nats times T^2, shape (B,); >= 0, and 0 exactly where the logits agree up to a constant.

    Example:
        >>> import numpy as np
        >>> s, t, y = np.array([[2.0, 1.0, 4.0]]), np.array([[1.0, 2.0, 3.0]]), np.array([2])
        >>> round(float(decoupled(s, t, y, temperature=3.0)[0]), 4)
        4.0879

    Source: Zhao, Cui, Song, Qiu and Liang, "Decoupled Knowledge Distillation", 2022, equations 5 and 7; a = 1 and b = 8
    are the authors' settings for CIFAR-100 (they tune b between 1 and 10 by the teacher).

    Note: The authors' code removes the labelled class by subtracting 1000 from its logit and takes the logarithm
    of a probability, which overflows for a confident student. Here both are exact, in log space.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    p, q = _split(teacher, labels), _split(student, labels)
    binary = ops.exp(p.target) * (p.target - q.target) + ops.exp(p.rest) * (p.rest - q.rest)
    # The labelled class has probability 0 among the others, on both sides.
    gap = ops.where(_is_label(labels, student), 0.0, p.others - q.others)
    others = ops.sum(ops.exp(p.others) * gap, axis=-1)
    return square * (target_weight * binary + non_target_weight * others)


class _Split(NamedTuple):
    """A prediction in two parts, in log space."""

    target: Array  # log-probability of the labelled class, (B,)
    rest: Array  # log-probability of all others together, (B,)
    others: Array  # log-probabilities among the others, (B, C)


def _split(log_probabilities: Array, labels: Array) -> _Split:
    others = ops.where(_is_label(labels, log_probabilities), EXCLUDED, log_probabilities)
    rest = ops.logsumexp(others, axis=-1)
    return _Split(at_label(log_probabilities, labels), rest, others - ops.expand_dims(rest, -1))


def _is_label(labels: Array, like: Array) -> Array:
    """Whether an entry is the label's, shape (B, C)."""
    return ops.expand_dims(ops.cast(labels, "int32"), -1) == ops.arange(like.shape[-1], dtype="int32")
