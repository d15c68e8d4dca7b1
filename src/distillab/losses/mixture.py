"""The one place where alpha mixes the two losses, and where the engine averages a batch."""

from __future__ import annotations

import math
from typing import NamedTuple

from keras import ops

from distillab.losses.labels import LabelLoss, label_cross_entropy
from distillab.losses.signature import Array, DistillationLoss, relates_examples


class LossTerms(NamedTuple):
    """A batch's loss and the two terms that it mixes, each a weighted mean over the batch."""

    loss: Array
    label_loss: Array
    distillation_loss: Array


def mix(label_loss: Array, distillation_loss: Array, alpha: Array) -> Array:
    """Mix the two terms: `alpha * label_loss + (1 - alpha) * distillation_loss`.

    Args:
        label_loss: cost against the labels, any shape.
        distillation_loss: cost against the teacher, the same shape.
        alpha: weight of the labels, a scalar in [0, 1].
    """
    return alpha * label_loss + (1 - alpha) * distillation_loss


def objective(
    student_logits: Array,
    teacher_logits: Array,
    labels: Array,
    weights: Array,
    *,
    alpha: Array,
    temperature: Array,
    distillation_loss: DistillationLoss,
    label_loss: LabelLoss = label_cross_entropy,
    label_weights: Array | None = None,
    example_weights: Array | None = None,
) -> LossTerms:
    """Mix the label loss and the distillation loss and average them over the batch.

    Formula: `mean_m[ w * (alpha * H(y, z_s) + (1 - alpha) * D(z_s, z_t; T)) ]`, where `mean_m` weighs examples, or
    their positions, by `weights`, and counts each entry of a label alike.

    Args:
        student_logits, teacher_logits: shape (B, ..., C).
        labels: shape (B,) or more: a class number for each position, or a number for each output.
        weights: shape (B,), or (B, positions): 1 for an example, 0 for the padding that fills up the last batch or a
            sequence.
        alpha: weight of the labels, a scalar in [0, 1].
        temperature: T > 0, a scalar.
        distillation_loss: D, one of `distillab.losses.LOSSES`, or a function with the same signature.
        label_loss: H, one of `label_losses_for(task)`; it has a value for every entry of the labels.
        label_weights: a further weight of each entry of the labels: 0 where it is missing, and the number of entries
            over the number of known ones for the others, so that over an epoch H is averaged over the labels that
            exist. None: 1 for all.
        example_weights: w, shape (B,), >= 0: how much an example's loss counts, in both terms. The sum is still divided
            by the number of examples, as Keras's `fit` does with `sample_weight`. Relations between examples are not
            weighed, only each example's value. None: 1 for all.
    """
    share = weights / ops.sum(weights)
    if example_weights is not None:
        share = share * ops.reshape(example_weights, (-1, *[1] * (len(share.shape) - 1)))
    of_labels = label_loss(student_logits, labels)
    label_share = _spread(share, of_labels)
    label_share = label_share if label_weights is None else label_share * label_weights
    from_labels = ops.sum(label_share * of_labels)
    options = {"weights": weights} if relates_examples(distillation_loss) else {}
    values = distillation_loss(student_logits, teacher_logits, labels, temperature=temperature, **options)
    from_teacher = ops.sum(_spread(share, values) * values)
    return LossTerms(mix(from_labels, from_teacher, alpha), from_labels, from_teacher)


def _spread(share: Array, values: Array) -> Array:
    """Each example's share of the mean, divided among the further entries that its value has."""
    further = values.shape[len(share.shape) :]
    return ops.reshape(share, (*share.shape, *[1] * len(further))) / math.prod(further) if further else share
