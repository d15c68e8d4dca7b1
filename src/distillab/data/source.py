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
from distillab.data.frame import SUFFIXES, read_frame
from distillab.data.images import ARCHIVES
from distillab.data.inputs import KINDS, Kind, Scale
from distillab.data.label_column import label_texts
from distillab.data.labels import UNLABELLED
from distillab.data.several import grouped
from distillab.data.shards import folder_items, is_sample_archive, is_shard_folder, is_shards, shard_items
from distillab.data.streams import Stream, opened_stream, read_stream
from distillab.data.table import Table, read_table
from distillab.data.text import RawTexts, is_texts, text_rows
from distillab.data.text_files import ReadTexts, is_text_folder, read_text_folder, read_text_table, text_and_label
from distillab.data.weights import ClassWeight, check_class_weight
from distillab.errors import RequestError, not_allowed, unknown
from distillab.tasks import Task
from distillab.tasks.matching import parsed_tasks


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How data are read and split.

    Args:
        data_dir: the folder of named data sets.
        validation: fraction of the training examples used for validation, in (0, 1), without a validation part.
        test: fraction of the labelled examples used for testing, in (0, 1), without a test part.
        size: (H, W) for the images of a folder; by default the most frequent size.
        label: name of the label column of a table; of several outputs several names.
        task: what the labels mean, a name in `TASKS`, or of several outputs "age=regression, income=binary" or such a
            mapping; by default recognised from labels and models.
        inputs: what inputs are, "images", "features", "series" or "tokens"; by default as the models read them.
        text: name of the column of texts of a table; by default the only one, if it holds texts.
        tokenizer: of texts: "bpe" (the default) or "wordpiece", which is trained, or the path of a `tokenizer.json`.
        vocabulary: the number of token ids of a tokenizer that is trained; by default 4,000.
        length: the token ids of a text; by default as the models read them, else the 95th percentile of training texts,
            at most 256.
        sample_weight: name of the column of a table that holds the examples' weights.
        class_weight: "balanced", or a weight for each class by name; it multiplies the examples' own weights.
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
    label: str | Sequence[str] | None = None
    task: str | Mapping[str, str] | None = None
    inputs: Kind | None = None
    text: str | None = None
    tokenizer: str | os.PathLike[str] | None = None
    vocabulary: int | None = None
    length: int | None = None
    sample_weight: str | None = None
    class_weight: ClassWeight | None = None
    ignore_class: int | None = None
    seed: int = 0
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.task is not None:
            parsed_tasks(self.task)
        if self.inputs is not None and self.inputs not in KINDS:
            raise unknown("inputs", self.inputs, KINDS)
        check_class_weight(self.class_weight)
        for name in ("validation", "test"):  # checked even if the data have these parts
            fraction = getattr(self, name)
            if isinstance(fraction, bool) or not 0 < fraction < 1:
                raise not_allowed(name, fraction, "a number between 0 and 1, both excluded")


class Source(NamedTuple):
    """Data as read, before their task is known, and before they are checked and split."""

    name: str
    arrays: dict[str, Any]
    """x_train and y_train; perhaps x_test, y_test, x_validation, y_validation, x_unlabelled, w_train, w_validation."""
    store: ArrayStore
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scale: Scale | None = None
    task: str | Task | None = None
    """The task that a data set states, other than one of several classes: a model may show that to be binary; of
    several outputs with its parts, and packed labels."""
    column: str | None = None
    """The label column of a table, if its labels are numbers."""
    ids: Mapping[str, Sequence[str]] = {}
    """By part, the ids of its examples, where the data give them."""
    table: Table | None = None
    """The table whose rows the training examples are."""
    texts: RawTexts | None = None
    """The texts, where the data are texts; the inputs are their row numbers, (N, 1)."""


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
        arrays |= {} if data.weights is None else {"w_train": data.weights}
        task = data.task if data.task.parts else None if data.task.name == "categorical" else data.task.name
        source = Source(data.name, arrays, store, data.class_names, scale=data.scale, task=task)
        text = data.text
        return source if text is None else _of_texts(source, {"x_train": text.train, "x_test": text.test})
    if is_shards(data):
        return _from_stream(opened_stream(data), store)
    if isinstance(data, str | os.PathLike):
        return _from_path(Path(data).expanduser(), options, store)
    name = type(data).__name__
    if isinstance(data, Mapping):
        source = Source(name, _renamed(dict(data), "data"), store)
    elif isinstance(data, (tuple, list)) and len(data) == 3:
        source = Source(name, dict(zip(("x_train", "y_train", "w_train"), data, strict=True)), store)
    elif isinstance(data, (tuple, list)) and len(data) in (2, 4):
        source = Source(name, dict(zip(ARRAYS, data, strict=False)), store)
    else:
        source = _from_stream(opened_stream(data), store)
    texts = {key: value for key, value in source.arrays.items() if key.startswith("x_") and is_texts(value)}
    return _of_texts(source, texts) if texts else source


def _of_texts(source: Source, texts: dict[str, Any]) -> Source:
    """The source with row numbers in place of texts."""
    rows, raw = text_rows(texts)
    return source._replace(arrays={**source.arrays, **rows}, texts=raw)


def _from_texts(read: ReadTexts, path: Path, store: ArrayStore) -> Source:
    source = Source(path.stem, read.arrays, store, read.class_names, read.notes)
    return source._replace(column=read.column, ids=read.ids, texts=read.raw)


