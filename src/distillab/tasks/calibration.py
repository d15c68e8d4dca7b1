"""Confidence and accuracy of a model's decisions, as a reliability diagram shows them."""

from __future__ import annotations

from distillab import metrics
from distillab.tasks.evaluation import class_logits, judged_entries
from distillab.tasks.labels import Array
from distillab.tasks.task import Task


def reliability(task: Task, outputs: Array, labels: Array) -> list[list[float]] | None:
    """Bins of confidence with their accuracy, over all known labels; None for real numbers, which have no confidence.

    Args:
        task: what outputs and labels mean.
        outputs: logits, shape (M, ..., C).
        labels: shape (M, ...).

    Returns:
        As `distillab.metrics.reliability`: of a model of independent labels, every label is a decision of its own.
    """
    if not task.discrete:
        return None
    entries = judged_entries(task, outputs, labels)
    if task.name == "multilabel":
        known = entries.labels >= 0
        return metrics.reliability(class_logits(entries.outputs[known][:, None]), entries.labels[known])
    return metrics.reliability(class_logits(entries.outputs), entries.labels)
