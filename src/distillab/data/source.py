"""A user's data as they are stored: arrays from files of several kinds, data sets of frameworks, and named sets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from distillab.data.archive import read_arrays
from distillab.data.array_store import ArrayStore
from distillab.data.catalogue import LOADERS, load
from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.folders import read_photographs
from distillab.data.images import ARCHIVES
from distillab.data.several import grouped
from distillab.data.table import read_table
from distillab.errors import RequestError, not_allowed
from distillab.tasks import Task
from distillab.tasks.several import parsed_tasks


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How data are read and split.

    Args:
        data_dir: the folder of named data sets.
        validation: fraction of the training examples used for validation, in (0, 1), without a validation part.
        test: fraction of the labelled examples used for testing, in (0, 1), without a test part.
        size: (H, W) for the images of a folder; by default the most frequent size.
        label: name of the label column of a table.
        task: what the labels mean, a name in `TASKS`, or of several outputs "age=regression, income=binary" or such a
            mapping; by default recognised from labels and models.
        ignore_class: a class number that means "no label here", such as 255 in maps.
        seed: seed of the random splits.
        memory: bytes above which an array is memory-mapped from a file; by default a quarter of the free memory.

    Raises:
        RequestError: a fraction is out of range, or there is no such task.
    """

    data_dir: str | os.PathLike[str] | None = None
    validation: float = 0.1
    test: float = 0.2
    size: tuple[int, int] | None = None
    label: str | None = None
    task: str | Mapping[str, str] | None = None
    ignore_class: int | None = None
    seed: int = 0
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.task is not None:
            parsed_tasks(self.task)
        for name in ("validation", "test"):  # checked even if the data have these parts
            fraction = getattr(self, name)
            if isinstance(fraction, bool) or not 0 < fraction < 1:
                raise not_allowed(name, fraction, "a number between 0 and 1, both excluded")


class Source(NamedTuple):
    """Data as read, before their task is known, and before they are checked and split."""

    name: str
    arrays: dict[str, Any]
    """x_train and y_train; perhaps x_test, y_test, x_validation, y_validation and x_unlabelled."""
    store: ArrayStore
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scale: float | None = None
    task: str | Task | None = None
    """The task that a data set states, other than one of several classes: a model may show that to be binary; of
    several outputs with its parts, and packed labels."""
    column: str | None = None
    """The label column of a table, if its labels are numbers."""
    ids: Mapping[str, Sequence[str]] = {}
    """By part, the ids of its examples, where the data give them."""


def read_source(data: Any, options: ReadOptions) -> Source:
    """Read the arrays of data, before it is known what the labels mean.

    Args:
        data: as for `read_data`.
        options: how data are read.

    Raises:
        RequestError: the data cannot be read.
    """
    store = ArrayStore(options.memory)
    if isinstance(data, str) and data in LOADERS:
        data = load(data, data_dir=options.data_dir)
    if isinstance(data, Dataset):
        arrays = {name: getattr(data, name) for name in ARRAYS}
        task = data.task if data.task.parts else None if data.task.name == "categorical" else data.task.name
        return Source(data.name, arrays, store, data.class_names, scale=data.scale, task=task)
    if isinstance(data, str | os.PathLike):
        return _from_path(Path(data).expanduser(), options, store)
    name = type(data).__name__
    if isinstance(data, Mapping):
        return Source(name, _renamed(dict(data), "data"), store)
    if isinstance(data, (tuple, list)) and len(data) in (2, 4):
        return Source(name, dict(zip(ARRAYS, data, strict=False)), store)
    return Source(name, _from_batches(data), store)


def _from_path(path: Path, options: ReadOptions, store: ArrayStore) -> Source:
    suffix, arrays = path.suffix.lower(), dict[str, Any]()
    if suffix == ".csv":
        table = read_table(path, label=options.label)
        ids = {} if table.ids is None else {"train": table.ids}
        notes = ("The column 'id' names the examples and is no feature.",) if ids else ()
        if table.numbers is None:
            arrays = {"x_train": table.x, "y_train": table.y}
            return Source(path.stem, arrays, store, table.class_names, notes, ids=ids)
        arrays = {"x_train": table.x, "y_train": table.numbers}
        return Source(path.stem, arrays, store, notes=notes, column=table.label, ids=ids)
    if suffix == ".npz":
        arrays = read_arrays(path, "Save it with numpy.savez_compressed(file, x=..., y=...).", None, store)
        return Source(path.stem, _renamed(arrays, str(path)), store)
    if path.is_dir():
        photographs = read_photographs(path, size=options.size, store=store)
        for part in photographs.inputs:
            arrays |= {f"x_{part}": photographs.inputs[part], f"y_{part}": photographs.labels[part]}
        return Source(path.stem, arrays, store, photographs.class_names, photographs.notes, ids=photographs.files)
    if path.name.lower().endswith(ARCHIVES):
        return read_source(load(path), options)._replace(name=path.stem)
    raise RequestError(
        f"There are no data {str(path)!r}. Give an .npz, a .csv, an image folder or an archive of one, or one of "
        f"{', '.join(LOADERS)}."
    )


def _renamed(arrays: dict[str, Any], where: str) -> dict[str, Any]:
    """The arrays with x and y renamed to x_train and y_train, labels of several outputs grouped."""
    arrays = grouped(arrays)
    if "x" in arrays and "y" in arrays:
        arrays = {**arrays, "x_train": arrays["x"], "y_train": arrays["y"]}
    paired = all((f"x_{part}" in arrays) == (f"y_{part}" in arrays) for part in ("train", "test", "validation"))
    if not paired or "x_train" not in arrays:
        raise RequestError(
            f"{where}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or x_train, y_train, x_test "
            "and y_test; perhaps x_validation, y_validation and x_unlabelled."
        )
    return arrays


def _from_batches(data: Any) -> dict[str, Any]:
    """All examples of a tf.data.Dataset or a PyDataset, batched or not."""
    if hasattr(data, "as_numpy_iterator"):
        batches = list(data.as_numpy_iterator())
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        batches = [data[number] for number in range(len(data))]
    else:
        allowed = "a path, a name, (x, y), a mapping, a Dataset, a tf.data.Dataset or a PyDataset"
        raise not_allowed("data", type(data).__name__, allowed)
    if not batches or not all(isinstance(batch, (tuple, list)) and len(batch) >= 2 for batch in batches):
        raise RequestError("The data set gives no pairs of inputs and labels (x, y).")
    join = np.stack if np.ndim(batches[0][1]) == 0 else np.concatenate
    return {name: join([np.asarray(batch[index]) for batch in batches]) for index, name in enumerate(ARRAYS[:2])}
