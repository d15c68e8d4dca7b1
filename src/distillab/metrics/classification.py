"""Metrics of a classifier, from its logits (M, C) and the labels (M,), class numbers, in NumPy's float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from distillab.metrics.counts import class_counts

Logits = NDArray[np.floating]
Labels = NDArray[np.integer]

CALIBRATION_BINS = 15


def confusion_matrix(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """Count predictions, shape (C, C): row the label, column the predicted class.

    Args:
        logits, labels: shapes (M, C) and (M,).

    Example:
        >>> confusion_matrix(np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), np.array([0, 1, 1])).tolist()
        [[1, 0], [1, 1]]
    """
    classes = logits.shape[-1]
    cells = labels.astype(np.int64) * classes + logits.argmax(-1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(logits: Logits, labels: Labels) -> float:
    """Share of the examples whose largest logit is the label's, in [0, 1].

    Args:
        logits, labels: shapes (M, C) and (M,).
    """
    return float(np.mean(logits.argmax(-1) == labels))


def precision_recall_f1(confusion: NDArray[np.integer]) -> tuple[NDArray[np.float64], ...]:
    """Precision, recall and F1 of each class, three arrays of shape (C,) in [0, 1].

    Formula: `precision_k = hits_k / predicted_k`, `recall_k = hits_k / labelled_k`, `F1 = 2 hits / (predicted +
    labelled)`; 0 where the denominator is 0, as in scikit-learn with `zero_division=0`.

    Args:
        confusion: counts, shape (C, C), row the label and column the predicted class.

    Example:
        >>> precision, recall, f1 = precision_recall_f1(np.array([[1, 0], [1, 1]]))
        >>> precision.tolist(), recall.tolist()
        ([0.5, 1.0], [1.0, 0.5])
    """
    counts = class_counts(confusion)
    return counts.precision, counts.recall, counts.f1


def balanced_accuracy(confusion: NDArray[np.integer]) -> float:
    """Mean recall of the classes that have labels: in [0, 1]; accuracy as if all classes were equally frequent.

    Args:
        confusion: counts, shape (C, C), row the label and column the predicted class.
    """
    labelled = confusion.sum(1)
    return float(precision_recall_f1(confusion)[1][labelled > 0].mean())


def nll(logits: Logits, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels, in nats.

    Args:
        logits, labels: shapes (M, C) and (M,).
    """
    return float(np.mean(nll_of_examples(logits, labels)))


def nll_of_examples(logits: Logits, labels: Labels) -> NDArray[np.float64]:
    """Negative log-likelihood of each label in nats, shape (M,).

    Args:
        logits, labels: shapes (M, C) and (M,).
    """
    return _nll(_log_softmax(logits), labels)


