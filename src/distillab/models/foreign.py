"""A trained model of any framework: what it reads, how it predicts, and what its outputs are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, reason
from distillab.models.predictions import LEAST
from distillab.models.preparation import Layout
from distillab.tasks import Head, Task

Array = NDArray[Any]

Gives = Literal["probabilities", "logits", "decisions", "values", ""]
"""What outputs are: probabilities; logits; class numbers; real numbers; "": their values show it."""


class ForeignInput(NamedTuple):
    """One of a model's several inputs: its name, the shape of one example (None for an open side), and its type."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class ForeignModel:
    """A trained model that is no Keras model, or one whose operations Keras does not show.

    Args:
        name: in reports.
        kind: of model, for messages: "ONNX model".
        call: from a batch as the model reads it, (B, ...) or a dictionary of several inputs, to its outputs:
            (B, ..., C), or (B,) for one output; of several outputs, to a list or a dictionary of such.
        digest: of the model's contents; "": only its predictions identify it.
        shape: of one input as the model states it, None where a side is open; None: it does not say.
        dtype: of its inputs.
        several: its inputs in their order, where it states that it has several.
        channels_first: whether images have their channels first, where the shape leaves that open.
        gives: what the outputs are.
        outputs: the length of the last axis, where the model states it; 1 for (B,).
        class_names: of the columns, in their order; () where the model has none.
        layout: of images, as the user states it.
        every: from a batch to all outputs by name, of a graph with several of which `call` takes one.
        named_by_graph: whether names of several outputs may be a converter's, and their order counts where they differ.
        feature_names: of the columns that it was fitted on, where they have names.
        categorical: whether it reads words as categories of pandas, and not as text.
        given: what it is given, in words; "": its inputs as prepared.
        reads_text: whether it reads a list of texts.
    """

    name: str
    kind: str
    call: Callable[[Any], Any]
    digest: str = ""
    shape: tuple[int | None, ...] | None = None
    dtype: str = "float32"
    several: tuple[ForeignInput, ...] = ()
    channels_first: bool = False
    gives: Gives = ""
    outputs: int | None = None
    class_names: tuple[str, ...] = ()
    layout: Layout | None = None
    every: Callable[[Any], Mapping[str, Array]] | None = None
    named_by_graph: bool = False
    feature_names: tuple[str, ...] = ()
    categorical: bool = False
    given: str = ""
    reads_text: bool = False

    @property
    def head(self) -> Head | None:
        """The outputs, where they help to recognise the task; two classes may be one output or two."""
        if self.outputs is None or self.outputs < 3 or self.gives not in ("probabilities", "logits"):
            return None
        return Head(self.outputs, "softmax" if self.class_names else "", 0, self.name)

    def predict(self, inputs: Array | dict[str, Array]) -> NDArray[np.float32]:
        """Call the model on a batch.

        Args:
            inputs: as the model reads them, (B, ...), or several by name.

        Returns:
            Its outputs, float32, (B, ..., C).

        Raises:
            RequestError: it fails, or gives something else.
        """
        given = self.outputs_for(inputs)
        if isinstance(given, Mapping) or (isinstance(given, tuple) and len(given) > 1):
            names = f" ({', '.join(map(str, given))})" if isinstance(given, Mapping) else ""
            raise RequestError(
                f"The {self.kind} {self.name} gives {len(given)} outputs{names}, and the data have labels of one. Let "
                "it give one, or give the labels of each output."
            )
        try:
            whole = np.asarray(given)
        except Exception as error:  # rows of different lengths, or a framework's own objects
            raise self._failure(inputs, error) from error
        return self.checked(whole, number_of(inputs))

    def outputs_for(self, inputs: Array | dict[str, Array], *, every: bool = False) -> Any:
        """Call the model on a batch, and give what it gives: an array, or several in a list or a dictionary.

        Args:
            inputs: as the model reads them, (B, ...), or several by name.
            every: all outputs of a graph of which one is chosen otherwise.

        Raises:
            RequestError: it fails.
        """
        try:
            return self.every(inputs) if every and self.every is not None else self.call(inputs)
        except RequestError:
            raise
        except Exception as error:  # a framework, or a user's function, can raise anything
            raise self._failure(inputs, error) from error

    def _failure(self, inputs: Array | dict[str, Array], error: Exception) -> RequestError:
        return RequestError(f"The {self.kind} {self.name} fails for {_described(inputs)}: {reason(error)}.")

    def checked(self, given: Any, count: int) -> NDArray[np.float32]:
        """One output as an array, (B, ..., C).

        Args:
            given: by the model.
            count: B, the number of inputs.

        Raises:
            RequestError: it is something else.
        """
        try:
            outputs = np.asarray(given)
        except Exception as error:  # of a framework's own tensors
            raise RequestError(f"The {self.kind} {self.name} gives no arrays: {reason(error)}.") from error
        if outputs.dtype.kind not in "fiub" or outputs.shape[:1] != (count,) or outputs.ndim > 4:
            raise RequestError(
                f"The {self.kind} {self.name} gives {outputs.dtype} of shape {outputs.shape} for {count} inputs, "
                "and must give numbers of shape (inputs, classes)."
            )
        return np.asarray(outputs[:, None] if outputs.ndim == 1 else outputs, np.float32)


