"""A metric on other draws of the test examples: what an example adds to it is computed once, draws only weigh it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab import metrics
from distillab.errors import not_allowed
from distillab.tasks.evaluation import Array, class_logits, decisions, judged_entries
from distillab.tasks.labels import known_entries
from distillab.tasks.several import SCORES, labels_of, outputs_of, part_of_metric, weighted_score
from distillab.tasks.task import OF_SEVERAL, Part, Task

Weights = NDArray[np.float64]
OfWeights = Callable[[Weights], float]
"""A metric by how often each example was drawn, shape (M,)."""


_OF_PROBABILITIES = ("nll", "ece", "ece_width", "kl_to_teacher")
_OF_TEACHER = ("agreement", "kl_to_teacher", "mae_to_teacher")


def example_metric(
    task: Task,
    metric: str,
    outputs: Array,
    labels: Array,
    teacher_outputs: Array | None = None,
    *,
    linear: bool = False,
) -> Callable[[NDArray[np.intp]], float]:
    """A metric as a function of the examples drawn, for bootstraps over examples.

    Args:
        task: what outputs and labels mean.
        metric: one of those that `evaluate` gives for the same arguments.
        outputs: shape (M, P..., C').
        labels: shape (M, P...), or (M, P..., C) for independent labels and numbers; -1 or NaN where unknown.
        teacher_outputs: the teacher's, of the same inputs, for the metrics that compare with it.
        linear: whether the outputs estimate one-hot labels themselves.

    Returns:
        A function of example numbers, shape (K,), with repetitions: the metric of `evaluate` on `outputs[rows]` and
        `labels[rows]`. An example is drawn with all its positions.

    Raises:
        RequestError: `evaluate` does not give the metric.

    Example:
        >>> from distillab.tasks import TASKS
        >>> value = example_metric(TASKS["regression"], "mae", np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]))
        >>> value(np.array([0, 0])), value(np.array([0, 1]))
        (1.0, 0.5)
    """
    if task.parts:
        return _of_outputs(task, metric, outputs, labels, teacher_outputs)
    missing = {*(_OF_PROBABILITIES if linear else ()), *(_OF_TEACHER if teacher_outputs is None else ())}
    names = [name for name in task.metrics_of(outputs.ndim > 2) if name not in missing]
    if metric not in names:
        raise not_allowed("metric", metric, f"one that can be computed here for task={task.name}: {', '.join(names)}")
    kept, labels_kept, rows_kept = judged_entries(task, outputs, labels)
    teacher = kept if teacher_outputs is None else teacher_outputs.reshape(-1, outputs.shape[-1])[rows_kept]
    example = rows_kept // (outputs[..., 0].size // len(outputs))
    judged = _Judged(task, len(outputs), kept, labels_kept, teacher, example, linear)
    of_weights = _METRICS[metric](judged)
    return lambda rows: of_weights(np.bincount(rows, minlength=len(outputs)).astype(np.float64))


def _of_outputs(
    task: Task, metric: str, outputs: Array, labels: Array, teacher: Array | None
) -> Callable[[NDArray[np.intp]], float]:
    """A metric of one of several outputs, or the weighted mean over all."""

    def of(part: Part, name: str) -> Callable[[NDArray[np.intp]], float]:
        truth = labels_of(part, labels)
        if not known_entries(truth, part.task).any():
            return lambda rows: float("nan")
        told = None if teacher is None else outputs_of(part, teacher)
        return example_metric(part.task, name, outputs_of(part, outputs), truth, told)

    single = part_of_metric(task, metric)
    if single is not None:
        return of(*single)
    if metric not in OF_SEVERAL:
        raise not_allowed("metric", metric, f"one that can be computed here: {', '.join(task.metrics)}")
    if metric == "score":
        each = [of(part, SCORES[part.task.name]) for part in task.parts]
        return lambda rows: weighted_score(task.parts, [value(rows) for value in each])
    losses = [(of(part, "nll"), 1.0, 0.0) if part.task.softens else (of(part, "r2"), -1.0, 1.0) for part in task.parts]
    return lambda rows: weighted_score(task.parts, [start + sign * value(rows) for value, sign, start in losses])


class _Judged(NamedTuple):
    """Known entries, each with the number of its example."""

    task: Task
    size: int  # examples
    outputs: Array  # (N, C')
    labels: Array  # (N,) or (N, C)
    teacher: Array  # (N, C')
    example: NDArray[np.intp]
    linear: bool

    def by_example(self, values: Array) -> NDArray[np.float64]:
        """Sums over each example's entries, shape (M, ...)."""
        sums = np.zeros((self.size, *values.shape[1:]))
        np.add.at(sums, self.example, values)
        return sums

    def single(self) -> _Judged:
        """Entries of one label each: independent labels and numbers are taken apart."""
        if self.labels.ndim == 1:
            return self
        row, column = np.nonzero(self._known())
        outputs, teacher = (each[row, column][:, None] for each in (self.outputs, self.teacher))
        labels, example = self.labels[row, column], self.example[row]
        return self._replace(outputs=outputs, teacher=teacher, labels=labels, example=example)

    def columns(self) -> list[_Judged]:
        """The known entries of each output."""
        labels = self.labels.reshape(self.outputs.shape)
        known = self._known().reshape(labels.shape)
        return [
            self._replace(outputs=self.outputs[rows, each], labels=labels[rows, each], example=self.example[rows])
            for each, rows in enumerate(np.flatnonzero(column) for column in known.T)
        ]

    def _known(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels >= 0 if self.task.discrete else ~np.isnan(self.labels))


