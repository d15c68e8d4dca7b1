"""Whether an exported model predicts as Keras does."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import WorkError, not_allowed
from distillab.export.meaning import CLASSES, Meaning

TOLERANCE = 1e-4
"""The largest difference that counts as rounding, as a fraction of the largest prediction or, if larger, of 1; of real
numbers, whose unit may be any, as a fraction of the largest prediction alone."""


class Agreement(NamedTuple):
    """The difference between two models' predictions for the same inputs."""

    difference: float
    """The largest absolute difference."""
    scale: float
    """The largest absolute finite prediction of the first model."""
    same_labels: int | None
    """Number of labels that both predict alike; None where predictions are real numbers."""
    n: int
    """Number of predictions: of inputs, or of all their positions and independent labels."""

    @property
    def rounding(self) -> float:
        """The largest difference that counts as rounding."""
        return TOLERANCE * (self.scale if self.same_labels is None else max(1.0, self.scale))

    @property
    def within_rounding(self) -> bool:
        """Whether no prediction differs by more than rounding."""
        return math.isfinite(self.difference) and self.difference <= self.rounding


def agreement(ours: ArrayLike, theirs: ArrayLike, meaning: Meaning = CLASSES) -> Agreement:
    """Compare two models' predictions; the difference is infinite if any of them is not finite.

    Args:
        ours: Keras's predictions, shape (N, ..., C').
        theirs: the exported model's, the same shape.
        meaning: what they mean: by default logits of one of several classes.

    Raises:
        RequestError: the shapes differ, or there are no predictions.

    Example:
        >>> agreement([[0.0, 2.0]], [[0.0, 1.5]]).difference
        0.5
    """
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.ndim < 2 or a.size == 0 or a.shape != b.shape:
        raise not_allowed("predictions' shapes", (a.shape, b.shape), "(N, ..., C), the same twice")
    finite = np.isfinite(a) & np.isfinite(b)
    difference = float(np.abs(a - b).max()) if finite.all() else math.inf
    scale = float(np.abs(a[np.isfinite(a)]).max(initial=0))
    labels, others = meaning.labels(a), meaning.labels(b)
    if labels is None or others is None:
        return Agreement(difference, scale, None, math.prod(a.shape[:-1]))
    return Agreement(difference, scale, int(np.count_nonzero(labels == others)), labels.size)


def check_agreement(compared: Agreement, format_name: str) -> None:
    """Refuse an export whose predictions differ from Keras's.

    Args:
        compared: the comparison.
        format_name: the format, for the message.

    Raises:
        WorkError: they differ by more than rounding.
    """
    if not compared.within_rounding:
        labels = "" if compared.same_labels is None else f"; {compared.same_labels} of {compared.n} labels agree"
        raise WorkError(
            f"The {format_name} model differs from Keras by {compared.difference:.3g} (predictions reach "
            f"{compared.scale:.3g}, rounding explains {compared.rounding:.1g}){labels}. No file was written."
        )
