"""A trial of a user's teacher on labelled examples, before anything is trained.

It finds inputs that are scaled or laid out wrongly, classes in another order, and a teacher that knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from distillab import metrics
from distillab.data import Dataset
from distillab.data.array_store import taken
from distillab.data.labels import Array
from distillab.errors import RequestError
from distillab.metrics.metric import Metric, metric_named
from distillab.study.teacher_models import Predict, TeacherModel
from distillab.tasks import Part, Task, known_entries
from distillab.tasks.evaluation import evaluate, judged_entries
from distillab.tasks.several import labels_of, outputs_of, weighted_score

SCALE_ROWS = 500
"""Examples on which ways of reading the inputs are compared."""

ORDER_ROWS = 2_000
"""Examples that show the order of the classes: half of them find it, the other half judge it."""

CHANCE = 2.0
"""A teacher whose accuracy is below this multiple of the most frequent class's share is tried with other inputs."""

SIGNIFICANCE = 0.001
"""Of the test that another order of the classes is better: it is made once for each teacher of every user."""

GAIN = 0.05
"""By which another order must be right more often."""

RIGHT, RIGHT_OF_TWO = 0.7, 0.85
"""How often another order must be right, of several classes and of two. Of an untrained teacher's confusions some order
makes the best: of 2,000 random networks it was right on up to 63 % for three classes and 81 % for two."""

FEWEST = 20
"""Labelled examples below which nothing is said of a teacher."""

SKILL = 0.2
"""Of a teacher that knows something: `2 AUROC - 1` (mean over classes or labels), or R2."""


class TeacherTrial(NamedTuple):
    """What a teacher scores on validation examples.

    Args:
        value: of the metric.
        constant: of the best prediction that ignores the inputs: the most frequent class, or the mean.
        examples: their number.
        skill: 0 at chance and 1 at best: `2 AUROC - 1`, or R2.
    """

    value: float
    constant: float
    examples: int
    skill: float


def check_reading(teacher: TeacherModel, dataset: Dataset) -> None:
    """Refuse a teacher that reads its inputs wrongly, or has its classes in another order.

    Args:
        teacher: of the user.
        dataset: the data.

    Raises:
        RequestError: the message holds both figures, and what to state.
    """
    _check_inputs(teacher, dataset)
    if not teacher.named_classes:
        _check_order(teacher, dataset)


def chance_warning(teacher: TeacherModel, dataset: Dataset) -> str:
    """What is to be said of a teacher at chance, with both figures; "" of any other.

    Args:
        teacher: of the user.
        dataset: the data.
    """
    trial, metric = teacher_trial(teacher.predict, dataset), main_metric(dataset)
    if not _is_at_chance(trial, metric):
        return ""
    return (
        f"The teacher {teacher.name} is at chance: {metric.shown(trial.value)} on {trial.examples} validation "
        f"examples, where {_constant(dataset.task)} has {metric.shown(trial.constant)}. It is untrained, or reads its "
        "inputs wrongly: see --teacher-scale, --teacher-layout, --teacher-normalise and --teacher-classes."
    )


def main_metric(dataset: Dataset) -> Metric:
    """The metric by which teachers are tried.

    Args:
        dataset: the data.
    """
    return metric_named(dataset.task.metrics_of(bool(dataset.positions))[0])


def teacher_trial(predict: Predict, dataset: Dataset, metric: str = "") -> TeacherTrial:
    """Try a teacher on the validation examples; without fixed ones, on training examples.

    Args:
        predict: from inputs as stored to its outputs.
        dataset: the data.
        metric: the name of the metric; "": the task's first one.
    """
    rows, name = trial_rows(dataset), metric or main_metric(dataset).name
    labels, outputs = dataset.y_train[rows], dataset.in_units(predict(taken(dataset.x_train, rows)))
    value = evaluate(dataset.task, outputs, labels)[name]
    constant = evaluate(dataset.task, _constant_outputs(dataset, outputs.shape), labels)[name]
    return TeacherTrial(value, constant, len(rows), _skill(dataset.task, outputs, labels))


def trial_rows(dataset: Dataset) -> NDArray[np.intp]:
    """The rows of labelled examples on which teachers are tried.

    Args:
        dataset: the data.
    """
    rows = dataset.training if dataset.validation is None else dataset.validation
    return rows[known_entries(dataset.y_train[rows], dataset.task).reshape(len(rows), -1).any(-1)][:SCALE_ROWS]