def _from_path(path: Path, options: ReadOptions, store: ArrayStore) -> Source:
    suffix, arrays = path.suffix.lower(), dict[str, Any]()
    if options.sample_weight is not None and suffix in (".npz", ""):
        raise RequestError(
            f"sample_weight={options.sample_weight!r} names a column of a table, and {path} is none. Give the weights "
            "as the array `weights` beside x and y."
        )
    if path.is_dir() and is_text_folder(path):
        return _from_texts(read_text_folder(path), path, store)
    labels = (options.label,) if isinstance(options.label, str) else tuple(options.label or ())
    if suffix in SUFFIXES and len(labels) > 1:
        return _of_several_columns(path, labels, options, store)
    if suffix in SUFFIXES:
        frame, label = read_frame(path), labels[0] if labels else None
        weight, stated = options.sample_weight, options.text is not None
        text_columns = text_and_label(frame, options.text, label, weight)
        if text_columns is not None:
            return _from_texts(read_text_table(frame, *text_columns, stated=stated, weight=weight), path, store)
        table = read_table(frame, label=label, weight=options.sample_weight)
        ids = {} if table.ids is None else {"train": table.ids}
        y, column = (table.y, None) if table.numbers is None else (table.numbers, table.label)
        arrays, names = {"x_train": table.x, "y_train": y}, table.class_names if column is None else None
        if table.weights is not None:
            arrays["w_train"] = table.weights
        return Source(path.stem, arrays, store, names, table.notes, column=column, ids=ids, table=table)
    if suffix == ".npz":
        arrays = read_arrays(path, "Save it with numpy.savez_compressed(file, x=..., y=...).", None, store)
        return Source(path.stem, _renamed(arrays, str(path)), store)
    if path.is_dir() and is_shard_folder(path):
        return _from_stream(Stream(path.name, folder_items(path)), store)
    if suffix == ".tar" and path.is_file() and is_sample_archive(path):
        return _from_stream(Stream(path.stem, shard_items([path])), store)
    if path.is_dir():
        photographs = read_photographs(path, size=options.size, store=store)
        for part in photographs.inputs:
            arrays |= {f"x_{part}": photographs.inputs[part], f"y_{part}": photographs.labels[part]}
        return Source(path.stem, arrays, store, photographs.class_names, photographs.notes, ids=photographs.files)
    if path.name.lower().endswith(ARCHIVES):
        return read_source(load(path), options)._replace(name=path.stem)
    raise RequestError(
        f"There are no data {str(path)!r}. Give an .npz, a table ({', '.join(SUFFIXES)}), an image folder or "
        f"an archive of one, or one of {', '.join(LOADERS)}."
    )


def _of_several_columns(path: Path, labels: Sequence[str], options: ReadOptions, store: ArrayStore) -> Source:
    """A table with a label column for each of several outputs."""
    frame = read_frame(path)
    texts = label_texts(frame, labels)
    if options.text is not None:
        read = read_text_table(frame, options.text, labels[0], stated=True, weight=options.sample_weight)
        source = _from_texts(read, path, store)
        return source._replace(arrays={**source.arrays, "y_train": texts}, class_names=None, column=None)
    table = read_table(frame, label=labels[0], weight=options.sample_weight, others=labels[1:])
    missing = np.all([of == "" for of in texts.values()], axis=0)
    table = table._replace(y=np.where(missing, UNLABELLED, 0).astype(np.int32))
    ids = {} if table.ids is None else {"train": table.ids}
    notes = (*table.notes, f"The labels are the columns {', '.join(map(repr, labels))}.")
    arrays = {"x_train": table.x, "y_train": texts} | ({} if table.weights is None else {"w_train": table.weights})
    return Source(path.stem, arrays, store, notes=notes, ids=ids, table=table)


def _renamed(arrays: dict[str, Any], where: str) -> dict[str, Any]:
    """The arrays with x and y renamed to x_train and y_train, and several inputs or outputs of a part put together."""
    arrays = grouped(_gathered(arrays))
    if "x" in arrays and "y" in arrays:
        arrays = {**arrays, "x_train": arrays["x"], "y_train": arrays["y"]}
    if "weights" in arrays:
        arrays = {**arrays, "w_train": arrays["weights"]}
    paired = all((f"x_{part}" in arrays) == (f"y_{part}" in arrays) for part in ("train", "test", "validation"))
    if not paired or "x_train" not in arrays:
        raise RequestError(
            f"{where}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or x_train, y_train, x_test "
            "and y_test; perhaps x_validation, y_validation and x_unlabelled."
        )
    return arrays


PARTS = ("train", "test", "validation", "unlabelled")


def _gathered(arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays with x_NAME, or x_train_NAME and so on, put together as {NAME: array}."""
    known = {"x", *(f"x_{part}" for part in PARTS)}
    found = {key: value for key, value in arrays.items() if not key.startswith("x_") or key in known}
    for key, value in arrays.items():
        if key in found:
            continue
        part = next((f"x_{part}" for part in PARTS if key.startswith(f"x_{part}_")), "x")
        found.setdefault(part, {})
        if isinstance(found[part], dict):
            found[part][key.removeprefix(f"{part}_")] = value
    return found


def _from_stream(stream: Stream, store: ArrayStore) -> Source:
    read = read_stream(stream, store)
    arrays = {"x_train": read.x, "y_train": read.y} | ({} if read.weights is None else {"w_train": read.weights})
    return Source(stream.name, arrays, store, notes=(read.note,))
