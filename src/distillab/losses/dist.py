"""DIST: the student shall rank as the teacher does, within an answer and across the batch."""

from __future__ import annotations

from distillab.losses.signature import Array
from distillab.losses.softened import soften
from keras import ops

CONSTANT = 1e-12  # variation (a sum of squares) that is no more than the rounding of equal probabilities in float32


def dist(
    student_logits: Array,
    teacher_logits: Array,
    labels: Array = None,
    *,
    temperature: Array,
    weights: Array | None = None,
    inter_weight: float = 1.0,
    intra_weight: float = 1.0,
) -> Array:
    """Correlate the two answers instead of equating them: within each example, and for each class over the batch.

    Formula: `T^2 * ( b * (1 - r(q_i, p_i)) + g * (1 - mean_k r_w(q_.k, p_.k)) )`, where q and p are the student's and
    the teacher's probabilities at temperature T, r is Pearson's correlation over the classes of example i, and r_w that
    over the examples of the batch, counted by their weights. The second term is the same for every example.

    **Its relations span the batch**: an example's value depends on the examples beside it, and so on the batch size.

    Args:
        student_logits: z_s, shape (B, C).
        teacher_logits: z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).
        weights: how much each example counts in the relations over the batch, shape (B,), >= 0; None: all alike.
        inter_weight: b >= 0, the paper's beta.
        intra_weight: g >= 0, the paper's gamma.

    Returns:
        The loss times T^2, shape (B,), in [0, 2 (b + g) T^2]; 0 where the logits agree up to a constant. What does not
        vary (an even answer, a class that no example has) correlates with nothing: it counts as r = 0, without
        gradient.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0], [0.0, 1.0, 0.0]]), np.array([[1.0, 2.0, 3.0], [0.0, 2.0, 1.0]])
        >>> [round(float(value), 3) for value in dist(s, t, temperature=1.0)]
        [0.392, 0.368]

    Source: Huang, You, Wang, Qian and Xu, "Knowledge Distillation from A Stronger Teacher", 2022, equations 7 to 10.

    Note: A correlation has no scale, so the gradient does not shrink with T as a divergence's does, and the authors'
    factor T^2 makes it grow: T = 1 is their setting for ImageNet.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    ours, theirs = ops.exp(student), ops.exp(teacher)
    counted = ops.ones_like(ours[:, 0]) if weights is None else ops.cast(weights, ours.dtype)
    inter = 1 - _correlation(ours, theirs, ops.ones_like(ours[0]))
    intra = 1 - ops.mean(_correlation(ops.transpose(ours), ops.transpose(theirs), counted))
    return square * (inter_weight * inter + intra_weight * intra)


def _correlation(one: Array, other: Array, weights: Array) -> Array:
    """Pearson's weighted correlation of each pair of rows: (R, N), (R, N) and (N,) to (R,)."""
    share = weights / ops.sum(weights)
    one = one - ops.sum(share * one, axis=-1, keepdims=True)
    other = other - ops.sum(share * other, axis=-1, keepdims=True)
    spread, others_spread = ops.sum(weights * one * one, axis=-1), ops.sum(weights * other * other, axis=-1)
    varies = ops.logical_and(spread > CONSTANT, others_spread > CONSTANT)
    # Replaced before the root is taken: the gradient of what `where` leaves out would be infinite, and 0 * inf is nan.
    size = ops.sqrt(ops.where(varies, spread, 1.0)) * ops.sqrt(ops.where(varies, others_spread, 1.0))
    return ops.where(varies, ops.sum(weights * one * other, axis=-1) / size, 0.0)
