"""A user's own data: whatever they lie in, as labelled examples, unlabelled ones, and a test set kept apart."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.data.archive import DAMAGE, one_line
from distillab.data.catalogue import LOADERS, load
from distillab.data.dataset import Dataset
from distillab.data.folders import read_photographs
from distillab.data.images import ARCHIVES
from distillab.data.labels import Array, Rows
from distillab.data.mapped import Room, is_mapped
from distillab.data.splits import stratified_split
from distillab.data.table import read_table
from distillab.errors import RequestError, not_allowed

UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class OwnData:
    """What a student is distilled on.

    Args:
        dataset: labelled examples, validation ones included, and the test examples.
        validation: rows of the labelled examples on which alpha is chosen, sorted.
        unlabelled: inputs whose class nobody told, shape (U, ...); U may be 0.
        mean, spread: of features, by which they are standardised, shape (F,); None for images.
        notes: what was done to the data on reading, a sentence each.
        room: where arrays that are made of them lie.
    """

    dataset: Dataset
    validation: Rows
    unlabelled: Array = field(repr=False)
    mean: NDArray[np.float32] | None = None
    spread: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()
    room: Room = field(default_factory=Room, repr=False)

    @property
    def training(self) -> Rows:
        """Rows of the labelled examples that are not for validation."""
        return np.setdiff1d(np.arange(len(self.dataset.y_train)), self.validation)

    def prepared(self, *parts: Array | tuple[Array, Rows]) -> Array:
        """Inputs as students are trained on them: features standardised, images as they are (times `scale` later).

        Args:
            parts: arrays, or arrays and which of their rows; they are joined.
        """
        named = [part if isinstance(part, tuple) else (part, None) for part in parts]
        mean, spread = self.mean, self.spread
        if mean is None or spread is None:
            return self.room.gather(named)
        return self.room.gather(named, lambda x: np.asarray((x - mean) / spread, np.float32))

    @property
    def scale(self) -> float:
        """What prepared inputs are multiplied by."""
        return self.dataset.scale


def read_own(
    data: Any,
    *,
    data_dir: Path | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    size: tuple[int, int] | None = None,
    label: str | None = None,
    seed: int = 0,
    memory: int | None = None,
) -> OwnData:
    """Read a user's own data.

    Args:
        data: a path or the arrays themselves. Paths: an `.npz` with x and y, or x_train, y_train, x_test, y_test, and
            perhaps x_unlabelled; an image folder or an archive of one (`read_photographs`); a `.csv` (`read_table`); or
            a name such as "mnist". Arrays: `(x, y)`, `(x_train, y_train, x_test, y_test)`, a mapping of such names, a
            `Dataset`, a `tf.data.Dataset` or a `keras.utils.PyDataset` of (x, y). A label of -1 is none.
        data_dir: where named data lie.
        validation: the share of the labelled examples that alpha is chosen on, where the data have no such part.
        test: the share that is kept for the verdict, where the data have no such part.
        size: (H, W) for images of a folder.
        label: the column of the labels of a table.
        seed: draws the parts.
        memory: bytes from which an array is kept in a file and mapped; by default a quarter of the free memory.

    Raises:
        RequestError: the data cannot be used; the message says why.
    """
    for name, share in (("validation", validation), ("test", test)):  # also where the data have parts of their own
        if isinstance(share, bool) or not 0 < share < 1:
            raise not_allowed(name, share, "a number between 0 and 1, both excluded")
    data = load(data, data_dir=data_dir) if isinstance(data, str) and data in LOADERS else data
    room = Room(memory)
    parts, names, notes = _parts(data, size, label, room)
    x, y = _as_inputs(parts["x_train"], "x_train"), _as_numbers(parts["y_train"], "y_train", len(parts["x_train"]))
    known = y != UNLABELLED
    free = [_as_inputs(parts["x_unlabelled"], "x_unlabelled")] if "x_unlabelled" in parts else []
    unlabelled = room.gather([(x, np.flatnonzero(~known)), *((more, None) for more in free)])
    if not known.all():
        x, y = room.gather([(x, np.flatnonzero(known))]), y[known]
    if len(y) == 0:
        raise RequestError("No example has a label. Alpha cannot be chosen, nor a student judged, without any.")
    classes = len(names) if names is not None else int(y.max(initial=0)) + 1
    if len(np.unique(y)) < 2:
        raise RequestError(f"Every labelled example is of class {y[0]}; there must be at least 2 classes.")
    if y.min() < UNLABELLED:
        raise not_allowed("label", int(y.min()), f"from 0 to {classes - 1}, or -1 for none")
    present = np.unique(y)  # a label of two billion must not make as many classes
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps) or len(present) < classes:
        missing = gaps[0] if len(gaps) else len(present)
        raise RequestError(
            f"No labelled example is of class {missing}, and the largest is {classes - 1}. Number the classes from "
            "0 without a gap."
        )
    rng = np.random.default_rng([11, seed])  # apart from every stream of a study
    if "x_test" in parts:
        x_test, y_test = (
            _as_inputs(parts["x_test"], "x_test"),
            _as_numbers(parts["y_test"], "y_test", len(parts["x_test"])),
        )
        x_test, y_test = x_test[y_test != UNLABELLED], y_test[y_test != UNLABELLED]
    else:
        kept, held_out = stratified_split(y, share=test, rng=rng)
        x_test, x = room.gather([(x, held_out)]), room.gather([(x, kept)])
        y_test, y = y[held_out], y[kept]
        notes.append(f"The data have no test part: {len(y_test):,} labelled examples ({test:.0%}) were kept for it.")
    if "x_validation" in parts:
        more = _as_inputs(parts["x_validation"], "x_validation")
        rows = np.arange(len(x), len(x) + len(more))
        x = room.gather([(x, None), (more, None)])
        y = np.concatenate([y, _as_numbers(parts["y_validation"], "y_validation", len(more))])
    else:
        _, rows = stratified_split(y, share=validation, rng=rng)
    named = names if names is not None else tuple(str(number) for number in range(classes))
    scale = data.scale if isinstance(data, Dataset) else 1 / 255 if x.dtype == np.uint8 else 1.0
    dataset = Dataset(_name(data), _mapped_once(x), y, _mapped_once(x_test), y_test, named, scale)
    if len(unlabelled) and not np.isfinite([unlabelled.min(), unlabelled.max()]).all():
        raise RequestError("x_unlabelled holds NaN or infinity. Leave those examples out.")
    mean = spread = None
    if dataset.x_train.ndim == 2:
        mean = dataset.x_train.mean(0, dtype=np.float64).astype(np.float32)
        spread = np.maximum(dataset.x_train.std(0, dtype=np.float64), 1e-6).astype(np.float32)
    return OwnData(dataset, rows, unlabelled, mean, spread, tuple(notes), room)


Parts = dict[str, Any]
Read = tuple[Parts, tuple[str, ...] | None, list[str]]


def _parts(data: Any, size: tuple[int, int] | None, label: str | None, room: Room) -> Read:
    """Arrays by name, the classes' names where they have any, and what was done."""
    if isinstance(data, Dataset):
        return _of_dataset(data)
    if isinstance(data, (str, Path)):
        return _from_path(str(data), size, label, room)
    if isinstance(data, Mapping):
        return _checked(dict(data), "data"), None, []
    if isinstance(data, (tuple, list)) and len(data) in (2, 4):
        return dict(zip(("x_train", "y_train", "x_test", "y_test"), data, strict=False)), None, []
    return _from_batches(data), None, []


