"""Every metric of one model's outputs, by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab import metrics
from distillab.errors import RequestError, not_allowed
from distillab.tasks.labels import known_entries
from distillab.tasks.several import SCORES, labels_of, outputs_of, weighted_score
from distillab.tasks.task import Task

Array = NDArray[Any]


class Entries(NamedTuple):
    """What is judged: positions as rows, without rows whose labels are all unknown.

    Args:
        outputs: shape (N, C').
        labels: shape (N,), or (N, C) for independent labels and numbers, of which some may be unknown.
        rows: the number of each row in the flattened outputs, shape (N,).
    """

    outputs: Array
    labels: Array
    rows: NDArray[np.intp]


def judged_entries(task: Task, outputs: Array, labels: Array) -> Entries:
    """Flatten positions and leave out unknown labels.

    Args:
        task: what outputs and labels mean.
        outputs: shape (M, P..., C'), logits or real numbers.
        labels: shape (M, P...), or (M, P..., C) for independent labels and numbers.

    Raises:
        RequestError: no label is known.
    """
    flat = outputs.reshape(-1, outputs.shape[-1])
    of_rows = labels.reshape(len(flat), *labels.shape[outputs.ndim - 1 :])
    known = of_rows >= 0 if task.discrete else ~np.isnan(of_rows)
    rows = np.flatnonzero(known.reshape(len(flat), -1).any(-1))
    if not len(rows):
        raise RequestError("There are no labels to evaluate by: all are unknown. Give the labels of some examples.")
    return Entries(flat[rows], of_rows[rows], rows)


def evaluate(
    task: Task, outputs: Array, labels: Array, teacher_outputs: Array | None = None, *, linear: bool = False
) -> dict[str, float]:
    """Every metric of one model's predictions, by name, in the order of `task.metrics_of`.

    Args:
        task: what outputs and labels mean.
        outputs: shape (M, P..., C'), M >= 1: logits, or real numbers in the labels' own unit.
        labels: shape (M, P...), or (M, P..., C) for independent labels and numbers; -1 or NaN where unknown. Metrics
            leave such entries out.
        teacher_outputs: the teacher's, of the same inputs, for the metrics that compare with it; left out without.
        linear: whether the outputs estimate one-hot labels themselves, as in `metrics.all_metrics`.

    Returns:
        NaN where a metric is not defined: of AUROC and average precision without both labels, of R2 and Spearman's
        correlation where all labels are equal.

    Example:
        >>> from distillab.tasks import TASKS
        >>> evaluate(TASKS["regression"], np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]))["mae"]
        0.5

    Note: two classes with one logit z are judged as two logits (0, z), except the Brier score, the mean of
    `(p - y)^2`. For independent labels, `nll`, `brier`, `ece`, `agreement` and `kl_to_teacher` are means over entries.
    Several outputs, packed, have each metric of each output, as "income.accuracy"; "score", the weighted mean over the
    outputs of accuracy, AUROC, mean average precision or R2; and "loss", that of `nll`, or of `1 - R2` for numbers.
    """
    if task.parts:
        return _of_outputs(task, outputs, labels, teacher_outputs)
    entries = judged_entries(task, outputs, labels)
    teacher = None
    if teacher_outputs is not None:
        teacher = teacher_outputs.reshape(-1, outputs.shape[-1])[entries.rows]
    if task.name == "categorical":
        values = _of_classes(entries, teacher, linear)
    elif task.name == "binary":
        values = _of_one_logit(entries, teacher)
    elif task.name == "multilabel":
        values = _of_independent_labels(entries, teacher)
    else:
        values = _of_numbers(entries, teacher)
    return {name: values[name] for name in task.metrics_of(outputs.ndim > 2) if name in values}


def _of_outputs(task: Task, outputs: Array, labels: Array, teacher: Array | None) -> dict[str, float]:
    """The metrics of every output, and of all together; NaN for an output without a known label."""
    values, scores, losses = dict[str, float](), list[float](), list[float]()
    for part in task.parts:
        own, truth = outputs_of(part, outputs), labels_of(part, labels)
        found = dict.fromkeys(part.task.metrics, float("nan"))
        if known_entries(truth, part.task).any():
            found = evaluate(part.task, own, truth, None if teacher is None else outputs_of(part, teacher))
        scores.append(found[SCORES[part.task.name]])
        losses.append(found["nll"] if part.task.softens else 1 - found["r2"])
        values |= {f"{part.name}.{name}": value for name, value in found.items()}
    return {
        "score": weighted_score(task.parts, scores),
        "loss": weighted_score(task.parts, losses),
    } | values


def decisions(task: Task, outputs: Array) -> Array:
    """What a model predicts in the terms of the labels: class numbers, 0 or 1, or the real numbers themselves.

    Args:
        task: what the outputs mean.
        outputs: shape (M, P..., C').

    Returns:
        The labels' shape: (M, P...), or (M, P..., C) for independent labels and numbers; packed, float32 (M, L), for
        several outputs.
    """
    if task.parts:
        decided = [decisions(part.task, outputs_of(part, outputs)) for part in task.parts]
        return np.concatenate([each.reshape(len(outputs), -1).astype(np.float32) for each in decided], axis=1)
    if task.name == "categorical":
        return np.asarray(outputs.argmax(-1).astype(np.int32))
    if task.name == "binary":
        return (outputs[..., 0] > 0).astype(np.int32)
    return (outputs > 0).astype(np.int32) if task.name == "multilabel" else outputs


def confusion(task: Task, outputs: Array, labels: Array) -> NDArray[np.int64]:
    """Count predictions over examples and positions, shape (C, C): row the label, column the predicted class.

    Args:
        task: of classes that exclude each other.
        outputs: shape (M, P..., C').
        labels: shape (M, P...); -1 where unknown: not counted.

    Raises:
        RequestError: the task has no such classes.
    """
    if task.name not in ("categorical", "binary"):
        raise not_allowed("task", task.name, "categorical or binary: only their classes exclude each other")
    entries = judged_entries(task, outputs, labels)
    return metrics.confusion_matrix(class_logits(entries.outputs), entries.labels)


def class_logits(outputs: Array) -> Array:
    """Logits of two classes (0, z) for a single logit z; those of several classes as they are.

    Args:
        outputs: shape (N, C').
    """
    return np.concatenate([np.zeros_like(outputs), outputs], axis=-1) if outputs.shape[-1] == 1 else outputs


def _of_classes(entries: Entries, teacher: Array | None, linear: bool) -> Mapping[str, float]:
    values = metrics.all_metrics(entries.outputs, entries.labels, teacher, linear=linear)
    counts = metrics.class_counts(metrics.confusion_matrix(entries.outputs, entries.labels))
    return {**values, "mean_iou": metrics.mean_iou(counts), "pixel_accuracy": values["accuracy"]}


def _of_one_logit(entries: Entries, teacher: Array | None) -> Mapping[str, float]:
    logits, labels = class_logits(entries.outputs), entries.labels
    table = metrics.confusion_matrix(logits, labels)
    counts, by_score = metrics.class_counts(table), metrics.Ranking(entries.outputs[:, 0], labels).counts()
    values = _of_two_classes(logits, labels, None if teacher is None else class_logits(teacher))
    return {
        **values,
        "auroc": metrics.auroc(by_score),
        "average_precision": metrics.average_precision(by_score),
        "f1": float(counts.f1[1]),
        "iou": float(counts.iou[1]),
        "balanced_accuracy": metrics.balanced_accuracy(table),
        "pixel_accuracy": values["accuracy"],
    }


def _of_independent_labels(entries: Entries, teacher: Array | None) -> Mapping[str, float]:
    known = entries.labels >= 0
    counts = metrics.label_counts((entries.outputs > 0).astype(np.int32), entries.labels)
    values = _of_two_classes(
        class_logits(entries.outputs[known][:, None]),
        entries.labels[known],
        None if teacher is None else class_logits(teacher[known][:, None]),
    )
    by_label = {
        name: metrics.mean_defined(metrics.for_each_label(metric, entries.outputs, entries.labels))
        for name, metric in (("map", metrics.average_precision), ("auroc_macro", metrics.auroc))
    }
    return {
        **values,
        **by_label,
        "f1_micro": metrics.f1_micro(counts),
        "f1_macro": float(counts.f1.mean()),
        "label_accuracy": values["accuracy"],
    }


def _of_two_classes(logits: Array, labels: Array, teacher: Array | None) -> dict[str, float]:
    values = {
        "accuracy": metrics.accuracy(logits, labels),
        "nll": metrics.nll(logits, labels),
        "brier": metrics.brier(logits, labels) / 2,  # both classes are off by |p - y|
        "ece": metrics.expected_calibration_error(logits, labels),
    }
    if teacher is not None:
        values["agreement"] = metrics.agreement(logits, teacher)
        values["kl_to_teacher"] = metrics.kl_to_teacher(logits, teacher)
    return values


def _of_numbers(entries: Entries, teacher: Array | None) -> Mapping[str, float]:
    functions = {"mae": metrics.mae, "rmse": metrics.rmse, "r2": metrics.r2, "spearman": metrics.spearman}
    values = {name: function(entries.outputs, entries.labels) for name, function in functions.items()}
    if teacher is not None:
        values["mae_to_teacher"] = metrics.mae(entries.outputs, np.where(np.isnan(entries.labels), np.nan, teacher))
    return values
