"""Reading `.npz` files: arrays of plain numbers, never a pickled object."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillab.data.array_store import ArrayStore
from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.inputs import INPUT, Scale, parts_of
from distillab.data.labels import Array, class_names, label_positions
from distillab.data.outputs import several_outputs
from distillab.data.several import as_mappings, grouped
from distillab.errors import RequestError, not_allowed, reason
from distillab.io import DAMAGE, replace_file
from distillab.tasks import SEVERAL, TASKS, canonical_labels, recognise, task_named
from distillab.tasks.several import column_names


def read_arrays(
    path: Path, do: str, names: Sequence[str] | None = ARRAYS, store: ArrayStore | None = None
) -> dict[str, Array]:
    """Read arrays from an `.npz` file, by name, as stored.

    Args:
        path: the file.
        do: the remedy to print if the file is unusable, a sentence.
        names: the required arrays; None reads all that the file holds.
        store: allocates the arrays; by default all are held in memory.

    Raises:
        RequestError: the file cannot be opened or is no complete archive, or an array is missing or unreadable.
    """
    store = ArrayStore(limit=2**63) if store is None else store
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise RequestError(f"{path}: found no whole .npz archive, expected one; it may be cut short. {do}")
            with zipfile.ZipFile(file) as archive:
                stored = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                for name in names or ():
                    if name not in stored:
                        present = ", ".join(sorted(stored)) or "none"
                        expected = ", ".join(names or ())
                        raise RequestError(f"{path}: {name} is missing; found {present}; expected {expected}. {do}")
                return {name: _read_array(path, archive, name, do, store) for name in names or stored}
    except RequestError:
        raise
    except FileNotFoundError as error:
        raise RequestError(f"{path}: the file cannot be read (No such file). Correct the path.") from error
    except DAMAGE as error:
        raise RequestError(f"{path}: the file cannot be read ({reason(error)}). {do}") from error


def _read_array(path: Path, archive: zipfile.ZipFile, name: str, do: str, store: ArrayStore) -> Array:
    try:
        return store.unpack(archive, name)
    except DAMAGE as error:
        raise RequestError(
            f"{path}: {name} cannot be read, found damage or Python objects ({reason(error)}), "
            f"expected an array of numbers. {do}"
        ) from error


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an `.npz` file, uncompressed, whole or not at all.

    Args:
        path: the file.
        arrays: x_train, y_train, x_test and y_test.

    Raises:
        OSError: the file cannot be written.
    """
    parts: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
    replace_file(path, lambda temporary: np.savez(temporary, **parts))


def with_channels(images: Array) -> Array:
    """Give grey images a channel axis: shape (N, H, W, 1).

    Args:
        images: shape (N, H, W); any other shape is returned unchanged.
    """
    return images[..., None] if images.ndim == 3 else images


def default_scale(x: Array) -> Scale:
    """The scale of inputs that come without one: 1/255 for bytes, 1 for others; of several inputs by name.

    Args:
        x: the stored inputs.
    """
    scales = {name: 1 / 255 if part.dtype == np.uint8 else 1.0 for name, part in parts_of(x).items()}
    return scales if x.dtype.names is not None else scales[INPUT]


def read_dataset(path: str | os.PathLike[str], task: str | Mapping[str, str] | None = None) -> Dataset:
    """Read a data set from a file; it is named after the file, and its classes "0", "1", ...

    Args:
        path: an `.npz` with x_train, y_train, x_test, y_test: inputs (N, H, W, C), (N, H, W) for grey images, or
            (N, F), as bytes (scale 1/255) or floats (scale 1); labels (N,), integers from 0 without a gap, or those of
            another task, of which several or one for each pixel; of several outputs y_train_NAME and y_test_NAME.
        task: a name in `TASKS`, or those of several outputs by name; None: whole numbers, one an example, are classes,
            and other labels are recognised.

    Raises:
        RequestError: the file or its contents are unusable; the message names file and array.
    """
    path = Path(path)
    do = "Save it again with numpy.savez_compressed(file, x_train=..., y_train=..., x_test=..., y_test=...)."
    if task == SEVERAL or isinstance(task, Mapping):
        return _of_several_outputs(path, do, task)
    arrays = read_arrays(path, do)
    y = {part: arrays[f"y_{part}"] for part in ("train", "test")}
    try:
        if y["train"].ndim < 2 and task in (None, "categorical"):
            meaning, names = TASKS["categorical"], tuple(str(number) for number in range(_count_classes(y["train"])))
        else:
            meaning = task_named(task) if task else recognise(y["train"])
            positions = label_positions(y["train"])
            y = {p: canonical_labels(v, meaning, f"y_{p}", positions=positions) for p, v in y.items()}
            names = class_names(y["train"], meaning)
        x_train, x_test = with_channels(arrays["x_train"]), with_channels(arrays["x_test"])
        scale = default_scale(x_train)
        return Dataset(path.stem, x_train, y["train"], x_test, y["test"], names, scale, task=meaning)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def _of_several_outputs(path: Path, do: str, task: str | Mapping[str, str]) -> Dataset:
    arrays = grouped(read_arrays(path, do, None))
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        present = ", ".join(sorted(arrays)) or "none"
        raise RequestError(f"{path}: {missing[0]} is missing; found {present}; expected {', '.join(ARRAYS)}, and of "
                           "several outputs y_train_NAME and y_test_NAME.")  # fmt: skip
    try:
        mappings = as_mappings(arrays)
        if mappings is None:
            raise not_allowed("task", SEVERAL, "the task of one output: there is a single array y_train")
        packed, meaning = several_outputs(mappings, (), task=task)
        x_train, x_test = with_channels(arrays["x_train"]), with_channels(arrays["x_test"])
        labels = packed["y_train"], packed["y_test"]
        names, scale = column_names(meaning), default_scale(x_train)
        return Dataset(path.stem, x_train, labels[0], x_test, labels[1], names, scale, task=meaning)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def _count_classes(labels: Array) -> int:
    """C for well-formed labels; `Dataset` reports other faults."""
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
        return 2
    present = np.unique(labels)
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if present[0] >= 0 and len(gaps):
        do = f"No training example has label {gaps[0]}; number the classes from 0 without a gap, or state "
        do += "task=regression."
        raise not_allowed(f"{len(present)} classes with largest label", int(present[-1]), f"{len(present) - 1}", do)
    if len(present) < 2:
        raise not_allowed("y_train", f"{present[0]} everywhere", "labels of at least 2 classes")
    return len(present)
