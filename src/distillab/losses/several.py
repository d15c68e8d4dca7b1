"""The objective of several outputs: each has its own losses, weight and, if it is given, alpha."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from distillab.losses.labels import LabelLoss
from distillab.losses.mixture import LossTerms, objective
from distillab.losses.signature import Array, DistillationLoss


class OutputLosses(NamedTuple):
    """How one of several outputs is trained.

    Args:
        outputs: its columns of the packed outputs.
        labels: its columns of the packed labels.
        distillation_loss, label_loss: as in `objective`.
        numbers: whether its labels are real numbers; otherwise they are class numbers, or 0 and 1.
        single: whether its labels are one number an example, without a last axis.
        weight: of its loss, >= 0.
        alpha: weight of its labels in [0, 1]; None: that of the training.
    """

    outputs: slice
    labels: slice
    distillation_loss: DistillationLoss
    label_loss: LabelLoss
    numbers: bool
    single: bool
    weight: float = 1.0
    alpha: float | None = None


def objective_of_several(
    student_outputs: Array,
    teacher_outputs: Array,
    labels: Array,
    weights: Array,
    outputs: Sequence[OutputLosses],
    *,
    alpha: Array,
    temperature: Array,
    label_weights: Array | None = None,
    example_weights: Array | None = None,
) -> LossTerms:
    """Add up the objectives of several outputs, which share a batch.

    Formula: `sum_o w_o ( alpha_o H_o + (1 - alpha_o) D_o )`, where `H_o` and `D_o` are the two terms of `objective` for
    the columns of output o, and `alpha_o` is its own alpha, or the training's.

    Args:
        student_outputs, teacher_outputs: packed, shape (B, C').
        labels: packed, shape (B, L), floats without NaN.
        weights: shape (B,), as in `objective`.
        outputs: of each output the columns, losses, weight and alpha.
        alpha: of the outputs that have none of their own, a scalar in [0, 1].
        temperature: T > 0, a scalar; losses of real numbers do not use it.
        label_weights: shape (B, L), a further weight of each label; None: 1 for all.
        example_weights: shape (B,), as in `objective`.

    Returns:
        The loss; its two terms are the weighted sums `sum_o w_o H_o` and `sum_o w_o D_o`.

    Example:
        >>> import numpy as np
        >>> from distillab.losses.regression import squared_error, teacher_squared_error
        >>> one = OutputLosses(slice(0, 1), slice(0, 1), teacher_squared_error, squared_error, True, False, weight=2.0)
        >>> student, teacher, labels = np.array([[1.0]]), np.array([[3.0]]), np.array([[2.0]])
        >>> terms = objective_of_several(student, teacher, labels, np.ones(1), [one], alpha=0.75, temperature=1.0)
        >>> [float(term) for term in terms]  # 2 * (0.75 * 1 + 0.25 * 4), 2 * 1 and 2 * 4
        [3.5, 2.0, 8.0]
    """
    sums: list[Array] = []
    for output in outputs:
        own = labels[:, output.labels]
        own_weights = None if label_weights is None else label_weights[:, output.labels]
        if output.single:
            own, own_weights = own[:, 0], None if own_weights is None else own_weights[:, 0]
        terms = objective(
            student_outputs[:, output.outputs],
            teacher_outputs[:, output.outputs],
            own if output.numbers else ops.cast(own, "int32"),
            weights,
            alpha=alpha if output.alpha is None else output.alpha,
            temperature=temperature,
            distillation_loss=output.distillation_loss,
            label_loss=output.label_loss,
            label_weights=own_weights,
            example_weights=example_weights,
        )
        scaled = [output.weight * term for term in terms]
        sums = scaled if not sums else [total + term for total, term in zip(sums, scaled, strict=True)]
    return LossTerms(*sums)
