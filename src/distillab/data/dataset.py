"""A data set: inputs and labels for training and for the final test, checked once and immutable."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore, pieces
from distillab.data.columns import Columns
from distillab.data.example_ids import ExampleIds
from distillab.data.inputs import (
    INPUT,
    Kind,
    PerInput,
    Scale,
    changed,
    checked_inputs,
    for_input,
    input_kind,
    parts_of,
    scaled,
    shapes_of,
)
from distillab.data.labels import SEVERAL, Array, Rows, as_task_labels, check_variety
from distillab.data.several import target_scale_of_parts
from distillab.data.standardisation import target_scale
from distillab.data.text import Text
from distillab.data.weights import checked_weights
from distillab.errors import not_allowed
from distillab.tasks import TASKS, Task, known_entries
from distillab.tasks.several import column_names, label_outputs

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The data of a study or a distillation.

    Inputs keep the type they are stored in: an image of bytes stays bytes until it reaches the device, where it is
    multiplied by `scale`. All arrays are read-only. A writeable array in memory is copied, so that `digest` stays
    valid; a memory-mapped one is not.

    Args:
        name: its name in reports; not part of the digest.
        x_train: training inputs: (N, H, W, C) for images, (N, F) for features or (N, T, F) for series, bytes (uint8) or
            finite floats; (N, T) for token ids, whole numbers; a structured array (N,) of such for several inputs.
        y_train: training labels in the form of `tasks.canonical_labels`: (N,) class numbers in 0..C-1, or those of
            another task, or of positions. Some labels of an example may then be unknown, never all.
        x_test: test inputs, of the same type and shape per example.
        y_test: test labels.
        class_names: different names of the C classes, labels or numbers, in their order.
        scale: the factor applied to inputs before a model reads them, > 0 (1/255 for bytes); of several inputs one by
            name. Token ids are never scaled.
        validation: fixed validation rows of the training examples, sorted; None: none are fixed.
        trusted: those of the validation rows whose labels are known to be right, sorted.
        unlabelled: inputs without labels, (U, ...), of the type and shape per example of x_train; U may be 0.
        mean: mean of each feature for standardisation, (F,); None for images and token ids; of several inputs by name.
        spread: standard deviation of each feature, (F,), > 0; as `mean`.
        task: what the labels mean.
        notes: the changes made when the data were read, one sentence each.
        store: allocates arrays derived from the data.
        ids: where the examples were read from; not part of the digest. None: the arrays themselves.
        columns: of a table with words or gaps, what its numbers mean: inputs are then as read, (N, F), NaN where a
            value is missing, and students read them encoded. None: inputs are what they are.
        text: the texts behind token ids, and their tokenizer.
        weights: how much each training example's losses count, (N,), >= 0, not all 0; None: each counts 1. Metrics are
            not weighed.

    Two more fields follow from the data, None but for a regression: `target_mean` and `target_spread`, the mean and
    standard deviation of each number over the training labels, (C,). Of several outputs they are packed, (C'), with 0
    and 1 for the columns of those that are no numbers; the labels are packed too (`tasks.several`).

    Raises:
        RequestError: an array of the wrong shape, type or values; the message names it.

    Example:
        >>> x, y = np.zeros((2, 3), np.float32), [0, 1]
        >>> Dataset("tiny", x, y, x, y, ("no", "yes"), 1.0)
        Dataset(name='tiny', class_names=('no', 'yes'), scale=1.0)
    """

    name: str
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    class_names: tuple[str, ...]
    scale: Scale
    validation: Rows | None = field(default=None, repr=False)
    unlabelled: Array = field(default_factory=lambda: _NO_ROWS, repr=False)
    mean: NDArray[np.float32] | PerInput | None = field(default=None, repr=False)
    spread: NDArray[np.float32] | PerInput | None = field(default=None, repr=False)
    task: Task = field(default=TASKS["categorical"], repr=False, kw_only=True)
    notes: tuple[str, ...] = field(default=(), repr=False)
    store: ArrayStore = field(default_factory=ArrayStore, repr=False)
    ids: ExampleIds | None = field(default=None, repr=False, kw_only=True)
    columns: Columns | None = field(default=None, repr=False, kw_only=True)
    text: Text | None = field(default=None, repr=False, kw_only=True)
    weights: NDArray[np.float32] | None = field(default=None, repr=False, kw_only=True)
    trusted: Rows = field(default_factory=lambda: _NO_ROWS, repr=False, kw_only=True)
    target_mean: NDArray[np.float64] | None = field(init=False, repr=False, default=None)
    target_spread: NDArray[np.float64] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        least = 1 if self.task.name in SEVERAL else 2
        if len(names) < least or len(set(names)) < len(names):
            raise not_allowed("class_names", names, f"at least {least} name{'s' * (least > 1)}, all different")
        if self.task.parts and names != (columns := column_names(self.task)):
            raise not_allowed("class_names", names, f"{columns}, the columns of the outputs")
        if self.task.name == "binary" and len(names) > 2:
            raise not_allowed("class_names", names, "2 names with task=binary: those of 0 and of 1")
        checked: dict[str, object] = {"class_names": names, "scale": _checked_scale(self.scale, self.x_train)}
        for part in ("train", "test"):
            x = checked_inputs(getattr(self, f"x_{part}"), f"x_{part}", gaps=self.columns is not None)
            y = as_task_labels(getattr(self, f"y_{part}"), self.task, f"y_{part}", names=len(names))
            if len(x) != len(y):
                raise not_allowed(f"len(y_{part})", len(y), f"{len(x)}: one label for each example of x_{part}")
            y.setflags(write=False)
            checked |= {f"x_{part}": x, f"y_{part}": y}
        self._set(checked)
        self._check_like_training("x_test", self.x_test)
        unlabelled = self.x_train[:0]
        if len(self.unlabelled):
            unlabelled = checked_inputs(self.unlabelled, "unlabelled", gaps=self.columns is not None)
        self._check_like_training("unlabelled", unlabelled)
        validation = None if self.validation is None else _validation_rows(self.validation, len(self.y_train))
        weights = None if self.weights is None else checked_weights(self.weights, len(self.y_train))
        self._set({"unlabelled": unlabelled, "validation": validation, "weights": weights})
        if not np.isin(self.trusted, _NO_ROWS if validation is None else validation).all():
            raise not_allowed("trusted", np.asarray(self.trusted).tolist(), "some of the validation rows")
        self._check_labels()

    def _set(self, values: dict[str, object]) -> None:
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def _check_like_training(self, name: str, x: Array) -> None:
        if x.dtype != self.x_train.dtype:
            raise not_allowed(f"{name}.dtype", str(x.dtype), f"{self.x_train.dtype}, as in x_train")
        if x.shape[1:] != self.input_shape:
            raise not_allowed(f"{name}.shape[1:]", x.shape[1:], f"{self.input_shape}, as in x_train")

    def _check_labels(self) -> None:
        shape = self.y_train.shape[1:]
        if self.y_test.shape[1:] != shape:
            raise not_allowed("y_test.shape[1:]", self.y_test.shape[1:], f"{shape}, as in y_train")
        parts = {"training": self.y_train[self.training], "test": self.y_test}
        if self.validation is not None:
            parts["validation"] = self.y_train[self.validation]
        for part, labels in parts.items():
            check_variety(labels, self.task, self.class_names, part)
        self._set(dict(zip(("target_mean", "target_spread"), self._target_scale(), strict=True)))

    def _target_scale(self) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        if self.task.parts:
            return target_scale_of_parts(self.task, self.y_train[self.training], target_scale)
        if self.task.name != "regression":
            return None, None
        return target_scale(self.y_train[self.training], self.class_names)

    @property
    def classes(self) -> int:
        """C, the number of classes, labels or numbers."""
        return len(self.class_names)

    @property
    def outputs(self) -> int:
        """The number of outputs of a model at one position."""
        return self.task.outputs(self.classes)

    @property
    def positions(self) -> tuple[int, ...]:
        """The lengths of the axes of positions: (H, W) for maps, () where an example has one prediction."""
        shape: tuple[int, ...] = self.y_train.shape
        return shape[1:-1] if self.task.name in SEVERAL else shape[1:]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of a model's outputs for one example."""
        return (*self.positions, self.outputs)

    def training_weights(self, rows: Rows, unlabelled: int = 0) -> NDArray[np.float32] | None:
        """The weights of some training examples, (K,), then of unlabelled ones, which are 1; None without weights.

        Args:
            rows: of the training examples.
            unlabelled: how many unlabelled examples follow them.
        """
        if self.weights is None:
            return None
        return np.concatenate([self.weights[rows], np.ones(unlabelled, np.float32)])

    @cached_property
    def partly_labelled(self) -> bool:
        """Whether some entries of the training labels are unknown."""
        return not known_entries(self.y_train, self.task).all()

    @property
    def example_ids(self) -> ExampleIds:
        """The ids by which files of answers name the examples."""
        return self.ids or ExampleIds.of_rows(len(self.x_train), len(self.x_test), len(self.unlabelled))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (H, W, C), (F,), (T, F) or (T,); () where it has several inputs."""
        return self.x_train.shape[1:]

    @property
    def student_shape(self) -> tuple[int, ...]:
        """The shape of one example as students read it: that of the encoded columns of a table, or `input_shape`."""
        return self.input_shape if self.columns is None else (self.columns.width,)

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one example of each input, by name; an only input is called "inputs"."""
        return shapes_of(self.x_train)

    @property
    def student_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one example of each input as students read it, by name."""
        return self.input_shapes if self.columns is None else {INPUT: self.student_shape}

    @property
    def model_shape(self) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
        """What a function that builds a model is told: the shape of the only input, or the shapes by name."""
        return self.student_shape if self.x_train.dtype.names is None else self.input_shapes

    @property
    def input_kinds(self) -> dict[str, Kind]:
        """What each input is, by name."""
        return {name: input_kind(part) for name, part in parts_of(self.x_train[:1]).items()}

    @cached_property
    def vocabulary(self) -> int | None:
        """The number of token ids, where the inputs are such: the tokenizer's, or the largest that occurs and one."""
        if self.text is not None:
            return self.text.tokenizer.vocabulary
        if self.x_train.dtype.names is not None or input_kind(self.x_train[:1]) != "tokens":
            return None
        return 1 + max(int(x.max(initial=0)) for x in (self.x_train, self.x_test, self.unlabelled))

    @property
    def padding(self) -> int:
        """The token id that fills up a text."""
        return 0 if self.text is None else self.text.tokenizer.padding

    @property
    def training(self) -> Rows:
        """The sorted rows of the training examples that are not validation rows."""
        return np.setdiff1d(np.arange(len(self.y_train)), _NO_ROWS if self.validation is None else self.validation)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of all data a model can see: the arrays with type and shape, and the scale.

        Validation rows and unlabelled inputs are included if there are any, the task if it is not one class an example.
        """
        arrays = {name: getattr(self, name) for name in ARRAYS}
        if self.validation is not None or len(self.unlabelled):
            validation = _NO_ROWS if self.validation is None else self.validation
            arrays |= {"validation": validation, "unlabelled": self.unlabelled}
        if self.weights is not None:
            arrays["weights"] = self.weights
        if len(self.trusted):
            arrays["trusted"] = self.trusted
        sha = hashlib.sha256()
        for name, array in arrays.items():
            described = array.dtype.str if array.dtype.names is None else array.dtype.descr
            sha.update(f"{name} {described} {array.shape}\n".encode())
            for _, rows in pieces(array):
                sha.update(rows.reshape(-1).view(np.uint8).data)
        scales = self.scale.hex() if isinstance(self.scale, float) else {k: v.hex() for k, v in self.scale.items()}
        sha.update(f"scale {scales}\n".encode())
        if self.task.name != "categorical" or self.positions:
            sha.update(f"task {self.task.name}\n".encode())
        for part in self.task.parts:
            sha.update(f"output {part.name!r} {part.task.name} {part.class_names}\n".encode())
        if self.columns is not None:
            sha.update(f"columns {self.columns.to_json()}\n".encode())
        if self.text is not None:
            sha.update(f"text {self.text.digest}\n".encode())
        return sha.hexdigest()

    def inputs(self, x: Array) -> Any:
        """Scale stored inputs as the device does: `x * scale`, both converted to float32 first; token ids stay.

        Args:
            x: stored inputs, any shape.

        Returns:
            An array, or of several inputs a dictionary by name.
        """
        return scaled(x, self.scale)

    def standardised(self, values: Array) -> Array:
        """Numbers in the data's unit as a model predicts them, float32; those of other tasks unchanged.

        Args:
            values: labels or predictions, (M, P..., C).
        """
        if self.target_mean is None or self.target_spread is None:
            return values
        return ((values.astype(np.float64) - self.target_mean) / self.target_spread).astype(np.float32)

    def targets(self, y: Array) -> Array:
        """What a model trains on: standardised numbers; labels of other tasks unchanged.

        Args:
            y: labels, (M, P...) or (M, P..., C).
        """
        if self.task.parts and self.target_mean is not None and self.target_spread is not None:
            columns = label_outputs(self.task)
            mean, spread = self.target_mean[columns], self.target_spread[columns]
            return ((y.astype(np.float64) - mean) / spread).astype(np.float32)
        return self.standardised(y)

    def in_units(self, outputs: Array) -> Array:
        """A model's outputs in the data's unit, float32; those of other tasks unchanged. Reverses `standardised`.

        Args:
            outputs: (M, P..., C).
        """
        if self.target_mean is None or self.target_spread is None:
            return outputs
        return (outputs.astype(np.float64) * self.target_spread + self.target_mean).astype(np.float32)

    def prepared(self, *parts: Array | tuple[Array, Rows | None], lazily: bool = False) -> Array:
        """Concatenate stored inputs by rows, and standardise features; images stay as stored (`scale` comes later).

        Those of a table with words or gaps are encoded, (M, F').

        Args:
            parts: arrays (M, ...), or pairs of an array and its selected rows (None: all).
            lazily: give `SelectedRows` of mapped arrays instead of a copy that is larger than the store's limit.
        """
        made = self.store.selected if lazily else self.store.gather
        pairs = [part if isinstance(part, tuple) else (part, None) for part in parts]
        if self.columns is not None:
            return made(pairs, self.columns.encoded)
        if self.mean is None or self.spread is None:
            return made(pairs)

        def standardise(name: str, part: Array) -> Array:
            mean, spread = for_input(self.mean, name), for_input(self.spread, name)
            return part if mean is None or spread is None else np.asarray((part - mean) / spread, np.float32)

        return made(pairs, lambda x: changed(x, standardise))


def _checked_scale(scale: Any, x: Array) -> Scale:
    """One factor, or one for each of several inputs, each finite and > 0."""
    given = {name: for_input(scale, name) for name in parts_of(np.asarray(x)[:1])}
    for name, value in given.items():
        of = f"scale[{name!r}]" if isinstance(scale, Mapping) else "scale"
        if value is None or not (math.isfinite(value) and value > 0):
            raise not_allowed(of, value, "a finite number > 0", "Bytes are usually scaled by 1/255.")
    return {name: float(value) for name, value in given.items()} if isinstance(scale, Mapping) else float(scale)


def _validation_rows(values: Rows, count: int) -> Rows:
    rows = np.sort(np.asarray(values))
    distinct = rows.ndim == 1 and rows.dtype.kind in "iu" and len(np.unique(rows)) == len(rows)
    if not distinct or not 0 < len(rows) < count or rows[0] < 0 or rows[-1] >= count:
        do = "At least one training example must remain."
        raise not_allowed("validation", rows.tolist(), f"different row numbers from 0 to {count - 1}", do)
    rows = rows.astype(np.intp)
    rows.setflags(write=False)
    return rows
