"""Losses of independent labels: one logit each, a Bernoulli distribution, averaged over the labels.

A logit z says what two logits (0, z) say of two classes: `softmax(0, z) = (1 - sigmoid(z), sigmoid(z))`. So every loss
here is the loss of two classes, applied to each label, and their mean.
"""

from __future__ import annotations

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.divergences import (
    distillation_cross_entropy,
    distillation_kl,
    generalised_skew_kl,
    jensen_shannon,
    reverse_kl,
)
from distillab.losses.logit_distance import logit_mse
from distillab.losses.signature import Array, DistillationLoss


def label_binary_cross_entropy(student_logits: Array, labels: Array) -> Array:
    """Cross-entropy of the student's predictions with labels that are each 0 or 1.

    Formula: `BCE(z, y) = log(1 + exp(z)) - y z`, which is `-y log sigmoid(z) - (1 - y) log(1 - sigmoid(z))`.

    Args:
        student_logits: logits z, shape (B, ..., C).
        labels: 0 or 1, or probabilities between them, shape (B, ..., C); for a single logit also (B, ...).

    Returns:
        Cross-entropy in nats of every label, the labels' shape, each >= 0. Not averaged over the labels, of which some
        may be missing.

    Example:
        >>> import numpy as np
        >>> float(label_binary_cross_entropy(np.array([[0.0]]), np.array([1]))[0])  # log 2
        0.6931...
    """
    labels = ops.convert_to_tensor(labels)
    logits = like_labels(student_logits, labels)
    return ops.softplus(logits) - ops.cast(labels, logits.dtype) * logits


def like_labels(outputs: Array, labels: Array) -> Array:
    """Outputs in the labels' shape: without the last axis where it has length 1 and the labels have none.

    Args:
        outputs: shape (B, ..., C).
        labels: shape (B, ..., C), or (B, ...) for a single output.
    """
    outputs = ops.convert_to_tensor(outputs)
    single = outputs.shape[-1] == 1 and len(labels.shape) == len(outputs.shape) - 1
    return ops.squeeze(outputs, -1) if single else outputs


def _for_each_label(of_classes: DistillationLoss, name: str) -> DistillationLoss:
    """The mean over labels of a loss of two classes."""

    def loss(student_logits: Array, teacher_logits: Array, labels: Array = None, *, temperature: Array) -> Array:
        student, teacher = _two_classes(student_logits), _two_classes(teacher_logits)
        return mean_of_last(of_classes(student, teacher, temperature=temperature))

    loss.__name__ = loss.__qualname__ = name
    loss.__doc__ = f"""`{of_classes.__name__}` of each label's two classes, logits (0, z), averaged over the labels.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, ..., C), a logit for each label.
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).

    Returns:
        Shape (B, ...), the mean over the C labels: one alpha means about the same for any number of them.

    Source: that of `{of_classes.__name__}`.
    """
    return loss


def _two_classes(logits: Array) -> Array:
    logits = ops.convert_to_tensor(logits)
    return ops.stack([ops.zeros_like(logits), logits], axis=-1)


bernoulli_kl = _for_each_label(distillation_kl, "bernoulli_kl")
bernoulli_cross_entropy = _for_each_label(distillation_cross_entropy, "bernoulli_cross_entropy")
bernoulli_reverse_kl = _for_each_label(reverse_kl, "bernoulli_reverse_kl")
bernoulli_jensen_shannon = _for_each_label(jensen_shannon, "bernoulli_jensen_shannon")
bernoulli_generalised = _for_each_label(generalised_skew_kl, "bernoulli_generalised")
bernoulli_logit_mse = _for_each_label(logit_mse, "bernoulli_logit_mse")
