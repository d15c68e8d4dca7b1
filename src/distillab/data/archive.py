"""Reading a data set from an `.npz` file: four arrays of plain numbers, and never a pickled object."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from distillab.data.dataset import ARRAYS, Dataset
from distillab.data.labels import Array
from distillab.errors import RequestError, not_allowed

DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    SyntaxError,
    tokenize.TokenError,
)
"""What zipfile and NumPy raise of damaged files, and of headers that claim more than there is."""


def read_arrays(path: Path, do: str) -> dict[str, Array]:
    """Read x_train, y_train, x_test and y_test from a file.

    Args:
        path: the file.
        do: what to do when it is damaged, a sentence for the message.

    Returns:
        The four arrays by name, as stored.

    Raises:
        RequestError: the file cannot be opened, is no whole archive, or an array is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise RequestError(f"{path}: found no whole .npz archive, expected one; it may be cut short. {do}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: _read(path, archive, name, do) for name in ARRAYS}
    except RequestError:
        raise
    except DAMAGE as error:
        raise RequestError(f"{path}: the file cannot be read ({one_line(error)}). {do}") from error


def _read(path: Path, archive: np.lib.npyio.NpzFile, name: str, do: str) -> Array:
    if name not in archive.files:
        found = ", ".join(sorted(archive.files)) or "none"
        raise RequestError(f"{path}: {name} is missing; found {found}; expected {', '.join(ARRAYS)}. {do}")
    try:
        array = archive[name]
    except DAMAGE as error:
        raise RequestError(
            f"{path}: {name} cannot be read, found damage or Python objects ({one_line(error)}), "
            f"expected an array of numbers. {do}"
        ) from error
    if not isinstance(array, np.ndarray):
        raise RequestError(f"{path}: {name} is no NumPy array, expected an array of numbers. {do}")
    return array


def read_dataset(path: Path) -> Dataset:
    """Make a data set of a user's own file.

    Args:
        path: an `.npz` with x_train, y_train, x_test, y_test: inputs (N, H, W, C), (N, H, W) for grey images, or
            (N, F), as bytes (scale 1/255) or floats (scale 1); labels (N,), integers from 0 without a gap.

    Returns:
        The data set, named after the file, its classes named "0", "1", ...

    Raises:
        RequestError: the file or what it holds cannot be used; the message names file and array.
    """
    arrays = read_arrays(
        path, "Save it again with numpy.savez_compressed(file, x_train=..., y_train=..., x_test=..., y_test=...)."
    )
    try:
        classes = _count_classes(arrays["y_train"])
        x = {
            name: arrays[name][..., None] if arrays[name].ndim == 3 else arrays[name] for name in ("x_train", "x_test")
        }
        scale = 1 / 255 if x["x_train"].dtype == np.uint8 else 1.0
        names = tuple(str(number) for number in range(classes))
        return Dataset(path.stem, x["x_train"], arrays["y_train"], x["x_test"], arrays["y_test"], names, scale)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error


def _count_classes(labels: Array) -> int:
    """C, where the labels say it clearly; what else is wrong with them is for the data set to say."""
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
        return 2
    present = np.unique(labels)
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if present[0] >= 0 and len(gaps):
        do = f"No training example has label {gaps[0]}; number the classes from 0 without a gap."
        raise not_allowed(f"{len(present)} classes with largest label", int(present[-1]), f"{len(present) - 1}", do)
    if len(present) < 2:
        raise not_allowed("y_train", f"{present[0]} everywhere", "labels of at least 2 classes")
    return len(present)


def one_line(error: BaseException) -> str:
    """An error's text on one line, for use inside another message."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
