"""What a page draws of one model's test predictions, by task: curves, a table of labels, residuals; plain JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab import metrics
from distillab.tasks.evaluation import Array, judged_entries
from distillab.tasks.task import SEVERAL, Task

POINTS = 101
"""Most points of a curve."""

LABELS = 40
"""Most labels of a table."""

PAIRS = 300
"""Most pairs of a label and its prediction."""

BINS = 30
"""Of the histogram of residuals."""


def detail(task: Task, outputs: Array, labels: Array) -> dict[str, Any]:
    """Summarise test predictions for drawing, in less than about 10 kB of JSON; None stands for what is not defined.

    Args:
        task: what outputs and labels mean.
        outputs: shape (M, P..., C'), finite.
        labels: shape (M, P...), or (M, P..., C) for independent labels and numbers; -1 or NaN where unknown.

    Returns:
        categorical: nothing; `evaluation.confusion` counts classes. Several outputs: nothing.
        binary: "roc", points (false positive rate, true positive rate), and "pr", points (recall, precision); None
            without both labels.
        multilabel: the same of all entries together, and "labels": for each label, of many the most frequent, its
            number "label", "positives", "auroc", "average_precision", "f1", "precision" and "recall".
        regression: "pairs": label, prediction and number of the output, of evenly chosen examples; "residuals":
            "edges" and "counts" of prediction minus label.
    """
    if task.name in ("categorical", SEVERAL):
        return {}
    entries = judged_entries(task, outputs, labels)
    if task.name == "binary":
        return _curves(entries.outputs[:, 0], entries.labels)
    if task.name == "multilabel":
        known = entries.labels >= 0
        table = _label_table(entries.outputs, entries.labels)
        return {"labels": table, **_curves(entries.outputs[known], entries.labels[known])}
    return _residuals(entries.outputs.astype(np.float64), entries.labels)


def _curves(scores: Array, labels: Array) -> dict[str, Any]:
    counts = metrics.Ranking(scores, labels).counts()
    if not counts.sum(1).all():
        return {"roc": None, "pr": None}
    return {"roc": _thinned(metrics.roc_curve(counts)), "pr": _thinned(metrics.precision_recall_curve(counts))}


def _thinned(curve: NDArray[np.float64]) -> list[list[float]]:
    """Points at even distances along the curve, its ends among them: a steep part keeps as many as a flat one."""
    steps = np.abs(np.diff(curve, axis=0)).sum(1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    chosen = np.searchsorted(along, np.linspace(0, along[-1], POINTS))
    if len(curve) <= POINTS:
        chosen = np.arange(len(curve))
    return [[round(value, 4) for value in point] for point in curve[np.unique(chosen)].tolist()]


def _label_table(outputs: Array, labels: Array) -> list[dict[str, float | int | None]]:
    positives = (labels == 1).sum(0)
    shown = np.sort(np.argsort(-positives, kind="stable")[:LABELS])
    outputs, labels = outputs[:, shown], labels[:, shown]
    counts = metrics.label_counts((outputs > 0).astype(np.int32), labels)
    columns = {
        "auroc": metrics.for_each_label(metrics.auroc, outputs, labels),
        "average_precision": metrics.for_each_label(metrics.average_precision, outputs, labels),
        "f1": counts.f1.tolist(),
        "precision": counts.precision.tolist(),
        "recall": counts.recall.tolist(),
    }
    return [
        {"label": int(number), "positives": int(positives[number])}
        | {name: None if np.isnan(values[row]) else round(values[row], 4) for name, values in columns.items()}
        for row, number in enumerate(shown)
    ]


def _residuals(outputs: NDArray[np.float64], labels: Array) -> dict[str, Any]:
    known = ~np.isnan(labels)
    width = labels.shape[1]
    chosen = np.unique(np.linspace(0, len(labels) - 1, max(1, PAIRS // width)).astype(int))
    pairs = [
        [_short(labels[row, column]), _short(outputs[row, column]), int(column)]
        for row in chosen
        for column in np.flatnonzero(known[row])
    ]
    counts, edges = np.histogram(outputs[known] - labels[known], bins=BINS)
    histogram = {"edges": [_short(edge) for edge in edges], "counts": counts.tolist()}
    return {"pairs": pairs[:PAIRS], "residuals": histogram}


def _short(value: float) -> float:
    return float(f"{value:.5g}")
