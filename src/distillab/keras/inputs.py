"""A distiller's training data: inputs with or without the teacher's logits, and their checks before the first step."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np

from distillab.errors import RequestError, not_allowed
from distillab.keras.checks import fit, maps_differ
from distillab.keras.labels import form
from distillab.tasks import Task, canonical_labels, known_entries

KEYS = {"inputs", "teacher_logits"}
"""Inputs with a teacher's logits are a mapping with exactly these keys."""


def join(inputs: Any, teacher_logits: Any) -> dict[str, Any]:
    """Put a teacher's logits next to the inputs that they belong to.

    Args:
        inputs: the student's inputs, shape (B, ...).
        teacher_logits: shape (B, ..., C).
    """
    return {"inputs": inputs, "teacher_logits": teacher_logits}


def split(inputs: Any) -> tuple[Any, Any]:
    """Separate the student's inputs from the teacher's logits, which are None where the data hold none.

    Args:
        inputs: as given to `fit`, with or without logits.
    """
    if isinstance(inputs, dict) and set(inputs) == KEYS:
        return inputs["inputs"], inputs["teacher_logits"]
    return inputs, None


class Data(NamedTuple):
    """What `fit` and `evaluate` are given, arrays or a stream."""

    x: Any
    y: Any = None
    sample_weight: Any = None
    class_weight: Any = None


def is_array(value: Any) -> bool:
    """Whether a value is an array of any library, and no stream.

    Args:
        value: any.
    """
    return hasattr(value, "__array__") and hasattr(value, "shape")


def as_numpy(array: Any) -> np.ndarray:
    """An array of any library, on any device, for NumPy.

    Args:
        array: one that `is_array`.
    """
    return array if isinstance(array, np.ndarray) else np.asarray(keras.ops.convert_to_numpy(array))


def check_inputs(data: Data, shape: tuple[Any, ...]) -> None:
    """Check inputs and teacher's logits where they are arrays.

    Args:
        data: as given to `fit`.
        shape: of the student's outputs, (None, ..., C).

    Raises:
        RequestError: inputs or logits that are not finite; logits of another shape.
    """
    inputs, logits = split(data.x)
    if is_array(logits):
        _check_logits(as_numpy(logits), shape)
    for array in keras.tree.flatten(inputs):
        if is_array(array):
            _check_finite(as_numpy(array), "x", "Remove those examples, or fill in the missing numbers.")


def _check_finite(array: np.ndarray, name: str, do: str) -> None:
    # The sum is finite where all numbers are, and needs no copy of the array.
    if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
        wrong = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if wrong.any():
            raise RequestError(
                f"{name} holds NaN or infinity in {int(wrong.sum())} of {len(array)} examples, first at example "
                f"{int(wrong.argmax())}. {do}"
            )


def _check_logits(logits: np.ndarray, shape: tuple[Any, ...]) -> None:
    if logits.shape[-1] != shape[-1]:
        raise RequestError(
            f"The data hold teacher's logits of {logits.shape[-1]} classes, and the student has {shape[-1]}: they must "
            "be the same classes."
        )
    if not fit(logits.shape, shape):
        raise maps_differ(shape, logits.shape)
    finite = np.isfinite(logits).reshape(len(logits), -1).all(axis=1)
    if not finite.all():
        raise RequestError(
            f"The data hold teacher's logits that are not finite, first at example {int(np.argmin(finite))}: the "
            "teacher has diverged, or its inputs were not finite."
        )


def check_labels(
    labels: np.ndarray, shape: tuple[Any, ...], task: Task, ignore: int | None, *, may_be_missing: bool
) -> None:
    """Check labels that are arrays.

    Args:
        labels: as given to `fit`.
        shape: of the student's outputs, (None, ..., C).
        task: what they mean.
        ignore: a value that means "no label here".
        may_be_missing: whether they may all be missing, as in one batch of many.

    Raises:
        RequestError: another shape, or values that the task does not have.
    """
    layout = form(labels.shape, shape, task)
    if task.name == "categorical" and layout == "rows" and labels.dtype.kind == "f":
        known = labels[~(np.isnan(labels) | (labels == -1)).any(axis=-1)]
        if len(known) and (known >= 0).all() and (np.abs(known.sum(axis=-1, dtype=np.float64) - 1) < 1e-3).all():
            return  # distributions, such as smoothed one-hot labels
    canonical = canonical_labels(labels, task, positions=len(shape) - 2, ignore=ignore)
    if canonical.size and not may_be_missing and not known_entries(canonical, task).any():
        raise RequestError("Every label in y is missing. Give labels, or leave y out to train on the teacher alone.")
    if task.name == "categorical" and canonical.size and canonical.max() >= shape[-1]:
        lowest = canonical[canonical >= 0].min()
        raise RequestError(
            f"y holds labels from {lowest} to {canonical.max()}, and must hold class numbers from 0 to "
            f"{shape[-1] - 1}: the student has {shape[-1]} classes."
        )


def check_weights(data: Data, shape: tuple[Any, ...], task: Task | None) -> None:
    """Check sample and class weights.

    Args:
        data: as given to `fit`.
        shape: of the student's outputs, (None, ..., C).
        task: what the outputs mean, if that is known.

    Raises:
        RequestError: sample weights of another shape or that are not finite; class weights where there are no classes.
    """
    positions = shape[1:-1]
    if data.class_weight is not None and (positions or (task and task.name in ("multilabel", "regression"))):
        of = f"task={task.name}" if task and task.name in ("multilabel", "regression") else "a class at each position"
        raise not_allowed(
            "class_weight", data.class_weight, f"left out with {of}", "Pass sample_weight, a weight for each example."
        )
    if not is_array(data.sample_weight):
        return
    weights = as_numpy(data.sample_weight)
    if weights.ndim != 1 and not fit(weights.shape[1:], positions) and weights.shape[1:] != (1,):
        allowed = "(examples,)" + (f" or (examples, {', '.join(map(str, positions))})" if positions else "")
        raise not_allowed("sample_weight.shape", weights.shape, allowed)
    _check_finite(weights, "sample_weight", "Weights are finite numbers.")


class FirstBatchCheck(keras.callbacks.Callback):
    """Stop with a clear error when the first batch's loss is not finite: streamed data cannot be checked before.

    Args:
        distiller: whose task the message names.
        classes: C, for the message.
    """

    def __init__(self, distiller: Any, classes: int) -> None:
        super().__init__()
        self._distiller, self._classes, self._checked = distiller, classes, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check the first loss, once.

        Args:
            batch, logs: Keras's.
        """
        if not self._checked and not math.isfinite(float((logs or {}).get("loss", 0.0))):
            labels = {
                "categorical": f"labels outside 0..{self._classes - 1}",
                "regression": "labels that are infinite",
            }.get(self._distiller.task, "labels other than 0 and 1")
            raise RequestError(
                f"The loss of the first batch is not finite. Are there {labels}, or NaN among the inputs or the "
                "teacher's logits? Check a batch of the data set."
            )
        self._checked = True
