"""Data sets that carry a teacher's answers, so that it is asked once and not in every epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import keras
from distillab.data.paths import cache_folder
from distillab.errors import RequestError, WorkError
from distillab.keras.data import carrying
from distillab.keras.teachers import Teachers
from distillab.models.answers import add_array, architecture, stored_logits

CHANGING = (
    "An input is not among those that the teacher answered: the data set changes its examples from pass to pass, as "
    "augmentation does. Stored logits do not fit such data: pass the teacher to Distiller instead."
)
BATCH = 64  # rows that a teacher answers at once, where the data are arrays


class AnswerTable:
    """A teacher's logits by the contents of the inputs that they answer.

    Inputs are known by a hash of their bytes, so that data may come in another order, in other batches or several
    times. Two different inputs share a hash of 64 bits by chance once in 10^7 data sets of a million examples.

    Args:
        keys: hashes of inputs, sorted, shape (N,).
        logits: shape (N, C).
    """

    def __init__(self, keys: np.ndarray, logits: np.ndarray) -> None:
        self.keys, self.logits = keys, logits

    def of(self, inputs: Any) -> np.ndarray:
        """Look up a batch.

        Raises:
            RequestError: where an input was never answered.
        """
        keys = hashes(inputs)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if (self.keys[places] != keys).any():
            raise RequestError(CHANGING)
        return self.logits[places]


def hashes(inputs: Any) -> np.ndarray:
    """A hash of each example of a batch.

    Args:
        inputs: arrays of shape (B, ...), one or several in any nesting.

    Returns:
        64-bit hashes, shape (B,).
    """
    arrays = [np.ascontiguousarray(np.asarray(array)) for array in keras.tree.flatten(inputs)]
    head = " ".join(f"{array.dtype.str} {array.shape[1:]}" for array in arrays).encode()
    rows = [array.reshape(len(array), -1).view(np.uint8) for array in arrays]
    return np.array([_hash(head, [row[place] for row in rows]) for place in range(len(rows[0]))], np.uint64)


def _hash(head: bytes, parts: Sequence[np.ndarray]) -> int:
    digest = hashlib.blake2b(head, digest_size=8)
    for part in parts:
        digest.update(part.data)
    return int.from_bytes(digest.digest(), "little")


def with_teacher_logits(
    data: Any,
    teacher: Any,
    *,
    teacher_weights: Sequence[float] | None = None,
    average: str = "probabilities",
    teacher_inputs: Callable[[Any], Any] | None = None,
    cache: str | Path | None = "",
) -> Any:
    """Let a data set carry the teacher's answers, for `Distiller` to use instead of asking the teacher again.

    The teacher answers every example once. What goes in comes out, with the logits beside the inputs: arrays, a tuple
    (x, y) or (x, y, sample_weight), a `tf.data.Dataset`, a `keras.utils.PyDataset` or a torch `DataLoader`, which may
    shuffle. Data that change their examples from pass to pass are refused when they do.

    Args:
        data: the data set. Of a bare array, or a mapping of arrays, the first axis is the examples'.
        teacher: a Keras classifier, or several.
        teacher_weights: as in `Distiller`.
        average: as in `Distiller`.
        teacher_inputs: as in `Distiller`.
        cache: the folder where the answers are kept, under a digest of teacher and examples; by default in the user's
            cache. None: in memory alone.

    Returns:
        The data set, carrying the logits.

    Raises:
        RequestError: a data set that can be read only once, or of another kind.
        WorkError: answers that are not finite, or a file of the cache that was changed.

    Example:
        >>> x = np.zeros((4, 2), "float32")
        >>> teacher = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> carrying_data = with_teacher_logits((x, np.array([0, 1, 2, 0])), teacher, cache=None)
        >>> carrying_data[0]["teacher_logits"].shape
        (4, 3)
    """
    teachers = Teachers(teacher, teacher_weights, average, teacher_inputs)
    folder = None if cache is None else (cache_folder() / "logits" if cache == "" else Path(cache))

    def answers(batches: Callable[[], Iterator[Any]]) -> AnswerTable:
        return _answers(teachers, batches, folder)

    if isinstance(data, keras.utils.PyDataset):
        return _Sequence(data, answers(lambda: (data[place][0] for place in range(_batches_of(data)))))
    if _is_of(data, "torch"):
        return _loader(data, answers(lambda: (_numpy(batch[0]) for batch in data)))
    if _is_of(data, "tensorflow"):
        return _tensorflow(data, answers(lambda: (_numpy(batch[0]) for batch in data.as_numpy_iterator())))
    if isinstance(data, tuple) and 2 <= len(data) <= 3:
        return (_arrays(data[0], answers), *data[1:])
    if isinstance(data, dict) or hasattr(data, "__array__"):
        return _arrays(data, answers)
    raise RequestError(
        f"A data set of type {type(data).__name__} cannot carry a teacher's logits: it must be arrays, a tuple (x, y), "
        "a tf.data.Dataset, a keras.utils.PyDataset or a torch DataLoader. Make a PyDataset of a generator."
    )


def _is_of(data: Any, package: str) -> bool:
    """Whether an object's class is a data set of a package, which need not be installed."""
    names = {"torch": "DataLoader", "tensorflow": "DatasetV2"}
    return any(
        kind.__module__.split(".")[0] == package and kind.__name__ == names[package] for kind in type(data).__mro__
    )


