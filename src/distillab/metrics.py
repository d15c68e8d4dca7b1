"""How good a student is: accuracy and its companions, from logits and labels.

Pure NumPy in float64. Every function takes logits (M, C) of one model; what a metric needs besides is named.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Logits = NDArray[np.floating]
Labels = NDArray[np.integer]

CALIBRATION_BINS = 15


def confusion_matrix(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """Count answers by true class and answered class.

    Args:
        logits: shape (M, C).
        labels: shape (M,), class numbers.

    Returns:
        Counts, shape (C, C): row the label, column the answer.

    Example:
        >>> confusion_matrix(np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), np.array([0, 1, 1])).tolist()
        [[1, 0], [1, 1]]
    """
    classes = logits.shape[-1]
    cells = labels.astype(np.int64) * classes + logits.argmax(-1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(logits: Logits, labels: Labels) -> float:
    """Share of the examples whose largest logit is the label's: in [0, 1]."""
    return float(np.mean(logits.argmax(-1) == labels))


def precision_recall_f1(confusion: NDArray[np.integer]) -> tuple[NDArray[np.float64], ...]:
    """Precision, recall and F1 of each class.

    Formula: `precision_k = hits_k / answered_k`, `recall_k = hits_k / labelled_k`, `F1 = 2 hits / (answered +
    labelled)`; 0 where the denominator is 0, as in scikit-learn with `zero_division=0`.

    Args:
        confusion: counts, shape (C, C), row the label and column the answer.

    Returns:
        Three arrays of shape (C,), each value in [0, 1].

    Example:
        >>> precision, recall, f1 = precision_recall_f1(np.array([[1, 0], [1, 1]]))
        >>> precision.tolist(), recall.tolist()
        ([0.5, 1.0], [1.0, 0.5])
    """
    hits = np.diag(confusion).astype(np.float64)
    answered, labelled = confusion.sum(0).astype(np.float64), confusion.sum(1).astype(np.float64)

    def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(above, below, out=np.zeros_like(above), where=below > 0)

    return ratio(hits, answered), ratio(hits, labelled), ratio(2 * hits, answered + labelled)


def nll(logits: Logits, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    log_probabilities = log_softmax(logits.astype(np.float64), axis=-1)
    return float(-np.mean(log_probabilities[np.arange(len(labels)), labels]))


def brier(logits: Logits, labels: Labels) -> float:
    """Mean squared distance between the answer's probabilities and the one-hot label: in [0, 2].

    Formula: `mean_i sum_k (p_ik - [y_i = k])^2`.

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    probabilities = np.exp(log_softmax(logits.astype(np.float64), axis=-1))
    probabilities[np.arange(len(labels)), labels] -= 1
    return float(np.mean(np.sum(probabilities**2, axis=-1)))


def expected_calibration_error(logits: Logits, labels: Labels, *, bins: int = CALIBRATION_BINS) -> float:
    """How far confidence is from accuracy, averaged over bins that hold equally many examples: in [0, 1].

    Formula: `sum_b (n_b / M) |accuracy_b - mean confidence_b|`, examples sorted by confidence and cut into `bins`
    parts as equal as can be.

    Args:
        logits: shape (M, C).
        labels: shape (M,).
        bins: parts, at least 1; never more than M are used.

    Source: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing
    models", 2015, who choose equal mass; Naeini, Cooper and Hauskrecht, 2015, have equal width.
    """
    confidence = np.exp(log_softmax(logits.astype(np.float64), axis=-1)).max(-1)
    hit = (logits.argmax(-1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(len(part) * abs(hit[part].mean() - confidence[part].mean()) for part in parts) / len(order))


def agreement(logits: Logits, teacher_logits: Logits) -> float:
    """Share of the examples on which student and teacher give the same class: in [0, 1]."""
    return float(np.mean(logits.argmax(-1) == teacher_logits.argmax(-1)))


def all_metrics(logits: Logits, labels: Labels, teacher_logits: Logits | None = None) -> Mapping[str, float]:
    """Every metric of one model's answers, by name.

    Args:
        logits: shape (M, C), M >= 1.
        labels: shape (M,).
        teacher_logits: the teacher's answers to the same inputs, for `agreement`.
    """
    confusion = confusion_matrix(logits, labels)
    precision, recall, f1 = precision_recall_f1(confusion)
    values = {
        "accuracy": accuracy(logits, labels),
        "precision_macro": float(precision.mean()),
        "recall_macro": float(recall.mean()),
        "f1_macro": float(f1.mean()),
        "nll": nll(logits, labels),
        "brier": brier(logits, labels),
        "ece": expected_calibration_error(logits, labels),
    }
    if teacher_logits is not None:
        values["agreement"] = agreement(logits, teacher_logits)
    return values