def _constant(task: Task) -> str:
    return "the mean" if task.name == "regression" else "a constant prediction"


def _constant_outputs(dataset: Dataset, shape: tuple[int, ...]) -> Array:
    """Outputs that ignore the inputs: shares of the classes or labels among the training labels, or means."""
    labels, task = dataset.y_train[dataset.training], dataset.task
    if task.parts:
        several = [
            _constant_of(part.task, labels_of(part, labels), part.width, _mean_of(part, dataset)) for part in task.parts
        ]
        return np.broadcast_to(np.concatenate(several), shape).astype(np.float32)
    return np.broadcast_to(_constant_of(task, labels, shape[-1], dataset.target_mean), shape).astype(np.float32)


def _mean_of(part: Part, dataset: Dataset) -> Array | None:
    return None if dataset.target_mean is None else outputs_of(part, dataset.target_mean)


def _constant_of(task: Task, labels: Array, width: int, mean: Array | None) -> Array:
    """Raw outputs at one position, shape (C',)."""
    if task.name == "regression":
        numbers = np.asarray(mean)
    elif task.name == "categorical":
        counts = np.bincount(labels[labels >= 0].ravel().astype(int), minlength=width)
        numbers = np.log(np.maximum(counts / max(1, counts.sum()), 1e-7))
    else:
        several = labels.reshape(-1, labels.shape[-1]) if task.name == "multilabel" else labels.reshape(-1, 1)
        share = np.array([column[column >= 0].mean() if (column >= 0).any() else 0.5 for column in several.T])
        share = np.clip(share, 1e-7, 1 - 1e-7)
        numbers = np.log(share / (1 - share))
    return numbers


def _skill(task: Task, outputs: Array, labels: Array) -> float:
    if task.parts:
        known = [part for part in task.parts if known_entries(labels_of(part, labels), part.task).any()]
        skills = [_skill(part.task, outputs_of(part, outputs), labels_of(part, labels)) for part in known]
        return weighted_score(known, skills)
    entries = judged_entries(task, outputs, labels)
    if task.name == "regression":
        return float(metrics.r2(entries.outputs, entries.labels))
    scores, of = entries.outputs, entries.labels
    if task.name == "categorical":
        scores = scores - np.logaddexp.reduce(scores.astype(np.float64), axis=-1, keepdims=True)
        of = np.equal.outer(of, np.arange(scores.shape[-1])).astype(np.int32)
    elif task.name == "binary":
        of = of[:, None]
    found = metrics.mean_defined(metrics.for_each_label(metrics.auroc, scores, of))
    return 2 * found - 1


def _is_at_chance(trial: TeacherTrial, metric: Metric) -> bool:
    """Whether a teacher is no better than a constant, and ranks no better than chance."""
    noise = 0.0
    if metric.unit == "%":
        share = min(max(trial.constant, 0.0), 1.0)
        noise = 2 * float(np.sqrt(share * (1 - share) / trial.examples))
    better = metric.sign * (trial.value - trial.constant) > noise
    return trial.examples >= FEWEST and not better and not trial.skill >= SKILL


def _check_inputs(teacher: TeacherModel, dataset: Dataset, *, if_good: bool = False) -> None:
    """Refuse a teacher that is bad at its inputs as they are read and much better when they are read otherwise.

    With `if_good`, also one that is not bad at them.
    """
    if not teacher.alternatives:
        return
    rows, metric = trial_rows(dataset), main_metric(dataset)
    inputs, labels = taken(dataset.x_train, rows), dataset.y_train[rows]
    if metric.name == "accuracy":
        most = float(np.bincount(labels).max() / len(labels))
        enough = min(min(0.5, CHANCE * most), most + 0.1)
    else:
        enough = 0.5 if metric.unit == "%" else np.inf

    def measured(predict: Predict) -> float:
        try:
            outputs = dataset.in_units(predict(inputs))
        except RequestError:  # inputs of this shape fit it after all not
            return float("nan")
        if outputs.shape[1:] != dataset.output_shape or not np.isfinite(outputs).all():
            return float("nan")
        return evaluate(dataset.task, outputs, labels)[metric.name]

    right = measured(teacher.predict)
    if right > enough and not if_good:
        return
    others = {advice: measured(predict) for advice, predict in teacher.alternatives.items()}
    others = {advice: value for advice, value in others.items() if not np.isnan(value)}
    if not others:
        return
    advice = max(others, key=lambda one: metric.sign * others[one])
    better = others[advice]
    if better > right + 0.1 if metric.sign > 0 else better < right / 2:
        raise RequestError(
            f"The teacher {teacher.name} has {metric.shown(right)} on {len(rows)} validation examples as its inputs "
            f"are read, and {metric.shown(better)} with {advice}. Give {advice}."
        )


