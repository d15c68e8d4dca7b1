"""The teacher answers once: its logits over a data set, kept on disk under a digest of everything they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from distillab.engine.cohort import TEACHER_BATCH, batched_logits
from distillab.engine.functional import Functional, Variables
from distillab.errors import WorkError
from distillab.files import replace_file


def teacher_logits(teacher: Functional, variables: Variables, inputs: np.ndarray, scale: float) -> np.ndarray:
    """Answer many inputs with one model, in inference mode.

    Args:
        teacher: the architecture.
        variables: its weights.
        inputs: as stored, shape (N, ...).
        scale: stored inputs times this are the model's inputs.

    Returns:
        Logits, float32, shape (N, C).
    """

    def answer(weights: Variables, rows: jax.Array) -> jax.Array:
        def answer_batch(batch: jax.Array) -> jax.Array:
            return teacher(weights, batch.astype("float32") * scale, training=False).logits

        return batched_logits(answer_batch, rows, batch)

    batch = TEACHER_BATCH
    if teacher.rows is not None:
        batch *= teacher.rows.size
        variables, inputs = jax.device_put((variables, inputs), NamedSharding(teacher.rows, PartitionSpec()))
    return np.asarray(jax.jit(answer)(variables, inputs))


def logits_digest(teacher: Functional, variables: Variables, inputs: np.ndarray, scale: float) -> str:
    """Digest of all that a teacher's logits depend on: architecture, weights, inputs and their scale.

    Returns:
        SHA-256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(_architecture(teacher), sort_keys=True).encode())
    for array in (*variables.trainable, *variables.fixed, inputs):
        add_array(digest, array)
    digest.update(repr(float(scale)).encode())
    return digest.hexdigest()


def add_array(digest: hashlib._Hash, array: np.ndarray) -> None:
    """Add an array's type, shape and contents to a digest."""
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)


def _architecture(teacher: Functional) -> object:
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

    return unnamed(json.loads(teacher.model.to_json()))


_REFERENCES = ("keras_history", "input_layers", "output_layers")
"""Keys of a model's configuration under which [layer's name, node, tensor] stands."""


def stored_logits(folder: Path, digest: str, shape: tuple[int, int], compute: Callable[[], np.ndarray]) -> np.ndarray:
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


def _read_sealed(path: Path, seal: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        logits: np.ndarray = np.load(path, allow_pickle=False)
        expected = json.loads(seal.read_text())["array_sha256"]
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    contents = hashlib.sha256(np.ascontiguousarray(logits).data).hexdigest()
    if logits.shape != shape or logits.dtype != np.float32 or contents != expected:
        raise _damaged(path, f"shape {logits.shape}, expected {shape}" if logits.shape != shape else "other contents")
    return logits


def _damaged(path: Path, found: str) -> WorkError:
    return WorkError(f"{path} is not the file that was written ({found}). Delete it: it will be computed again.")
