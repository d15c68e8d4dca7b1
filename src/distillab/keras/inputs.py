"""A distiller's training data: inputs with or without the teacher's logits, and their checks before the first step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from distillab.errors import RequestError, not_allowed
from distillab.keras.checks import fit, maps_differ
from distillab.keras.labels import form
from distillab.models.input_names import symbolic_inputs
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


def check_inputs(inputs: Any, model: keras.Model, name: str = "The student") -> None:
    """Check inputs that are arrays: that they are those of a model, and finite.

    Args:
        inputs: without a teacher's logits.
        model: that takes them.
        name: of the model, for messages.

    Raises:
        RequestError: another number of inputs, other names, or inputs that are not finite.
    """
    paths = keras.tree.flatten_with_path(inputs)
    if not all(is_array(array) for _, array in paths):
        return
    check_structure(inputs, model, name)
    for path, array in paths:
        part = "x" + "".join(f"[{key!r}]" for key in path)
        _check_finite(as_numpy(array), part, "Remove those examples, or fill in the missing numbers.")


def check_structure(inputs: Any, model: keras.Model, name: str) -> None:
    """Check that inputs are as many as a model takes, with its names where they are a dictionary.

    Args:
        inputs: arrays, without a teacher's logits.
        model: that takes them.
        name: of the model, for messages.

    Raises:
        RequestError: another number of inputs, or other names.
    """
    taken = symbolic_inputs(model)
    if taken is None:
        return
    tensors = keras.tree.flatten(taken)
    names = list(taken) if isinstance(taken, dict) else [tensor.name for tensor in tensors]
    if isinstance(inputs, dict):  # Keras finds the inputs of a list by name, and of a dictionary takes all
        fits = set(inputs) == set(names) if isinstance(taken, dict) else set(inputs) >= set(names)
        has = f"a dictionary of {', '.join(map(repr, inputs))}"
    else:
        count = len(keras.tree.flatten(inputs))
        fits = count == len(tensors)
        has = f"{count} arrays" if count > 1 else "one array"
    if not fits:
        given = "a dictionary with these names" if isinstance(taken, dict) else "a list in this order, or a dictionary"
        raise RequestError(
            f"{name} takes {len(tensors)} inputs ({', '.join(map(repr, names))}), and x is {has}. Give x as {given}, "
            "and labels beside it: (x, y)."
            if len(tensors) > 1
            else f"{name} takes one input, and x is {has}. Give x as one array, and labels beside it: (x, y)."
        )


def _check_finite(array: np.ndarray, name: str, do: str) -> None:
    # The sum is finite where all numbers are, and needs no copy of the array.
    if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
        wrong = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if wrong.any():
            raise RequestError(
                f"{name} holds NaN or infinity in {int(wrong.sum())} of {len(array)} examples, first at example "
                f"{int(wrong.argmax())}. {do}"
            )


def check_logits(logits: np.ndarray, shape: tuple[Any, ...]) -> None:
    """Check a teacher's logits that are arrays.

    Args:
        logits: of one output.
        shape: of the student's output, (None, ..., C).

    Raises:
        RequestError: logits of another shape, or that are not finite.
    """
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


def check_class_weight(class_weight: Any, shape: tuple[Any, ...], task: Task | None) -> None:
    """Refuse class weights where there is no class of each example.

    Args:
        class_weight: as given to `fit`.
        shape: of the student's output, (None, ..., C).
        task: what it means, if that is known.
    """
    if class_weight is not None and (shape[1:-1] or (task and task.name in ("multilabel", "regression"))):
        of = f"task={task.name}" if task and task.name in ("multilabel", "regression") else "a class at each position"
        raise not_allowed(
            "class_weight", class_weight, f"left out with {of}", "Pass sample_weight, a weight for each example."
        )


def check_weights(sample_weight: Any, shape: tuple[Any, ...]) -> None:
    """Check sample weights that are arrays.

    Args:
        sample_weight: of one output.
        shape: of the student's output, (None, ..., C).

    Raises:
        RequestError: another shape, or weights that are not finite.
    """
    if not is_array(sample_weight):
        return
    weights, positions = as_numpy(sample_weight), shape[1:-1]
    if weights.ndim != 1 and not fit(weights.shape[1:], positions) and weights.shape[1:] != (1,):
        allowed = "(examples,)" + (f" or (examples, {', '.join(map(str, positions))})" if positions else "")
        raise not_allowed("sample_weight.shape", weights.shape, allowed)
    _check_finite(weights, "sample_weight", "Weights are finite numbers.")


class FirstBatchCheck(keras.callbacks.Callback):
    """Stop with a clear error when the first batch's loss is not finite: streamed data cannot be checked before.

    Args:
        wrong_labels: says which labels may have done that, once the tasks are known.
    """

    def __init__(self, wrong_labels: Callable[[], str]) -> None:
        super().__init__()
        self._wrong_labels, self._checked = wrong_labels, False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check the first loss, once.

        Args:
            batch, logs: Keras's.
        """
        if not self._checked and not math.isfinite(float((logs or {}).get("loss", 0.0))):
            raise RequestError(
                f"The loss of the first batch is not finite. Are there {self._wrong_labels()}, or NaN among the inputs "
                "or the teacher's logits? Check a batch of the data set."
            )
        self._checked = True
