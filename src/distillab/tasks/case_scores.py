"""What each test example adds to a metric: the scores that an analysis over seeds and examples takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distillab.tasks.evaluation import Array, decisions
from distillab.tasks.labels import known_entries
from distillab.tasks.resampling import example_metric
from distillab.tasks.several import labels_of, outputs_of, part_of_metric
from distillab.tasks.task import Task

GROUPS = 200
"""The most groups of examples whose pseudovalues are taken: each costs one evaluation of the metric."""


def case_scores(
    task: Task, metric: str, outputs: Array, labels: Array, teacher_outputs: Array | None = None
) -> NDArray[np.float32]:
    """Scores of cases whose mean is a metric: of accuracy, whether each example is right; of others, pseudovalues.

    A metric that is no share of right decisions is taken apart by the jackknife over up to `GROUPS` random groups of
    examples, the same for every model: `G m - (G - 1) m(g)`, with m the metric and m(g) that without group g. Of a mean
    over examples in groups of one size these are the groups' means.

    Args:
        task: what outputs and labels mean.
        metric: one of those that `evaluate` gives for the same arguments.
        outputs: shape (M, P..., C').
        labels: shape (M, P...), or (M, P..., C) for independent labels and numbers; -1 or NaN where unknown. Examples
            without any known label are left out.
        teacher_outputs: the teacher's, for the metrics that compare with it.

    Returns:
        Shape (K,): a case is an example or a group. NaN where the metric is not defined without some group (AUROC of
        few positives).

    Raises:
        RequestError: `evaluate` does not give the metric.

    Example:
        >>> from distillab.tasks import TASKS
        >>> case_scores(TASKS["regression"], "mae", np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])).tolist()
        [1.0, 0.0]

    Source: D. D. Dorfman, K. S. Berbaum, C. E. Metz 1992 (pseudovalues of readers and cases); the jackknife over
    groups: M. H. Quenouille, "Notes on bias in estimation", Biometrika 1956.
    """
    single = part_of_metric(task, metric)
    if single is not None:
        part, name = single
        told = None if teacher_outputs is None else outputs_of(part, teacher_outputs)
        return case_scores(part.task, name, outputs_of(part, outputs), labels_of(part, labels), told)
    if not task.parts:
        known = known_entries(labels, task).reshape(len(labels), -1).any(axis=1)
        outputs, labels = outputs[known], labels[known]
        teacher_outputs = None if teacher_outputs is None else teacher_outputs[known]
        if metric == "accuracy" and outputs.ndim == 2:
            return np.asarray(decisions(task, outputs) == labels, np.float32)
    return _pseudovalues(example_metric(task, metric, outputs, labels, teacher_outputs), len(labels))


def groups_of(examples: int) -> list[NDArray[np.intp]]:
    """Split examples into random groups of nearly one size, always the same ones.

    Args:
        examples: how many; up to `2 GROUPS` every example is a group.
    """
    drawn = np.random.default_rng(0).permutation(examples)
    if examples <= 2 * GROUPS:
        return [np.array([example]) for example in range(examples)]
    return np.array_split(drawn, GROUPS)


def _pseudovalues(value: Callable[[NDArray[np.intp]], float], examples: int) -> NDArray[np.float32]:
    groups, every = groups_of(examples), np.arange(examples)
    if len(groups) == 1:
        return np.array([value(every)], np.float32)
    whole = value(every)
    without = np.array([value(np.delete(every, group)) for group in groups])
    return np.asarray(len(groups) * whole - (len(groups) - 1) * without, np.float32)
