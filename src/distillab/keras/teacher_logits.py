"""Data sets that hold a teacher's logits, so that it predicts each example once and not in every epoch."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from distillab.data.paths import cache_folder
from distillab.errors import RequestError, WorkError, not_allowed
from distillab.keras.inputs import is_array, join
from distillab.keras.live import Like
from distillab.keras.outputs import Outputs
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
    task: str | dict[str, str | None] | None = None,
) -> Any:
    """Add the teacher's logits to a data set, so that `Distiller` need not run the teacher again.

    The teacher predicts every example once. The result has the type of the input, with the logits next to the inputs:
    arrays, a tuple (x, y) or (x, y, sample_weight), a `tf.data.Dataset`, a `keras.utils.PyDataset` or a torch
    `DataLoader`, which may shuffle. Data sets that change their examples between passes are refused.

    Several inputs are a list or a dictionary of arrays, alone or as x in a tuple: `[a, b]`, `([a, b], y)`,
    `({"a": a, "b": b}, y)`. The logits of several outputs are a dictionary or a tuple, as the teacher gives them.

    Args:
        data: the data set. The first axis of arrays is the examples'.
        teacher: a Keras model, one of another framework (`open_teacher`), or several; or the path of
            `distillab.store_predictions`, whose logits are read, or rebuilt from the top k, batch by batch (of arrays
            at once).
        teacher_weights: as in `Distiller`.
        average: as in `Distiller`.
        teacher_inputs: as in `Distiller`.
        cache: the folder that stores the logits, under a digest of teacher and examples; by default in the user's
            cache. None: in memory alone.
        task: as in `Distiller`; only needed for several teachers whose last layers do not show it. A dictionary also
            says that a file's columns are raw outputs of several.

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
        teachers.tasks = _tasks(teachers, data, task)
        folder = None if cache is None else (cache_folder() / "logits" if cache == "" else Path(cache))
        predict = partial(_predictions, teachers, folder)
    if isinstance(data, keras.utils.PyDataset):
        return _PyDataset(data, predict(lambda: (_inputs_of(data[batch]) for batch in range(_num_batches(data)))))
    if _is_dataset_of(data, "torch"):
        return _data_loader(data, predict(lambda: (_as_numpy(_inputs_of(batch)) for batch in data)))
    if _is_dataset_of(data, "tensorflow"):
        return _tf_dataset(data, predict(lambda: (_as_numpy(_inputs_of(batch)) for batch in data.as_numpy_iterator())))
    if isinstance(data, tuple) and 2 <= len(data) <= 3:
        return (_arrays(data[0], predict), *data[1:])
    if all(is_array(part) for part in keras.tree.flatten(data)):
        return _arrays(data, predict)
    raise RequestError(
        f"A data set of type {type(data).__name__} cannot hold a teacher's logits: it must be arrays, a tuple (x, y), "
        "a tf.data.Dataset, a keras.utils.PyDataset or a torch DataLoader. Make a PyDataset of a generator."
    )


def _inputs_of(batch: Any) -> Any:
    """The inputs of a batch, which has labels and sample weights beside them, or not."""
    return batch[0] if isinstance(batch, (tuple, list)) else batch


def _like(data: Any) -> Like:
    """The inputs of a data set, for a teacher that does not state its own."""
    if isinstance(data, keras.utils.PyDataset):
        inputs = _inputs_of(data[0])
    elif _is_dataset_of(data, "torch") or _is_dataset_of(data, "tensorflow"):
        inputs = _as_numpy(_inputs_of(next(iter(data))))
    else:
        inputs = data[0] if isinstance(data, tuple) else data
    if not is_array(inputs):
        raise RequestError(
            "A teacher of another framework needs data of one input. Predict the examples yourself: "
            "fit({'inputs': x, 'teacher_logits': predictions}, y)."
        )
    array = np.asarray(inputs[:1])
    return Like(keras.Input(array.shape[1:], dtype=array.dtype.name))


