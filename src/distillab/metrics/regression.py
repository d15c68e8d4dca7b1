"""Metrics of real outputs (M, C) and labels (M, C), NaN where unknown: an unknown label is left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distillab.metrics.ranking import mean_defined

Floats = NDArray[np.float64]
Numbers = NDArray[np.floating]


def mae(outputs: Numbers, labels: Numbers) -> float:
    """Mean absolute error of all entries, in the labels' unit, >= 0.

    Args:
        outputs, labels: shape (M, C).
    """
    return float(np.mean(np.abs(_errors(outputs, labels))))


def rmse(outputs: Numbers, labels: Numbers) -> float:
    """Root of the mean squared error of all entries, in the labels' unit, >= 0.

    Args:
        outputs, labels: shape (M, C).
    """
    return float(np.sqrt(np.mean(_errors(outputs, labels) ** 2)))


def r2(outputs: Numbers, labels: Numbers) -> float:
    """Share of the labels' variance that a model explains, at most 1, the mean over the outputs.

    Formula: `1 - sum (y - a)^2 / sum (y - mean y)^2` of each output; 0 for a model that always predicts the mean, below
    for a worse one.

    Args:
        outputs, labels: shape (M, C). An output whose labels are all equal is left out; NaN where all are.

    Example:
        >>> r2(np.array([[2.5], [0.0], [2.0], [8.0]]), np.array([[3.0], [-0.5], [2.0], [7.0]]))
        0.948...

    Note: scikit-learn's `r2_score` gives 0 or 1 for labels that are all equal.
    """
    sums = r2_sums(outputs, labels)
    return r2_of(*(each.sum(0) for each in sums))


def r2_sums(outputs: Numbers, labels: Numbers) -> tuple[Floats, Floats, Floats, Floats]:
    """What each example adds to R2, four arrays of shape (M, C), for `r2_of` their sums over any examples.

    Args:
        outputs, labels: shape (M, C).

    Returns:
        Whether the label is known, its deviation from the mean label, that squared, and the error squared. Deviations
        keep the sums exact where labels are far from zero.
    """
    known = ~np.isnan(labels)
    exact = labels.astype(np.float64)
    mean = np.sum(exact, axis=0, where=known) / np.maximum(known.sum(0), 1)
    deviation, error = np.where(known, exact - mean, 0.0), np.where(known, outputs - exact, 0.0)
    return known.astype(np.float64), deviation, deviation**2, error**2


def r2_of(known: Floats, deviation: Floats, deviation_squared: Floats, error_squared: Floats) -> float:
    """R2 from sums over examples.

    Args:
        known, deviation, deviation_squared, error_squared: the sums of `r2_sums`, shape (C,).
    """
    spread = deviation_squared - deviation**2 / np.maximum(known, 1)
    varies = spread > 1e-12 * deviation_squared  # else rounding is left of labels that are all equal
    ratios = 1 - np.divide(error_squared, spread, out=np.full_like(spread, np.nan), where=varies)
    return mean_defined(ratios.tolist())


def spearman(outputs: Numbers, labels: Numbers) -> float:
    """Correlation of the ranks of predictions and labels, in [-1, 1], the mean over the outputs.

    Args:
        outputs, labels: shape (M, C). An output whose labels are all equal is left out; NaN where all are. Predictions
            that are all equal give 0.

    Source: Spearman, "The proof and measurement of association between two things", 1904. Equal values share their mean
    rank.
    """
    known = ~np.isnan(labels)
    columns = zip(outputs.T, labels.T, known.T, strict=True)
    return mean_defined([RankCorrelation(a[k], y[k]).value() for a, y, k in columns])


class RankCorrelation:
    """Spearman's correlation of one output, computed anew for each set of weights.

    Args:
        predicted, labels: shape (N,).
    """

    def __init__(self, predicted: Numbers, labels: Numbers) -> None:
        self._groups = [np.unique(values, return_inverse=True)[1].reshape(-1) for values in (predicted, labels)]

    def value(self, weights: Floats | None = None) -> float:
        """The correlation; NaN where all labels are equal, 0 where all predictions are.

        Args:
            weights: how often each example counts, shape (N,); None: once.
        """
        each = np.ones(len(self._groups[0])) if weights is None else weights
        predicted, labelled = (self._centred_ranks(group, each) for group in self._groups)
        spreads = each @ predicted**2, each @ labelled**2
        if not spreads[1]:
            return float("nan")
        return float((each * predicted) @ labelled / np.sqrt(spreads[0] * spreads[1])) if spreads[0] else 0.0

    @staticmethod
    def _centred_ranks(group: NDArray[np.intp], weights: Floats) -> Floats:
        """Mean rank of equal values minus the mean of all: halves of whole numbers, so equal ones give exact zeros."""
        counts = np.bincount(group, weights)
        return np.asarray((np.cumsum(counts) - (counts + weights.sum()) / 2)[group])


def _errors(outputs: Numbers, labels: Numbers) -> Floats:
    known = ~np.isnan(labels)
    return outputs[known].astype(np.float64) - labels[known]
