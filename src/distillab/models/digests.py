"""Digests of arrays, of examples and of a model's architecture: what predictions are filed under."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import keras

Keys = NDArray[np.uint64]

PIECE = 16 * 2**20
"""Bytes of inputs that are digested at once."""

_REFERENCES = ("keras_history", "input_layers", "output_layers")
"""Keys of a model's configuration whose value is [layer's name, node, tensor]."""


def add_array(digest: hashlib._Hash, array: np.ndarray) -> None:
    """Add an array's type, shape and contents to a digest.

    Args:
        digest: updated in place.
        array: any shape and type.
    """
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)  # bfloat16 has no buffer of its own


def architecture(model: keras.Model) -> object:
    """A model's configuration as JSON holds it, with numbers for its layers' names, which count up within a process.

    Args:
        model: a Keras model that can be serialised.
    """
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    def unnamed(value: Any, key: str = "") -> object:
        if key == "dtype":  # its `name` is a precision, not a layer
            return value
        if key == "name" and isinstance(value, str):
            return number(value)
        if isinstance(value, dict):
            return {part: unnamed(item, part) for part, item in value.items() if part != "registered_name"}
        if isinstance(value, list):
            if key in _REFERENCES and value and isinstance(value[0], str):
                return [number(value[0]), *value[1:]]
            return [unnamed(item, key) for item in value]
        return value

    return unnamed(json.loads(model.to_json()))


def row_digests(*inputs: ArrayLike) -> Keys:
    """A digest of every example: of its bytes where inputs are bytes or text, otherwise of its numbers as float32.

    Args:
        inputs: shape (N, ...), one array for each input of the model.

    Returns:
        64 bits of BLAKE2b, shape (N,). Two different examples share one by chance once in 10^7 sets of a million.
    """
    arrays: list[Any] = [one if hasattr(one, "shape") else np.asarray(one) for one in inputs]
    if not len(arrays[0]):
        return np.empty(0, np.uint64)
    step = max(1, PIECE // max(1, sum(array[:1].nbytes for array in arrays)))
    runs = (slice(start, start + step) for start in range(0, len(arrays[0]), step))
    return np.concatenate([_digests(*(np.asarray(array[run]) for array in arrays)) for run in runs])


def _digests(*arrays: NDArray[Any]) -> Keys:
    heads, columns = [], []
    for array in arrays:
        stored = array.astype("<f4") if array.dtype.kind in "fiub" and array.dtype != np.uint8 else array
        if stored.ndim == 4 and stored.shape[-1] == 1:
            stored = stored[..., 0]
        heads.append(f"{stored.dtype.str} {stored.shape[1:]}")
        rows = np.ascontiguousarray(stored).reshape(len(stored), -1).view(np.uint8)
        columns.append([row.tobytes() for row in rows])
        if array.dtype.kind in "iu" and array.dtype.itemsize > 2:  # float32 rounds whole numbers above 2^24
            rounded = (array - array.astype("<f4").astype(array.dtype)).reshape(len(array), -1)
            columns.append([row.tobytes() if row.any() else b"" for row in rounded])
    head = " ".join(heads).encode()
    digests = (hashlib.blake2b(b"".join((head, *row)), digest_size=8).digest() for row in zip(*columns, strict=True))
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)
