"""DIST: the student's probabilities correlate with the teacher's, within each example and across the batch."""

from __future__ import annotations

from keras import ops

from distillab.losses.averages import mean_of_last
from distillab.losses.signature import Array
from distillab.losses.temperature import soften

EPSILON = 1e-8  # added to the product of the two norms, as in the authors' code


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
    """Correlate the two predictions instead of equating them: within each example, and for each class over the batch.

    Formula: `T^2 * ( b * (1 - r(q_i, p_i)) + g * (1 - mean_k r_w(q_.k, p_.k)) )`, where q and p are the student's and
    the teacher's probabilities at temperature T, r is Pearson's correlation over the classes of example i, and r_w that
    over the examples of the batch, weighted. The second term is the same for every example. With a and b the centred
    rows (or columns), `r = sum a b / (|a| |b| + 1e-8)`.

    **Its relations span the batch**: an example's value depends on the rest of its batch, and so on the batch size.

    Args:
        student_logits, teacher_logits: z_s and z_t, shape (B, C).
        labels: ignored.
        temperature: T > 0, a scalar or shape (B,).
        weights: weight of each example in the relations over the batch, shape (B,), >= 0; None: equal weights.
        inter_weight: b >= 0, the paper's beta.
        intra_weight: g >= 0, the paper's gamma.

    Returns:
        The loss times T^2, shape (B,), in [0, 2 (b + g) T^2]; about 0 where the logits agree up to a constant. A
        row or column that hardly varies (uniform probabilities, a class absent from the batch) counts as r near 0.

    Example:
        >>> import numpy as np
        >>> s, t = np.array([[2.0, 1.0, 4.0], [0.0, 1.0, 0.0]]), np.array([[1.0, 2.0, 3.0], [0.0, 3.0, 1.0]])
        >>> [round(float(value), 3) for value in dist(s, t, temperature=1.0)]
        [0.725, 0.67]

    Source: Huang, You, Wang, Qian and Xu, "Knowledge Distillation from A Stronger Teacher", 2022, equations 7 to 10,
    and their code for the 1e-8.

    Note: A correlation has no scale, so the gradient does not shrink with T as a divergence's does, and the authors'
    factor T^2 makes it grow: T = 1 is their setting for ImageNet. Nor
    has it a bound near probabilities without variation: the slope at a student that answers exactly evenly, such as
    one whose last layer starts at zero, is |b| * 1e8. Adam copes; plain descent does not.
    """
    student, teacher, square = soften(student_logits, teacher_logits, temperature)
    q, p = ops.exp(student), ops.exp(teacher)
    weights = ops.ones_like(q[:, 0]) if weights is None else ops.cast(weights, q.dtype)
    inter = 1 - _correlation(q, p, ops.ones_like(q[0]))
    intra = 1 - mean_of_last(_correlation(ops.transpose(q), ops.transpose(p), weights))
    return square * (inter_weight * inter + intra_weight * intra)


def _correlation(a: Array, b: Array, weights: Array) -> Array:
    """Pearson's weighted correlation of each pair of rows: (R, N), (R, N) and (N,) to (R,)."""
    share = weights / ops.sum(weights)
    a = a - ops.sum(share * a, axis=-1, keepdims=True)
    b = b - ops.sum(share * b, axis=-1, keepdims=True)
    a_spread, b_spread = ops.sum(weights * a * a, axis=-1), ops.sum(weights * b * b, axis=-1)
    return ops.sum(weights * a * b, axis=-1) / (_root(a_spread) * _root(b_spread) + EPSILON)


def _root(square: Array) -> Array:
    """The square root, of slope 0 at 0 instead of infinity: 0 * inf is nan."""
    positive = square > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, square, 1.0)), 0.0)