def brier(logits: Logits, labels: Labels) -> float:
    """Mean squared distance between the predicted probabilities and the one-hot label, in [0, 2].

    Formula: `mean_i sum_k (p_ik - [y_i = k])^2`.

    Args:
        logits, labels: shapes (M, C) and (M,).

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    return float(np.mean(brier_of_examples(logits, labels)))


def brier_of_examples(logits: Logits, labels: Labels) -> NDArray[np.float64]:
    """Squared distance between the predicted probabilities and the one-hot label of each example, shape (M,).

    Args:
        logits, labels: shapes (M, C) and (M,).
    """
    return squared_error_of_examples(np.exp(_log_softmax(logits)), labels)


def squared_error(outputs: Logits, labels: Labels) -> float:
    """Mean squared distance between outputs and one-hot labels: `mean_i sum_k (a_ik - [y_i = k])^2`.

    Args:
        outputs: estimates of the one-hot labels, shape (M, C).
        labels: class numbers, shape (M,).
    """
    return float(np.mean(squared_error_of_examples(outputs, labels)))


def squared_error_of_examples(outputs: Logits, labels: Labels) -> NDArray[np.float64]:
    """Squared distance between outputs and the one-hot label of each example, shape (M,).

    Args:
        outputs: estimates of the one-hot labels, shape (M, C).
        labels: class numbers, shape (M,).
    """
    residuals = outputs.astype(np.float64)
    residuals[np.arange(len(labels)), labels] -= 1
    return np.asarray(np.sum(residuals**2, axis=-1))


def expected_calibration_error(
    logits: Logits, labels: Labels, *, bins: int = CALIBRATION_BINS, equal: str = "mass"
) -> float:
    """Distance of confidence from accuracy, averaged over bins of confidence, in [0, 1].

    Formula: `sum_b (n_b / M) |accuracy_b - mean confidence_b|`. Bins of equal mass hold equally many examples, give
    or take one; bins of equal width are the parts ((b - 1) / bins, b / bins], of which some may be empty.

    Args:
        logits, labels: shapes (M, C) and (M,).
        bins: their number, at least 1; of equal mass, at most M are used.
        equal: "mass" or "width".

    Source: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing
    models", 2015, who choose equal mass; Naeini, Cooper and Hauskrecht, 2015, use equal width.
    """
    return calibration_error(confidence(logits), logits.argmax(-1) == labels, bins=bins, equal=equal)


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = CALIBRATION_BINS, equal: str = "mass"
) -> float:
    """`expected_calibration_error` from confidences.

    Args:
        confidence: probability of the predicted class, shape (M,).
        right: whether it is the label's, shape (M,).
        bins, equal: as there.
    """
    hit = right.astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    if equal == "mass":
        cuts: Sequence[int] | int = min(bins, len(order))
    else:
        cuts = [int(cut) for cut in np.searchsorted(confidence[order], np.arange(1, bins) / bins, side="right")]
    parts = [part for part in np.array_split(order, cuts) if len(part)]
    return float(sum(len(part) * abs(hit[part].mean() - confidence[part].mean()) for part in parts) / len(order))


def reliability(logits: Logits, labels: Labels, *, bins: int = CALIBRATION_BINS) -> list[list[float]]:
    """Confidence and accuracy by bin of confidence, as a reliability diagram shows them.

    Args:
        logits, labels: shapes (M, C) and (M,).
        bins: number of parts ((b - 1) / bins, b / bins] of confidence.

    Returns:
        For each bin the number of predictions, their mean confidence and their accuracy; zeros for an empty one. The
        mean distance of the last two, weighted by the first, is `expected_calibration_error(..., equal="width")`.

    Example:
        >>> reliability(np.log([[0.9, 0.1], [0.7, 0.3]]), np.array([0, 1]), bins=2)
        [[0, 0.0, 0.0], [2, 0.8, 0.5]]

    Source: DeGroot and Fienberg, "The comparison and evaluation of forecasters", 1983.
    """
    sure, hit = confidence(logits), logits.argmax(-1) == labels
    bin_of = np.searchsorted(np.arange(1, bins) / bins, sure, side="left")
    table: list[list[float]] = []
    for number in range(bins):
        inside = bin_of == number
        count = int(inside.sum())
        means = (sure[inside].mean(), hit[inside].mean()) if count else (0.0, 0.0)
        table.append([count, *(round(float(mean), 6) for mean in means)])
    return table


def agreement(logits: Logits, teacher_logits: Logits) -> float:
    """Share of the examples on which student and teacher predict the same class, in [0, 1].

    Args:
        logits, teacher_logits: the student's and the teacher's, shape (M, C).
    """
    return float(np.mean(logits.argmax(-1) == teacher_logits.argmax(-1)))


def kl_to_teacher(logits: Logits, teacher_logits: Logits) -> float:
    """Mean divergence of student from teacher, `KL(softmax(z_t) || softmax(z_s))`, in nats.

    Args:
        logits, teacher_logits: the student's and the teacher's, shape (M, C).
    """
    return float(np.mean(kl_of_examples(logits, teacher_logits)))


def kl_of_examples(logits: Logits, teacher_logits: Logits) -> NDArray[np.float64]:
    """Divergence of student from teacher on each example, in nats, shape (M,).

    Args:
        logits, teacher_logits: the student's and the teacher's, shape (M, C).
    """
    student, teacher = (_log_softmax(z) for z in (logits, teacher_logits))
    return np.asarray(np.sum(np.exp(teacher) * (teacher - student), axis=-1))


def confidence(logits: Logits) -> NDArray[np.float64]:
    """Probability of each example's predicted class, shape (M,).

    Args:
        logits: shape (M, C).
    """
    return np.asarray(np.exp(_log_softmax(logits)).max(-1))


def denoising(predicted: Labels, clean: Labels, given: Labels) -> dict[str, float]:
    """How often a model corrects wrong training labels, and how often it repeats them.

    Args:
        predicted: class numbers, shape (N,).
        clean: the labels before the noise, shape (N,).
        given: the labels that were trained on, shape (N,); different from `clean` at least once.

    Returns:
        Of the examples whose label is wrong, the share predicted as the clean label (`recovered`) and as the wrong one
        (`memorised`); the others are predicted as a third class.

    Example:
        >>> denoising(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 0]), np.array([0, 2, 2, 1]))
        {'recovered': 0.333..., 'memorised': 0.333...}
    """
    wrong = clean != given
    return {
        "recovered": float(np.mean(predicted[wrong] == clean[wrong])),
        "memorised": float(np.mean(predicted[wrong] == given[wrong])),
    }


def all_metrics(
    logits: Logits, labels: Labels, teacher_logits: Logits | None = None, *, linear: bool = False
) -> Mapping[str, float]:
    """Every metric of one model's predictions, by name.

    Args:
        logits: shape (M, C), M >= 1.
        labels: shape (M,).
        teacher_logits: the teacher's, of the same inputs, for `agreement` and `kl_to_teacher`.
        linear: whether the outputs estimate the one-hot labels themselves, as after training by squared error: the
            Brier score is then theirs, without softmax, and metrics of probabilities (`nll`, `ece`, `ece_width`,
            `kl_to_teacher`) are left out.
    """
    confusion = confusion_matrix(logits, labels)
    labelled = confusion.sum(1)
    precision, recall, f1 = precision_recall_f1(confusion)
    values = {
        "accuracy": accuracy(logits, labels),
        "balanced_accuracy": balanced_accuracy(confusion),
        "precision_macro": float(precision.mean()),
        "recall_macro": float(recall.mean()),
        "f1_macro": float(f1.mean()),
        "precision_weighted": float(np.average(precision, weights=labelled)),
        "recall_weighted": float(np.average(recall, weights=labelled)),
        "f1_weighted": float(np.average(f1, weights=labelled)),
    }
    if teacher_logits is not None:
        values["agreement"] = agreement(logits, teacher_logits)
    if linear:
        return values | {"brier": squared_error(logits, labels)}
    log_probabilities = _log_softmax(logits)  # once: most of the time where there are many classes or positions
    probabilities, right = np.exp(log_probabilities), logits.argmax(-1) == labels
    values |= {
        "nll": float(np.mean(_nll(log_probabilities, labels))),
        "brier": float(np.mean(squared_error_of_examples(probabilities, labels))),
        "ece": calibration_error(probabilities.max(-1), right),
        "ece_width": calibration_error(probabilities.max(-1), right, equal="width"),
    }
    if teacher_logits is not None:
        values["kl_to_teacher"] = kl_to_teacher(logits, teacher_logits)
    return values


def _nll(log_probabilities: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    return -log_probabilities[np.arange(len(labels)), labels]


def _log_softmax(logits: Logits) -> NDArray[np.float64]:
    from scipy.special import log_softmax  # a tenth of a second to import; a list of metrics does not need it

    return np.asarray(log_softmax(logits.astype(np.float64), axis=-1))