def _of_dataset(data: Dataset) -> Read:
    arrays = {name: getattr(data, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    return arrays, data.class_names, []


def _from_path(text: str, size: tuple[int, int] | None, label: str | None, room: Room) -> Read:
    path = Path(text).expanduser()
    if path.suffix.lower() == ".csv":
        table = read_table(path, label=label)
        return {"x_train": table.x, "y_train": table.y}, table.class_names, []
    if path.suffix.lower() == ".npz":
        return _from_npz(path, room), None, []
    if path.is_dir():
        found = read_photographs(path, size=size, room=room)
        arrays: Parts = {}
        for part in found.inputs:
            arrays |= {f"x_{part}": found.inputs[part], f"y_{part}": found.labels[part]}
        skipped = f"{len(found.skipped)} images could not be read and were left out: {', '.join(found.skipped[:5])}."
        return arrays, found.class_names, [note for note in (found.rule, skipped if found.skipped else "") if note]
    if text.lower().endswith(ARCHIVES):
        return _of_dataset(load(text))
    raise RequestError(
        f"There are no data {text!r}. Give an .npz, a .csv, an image folder or an archive of one, or one of "
        f"{', '.join(LOADERS)}."
    )


def _from_npz(path: Path, room: Room) -> Parts:
    do = "Save it with numpy.savez_compressed(file, x=..., y=...)."
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise RequestError(f"{path}: found no whole .npz archive; it may be cut short. {do}")
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                return _checked({name: room.unpacked(archive, name) for name in names}, str(path))
    except RequestError:
        raise
    except DAMAGE as error:
        raise RequestError(
            f"{path} cannot be read, found damage or Python objects ({one_line(error)}). {do}"
        ) from error


def _checked(arrays: Parts, where: str) -> Parts:
    """The same under the names of the parts."""
    if "x" in arrays and "y" in arrays:
        arrays = {**arrays, "x_train": arrays["x"], "y_train": arrays["y"]}
    complete = all(f"x_{part}" in arrays and f"y_{part}" in arrays for part in ("train",)) and (
        ("x_test" in arrays) == ("y_test" in arrays) and ("x_validation" in arrays) == ("y_validation" in arrays)
    )
    if not complete:
        raise RequestError(
            f"{where}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y, or x_train, y_train, x_test "
            "and y_test; perhaps x_validation, y_validation and x_unlabelled."
        )
    return arrays


def _from_batches(data: Any) -> Parts:
    """All examples of a tf.data.Dataset or a PyDataset, batched or not."""
    if hasattr(data, "as_numpy_iterator"):
        batches = list(data.as_numpy_iterator())
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        batches = [data[number] for number in range(len(data))]
    else:
        raise not_allowed(
            "data",
            type(data).__name__,
            "a path, a name, (x, y), a mapping, a Dataset, a tf.data.Dataset or a PyDataset",
        )
    if not batches or not all(isinstance(batch, (tuple, list)) and len(batch) >= 2 for batch in batches):
        raise RequestError("The data set gives no pairs of inputs and labels (x, y).")
    join = np.stack if np.ndim(batches[0][1]) == 0 else np.concatenate
    return {
        "x_train": join([np.asarray(batch[0]) for batch in batches]),
        "y_train": join([np.asarray(batch[1]) for batch in batches]),
    }


def _as_inputs(values: ArrayLike, name: str) -> Array:
    """Inputs as (N, H, W, C) or (N, F), bytes or float32."""
    array = np.asarray(values)
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "bytes or numbers")
    return array.astype(np.float32)


def _as_numbers(values: ArrayLike, name: str, count: int) -> NDArray[np.int32]:
    """Labels as class numbers; an empty one (NaN) is -1."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,):
        raise not_allowed(f"{name}.shape", array.shape, f"({count},), a class number for each input")
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), UNLABELLED, array)
        if (array != np.floor(array)).any():
            raise RequestError(f"{name} holds {array[array != np.floor(array)][0]:g}, and labels are whole numbers.")
    elif array.dtype.kind not in "iub":
        raise not_allowed(f"{name}.dtype", str(array.dtype), "whole numbers, the classes' numbers from 0")
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < UNLABELLED or high > 2**31 - 2:
        raise not_allowed(f"the label {low if low < UNLABELLED else high} of {name}", low, "from 0, or -1 for none")
    return array.astype(np.int32)


def _mapped_once(x: Array) -> Array:
    """A mapped array, read-only: a data set copies what may still be written."""
    if not is_mapped(x):
        return x
    settled = x.view()
    settled.setflags(write=False)
    return settled


def _name(data: Any) -> str:
    if isinstance(data, Dataset):
        return data.name
    return Path(data).stem if isinstance(data, (str, Path)) else type(data).__name__
