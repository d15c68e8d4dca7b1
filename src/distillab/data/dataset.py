"""A data set: inputs and labels for training and for the final test, checked once and never changed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array, Labels, as_labels
from distillab.errors import not_allowed

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a study trains and tests on.

    Inputs keep the type they are stored in: an image of bytes stays bytes until it reaches the device, where it is
    multiplied by `scale`. All arrays are read-only; a writeable one is copied, so that `digest` stays true.

    Args:
        name: what reports call it; no part of the digest.
        x_train: training inputs, (N, H, W, C) for images or (N, F) for features; bytes (uint8) or floats, finite.
        y_train: training labels, (N,), class numbers in 0..C-1.
        x_test: test inputs, of the same type and shape per example.
        y_test: test labels.
        class_names: C >= 2 different names, in the order of the class numbers.
        scale: what inputs are multiplied by before a model sees them, > 0 (1/255 for bytes).

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

    def __post_init__(self) -> None:
        names = tuple(str(name) for name in self.class_names)
        if len(names) < 2 or len(set(names)) < len(names):
            raise not_allowed("class_names", names, "at least 2 names, all different")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise not_allowed("scale", self.scale, "a finite number > 0", "Bytes are usually scaled by 1/255.")
        frozen: dict[str, object] = {"class_names": names, "scale": float(self.scale)}
        for part in ("train", "test"):
            x = _inputs(getattr(self, f"x_{part}"), f"x_{part}")
            y = as_labels(getattr(self, f"y_{part}"), f"y_{part}", classes=len(names))
            if len(x) != len(y):
                raise not_allowed(f"len(y_{part})", len(y), f"{len(x)}: one label for each example of x_{part}")
            y.setflags(write=False)
            frozen |= {f"x_{part}": x, f"y_{part}": y}
        for key, value in frozen.items():
            object.__setattr__(self, key, value)
        if self.x_test.dtype != self.x_train.dtype:
            raise not_allowed("x_test.dtype", str(self.x_test.dtype), f"{self.x_train.dtype}, as in x_train")
        if self.x_test.shape[1:] != self.input_shape:
            raise not_allowed("x_test.shape[1:]", self.x_test.shape[1:], f"{self.input_shape}, as in x_train")

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (H, W, C) or (F,)."""
        return self.x_train.shape[1:]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of everything a model can see: type, shape and bytes of the four arrays, and the scale."""
        sha = hashlib.sha256()
        for name in ARRAYS:
            array: Array = getattr(self, name)
            sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            sha.update(array.reshape(-1).view(np.uint8).data)
        sha.update(f"scale {self.scale.hex()}\n".encode())
        return sha.hexdigest()

    def inputs(self, x: Array) -> NDArray[np.float32]:
        """What a model sees of stored inputs: `x * scale`, both taken to float32 first, as the device does.

        Args:
            x: stored inputs, any shape.

        Returns:
            The scaled inputs, of the same shape.
        """
        return np.multiply(x, np.float32(self.scale), dtype=np.float32)


def _inputs(values: Array, name: str) -> Array:
    """Check inputs and return them read-only, contiguous and in the machine's byte order."""
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
        array = array.copy()
        array.setflags(write=False)
    return array