def _tasks(teachers: Teachers, data: Any, given: Any) -> list[Task | None]:
    """The task of each output, which decides how several teachers are averaged; a single one needs none."""
    outputs, alone = teachers.outputs, len(teachers.models) == 1
    labels: list[Any] = [None] * len(outputs.names)
    if not alone and isinstance(data, tuple) and len(data) > 1:
        labels = outputs.listed(data[1], "y")
    tasks: list[Task | None] = []
    for index, stated in enumerate(outputs.by_output(given, "task")):
        heads = teachers.heads(index)
        task = from_models(heads, stated)
        if task is None and not alone:
            known = is_array(labels[index])
            task = recognise(np.asarray(labels[index]), heads) if known else of_stream(None, heads)
        tasks.append(task)
    return tasks


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


class _Stored(NamedTuple):
    """Predictions of a data set: one row an example, of several outputs side by side."""

    rows: Predictions
    outputs: Outputs | None = None  # None: of one output, or all in one array
    shapes: Sequence[tuple[int, ...]] = ()  # of an example of each output

    def listed(self, *inputs: Any) -> list[np.ndarray]:
        """Look up the logits of each output.

        Args:
            inputs: of a batch, flat.
        """
        rows = self.rows.of(*inputs, missing=CHANGING)
        if self.outputs is None or not self.outputs.several:
            return [rows]
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        parts = np.split(rows, ends, axis=1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def packed(self, parts: Sequence[Any]) -> Any:
        """The logits of a batch as data hold them: an array, or a dictionary or tuple of arrays.

        Args:
            parts: of each output.
        """
        if self.outputs is None:
            return parts[0]
        return keras.tree.lists_to_tuples(self.outputs.packed(parts))

    def of(self, inputs: Any) -> Any:
        """Look up the logits of a batch.

        Args:
            inputs: of the batch.
        """
        return self.packed(self.listed(*keras.tree.flatten(inputs)))


def _predictions(teachers: Teachers, folder: Path | None, batches: Batches) -> _Stored:
    """Read the data once for their digests, and a second time only where the predictions are not stored."""
    outputs = teachers.outputs

    def predict(batch: Any) -> list[np.ndarray]:
        return outputs.listed(teachers.predict(batch), "the prediction")

    keys = np.unique(np.concatenate([_keys(teachers.checked(batch)) for batch in batches()]))
    shapes = [shape[1:] for shape in teachers.shapes]
    if any(None in shape for shape in shapes):  # the size of a map is open in the model, and that of the data decides
        shapes = [logits.shape[1:] for logits in predict(next(iter(batches())))]
    shape = (len(keys), sum(map(math.prod, shapes))) if outputs.several else (len(keys), *shapes[0])

    def compute() -> np.ndarray:
        logits, missing = np.zeros(shape, np.float32), np.ones(len(keys), bool)
        for batch in batches():
            batch_keys = _keys(batch)
            rows = np.searchsorted(keys, batch_keys)
            if (keys[np.minimum(rows, len(keys) - 1)] != batch_keys).any():
                raise RequestError(CHANGING)
            if missing[rows].any():
                parts = predict(batch)
                side_by_side = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
                logits[rows] = side_by_side.reshape(-1, *shape[1:])
                missing[rows] = False
        finite = np.isfinite(logits).all(axis=tuple(range(1, logits.ndim)))
        if not finite.all():
            raise WorkError(
                f"The teacher's logits of {np.sum(~finite)} of {len(keys)} examples are not finite: it has diverged, "
                "or those examples hold NaN or infinity."
            )
        return logits

    if folder is None:
        return _Stored(Predictions(keys, compute()), outputs, shapes)
    stored = stored_predictions(folder, _digest(teachers, keys), shape, compute)
    return _Stored(Predictions(keys, stored), outputs, shapes)


def _stored(path: Path, task: Any, batches: Batches) -> _Stored:
    """Predictions of a file, which has one for every example."""
    if path.suffix != ".npy" or not path.is_file():
        raise not_allowed("teacher", str(path), "a Keras model, several, or an .npy of distillab.store_predictions")
    as_they_are = "regression" if isinstance(task, dict) else "categorical"
    stored = _Stored(Predictions.read(path, task_named(task if isinstance(task, str) else as_they_are)))
    for batch in batches():
        stored.of(batch)
    return stored


def _digest(teachers: Teachers, keys: np.ndarray) -> str:
    """Digest of all that the predictions depend on: the teachers, how they are averaged, and the examples."""
    digest = hashlib.sha256(f"{teachers.weights} {teachers.average} ".encode())
    named = zip(teachers.outputs.names, teachers.tasks, strict=True)
    for name, task in named:
        if teachers.outputs.several:
            digest.update(f"{name!r} ".encode())
        if task is not None and task.name != "categorical":
            digest.update(task.name.encode())
    for model in teachers.models:
        digest.update(json.dumps(architecture(model), sort_keys=True).encode())
        for variable in model.variables:
            add_array(digest, np.asarray(keras.ops.convert_to_numpy(variable)))
    if teachers.inputs is not None:
        code = getattr(teachers.inputs, "__code__", None)
        digest.update(repr(teachers.inputs if code is None else (code.co_code, code.co_consts)).encode())
    add_array(digest, keys)
    return digest.hexdigest()


def _arrays(x: Any, predict: Callable[[Batches], _Stored]) -> dict[str, Any]:
    examples = len(keras.tree.flatten(x)[0])

    def batches() -> Iterator[Any]:
        for start in range(0, examples, BATCH):
            yield keras.tree.map_structure(lambda array: np.asarray(array)[start : start + BATCH], x)  # noqa: B023

    stored = predict(batches)
    pieces = [stored.listed(*keras.tree.flatten(batch)) for batch in batches()]
    return join(x, stored.packed([np.concatenate(parts) for parts in zip(*pieces, strict=True)]))


class _PyDataset(keras.utils.PyDataset):
    """A PyDataset whose batches hold the logits."""

    def __init__(self, data: Any, stored: _Stored) -> None:
        super().__init__(
            workers=data.workers, use_multiprocessing=data.use_multiprocessing, max_queue_size=data.max_queue_size
        )
        self._data, self._stored = data, stored

    @property
    def num_batches(self) -> int:
        return int(self._data.num_batches)

    def __getitem__(self, batch: int) -> Any:
        return _with_logits(self._data[batch], self._stored.of)

    def on_epoch_begin(self) -> None:
        self._data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._data.on_epoch_end()


def _with_logits(batch: Any, logits: Callable[[Any], Any]) -> tuple[Any, ...]:
    """A batch with logits next to its inputs; labels and sample weights as they are."""
    x, rest = _inputs_of(batch), batch[1:] if isinstance(batch, (tuple, list)) else ()
    return (join(x, logits(x)), *rest)


def _tf_dataset(data: Any, stored: _Stored) -> Any:
    import tensorflow as tf

    shapes = stored.shapes or [stored.rows.shape[1:]]

    def look_up(*arrays: Any) -> Any:
        return stored.listed(*(array.numpy() for array in arrays))

    def logits(x: Any) -> Any:
        flat = keras.tree.flatten(x)
        parts = tf.py_function(look_up, flat, [tf.float32] * len(shapes))
        for part, shape in zip(parts, shapes, strict=True):
            part.set_shape((flat[0].shape[0], *shape))
        return stored.packed(parts)

    return data.map(lambda *batch: _with_logits(batch, logits))


def _data_loader(data: Any, stored: _Stored) -> Any:
    import torch

    def logits(x: Any) -> Any:
        return keras.tree.map_structure(torch.from_numpy, stored.of(_as_numpy(x)))

    def collate(examples: Any) -> Any:
        return _with_logits(data.collate_fn(examples), logits)

    names = ["num_workers", "pin_memory", "worker_init_fn", "generator"]
    names += ["batch_sampler"] if data.batch_sampler is not None else ["batch_size", "drop_last"]
    options = {name: getattr(data, name) for name in names}
    return torch.utils.data.DataLoader(data.dataset, collate_fn=collate, **options)
