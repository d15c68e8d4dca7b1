"""The store of predictions: a teacher's logits, filed under digests of what they depend on or of each example."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, WorkError, not_allowed
from distillab.io import DAMAGE, replace_file
from distillab.models.digests import Keys, row_digests
from distillab.models.prediction_files import chunks, is_top_k, read_keys, read_mapped, read_top_k
from distillab.models.top_k import TopK, dense_rows, take_rows
from distillab.tasks import TASKS, Task
from distillab.tasks.several import outputs_of

CATEGORICAL = TASKS["categorical"]

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


def _read_sealed(path: Path, seal: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with path.open("rb") as file:
            logits: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        expected = json.loads(seal.read_text())["array_sha256"]
    except DAMAGE as error:
        raise _damaged(path, str(error)) from error
    contents = hashlib.sha256(np.ascontiguousarray(logits).data).hexdigest()
    if logits.shape != shape or logits.dtype != np.float32 or contents != expected:
        raise _damaged(path, f"shape {logits.shape}, expected {shape}" if logits.shape != shape else "other contents")
    return logits


def _damaged(path: Path, reason: str) -> WorkError:
    return WorkError(f"{path} is not the file that was written ({reason}). Delete it: it will be computed again.")


class Predictions:
    """Stored predictions, looked up by the contents of their inputs; only the rows that are looked up are read.

    Args:
        keys: `row_digests` of the inputs, shape (N,).
        stored: shape (N, ..., C), or a `TopK`; in memory or mapped.
        outputs: C, for a `TopK`.
        convert: makes logits of stored rows.
    """

    def __init__(
        self,
        keys: Keys,
        stored: NDArray[np.floating] | TopK,
        outputs: int | None = None,
        convert: Callable[[NDArray[np.floating]], NDArray[np.float32]] | None = None,
    ) -> None:
        self._order = np.argsort(keys, kind="stable")
        self.keys, self.stored, self._convert = keys[self._order], stored, convert
        values = stored.values if isinstance(stored, TopK) else stored
        self.shape: tuple[int, ...] = (*values.shape[:-1], values.shape[-1] if outputs is None else outputs)

    @classmethod
    def read(cls, path: Path, task: Task = CATEGORICAL) -> Predictions:
        """Map the files of `store_predictions`, read as logits, or for regression as they are.

        Args:
            path: the `.npy` file.
            task: what the predictions mean.

        Raises:
            RequestError: a file is missing or damaged, or they do not belong together.
        """
        if is_top_k(path):
            if task.name != "categorical":
                raise RequestError(f"{path} holds the top classes of a teacher, and the task is {task.name}.")
            top, outputs = read_top_k(path)
            return cls(read_keys(path, top.rest.shape[:1]), top, outputs)
        predictions = read_mapped(path)
        keys = read_keys(path, predictions.shape[:1])
        check_finite(predictions, str(path))
        if task.parts:
            if predictions.shape[1:] != (width := task.parts[-1].outputs[1],):
                names = ", ".join(part.name for part in task.parts)
                allowed = f"(N, {width}): the outputs {names} side by side"
                raise not_allowed(f"{path.name}: shape", predictions.shape, allowed)
            return cls(keys, predictions, convert=partial(_packed_logits, task, _probable_parts(predictions, task)))
        if all(are_probabilities(predictions[piece], task) for piece in chunks(predictions)):
            return cls(keys, predictions, convert=partial(from_probabilities, task=task))
        return cls(keys, predictions)

    def rows(self, *inputs: ArrayLike, missing: str = "") -> NDArray[np.intp]:
        """Find the rows of some inputs in the file.

        Args:
            inputs: shape (N, ...), one array for each input of the model.
            missing: message where some have no prediction; by default how many and which, for stored files.

        Raises:
            RequestError: some have no prediction.
        """
        keys = row_digests(*inputs)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        absent = np.flatnonzero(self.keys[places] != keys)
        if len(absent):
            raise RequestError(
                missing
                or f"{len(absent):,} of {len(keys):,} examples have no stored prediction, the first is number "
                f"{absent[0]}. Store predictions for every training, unlabelled and test example, of the inputs as "
                "distillab.read_data gives them."
            )
        return self._order[places]

    def of(self, *inputs: ArrayLike, missing: str = "") -> NDArray[np.float32]:
        """Look up the logits of some inputs, shape (N, ..., C).

        Args:
            inputs, missing: as in `rows`.

        Raises:
            RequestError: some have no prediction.
        """
        return self._logits(self.rows(*inputs, missing=missing))

    def top_k_of(self, *inputs: ArrayLike) -> TopK:
        """Look up the top k of some inputs, where they are what is stored.

        Args:
            inputs: as in `rows`.

        Raises:
            RequestError: some have no prediction.
        """
        rows = self.rows(*inputs)
        return TopK(*(np.asarray(part[rows]) for part in take_rows(self.stored, slice(None))))

    def digest(self) -> str:
        """SHA-256, in hex, of all predictions and the digests of their inputs, in whatever order they are stored."""
        digest = hashlib.sha256(self.keys.tobytes())
        for piece in chunks(np.broadcast_to(np.float32(0), self.shape)):
            rows = self._order[piece]
            if isinstance(self.stored, TopK):
                for part in take_rows(self.stored, rows):
                    digest.update(np.ascontiguousarray(part).tobytes())
            else:
                digest.update(self._logits(rows).tobytes())
        if isinstance(self.stored, TopK):
            digest.update(f"top {self.shape[-1]}".encode())
        return digest.hexdigest()

    def _logits(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        if isinstance(self.stored, TopK):
            return dense_rows(take_rows(self.stored, rows), self.shape[-1])
        stored = self.stored[rows]
        return np.asarray(stored if self._convert is None else self._convert(stored), np.float32)


def as_logits(predictions: NDArray[np.floating], task: Task = CATEGORICAL) -> NDArray[np.float32]:
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
    if are_probabilities(predictions, task):
        return from_probabilities(predictions, task)
    return predictions.astype(np.float32)


def are_probabilities(predictions: NDArray[np.floating], task: Task) -> bool:
    """Whether predictions are recognised as probabilities; of a file in pieces, where all pieces are.

    Args:
        predictions: shape (N, ..., C).
        task: what they mean.
    """
    if task.activation == "softmax":
        sums = predictions.sum(axis=-1, dtype=np.float64)
        return bool((predictions >= 0).all()) and bool((np.abs(sums - 1) < 1e-3).all())
    return task.activation == "sigmoid" and bool(((predictions >= 0) & (predictions <= 1)).all())


def from_probabilities(predictions: NDArray[np.floating], task: Task) -> NDArray[np.float32]:
    """Logits of probabilities, clipped at 1e-7.

    Args:
        predictions: shape (N, ..., C).
        task: what they mean: of classes, or of independent labels.
    """
    exact = predictions.astype(np.float32) if predictions.dtype == np.float16 else predictions
    if task.activation == "softmax":
        return np.asarray(np.log(np.maximum(exact, LEAST)), np.float32)
    p = np.clip(exact.astype(np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log1p(-p), np.float32)


def _probable_parts(predictions: NDArray[np.floating], task: Task) -> tuple[bool, ...]:
    """Of each of several outputs, whether its stored predictions are probabilities."""
    return tuple(
        all(are_probabilities(outputs_of(part, predictions[piece]), part.task) for piece in chunks(predictions))
        for part in task.parts
    )


def _packed_logits(task: Task, probable: tuple[bool, ...], predictions: NDArray[np.floating]) -> NDArray[np.float32]:
    found = []
    for part, of in zip(task.parts, probable, strict=True):
        own = outputs_of(part, predictions)
        found.append(from_probabilities(own, part.task) if of else np.asarray(own, np.float32))
    return np.concatenate(found, axis=-1)


def check_finite(array: NDArray[np.floating], name: str) -> None:
    """Check the shape of predictions, and that every number is finite.

    Args:
        array: in memory or mapped.
        name: for the message.

    Raises:
        RequestError: they are not finite numbers of shape (N, ..., C); the message names the row.
    """
    if array.dtype.kind != "f" or array.ndim < 2 or array.size == 0:
        allowed = "(N, C) numbers, or (N, ..., C), no axis of length 0"
        raise not_allowed(f"{name}: shape", (array.shape, str(array.dtype)), allowed)
    bad = _first_not_finite(array)
    if bad is not None:
        raise RequestError(f"{name}: the prediction in row {bad} is not finite. Fix the teacher, or leave the row out.")


def _first_not_finite(array: NDArray[np.floating]) -> int | None:
    """The first row with a number that is not finite; None if there is none."""
    for piece in chunks(array):
        part = array[piece]
        bad = np.flatnonzero(~np.isfinite(part).reshape(len(part), -1).all(axis=-1))
        if len(bad):
            return int(piece.start + bad[0])
    return None
