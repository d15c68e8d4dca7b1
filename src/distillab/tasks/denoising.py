"""How much of wrong labels a model corrects, and how much of them it follows."""

from __future__ import annotations

import numpy as np

from distillab import metrics
from distillab.tasks.labels import Array, known_entries
from distillab.tasks.task import Task


def denoising(task: Task, predicted: Array, clean: Array, given: Array) -> dict[str, float]:
    """How often a model corrects wrong training labels, and how often it repeats them.

    Formula: of labels, the shares of the wrong ones that are predicted as the clean label (recovered) and as the given
    one (memorised). Of real numbers, with the noise `e = given - clean`: `1 - |p - clean|^2 / |e|^2`, the share of the
    noise's variance that is removed, below 0 where the model errs by more than the labels; and
    `(p - clean) . e / |e|^2`, the share of the noise that the model follows.

    Args:
        task: what labels mean.
        predicted: decisions or real outputs for the training inputs, the labels' shape.
        clean: the labels before the noise, shape (N, ...).
        given: the labels that were trained on; different from `clean` at least once.

    Example:
        >>> from distillab.tasks import TASKS
        >>> clean, given = np.array([[0.0], [0.0]]), np.array([[2.0], [-2.0]])
        >>> denoising(TASKS["regression"], np.array([[1.0], [-1.0]]), clean, given)
        {'recovered': 0.75, 'memorised': 0.5}
    """
    if task.discrete:
        return metrics.denoising(predicted, clean, given)
    known = known_entries(given, task) & known_entries(clean, task)
    noise = (given[known] - clean[known]).astype(np.float64)
    error = (predicted[known] - clean[known]).astype(np.float64)
    size = float(noise @ noise)
    return {"recovered": 1 - float(error @ error) / size, "memorised": float(error @ noise) / size}
