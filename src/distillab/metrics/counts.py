"""Counts of each class or label, and the metrics that they decide: precision, recall, F1, intersection over union."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Counts(NamedTuple):
    """How often each class or label is predicted, labelled and both, three arrays of shape (C,).

    Every ratio is 0 where its denominator is 0, as in scikit-learn with `zero_division=0`.
    """

    hits: Floats
    """Predicted and labelled."""
    predicted: Floats
    labelled: Floats

    @property
    def precision(self) -> Floats:
        """`hits / predicted`."""
        return _ratio(self.hits, self.predicted)

    @property
    def recall(self) -> Floats:
        """`hits / labelled`."""
        return _ratio(self.hits, self.labelled)

    @property
    def f1(self) -> Floats:
        """`2 hits / (predicted + labelled)`."""
        return _ratio(2 * self.hits, self.predicted + self.labelled)

    @property
    def iou(self) -> Floats:
        """Intersection over union: `hits / (predicted + labelled - hits)`."""
        return _ratio(self.hits, self.predicted + self.labelled - self.hits)


def class_counts(confusion: NDArray[np.integer]) -> Counts:
    """Count each class.

    Args:
        confusion: shape (C, C), row the label and column the predicted class.

    Example:
        >>> class_counts(np.array([[1, 0], [1, 1]])).iou.tolist()
        [0.5, 0.5]
    """
    confusion = confusion.astype(np.float64)
    return Counts(np.diag(confusion), confusion.sum(0), confusion.sum(1))


def label_counts(decided: NDArray[np.integer], labels: NDArray[np.integer]) -> Counts:
    """Count each label of a model that predicts any number of them.

    Args:
        decided: 0 or 1, shape (M, C).
        labels: 0 or 1, or -1 where unknown: such an entry is not counted, shape (M, C).
    """
    predicted, labelled = (decided == 1) & (labels >= 0), labels == 1
    return Counts(*(each.sum(0).astype(np.float64) for each in (predicted & labelled, predicted, labelled)))


def f1_micro(counts: Counts) -> float:
    """F1 of all labels together, in [0, 1]: a frequent label counts for more than a rare one.

    Args:
        counts: of each label.
    """
    return float(Counts(*(each.sum(keepdims=True) for each in counts)).f1[0])


def mean_iou(counts: Counts) -> float:
    """Mean intersection over union of the classes that occur, in labels or in predictions, in [0, 1].

    Args:
        counts: of each class.

    Example:
        >>> mean_iou(class_counts(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])))
        0.5

    Note: scikit-learn's `jaccard_score(average="macro")` without `labels` averages over the same classes. Other tools
    average over all C classes.
    """
    occurs = counts.predicted + counts.labelled > 0
    return float(counts.iou[occurs].mean())


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
