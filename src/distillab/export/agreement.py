"""Whether an exported model answers as Keras does."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import WorkError, not_allowed

TOLERANCE = 1e-4
"""The largest difference of two answers that counts as rounding, as a share of the largest answer, or of 1."""


class Agreement(NamedTuple):
    """How far two models' answers to the same inputs are apart."""

    difference: float
    """The largest absolute difference of any answer."""
    scale: float
    """The largest absolute answer of the first model, of those that are numbers."""
    same_labels: int
    """Inputs for which both name the same class."""
    n: int

    @property
    def within_rounding(self) -> bool:
        """Whether no answer differs by more than `TOLERANCE` of the largest, or of 1."""
        return math.isfinite(self.difference) and self.difference <= TOLERANCE * max(1.0, self.scale)


def agreement(ours: ArrayLike, theirs: ArrayLike) -> Agreement:
    """Compare two models' answers.

    Args:
        ours: Keras's answers, shape (N, C).
        theirs: the exported model's, the same shape.

    Returns:
        `Agreement`; its difference is infinite where any answer is not finite: such a model has nothing to agree on.

    Raises:
        RequestError: shapes that differ, or no answer.

    Example:
        >>> agreement([[0.0, 2.0]], [[0.0, 1.5]]).difference
        0.5
    """
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.ndim != 2 or a.size == 0 or a.shape != b.shape:
        raise not_allowed("answers' shapes", (a.shape, b.shape), "(N, C), the same twice")
    whole = np.isfinite(a) & np.isfinite(b)
    difference = float(np.abs(a - b).max()) if whole.all() else math.inf
    scale = float(np.abs(a[np.isfinite(a)]).max(initial=0))
    same = int(np.count_nonzero(a.argmax(-1) == b.argmax(-1)))
    return Agreement(difference, scale, same, len(a))


def check_agreement(found: Agreement, format_name: str) -> None:
    """Refuse an export that does not answer as Keras does.

    Raises:
        WorkError: it says by how much.
    """
    if not found.within_rounding:
        raise WorkError(
            f"The {format_name} model differs from Keras by {found.difference:.3g} (answers reach {found.scale:.3g}, "
            f"rounding explains {TOLERANCE * max(1.0, found.scale):.1g}); {found.same_labels} of {found.n} labels "
            "agree. No file was left."
        )
