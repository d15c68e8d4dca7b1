"""Data sets that hold a teacher's logits, so that it predicts each example once and not in every epoch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distillab.data.paths import cache_folder
from distillab.errors import RequestError, WorkError, not_allowed
from distillab.keras.inputs import is_array, join
from distillab.keras.live import Like
from distillab.keras.recognition import from_models, of_stream
from distillab.keras.teachers import Teachers
from distillab.models.averaging import DEFAULT_AVERAGE
from distillab.models.digests import add_array, architecture, row_digests
from distillab.models.predictions import Predictions, stored_predictions
from distillab.tasks import Task, recognise, task_named

CHANGING = (
    "The teacher has not predicted one of these inputs: the data set changes its examples from pass to pass, as "
    "augmentation does, or the file of predictions is of other data. Stored logits do not fit such data: pass the "
    "teacher to Distiller instead."
)
BATCH = 64  # rows that a teacher predicts at once, where the data are arrays

Batches = Callable[[], Iterator[Any]]


def with_teacher_logits(
    data: Any,
    teacher: Any,
    *,
    teacher_weights: Sequence[float] | None = None,
    average: str = DEFAULT_AVERAGE,
    teacher_inputs: Callable[[Any], Any] | None = None,
    cache: str | os.PathLike[str] | None = "",
    task: str | None = None,
) -> Any:
    """Add the teacher's logits to a data set, so that `Distiller` need not run the teacher again.

    The teacher predicts every example once. The result has the type of the input, with the logits next to the inputs:
    arrays, a tuple (x, y) or (x, y, sample_weight), a `tf.data.Dataset`, a `keras.utils.PyDataset` or a torch
    `DataLoader`, which may shuffle. Data sets that change their examples between passes are refused.

    Args:
        data: the data set. Of a bare array, or a mapping of arrays, the first axis is the examples'.
        teacher: a Keras model, one of another framework (`open_teacher`), or several; or the path of
            `distillab.store_predictions`, whose logits are read, or rebuilt from the top k, batch by batch (of arrays
            at once).
        teacher_weights: as in `Distiller`.
        average: as in `Distiller`.
        teacher_inputs: as in `Distiller`.
        cache: the folder that stores the logits, under a digest of teacher and examples; by default in the user's
            cache. None: in memory alone.
        task: as in `Distiller`; only needed for several teachers whose last layers do not show it.

    Raises:
        RequestError: a data set that can be read only once, or of another kind; a task that is not clear.
        WorkError: logits that are not finite, or a file of the cache that was changed.

    Example:
        >>> x = np.zeros((4, 2), "float32")
        >>> teacher = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> data = with_teacher_logits((x, np.array([0, 1, 2, 0])), teacher, cache=None)
        >>> data[0]["teacher_logits"].shape
        (4, 3)
    """
    if isinstance(teacher, str | Path) and Path(teacher).suffix == ".npy":
        predict = partial(_stored, Path(teacher), task)
    else:
        teachers = Teachers(teacher, teacher_weights, average, teacher_inputs, task, partial(_like, data))
        teachers.task = _task(teachers, data, task)
        folder = None if cache is None else (cache_folder() / "logits" if cache == "" else Path(cache))
        predict = partial(_predictions, teachers, folder)
    if isinstance(data, keras.utils.PyDataset):
        return _PyDataset(data, predict(lambda: (data[batch][0] for batch in range(_num_batches(data)))))
    if _is_dataset_of(data, "torch"):
        return _data_loader(data, predict(lambda: (_as_numpy(batch[0]) for batch in data)))
    if _is_dataset_of(data, "tensorflow"):
        return _tf_dataset(data, predict(lambda: (_as_numpy(batch[0]) for batch in data.as_numpy_iterator())))
    if isinstance(data, tuple) and 2 <= len(data) <= 3:
        return (_arrays(data[0], predict), *data[1:])
    if isinstance(data, dict) or hasattr(data, "__array__"):
        return _arrays(data, predict)
    raise RequestError(
        f"A data set of type {type(data).__name__} cannot hold a teacher's logits: it must be arrays, a tuple (x, y), "
        "a tf.data.Dataset, a keras.utils.PyDataset or a torch DataLoader. Make a PyDataset of a generator."
    )


def _like(data: Any) -> Like:
    """The inputs of a data set, for a teacher that does not state its own."""
    if isinstance(data, keras.utils.PyDataset):
        inputs = data[0][0]
    elif _is_dataset_of(data, "torch") or _is_dataset_of(data, "tensorflow"):
        inputs = _as_numpy(next(iter(data))[0])
    else:
        inputs = data[0] if isinstance(data, tuple) else data
    if not is_array(inputs):
        raise RequestError("A teacher of another framework needs data of one input.")
    array = np.asarray(inputs[:1])
    return Like(keras.Input(array.shape[1:], dtype=array.dtype.name))


def _task(teachers: Teachers, data: Any, given: str | None) -> Task | None:
    """The task, which decides how several teachers are averaged; a single one needs none."""
    task = from_models(teachers.heads, given)
    if task is not None or len(teachers.models) == 1:
        return task
    if isinstance(data, tuple) and len(data) > 1 and is_array(data[1]):
        return recognise(np.asarray(data[1]), teachers.heads)
    return of_stream(None, teachers.heads)


def _is_dataset_of(data: Any, package: str) -> bool:
    """Whether an object's class is a data set of a package, which need not be installed."""
    name = {"torch": "DataLoader", "tensorflow": "DatasetV2"}[package]
    return any(kind.__module__.split(".")[0] == package and kind.__name__ == name for kind in type(data).__mro__)


