"""A data set: inputs and labels for training and for the final test, checked once and immutable."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore, is_mapped
from distillab.data.labels import Array, Labels, Rows, as_labels
from distillab.errors import not_allowed

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
        x_train: training inputs, (N, H, W, C) for images or (N, F) for features; bytes (uint8) or floats, finite.
        y_train: training labels, (N,), class numbers in 0..C-1.
        x_test: test inputs, of the same type and shape per example.
        y_test: test labels.
        class_names: C >= 2 different names, in the order of the class numbers.
        scale: the factor applied to inputs before a model reads them, > 0 (1/255 for bytes).
        validation: fixed validation rows of the training examples, sorted; None: none are fixed.
        unlabelled: inputs without labels, (U, ...), of the type and shape per example of x_train; U may be 0.
        mean: mean of each feature for standardisation, (F,); None for images.
        spread: standard deviation of each feature, (F,), > 0; None for images.
        notes: the changes made when the data were read, one sentence each.
        store: allocates arrays derived from the data.

    Raises:
        RequestError: an array of the wrong shape, type or values; the message names it.

    Example:
        >>> x, y = np.zeros((2, 3), np.float32), [0, 1]
        >>> Dataset("tiny", x, y, x, y, ("no", "yes"), 1.0)
        Dataset(name='tiny', class_names=('no', 'yes'), scale=1.0)
    """

    name: str
    x_train: Array = field(repr=False)
    y_train: Labels = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Labels = field(repr=False)
    class_names: tuple[str, ...]
    scale: float
    validation: Rows | None = field(default=None, repr=False)
    unlabelled: Array = field(default_factory=lambda: _NO_ROWS, repr=False)
    mean: NDArray[np.float32] | None = field(default=None, repr=False)
    spread: NDArray[np.float32] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    store: ArrayStore = field(default_factory=ArrayStore, repr=False)

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        if len(names) < 2 or len(set(names)) < len(names):
            raise not_allowed("class_names", names, "at least 2 names, all different")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise not_allowed("scale", self.scale, "a finite number > 0", "Bytes are usually scaled by 1/255.")
        checked: dict[str, object] = {"class_names": names, "scale": float(self.scale)}
        for part in ("train", "test"):
            x = _inputs(getattr(self, f"x_{part}"), f"x_{part}")
            y = as_labels(getattr(self, f"y_{part}"), f"y_{part}", classes=len(names))
            if len(x) != len(y):
                raise not_allowed(f"len(y_{part})", len(y), f"{len(x)}: one label for each example of x_{part}")
            y.setflags(write=False)
            checked |= {f"x_{part}": x, f"y_{part}": y}
        self._set(checked)
        self._check_like_training("x_test", self.x_test)
        unlabelled = _inputs(self.unlabelled, "unlabelled") if len(self.unlabelled) else self.x_train[:0]
        self._check_like_training("unlabelled", unlabelled)
        validation = None if self.validation is None else _validation_rows(self.validation, len(self.y_train))
        self._set({"unlabelled": unlabelled, "validation": validation})

    def _set(self, values: dict[str, object]) -> None:
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def _check_like_training(self, name: str, x: Array) -> None:
        if x.dtype != self.x_train.dtype:
            raise not_allowed(f"{name}.dtype", str(x.dtype), f"{self.x_train.dtype}, as in x_train")
        if x.shape[1:] != self.input_shape:
            raise not_allowed(f"{name}.shape[1:]", x.shape[1:], f"{self.input_shape}, as in x_train")

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (H, W, C) or (F,)."""
        return self.x_train.shape[1:]

    @property
    def training(self) -> Rows:
        """The sorted rows of the training examples that are not validation rows."""
        return np.setdiff1d(np.arange(len(self.y_train)), _NO_ROWS if self.validation is None else self.validation)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of all data a model can see: the arrays with type and shape, and the scale.

        Validation rows and unlabelled inputs are included if there are any.
        """
        arrays = {name: getattr(self, name) for name in ARRAYS}
        if self.validation is not None or len(self.unlabelled):
            validation = _NO_ROWS if self.validation is None else self.validation
            arrays |= {"validation": validation, "unlabelled": self.unlabelled}
        sha = hashlib.sha256()
        for name, array in arrays.items():
            sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            sha.update(array.reshape(-1).view(np.uint8).data)
        sha.update(f"scale {self.scale.hex()}\n".encode())
        return sha.hexdigest()

    def inputs(self, x: Array) -> NDArray[np.float32]:
        """Scale stored inputs as the device does: `x * scale`, both converted to float32 first.

        Args:
            x: stored inputs, any shape.
        """
        return np.multiply(x, np.float32(self.scale), dtype=np.float32)

    def prepared(self, *parts: Array | tuple[Array, Rows | None]) -> Array:
        """Concatenate stored inputs by rows, and standardise features; images stay as stored (`scale` comes later).

        Args:
            parts: arrays (M, ...), or pairs of an array and its selected rows (None: all).
        """
        pairs = [part if isinstance(part, tuple) else (part, None) for part in parts]
        mean, spread = self.mean, self.spread
        if mean is None or spread is None:
            return self.store.gather(pairs)
        return self.store.gather(pairs, lambda x: np.asarray((x - mean) / spread, np.float32))


def _validation_rows(values: Rows, count: int) -> Rows:
    rows = np.sort(np.asarray(values))
    distinct = rows.ndim == 1 and rows.dtype.kind in "iu" and len(np.unique(rows)) == len(rows)
    if not distinct or not 0 < len(rows) < count or rows[0] < 0 or rows[-1] >= count:
        do = "At least one training example must remain."
        raise not_allowed("validation", rows.tolist(), f"different row numbers from 0 to {count - 1}", do)
    rows = rows.astype(np.intp)
    rows.setflags(write=False)
    return rows


def _inputs(values: Array, name: str) -> Array:
    """Check inputs and return them read-only, contiguous and in native byte order."""
    array = np.asarray(values)
    if array.ndim not in (2, 4) or array.size == 0:
        do = "Grey images take a last axis of length 1." if array.ndim == 3 else ""
        raise not_allowed(f"{name}.shape", array.shape, "(N, H, W, C) or (N, F), no axis of length 0", do)
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "uint8 or floating", "Convert with .astype('float32').")
    # A NaN passes through min() and max() and fails both comparisons; float32 is what every model computes in.
    low, high, limit = float(array.min()), float(array.max()), float(np.finfo(np.float32).max)
    if not (low >= -limit and high <= limit):
        raise not_allowed(f"{name}", f"from {low} to {high}", "finite in float32 everywhere")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if array.flags.writeable:
        array = array.view() if is_mapped(array) else array.copy()
        array.setflags(write=False)
    return array