def number_of(inputs: Array | dict[str, Array]) -> int:
    """The number of examples.

    Args:
        inputs: of a model, one or several by name.
    """
    return len(next(iter(inputs.values())) if isinstance(inputs, dict) else inputs)


def _described(inputs: Array | dict[str, Array]) -> str:
    if isinstance(inputs, dict):
        return " and ".join(f"{part.dtype} {name!r} of shape {tuple(part.shape[1:])}" for name, part in inputs.items())
    return f"{inputs.dtype} inputs of shape {tuple(inputs.shape[1:])}"


def recognised_outputs(outputs: Array, task: Task) -> Gives:
    """What outputs are, by their values.

    Probabilities of classes are rows that sum to 1. Probabilities of independent labels all lie from 0 to 1. Class
    numbers are one column of whole numbers where there must be several columns.

    Args:
        outputs: shape (N, ..., C), of enough examples to show it.
        task: what they mean.
    """
    if task.name == "regression":
        return "values"
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    if outputs.shape[-1] > 1 and task.name in ("categorical", "binary"):
        sums = outputs.sum(axis=-1, dtype=np.float64)
        return "probabilities" if bool((outputs >= 0).all() and (np.abs(sums - 1) < 1e-3).all()) else "logits"
    if task.name == "categorical" and not inside and bool((outputs == outputs.round()).all()):
        return "decisions"
    return "probabilities" if inside else "logits"


def as_raw_outputs(outputs: Array, gives: Gives, task: Task, classes: int) -> NDArray[np.float32]:
    """Logits of the teacher's classes, or real numbers as they are.

    One output of two classes becomes two, and two become one, as the task needs them. Probabilities are clipped at
    1e-7; class numbers become probabilities of 0 and 1.

    Args:
        outputs: shape (N, ..., K).
        gives: what they are; not "".
        task: what the data need.
        classes: the number of the teacher's classes.

    Example:
        >>> from distillab.tasks import TASKS
        >>> as_raw_outputs(np.array([[0.5]]), "probabilities", TASKS["categorical"], 2).round(3).tolist()
        [[-0.693..., -0.693...]]
        >>> as_raw_outputs(np.array([[1.0, 3.0]]), "logits", TASKS["binary"], 2).tolist()
        [[2.0]]
    """
    if gives == "values" or task.name == "regression":
        return np.asarray(outputs, np.float32)
    numbers = outputs.astype(np.float64)
    if gives == "decisions":
        numbers = np.eye(max(classes, 2))[outputs[..., 0].astype(int)] if outputs.shape[-1] == 1 else numbers
    if task.name == "multilabel":
        return np.asarray(numbers if gives == "logits" else _logit(numbers), np.float32)
    single = numbers.shape[-1] == 1
    if task.name == "categorical":
        if single:
            numbers = np.concatenate([np.zeros_like(numbers), numbers if gives == "logits" else _logit(numbers)], -1)
            return np.asarray(numbers - np.logaddexp(numbers[..., :1], numbers[..., 1:]), np.float32)
        return np.asarray(numbers if gives == "logits" else np.log(np.maximum(numbers, LEAST)), np.float32)
    if single:
        return np.asarray(numbers if gives == "logits" else _logit(numbers), np.float32)
    logits = numbers if gives == "logits" else np.log(np.maximum(numbers, LEAST))
    return np.asarray(logits[..., 1:] - logits[..., :1], np.float32)


def _logit(probabilities: Array) -> Array:
    clipped = np.clip(probabilities, LEAST, 1 - LEAST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
