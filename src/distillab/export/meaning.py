"""What a model's outputs mean to an export: which labels they predict, and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed
from distillab.metrics import METRICS
from distillab.models.predictions import as_logits
from distillab.tasks import TASKS, Head, Task, canonical_labels, check_head, task_named
from distillab.tasks.evaluation import decisions, evaluate

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]


class Quality(NamedTuple):
    """The value of the task's default metric."""

    metric: str
    value: float

    @property
    def label(self) -> str:
        """The metric's name in a sentence."""
        return METRICS[self.metric].label

    @property
    def text(self) -> str:
        """The value as a sentence writes it: "95.00 %", or four digits of a metric in the data's unit."""
        if np.isnan(self.value):
            return "not defined, for all labels are the same"
        return f"{100 * self.value:.2f} %" if METRICS[self.metric].unit == "%" else f"{self.value:.4g}"


class Meaning(NamedTuple):
    """What outputs mean.

    Args:
        task: of the model.
        ending: its final activation, as in `models.ending.ending`.
    """

    task: Task = TASKS["categorical"]
    ending: str = ""

    @property
    def output_name(self) -> str:
        """What a graph calls its output: "probabilities", "logits", or "predictions" for real numbers."""
        if self.ending in ("softmax", "sigmoid"):
            return "probabilities"
        return "logits" if self.task.softens else "predictions"

    def raw(self, outputs: Array) -> Array:
        """Logits or real numbers, as metrics take them.

        Args:
            outputs: of the model, shape (N, ..., C').
        """
        probabilities = self.ending in ("softmax", "sigmoid")
        return as_logits(np.clip(outputs, 0, 1), self.task) if probabilities else outputs  # rounding may exceed 1

    def labels(self, outputs: Array) -> Array | None:
        """The predicted labels: the largest output, or the side of 0 (1/2 of probabilities); None for real numbers.

        Args:
            outputs: of the model, shape (N, ..., C').
        """
        return decisions(self.task, self.raw(outputs)) if self.task.discrete else None

    def checked(self, labels: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Check labels, and return them in the task's own form.

        Args:
            labels: one for each prediction.
            shape: of the outputs, (N, ..., C').

        Raises:
            RequestError: labels of another task or shape.
        """
        truth = canonical_labels(labels, self.task, "labels", positions=len(shape) - 2)
        expected = shape if self.task.name in ("multilabel", "regression") else shape[:-1]
        if truth.shape != expected:
            raise not_allowed("labels.shape", truth.shape, f"{expected}: one for each prediction")
        if self.task.name == "categorical" and truth.max() >= shape[-1]:
            raise not_allowed("label", int(truth.max()), f"below {shape[-1]}, the number of the model's outputs")
        return truth

    def quality(self, outputs: Array, labels: Array) -> Quality:
        """The task's default metric; NaN where it is not defined, as AUROC is not for equal labels.

        Args:
            outputs: of the model, shape (N, ..., C').
            labels: as from `checked`.
        """
        metric = self.task.metrics_of(outputs.ndim > 2)[0]
        return Quality(metric, evaluate(self.task, self.raw(outputs), labels)[metric])


CLASSES = Meaning()
"""Logits of one of several classes."""


def meaning_of(model: keras.Model, task: str | None = None) -> Meaning:
    """What the outputs of a model mean.

    Args:
        model: one output, (B, ..., C').
        task: a name in `TASKS`; None: by the ending. Softmax and several outputs without activation are of classes,
            sigmoids of independent labels, and one output without activation is a real number.

    Raises:
        RequestError: the model does not fit the task.
    """
    from distillab.models.ending import ending

    positions = len(model.output_shape) - 2
    return meaning_of_head(
        Head(int(model.output_shape[-1]), ending(model), positions, f"the model {model.name!r}"), task
    )


def meaning_of_head(head: Head, task: str | None = None) -> Meaning:
    """What one output of a model means.

    Args:
        head: the output.
        task: as in `meaning_of`.

    Raises:
        RequestError: it does not fit the task.
    """
    last, outputs = head.ending, head.outputs
    if task is None:
        of_one, of_several = ("binary", "multilabel") if last == "sigmoid" else ("regression", "categorical")
        return Meaning(TASKS[of_one if outputs == 1 and last != "softmax" else of_several], last)
    meaning = Meaning(task_named(task), last)
    if task != "categorical" or outputs == 1:  # sigmoids trained on classes one by one are compared with each other
        check_head(meaning.task, head)
    return meaning