def _mean(
    of_entries: Callable[[_Judged], Array], judged: _Judged, *, then: Callable[[float], float] = float
) -> OfWeights:
    single = judged.single()
    values = np.asarray(of_entries(single), dtype=np.float64)
    sums, number = single.by_example(values), np.bincount(single.example, minlength=judged.size)
    return lambda weights: then(float(weights @ sums) / float(weights @ number)) if weights @ number else float("nan")


def _counted(of_counts: Callable[[metrics.Counts], float], judged: _Judged) -> OfWeights:
    """By classes or labels: sparse, for an example has few of many classes, and a map many positions."""
    from scipy.sparse import coo_array  # a tenth of a second to import, and rarely needed

    labels, decided = judged.labels, decisions(judged.task, judged.outputs)
    if judged.task.name == "multilabel":
        names = labels.shape[1]
        predicted, labelled = (decided == 1) & (labels >= 0), labels == 1
        places = [np.nonzero(each) for each in (predicted & labelled, predicted, labelled)]
    else:
        names, every = class_logits(judged.outputs).shape[1], np.arange(len(labels))
        hit = np.flatnonzero(decided == labels)
        places = [(hit, labels[hit]), (every, decided), (every, labels)]
    rows = np.concatenate([judged.example[row] for row, _ in places])
    columns = np.concatenate([kind * names + column for kind, (_, column) in enumerate(places)])
    shape = 3 * names, judged.size
    table = coo_array((np.ones(len(rows)), (columns, rows)), shape=shape).tocsr()
    return lambda weights: of_counts(metrics.Counts(*(table @ weights).reshape(3, names)))


def _ranked(of_ranks: Callable[[NDArray[np.float64]], float], judged: _Judged) -> OfWeights:
    rankings = [metrics.Ranking(each.outputs, each.labels, each.example) for each in judged.columns()]
    return lambda weights: metrics.mean_defined([of_ranks(each.counts(weights)) for each in rankings])


def _r2(judged: _Judged) -> OfWeights:
    sums = [judged.by_example(each) for each in metrics.r2_sums(judged.outputs, judged.labels)]
    return lambda weights: metrics.r2_of(*(weights @ each for each in sums))


def _spearman(judged: _Judged) -> OfWeights:
    columns = [(metrics.RankCorrelation(each.outputs, each.labels), each.example) for each in judged.columns()]
    return lambda weights: metrics.mean_defined([each.value(weights[rows]) for each, rows in columns])


def _calibration(equal: str, judged: _Judged) -> OfWeights:
    single = judged.single()
    confidence, right = metrics.confidence(class_logits(single.outputs)), _hits(single)

    def of_weights(weights: Weights) -> float:
        drawn = np.repeat(np.arange(len(right)), weights[single.example].astype(int))
        return metrics.calibration_error(confidence[drawn], right[drawn], equal=equal) if len(drawn) else float("nan")

    return of_weights


def _hits(single: _Judged) -> Array:
    return np.asarray(class_logits(single.outputs).argmax(-1) == single.labels)


def _agreement(single: _Judged) -> Array:
    return np.asarray(class_logits(single.outputs).argmax(-1) == class_logits(single.teacher).argmax(-1))


def _nll(single: _Judged) -> Array:
    return metrics.nll_of_examples(class_logits(single.outputs), single.labels)


def _brier(single: _Judged) -> Array:
    if single.linear:
        return metrics.squared_error_of_examples(single.outputs, single.labels)
    squares = metrics.brier_of_examples(class_logits(single.outputs), single.labels)
    return squares / (2 if single.outputs.shape[-1] == 1 else 1)


def _kl_to_teacher(single: _Judged) -> Array:
    return metrics.kl_of_examples(class_logits(single.outputs), class_logits(single.teacher))


def _errors(single: _Judged) -> Array:
    return np.abs(single.outputs[:, 0].astype(np.float64) - single.labels)


def _beside_teacher(single: _Judged) -> Array:
    return np.abs(single.outputs[:, 0].astype(np.float64) - single.teacher[:, 0])


def _weighted(name: str, counts: metrics.Counts) -> float:
    return float(np.average(getattr(counts, name), weights=counts.labelled)) if counts.labelled.any() else float("nan")


def _macro(name: str, counts: metrics.Counts) -> float:
    return float(getattr(counts, name).mean())


_METRICS: Mapping[str, Callable[[_Judged], OfWeights]] = {
    **dict.fromkeys(("accuracy", "pixel_accuracy", "label_accuracy"), partial(_mean, _hits)),
    "agreement": partial(_mean, _agreement),
    "nll": partial(_mean, _nll),
    "brier": partial(_mean, _brier),
    "kl_to_teacher": partial(_mean, _kl_to_teacher),
    "ece": partial(_calibration, "mass"),
    "ece_width": partial(_calibration, "width"),
    "mae": partial(_mean, _errors),
    "mae_to_teacher": partial(_mean, _beside_teacher),
    "rmse": partial(_mean, lambda single: _errors(single) ** 2, then=np.sqrt),
    "r2": _r2,
    "spearman": _spearman,
    **dict.fromkeys(("auroc", "auroc_macro"), partial(_ranked, metrics.auroc)),
    **dict.fromkeys(("average_precision", "map"), partial(_ranked, metrics.average_precision)),
    "f1": partial(_counted, lambda counts: float(counts.f1[1])),
    "iou": partial(_counted, lambda counts: float(counts.iou[1])),
    "f1_micro": partial(_counted, metrics.f1_micro),
    "mean_iou": partial(_counted, metrics.mean_iou),
    "balanced_accuracy": partial(_counted, lambda counts: float(counts.recall[counts.labelled > 0].mean())),
    **{f"{name}_macro": partial(_counted, partial(_macro, name)) for name in ("precision", "recall", "f1")},
    **{f"{name}_weighted": partial(_counted, partial(_weighted, name)) for name in ("precision", "recall", "f1")},
}
