"""Metrics of the order that scores put examples in, with labels 0 and 1; no threshold decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Ranking:
    """Labels in the order of their scores, counted anew for each set of weights.

    Args:
        scores: shape (N,); a larger one is surer of the label 1. Equal scores are one step of every curve.
        labels: 0 or 1, shape (N,).
        examples: the number of each entry's example, shape (N,); None: each entry is one.
    """

    def __init__(
        self, scores: NDArray[np.floating], labels: NDArray[np.integer], examples: NDArray[np.integer] | None = None
    ) -> None:
        order = np.argsort(scores, kind="stable")[::-1]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(scores[order])) + 1])
        self._starts = starts if len(starts) < len(order) else None
        self._of_label = np.stack([labels[order] == 0, labels[order] == 1]).astype(np.float64)
        self._examples = order if examples is None else examples[order]

    def counts(self, weights: Floats | None = None) -> Floats:
        """Count the labels at each score, shape (2, K): a row is a label, a column a score, descending.

        Args:
            weights: how often each example counts; None: once.
        """
        counts = self._of_label if weights is None else self._of_label * weights[self._examples]
        return counts if self._starts is None else np.add.reduceat(counts, self._starts, axis=1)


def auroc(counts: Floats) -> float:
    """Area under the ROC curve, in [0, 1]; NaN where a label is missing.

    It is the probability that an example labelled 1 has a larger score than one labelled 0; equal scores count half.

    Args:
        counts: from `Ranking.counts`, shape (2, K).

    Example:
        >>> auroc(Ranking(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])).counts())
        0.75

    Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
    Radiology 1982.
    """
    negative, positive = counts
    pairs = positive.sum() * negative.sum()
    above = np.cumsum(positive) - positive / 2
    return float(negative @ above / pairs) if pairs else float("nan")


def average_precision(counts: Floats) -> float:
    """Mean precision over the examples labelled 1, each at its own score; in [0, 1], NaN where a label is missing.

    Formula: `sum_k (R_k - R_(k-1)) P_k` over the thresholds in descending order, without interpolation.

    Args:
        counts: from `Ranking.counts`, shape (2, K).

    Example:
        >>> average_precision(Ranking(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])).counts())
        0.83...

    Note: scikit-learn gives 0 without any label 1, and 1 without any label 0.
    """
    negatives, positives = counts.sum(1)
    return float(counts[1] @ _precision(counts)[1] / positives) if negatives and positives else float("nan")


def roc_curve(counts: Floats) -> Floats:
    """False and true positive rates by descending threshold, shape (K + 1, 2), from (0, 0) to (1, 1).

    Args:
        counts: from `Ranking.counts`, shape (2, K), with both labels.
    """
    rates = np.cumsum(counts, axis=1).T / counts.sum(1)
    return np.concatenate([np.zeros((1, 2)), rates])


def precision_recall_curve(counts: Floats) -> Floats:
    """Recall and precision by descending threshold, shape (K, 2).

    Args:
        counts: from `Ranking.counts`, shape (2, K), with both labels.
    """
    true, precision = _precision(counts)
    return np.stack([true / true[-1], precision], axis=1)


def _precision(counts: Floats) -> tuple[Floats, Floats]:
    """True positives and precision by descending threshold; 0 where nothing is predicted yet."""
    false, true = np.cumsum(counts, axis=1)
    return true, np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)


def for_each_label(
    metric: Callable[[Floats], float], scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> list[float]:
    """A metric of each label of a model that predicts any number of them; NaN where a label has one value only.

    Args:
        metric: `auroc` or `average_precision`.
        scores: shape (M, C).
        labels: 0 or 1, or -1 where unknown: such an entry is left out, shape (M, C).
    """
    known = labels >= 0
    return [metric(Ranking(z[k], y[k]).counts()) for z, y, k in zip(scores.T, labels.T, known.T, strict=True)]


def mean_defined(values: list[float]) -> float:
    """Mean of the values that are defined; NaN where none is.

    Args:
        values: NaN where a label or an output has no value.
    """
    defined = [value for value in values if value == value]
    return float(np.mean(defined)) if defined else float("nan")