def _as_numpy(inputs: Any) -> Any:
    return keras.tree.map_structure(np.asarray, inputs)


def _num_batches(data: Any) -> int:
    if data.num_batches is None:
        raise RequestError("This PyDataset has no end, so the teacher cannot predict it: give it num_batches.")
    return int(data.num_batches)


def _keys(inputs: Any) -> np.ndarray:
    return row_digests(*keras.tree.flatten(inputs))


def _look_up(predictions: Predictions, inputs: Any) -> np.ndarray:
    return predictions.of(*keras.tree.flatten(inputs), missing=CHANGING)


def _predictions(teachers: Teachers, folder: Path | None, batches: Batches) -> Predictions:
    """Read the data once for their digests, and a second time only where the predictions are not stored."""
    keys = np.unique(np.concatenate([_keys(batch) for batch in batches()]))
    shape = (len(keys), *teachers.shape[1:])
    if None in shape:  # the size of a map is open in the model, and that of the data decides
        shape = (len(keys), *teachers.predict(next(iter(batches()))).shape[1:])

    def compute() -> np.ndarray:
        logits, missing = np.zeros(shape, np.float32), np.ones(len(keys), bool)
        for batch in batches():
            batch_keys = _keys(batch)
            rows = np.searchsorted(keys, batch_keys)
            if (keys[np.minimum(rows, len(keys) - 1)] != batch_keys).any():
                raise RequestError(CHANGING)
            if missing[rows].any():
                logits[rows] = teachers.predict(batch)
                missing[rows] = False
        finite = np.isfinite(logits).all(axis=tuple(range(1, logits.ndim)))
        if not finite.all():
            raise WorkError(
                f"The teacher's logits of {np.sum(~finite)} of {len(keys)} examples are not finite: it has diverged, "
                "or those examples hold NaN or infinity."
            )
        return logits

    if folder is None:
        return Predictions(keys, compute())
    return Predictions(keys, stored_predictions(folder, _digest(teachers, keys), shape, compute))


def _stored(path: Path, task: str | None, batches: Batches) -> Predictions:
    """Predictions of a file, which has one for every example."""
    if path.suffix != ".npy" or not path.is_file():
        raise not_allowed("teacher", str(path), "a Keras model, several, or an .npy of distillab.store_predictions")
    predictions = Predictions.read(path, task_named("categorical" if task is None else task))
    for batch in batches():
        _look_up(predictions, batch)
    return predictions


def _digest(teachers: Teachers, keys: np.ndarray) -> str:
    """Digest of all that the predictions depend on: the teachers, how they are averaged, and the examples."""
    digest = hashlib.sha256(f"{teachers.weights} {teachers.average} ".encode())
    if teachers.task is not None and teachers.task.name != "categorical":
        digest.update(teachers.task.name.encode())
    for model in teachers.models:
        digest.update(json.dumps(architecture(model), sort_keys=True).encode())
        for variable in model.variables:
            add_array(digest, np.asarray(keras.ops.convert_to_numpy(variable)))
    if teachers.inputs is not None:
        code = getattr(teachers.inputs, "__code__", None)
        digest.update(repr(teachers.inputs if code is None else (code.co_code, code.co_consts)).encode())
    add_array(digest, keys)
    return digest.hexdigest()


def _arrays(x: Any, predict: Callable[[Batches], Predictions]) -> dict[str, Any]:
    examples = len(keras.tree.flatten(x)[0])

    def batches() -> Iterator[Any]:
        for start in range(0, examples, BATCH):
            yield keras.tree.map_structure(lambda array: np.asarray(array)[start : start + BATCH], x)  # noqa: B023

    predictions = predict(batches)
    return join(x, np.concatenate([_look_up(predictions, batch) for batch in batches()]))


class _PyDataset(keras.utils.PyDataset):
    """A PyDataset whose batches hold the logits."""

    def __init__(self, data: Any, predictions: Predictions) -> None:
        super().__init__(
            workers=data.workers, use_multiprocessing=data.use_multiprocessing, max_queue_size=data.max_queue_size
        )
        self._data, self._predictions = data, predictions

    @property
    def num_batches(self) -> int:
        return int(self._data.num_batches)

    def __getitem__(self, batch: int) -> Any:
        x, *rest = self._data[batch]
        return (join(x, _look_up(self._predictions, x)), *rest)

    def on_epoch_begin(self) -> None:
        self._data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._data.on_epoch_end()


def _tf_dataset(data: Any, predictions: Predictions) -> Any:
    import tensorflow as tf

    def add_logits(x: Any, *rest: Any) -> Any:
        flat = keras.tree.flatten(x)

        def look_up(*arrays: Any) -> Any:
            return predictions.of(*(array.numpy() for array in arrays), missing=CHANGING)

        logits = tf.py_function(look_up, flat, tf.float32)
        logits.set_shape((flat[0].shape[0], *predictions.shape[1:]))
        return (join(x, logits), *rest)

    return data.map(add_logits)


def _data_loader(data: Any, predictions: Predictions) -> Any:
    import torch

    def collate(examples: Any) -> Any:
        x, *rest = data.collate_fn(examples)
        return (join(x, torch.from_numpy(_look_up(predictions, _as_numpy(x)))), *rest)

    names = ["num_workers", "pin_memory", "worker_init_fn", "generator"]
    names += ["batch_sampler"] if data.batch_sampler is not None else ["batch_size", "drop_last"]
    options = {name: getattr(data, name) for name in names}
    return torch.utils.data.DataLoader(data.dataset, collate_fn=collate, **options)
