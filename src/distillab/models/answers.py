"""A teacher's answers on disk, and the digests that say what they are answers to, and whose."""

from __future__ import annotations

import hashlib
import json
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distillab.errors import WorkError
from distillab.io import replace_file

if TYPE_CHECKING:
    import keras

DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)
"""What NumPy and JSON raise of damaged files, and of headers that claim more than there is."""


def architecture(model: keras.Model) -> object:
    """The model's configuration with numbers for its layers' names, which count up within a process."""
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


_REFERENCES = ("keras_history", "input_layers", "output_layers")
"""Keys of a model's configuration under which [layer's name, node, tensor] stands."""


def add_array(digest: hashlib._Hash, array: np.ndarray) -> None:
    """Add an array's type, shape and contents to a digest."""
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)  # bfloat16 has no buffer of its own


def stored_logits(folder: Path, digest: str, shape: tuple[int, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Read a teacher's logits from a folder, or compute them and store them there.

    Beside `<digest>.npy` lies `<digest>.json` with the digest of the array itself, so that a file damaged or replaced
    since is refused, not believed.

    Args:
        folder: made where missing.
        digest: what the logits depend on, from `logits_digest`.
        shape: (N, C), what is expected.
        compute: called where nothing is stored.

    Returns:
        Logits, float32, shape (N, C).

    Raises:
        WorkError: where the stored file is not what was written, or the teacher's logits are not finite.
    """
    path, seal = folder / f"{digest}.npy", folder / f"{digest}.json"
    if path.exists() and seal.exists():
        return _read_sealed(path, seal, shape)
    logits = np.ascontiguousarray(compute(), np.float32)
    if not np.isfinite(logits).all():
        bad = int(np.flatnonzero(~np.isfinite(logits).all(axis=-1))[0])
        raise WorkError(f"The teacher's logits are not finite, first at training example {bad}: it has diverged.")
    replace_file(path, lambda temporary: np.save(temporary, logits, allow_pickle=False))
    text = json.dumps({"array_sha256": hashlib.sha256(logits.data).hexdigest(), "shape": logits.shape})
    replace_file(seal, lambda temporary: temporary.write_text(text + "\n"))
    return logits


def read_npy(path: Path) -> np.ndarray:
    """One array of plain numbers; unlike `numpy.load`, which also takes archives.

    Raises:
        one of `DAMAGE`.
    """
    with path.open("rb") as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _read_sealed(path: Path, seal: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        logits = read_npy(path)
        expected = json.loads(seal.read_text())["array_sha256"]
    except DAMAGE as error:
        raise _damaged(path, str(error)) from error
    contents = hashlib.sha256(np.ascontiguousarray(logits).data).hexdigest()
    if logits.shape != shape or logits.dtype != np.float32 or contents != expected:
        raise _damaged(path, f"shape {logits.shape}, expected {shape}" if logits.shape != shape else "other contents")
    return logits


def _damaged(path: Path, found: str) -> WorkError:
    return WorkError(f"{path} is not the file that was written ({found}). Delete it: it will be computed again.")
