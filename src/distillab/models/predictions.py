"""The store of predictions: a teacher's logits, filed under digests of what they depend on or of each example."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, WorkError, not_allowed
from distillab.io import DAMAGE, replace_file
from distillab.models.digests import Keys, row_digests
from distillab.tasks import TASKS, Task

LEAST = 1e-7
"""Smallest probability before the logarithm, and smallest distance from 1: about float32's spacing at 1."""


def stored_predictions(
    folder: Path, digest: str, shape: tuple[int, ...], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Read a teacher's logits from a folder, or compute and store them there.

    `<digest>.json` next to `<digest>.npy` holds the digest of the array, so that a damaged or replaced file is refused.

    Args:
        folder: created where missing.
        digest: of everything that the logits depend on, as a file name.
        shape: expected, (N, ..., C).
        compute: called where nothing is stored.

    Returns:
        Logits, float32, the expected shape.

    Raises:
        WorkError: the stored file is not the one that was written, or the computed logits are not finite.
    """
    path, seal = folder / f"{digest}.npy", folder / f"{digest}.json"
    if path.exists() and seal.exists():
        return _read_sealed(path, seal, shape)
    logits = np.ascontiguousarray(compute(), np.float32)
    bad = _first_not_finite(logits)
    if bad is not None:
        raise WorkError(f"The teacher's logits are not finite, first at training example {bad}: it has diverged.")
    replace_file(path, lambda temporary: np.save(temporary, logits, allow_pickle=False))
    text = json.dumps({"array_sha256": hashlib.sha256(logits.data).hexdigest(), "shape": logits.shape})
    replace_file(seal, lambda temporary: temporary.write_text(text + "\n"))
    return logits


def _read_npy(path: Path) -> np.ndarray:
    """Read one array of plain numbers; unlike `numpy.load`, it takes no archives. A damaged file raises `DAMAGE`."""
    with path.open("rb") as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _read_sealed(path: Path, seal: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        logits = _read_npy(path)
        expected = json.loads(seal.read_text())["array_sha256"]
    except DAMAGE as error:
        raise _damaged(path, str(error)) from error
    contents = hashlib.sha256(np.ascontiguousarray(logits).data).hexdigest()
    if logits.shape != shape or logits.dtype != np.float32 or contents != expected:
        raise _damaged(path, f"shape {logits.shape}, expected {shape}" if logits.shape != shape else "other contents")
    return logits


def _damaged(path: Path, reason: str) -> WorkError:
    return WorkError(f"{path} is not the file that was written ({reason}). Delete it: it will be computed again.")


def store_predictions(path: str | Path, inputs: ArrayLike, predictions: ArrayLike) -> None:
    """Store a model's predictions so that they can teach: `distillab distill --teacher FILE.npy`.

    Args:
        path: ends in .npy; a second file, ending in .rows.npy, receives the digests of the inputs.
        inputs: as distillab reads them (`distillab.read_data`), shape (N, ...).
        predictions: probabilities, logits or real numbers for these inputs, finite, shape (N, C), or (N, ..., C) at
            many positions; C = 1, or (N,), for one output. `as_logits` says how they are read.

    Raises:
        RequestError: another suffix, shapes that do not fit, NaN.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store_predictions(f"{folder}/p.npy", [[1.0], [2.0]], [[0.9, 0.1], [0.2, 0.8]])
        ...     Predictions.read(Path(folder, "p.npy")).of([[2.0]]).argmax()
        np.int64(1)
    """
    target = Path(path)
    if target.suffix != ".npy":
        raise not_allowed("path", str(path), "a file that ends in .npy")
    array, count = np.asarray(predictions, np.float32), len(np.asarray(inputs))
    array = array[:, None] if array.ndim == 1 else array
    _check(array, str(path))
    if len(array) != count:
        raise not_allowed("len(predictions)", len(array), f"{count}, one for each input")
    keys = row_digests(inputs)
    replace_file(_keys_file(target), lambda temporary: np.save(temporary, keys, allow_pickle=False))
    replace_file(target, lambda temporary: np.save(temporary, array, allow_pickle=False))


class Predictions:
    """Stored predictions, looked up by the contents of their inputs.

    Args:
        keys: `row_digests` of the inputs, shape (N,).
        logits: shape (N, ..., C).
    """

    def __init__(self, keys: Keys, logits: NDArray[np.float32]) -> None:
        order = np.argsort(keys, kind="stable")
        self.keys, self.logits = keys[order], logits[order]

    @classmethod
    def read(cls, path: Path, task: Task = TASKS["categorical"]) -> Predictions:
        """Read the files of `store_predictions`, as logits, or for regression as they are.

        Args:
            path: the `.npy` file.
            task: what the predictions mean.

        Raises:
            RequestError: a file is missing or damaged, or the two do not belong together.
        """
        keys_file = _keys_file(path)
        if not keys_file.is_file():
            raise RequestError(
                f"{path} needs {keys_file.name} next to it, with the digests of its inputs. Write both with "
                "distillab.store_predictions(path, inputs, predictions)."
            )
        try:
            predictions, keys = _read_npy(path), _read_npy(keys_file)
        except DAMAGE as error:
            raise RequestError(f"{path} cannot be read, found damage or Python objects. Store it again.") from error
        if keys.dtype != np.uint64 or keys.shape != predictions.shape[:1]:
            raise RequestError(f"{path} and {keys_file.name} do not belong together. Store them again.")
        _check(predictions, str(path))
        return cls(keys, as_logits(predictions, task))

    def of(self, *inputs: ArrayLike, missing: str = "") -> NDArray[np.float32]:
        """Look up the logits of some inputs, shape (N, ..., C).

        Args:
            inputs: shape (N, ...), one array for each input of the model.
            missing: message where some have no prediction; by default how many and which, for stored files.

        Raises:
            RequestError: some have no prediction.
        """
        keys = row_digests(*inputs) if len(np.asarray(inputs[0])) else np.empty(0, np.uint64)
        rows = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        absent = np.flatnonzero(self.keys[rows] != keys)
        if len(absent):
            raise RequestError(
                missing
                or f"{len(absent):,} of {len(keys):,} examples have no stored prediction, the first is number "
                f"{absent[0]}. Store predictions for every training, unlabelled and test example, of the inputs as "
                "distillab.read_data gives them."
            )
        return np.asarray(self.logits[rows], np.float32)


def as_logits(predictions: NDArray[np.floating], task: Task = TASKS["categorical"]) -> NDArray[np.float32]:
    """Logits of a model's predictions, which are left unchanged unless they are recognised as probabilities.

    Probabilities of classes are recognised by rows that sum to 1, and become their logarithms. Probabilities of
    independent labels are recognised by values that all lie from 0 to 1, and become `log(p / (1 - p))`. Logits that all
    lie from 0 to 1 are then misread: give the probabilities, `1 / (1 + exp(-z))`, instead. Both are clipped at 1e-7.

    Args:
        predictions: shape (N, ..., C).
        task: what they mean. Those of regression are never changed.

    Example:
        >>> as_logits(np.array([[1.0, 3.0]])).tolist(), as_logits(np.array([[0.5, 0.5]])).round(3).tolist()
        ([[1.0, 3.0]], [[-0.693..., -0.693...]])
        >>> as_logits(np.array([[0.5], [0.9]]), TASKS["binary"]).round(3).tolist()
        [[0.0], [2.197...]]
    """
    if task.activation == "softmax":
        sums = predictions.sum(axis=-1, dtype=np.float64)
        if bool((predictions >= 0).all()) and bool((np.abs(sums - 1) < 1e-3).all()):
            return np.asarray(np.log(np.maximum(predictions, LEAST)), np.float32)
    elif task.activation == "sigmoid" and bool(((predictions >= 0) & (predictions <= 1)).all()):
        p = np.clip(predictions.astype(np.float64), LEAST, 1 - LEAST)
        return np.asarray(np.log(p) - np.log1p(-p), np.float32)
    return predictions.astype(np.float32)


def _check(array: NDArray[np.floating], name: str) -> None:
    if array.dtype.kind != "f" or array.ndim < 2 or array.size == 0:
        allowed = "(N, C) numbers, or (N, ..., C), no axis of length 0"
        raise not_allowed(f"{name}: shape", (array.shape, str(array.dtype)), allowed)
    bad = _first_not_finite(array)
    if bad is not None:
        raise RequestError(f"{name}: the prediction in row {bad} is not finite. Fix the teacher, or leave the row out.")


def _first_not_finite(array: NDArray[np.floating]) -> int | None:
    """The first row with a number that is not finite; None if there is none."""
    bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=-1))
    return int(bad[0]) if len(bad) else None


def _keys_file(path: Path) -> Path:
    return path.with_suffix(".rows.npy")
