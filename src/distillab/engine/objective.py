"""The one place where alpha mixes the two losses and where a batch is averaged."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from distillab.losses import DistillationLoss, label_cross_entropy


class Terms(NamedTuple):
    """A batch's loss and the two terms that it mixes, each a weighted mean over the batch."""

    loss: jax.Array
    hard: jax.Array
    soft: jax.Array


def objective(
    student_logits: jax.Array,
    teacher_logits: jax.Array,
    labels: jax.Array,
    weights: jax.Array,
    *,
    alpha: jax.Array,
    temperature: jax.Array,
    distillation_loss: DistillationLoss,
) -> Terms:
    """Mix the label loss and the distillation loss and average them over the batch.

    Formula: `mean_w[ alpha * CE(y, z_s) + (1 - alpha) * D(z_s, z_t; T) ]`, where `mean_w` weighs examples by
    `weights`.

    Args:
        student_logits: shape (B, C).
        teacher_logits: shape (B, C).
        labels: class numbers, shape (B,).
        weights: shape (B,): 1 for an example, 0 for the padding that fills up the last batch.
        alpha: weight of the hard labels, a scalar in [0, 1].
        temperature: T > 0, a scalar.
        distillation_loss: one of `distillab.losses.LOSSES`.

    Returns:
        The loss and its two terms, scalars.
    """
    share = weights / jnp.sum(weights)
    hard = jnp.sum(share * label_cross_entropy(student_logits, labels))
    soft = jnp.sum(share * distillation_loss(student_logits, teacher_logits, labels, temperature=temperature))
    return Terms(alpha * hard + (1 - alpha) * soft, hard, soft)