def _check_order(teacher: TeacherModel, dataset: Dataset) -> None:
    """Refuse a teacher whose outputs fit the classes much better in another order."""
    tasks = [part.task for part in dataset.task.parts] or [dataset.task]
    if not any(task.name in ("categorical", "binary") for task in tasks) or dataset.classes < 2:
        return
    if not dataset.task.parts:
        examples = _ordered_examples(dataset.task, *_spread_examples(teacher, dataset))
        _check_order_of(teacher, dataset, dataset.task, dataset.class_names, examples)
        return
    outputs, labels = _spread_examples(teacher, dataset)
    for part in dataset.task.parts:
        own = labels_of(part, labels)
        if part.task.exclusive and known_entries(own, part.task).any():
            examples = _ordered_examples(part.task, outputs_of(part, outputs), own)
            _check_order_of(teacher, dataset, part.task, part.class_names, examples, part.name)


def _check_order_of(
    teacher: TeacherModel,
    dataset: Dataset,
    task: Task,
    class_names: Sequence[str],
    examples: tuple[Array, Array],
    output: str = "",
) -> None:
    (outputs, labels), classes = examples, len(class_names)
    predicted = (outputs[:, 0] > 0).astype(int) if task.name == "binary" else outputs.argmax(-1)
    if (predicted == labels).mean() > 1 - GAIN:
        return
    first, second = slice(0, None, 2), slice(1, None, 2)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predicted[first], labels[first]), 1)
    # The diagonal wins ties: a column that says nothing about the order keeps its place.
    _, order = linear_sum_assignment(counts + np.eye(classes) * 0.5, maximize=True)
    as_is, reordered = predicted[second] == labels[second], order[predicted[second]] == labels[second]
    gained, lost = int((reordered & ~as_is).sum()), int((as_is & ~reordered).sum())
    constant = np.bincount(labels[second]).max() / len(as_is)
    right = RIGHT_OF_TWO if classes == 2 else RIGHT
    if reordered.mean() < max(right, as_is.mean() + GAIN, constant + GAIN):
        return
    if binomtest(gained, gained + lost, alternative="greater").pvalue >= SIGNIFICANCE:
        return
    _check_inputs(teacher, dataset, if_good=True)  # inputs read wrongly can look like classes in another order
    found = [class_names[number] for number in order]
    if output:
        raise RequestError(
            f"Output {output!r} of the teacher {teacher.name} is right on {as_is.mean():.1%} of {len(as_is)} labelled "
            f"examples with its classes in the data's order ({_some(class_names)}), and on {reordered.mean():.1%} in "
            f"the order {_some(found)}. Give the labels' classes in the teacher's order."
        )
    raise RequestError(
        f"The teacher {teacher.name} is right on {as_is.mean():.1%} of {len(as_is)} labelled examples with its classes "
        f"in the data's order ({_some(class_names)}), and on {reordered.mean():.1%} in the order "
        f"{_some(found)}. Give its classes in the order of its outputs with --teacher-classes, one name a line."
    )


def _spread_examples(teacher: TeacherModel, dataset: Dataset) -> tuple[Array, Array]:
    """Outputs and labels of examples spread over the training data."""
    rows = np.arange(len(dataset.y_train))
    rows = rows[:: max(1, len(rows) // (ORDER_ROWS if not dataset.positions else 50))][:ORDER_ROWS]
    return teacher.predict(taken(dataset.x_train, rows)), dataset.y_train[rows]


def _ordered_examples(task: Task, outputs: Array, labels: Array) -> tuple[Array, Array]:
    """Known labels and their outputs; of maps, some of their positions."""
    entries = judged_entries(task, outputs, labels)
    step = max(1, len(entries.labels) // ORDER_ROWS)
    return entries.outputs[::step], entries.labels[::step]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