def _numpy(inputs: Any) -> Any:
    return keras.tree.map_structure(np.asarray, inputs)


def _batches_of(data: Any) -> int:
    if data.num_batches is None:
        raise RequestError("This PyDataset has no end, so its examples cannot all be answered: give it num_batches.")
    return int(data.num_batches)


def _answers(teachers: Teachers, batches: Callable[[], Iterator[Any]], folder: Path | None) -> AnswerTable:
    """Read the data once for their hashes, and a second time only where the answers are not in the cache."""
    keys = np.unique(np.concatenate([hashes(batch) for batch in batches()]))

    def compute() -> np.ndarray:
        logits = np.zeros((len(keys), *teachers.shape[1:]), np.float32)
        missing = np.ones(len(keys), bool)
        for batch in batches():
            found = hashes(batch)
            places = np.searchsorted(keys, found)
            if (keys[np.minimum(places, len(keys) - 1)] != found).any():
                raise RequestError(CHANGING)
            if missing[places].any():
                logits[places] = teachers.answer(batch)
                missing[places] = False
        finite = np.isfinite(logits).all(axis=tuple(range(1, logits.ndim)))
        if not finite.all():
            raise WorkError(
                f"The teacher's answers to {np.sum(~finite)} of {len(keys)} examples are not finite: it has diverged, "
                "or those examples hold NaN or infinity."
            )
        return logits

    if folder is None:
        return AnswerTable(keys, compute())
    return AnswerTable(keys, stored_logits(folder, _digest(teachers, keys), (len(keys), *teachers.shape[1:]), compute))


def _digest(teachers: Teachers, keys: np.ndarray) -> str:
    """Digest of all that the answers depend on: the teachers, how they are averaged, and the examples."""
    digest = hashlib.sha256(f"{teachers.weights} {teachers.average} ".encode())
    for model in teachers.models:
        digest.update(json.dumps(architecture(model), sort_keys=True).encode())
        for variable in model.variables:
            add_array(digest, np.asarray(keras.ops.convert_to_numpy(variable)))
    if teachers.inputs is not None:
        code = getattr(teachers.inputs, "__code__", None)
        digest.update(repr(teachers.inputs if code is None else (code.co_code, code.co_consts)).encode())
    add_array(digest, keys)
    return digest.hexdigest()


def _arrays(x: Any, answers: Callable[[Callable[[], Iterator[Any]]], AnswerTable]) -> dict[str, Any]:
    examples = len(keras.tree.flatten(x)[0])

    def batches() -> Iterator[Any]:
        for start in range(0, examples, BATCH):
            yield keras.tree.map_structure(lambda array: np.asarray(array)[start : start + BATCH], x)  # noqa: B023

    known = answers(batches)
    return carrying(x, np.concatenate([known.of(batch) for batch in batches()]))


class _Sequence(keras.utils.PyDataset):
    """A PyDataset whose batches carry the logits."""

    def __init__(self, data: Any, answers: AnswerTable) -> None:
        super().__init__(
            workers=data.workers, use_multiprocessing=data.use_multiprocessing, max_queue_size=data.max_queue_size
        )
        self._data, self._answers = data, answers

    @property
    def num_batches(self) -> int:
        return int(self._data.num_batches)

    def __getitem__(self, place: int) -> Any:
        x, *rest = self._data[place]
        return (carrying(x, self._answers.of(x)), *rest)

    def on_epoch_begin(self) -> None:
        self._data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._data.on_epoch_end()


def _tensorflow(data: Any, answers: AnswerTable) -> Any:
    import tensorflow as tf

    def carry(x: Any, *rest: Any) -> Any:
        flat = keras.tree.flatten(x)

        def look_up(*arrays: Any) -> Any:
            return answers.of(keras.tree.pack_sequence_as(x, [array.numpy() for array in arrays]))

        logits = tf.py_function(look_up, flat, tf.float32)
        logits.set_shape((flat[0].shape[0], *answers.logits.shape[1:]))
        return (carrying(x, logits), *rest)

    return data.map(carry)


def _loader(data: Any, answers: AnswerTable) -> Any:
    import torch

    collate = data.collate_fn

    def carry(examples: Any) -> Any:
        x, *rest = collate(examples)
        return (carrying(x, torch.from_numpy(answers.of(_numpy(x)))), *rest)

    options: dict[str, Any] = {
        "collate_fn": carry,
        "num_workers": data.num_workers,
        "pin_memory": data.pin_memory,
        "worker_init_fn": data.worker_init_fn,
        "generator": data.generator,
    }
    if data.batch_sampler is not None:
        options["batch_sampler"] = data.batch_sampler
    else:
        options |= {"batch_size": data.batch_size, "drop_last": data.drop_last}
    return torch.utils.data.DataLoader(data.dataset, **options)
