"""Stored predictions: a teacher of any framework, as its answers beside the digests of what they answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed
from distillab.io import replace_file
from distillab.models.answers import DAMAGE, read_npy

LEAST = 1e-7
"""Probabilities below it are taken to be it before their logarithm: about float32's spacing at 1."""

Keys = NDArray[np.uint64]


def row_digests(inputs: ArrayLike) -> Keys:
    """A digest of every example: of its bytes where inputs are bytes, otherwise of its numbers as float32.

    Args:
        inputs: shape (N, ...).

    Returns:
        Shape (N,), 64 bits of BLAKE2b. Two different examples share one by chance once in 10^7 sets of a million.
    """
    array = np.asarray(inputs)
    if array.dtype != np.uint8:
        array = array.astype("<f4")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    head = f"{array.dtype.str} {array.shape[1:]}".encode()
    rows = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    digests = (hashlib.blake2b(head + row.tobytes(), digest_size=8).digest() for row in rows)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)


def store_predictions(path: str | Path, inputs: ArrayLike, predictions: ArrayLike) -> None:
    """Write a model's predictions so that they can teach: `distillab distill --teacher FILE.npy`.

    Args:
        path: ends in .npy; beside it comes a file that ends in .rows.npy, with the inputs' digests.
        inputs: what was answered, as distillab reads it (`distillab.read_data`), shape (N, ...).
        predictions: probabilities or logits, shape (N, C), finite.

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
    _check(array, str(path))
    if len(array) != count:
        raise not_allowed("len(predictions)", len(array), f"{count}, one for each input")
    keys = row_digests(inputs)
    replace_file(_keys_file(target), lambda temporary: np.save(temporary, keys, allow_pickle=False))
    replace_file(target, lambda temporary: np.save(temporary, array, allow_pickle=False))


class Predictions:
    """Stored predictions, found by what they answer.

    Args:
        keys: digests of the inputs, shape (N,).
        logits: shape (N, C).
    """

    def __init__(self, keys: Keys, logits: NDArray[np.float32]) -> None:
        order = np.argsort(keys, kind="stable")
        self.keys, self.logits = keys[order], logits[order]

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read what `store_predictions` wrote.

        Raises:
            RequestError: a file is missing or damaged, or they do not fit together.
        """
        beside = _keys_file(path)
        if not beside.is_file():
            raise RequestError(
                f"{path} has no {beside.name} beside it, which says what its rows answer. Write both with "
                "distillab.store_predictions(path, inputs, predictions)."
            )
        try:
            found, keys = read_npy(path), read_npy(beside)
        except DAMAGE as error:
            raise RequestError(f"{path} cannot be read, found damage or Python objects. Store it again.") from error
        if keys.dtype != np.uint64 or keys.shape != found.shape[:1]:
            raise RequestError(f"{path} and {beside.name} do not belong together. Store them again.")
        _check(found, str(path))
        return cls(keys, as_logits(found))

    @property
    def classes(self) -> int:
        """C."""
        return int(self.logits.shape[1])

    def of(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Logits for these inputs, shape (N, C).

        Raises:
            RequestError: some have no prediction.
        """
        if not len(np.asarray(inputs)):
            return np.empty((0, self.classes), np.float32)
        keys = row_digests(inputs)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        missing = np.flatnonzero(self.keys[places] != keys)
        if len(missing):
            raise RequestError(
                f"{len(missing):,} of {len(keys):,} examples have no stored prediction, the first is number "
                f"{missing[0]}. Store predictions for every training, unlabelled and test example, of the inputs as "
                "distillab.read_data gives them."
            )
        found: NDArray[np.float32] = np.asarray(self.logits[places], np.float32)
        return found


def as_logits(answers: NDArray[np.floating]) -> NDArray[np.float32]:
    """Logits as they are; of probabilities, known by rows that sum to 1, the logarithm, taken at least of 1e-7.

    Example:
        >>> as_logits(np.array([[1.0, 3.0]])).tolist(), as_logits(np.array([[0.5, 0.5]])).round(3).tolist()
        ([[1.0, 3.0]], [[-0.693..., -0.693...]])
    """
    if bool((answers >= 0).all()) and bool((np.abs(answers.sum(axis=-1, dtype=np.float64) - 1) < 1e-3).all()):
        return np.asarray(np.log(np.maximum(answers, LEAST)), np.float32)
    return answers.astype(np.float32)


def _check(array: NDArray[np.floating], name: str) -> None:
    shape: Sequence[int] = array.shape
    if array.dtype.kind != "f" or len(shape) != 2 or shape[0] == 0 or shape[1] < 2:
        raise not_allowed(f"{name}: shape", (tuple(shape), str(array.dtype)), "(N, C) numbers, C at least 2")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array).all(axis=-1))[0])
        raise RequestError(
            f"{name}: the prediction in row {bad} is not finite. Mend the teacher, or leave the row out."
        )


def _keys_file(path: Path) -> Path:
    return path.with_suffix(".rows.npy")
