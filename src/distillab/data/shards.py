"""Data in shards: tar files of samples as WebDataset writes them, and folders of array files."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from distillab.data.archive import read_arrays
from distillab.data.images import LARGEST_IMAGE, decode_image
from distillab.errors import RequestError, reason
from distillab.io import DAMAGE, PACKED

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
"""`{000..003}` in a name stands for 000, 001, 002, 003."""

MOST_SHARDS = 1_000_000
LARGEST_MEMBER = 2**30
"""Bytes of an array in a tar file."""

IMAGES = ("png", "jpg", "jpeg")
LABELS = ("cls", "json")

REPAIR = "Replace the shard with an intact copy."


def is_shards(data: Any) -> bool:
    """Whether data are names of tar shards: a list of them, or one name with a range in braces.

    Args:
        data: anything.

    Example:
        >>> is_shards("train-{000..003}.tar"), is_shards(["a.tar", "b.tar"]), is_shards("a.tar")
        (True, True, False)
    """
    if isinstance(data, str):
        return data.endswith(".tar") and RANGE.search(data) is not None
    several = isinstance(data, (list, tuple)) and len(data) > 0
    return several and all(isinstance(one, (str, Path)) and str(one).endswith(".tar") for one in data)


def shard_names(data: str | Sequence[str | Path]) -> list[Path]:
    """The files that names of shards stand for.

    Args:
        data: as in `is_shards`.

    Raises:
        RequestError: a range is empty or too long.

    Example:
        >>> [path.name for path in shard_names("train-{08..10}.tar")]
        ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    if not isinstance(data, str):
        return [Path(one).expanduser() for one in data]
    found = RANGE.search(data)
    if found is None:
        return [Path(data).expanduser()]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < MOST_SHARDS:
        raise RequestError(f"{data}: the range {found[0]} is not one of 1 to {MOST_SHARDS:,} numbers, smallest first.")
    names = (data[: found.start()] + str(n).zfill(len(found[1])) + data[found.end() :] for n in range(first, last + 1))
    return [path for name in names for path in shard_names(name)]


def shard_items(data: str | Sequence[str | Path]) -> Iterator[tuple[Any, ...]]:
    """The samples of tar shards, one after another: (x, y), or (x, y, weight) where a `.json` has a weight.

    Of a sample `key`, the input is `key.npy`, `key.png` or `key.jpg`, and the label `key.cls`, a class number, or
    `key.json`: a number, a list of numbers, or an object with `label` and perhaps `weight`. Other files are ignored.
    Nothing is unpacked onto the disk.

    Args:
        data: as in `is_shards`.

    Raises:
        RequestError: a shard or a sample is missing, damaged or incomplete.
    """
    for path in shard_names(data):
        for key, files in _samples(path):
            yield _sample(path, key, files)


def is_sample_archive(path: Path) -> bool:
    """Whether a tar file begins with a sample's files, not with folders of images.

    Args:
        path: the file.
    """
    try:
        with tarfile.open(path, "r|*") as archive:
            files = (member for member in archive if member.isfile())
            seen = [_key(member.name)[1] for member in islice(files, 8)]
    except (tarfile.TarError, *PACKED):
        return False
    return any(kind in (*LABELS, "npy") for kind in seen)


def _key(name: str) -> tuple[str, str]:
    """A member's sample and kind: `a/0001.cls` is of sample `a/0001` and kind `cls`."""
    path = PurePosixPath(name)
    stem, _, kind = path.name.partition(".")
    return str(path.parent / stem), kind.lower()


def _samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    try:
        with tarfile.open(path, "r|*") as archive:
            key, files = "", dict[str, bytes]()
            for member in archive:
                name, kind = _key(member.name)
                if not member.isfile() or kind not in (*IMAGES, *LABELS, "npy"):
                    continue
                if name != key and files:
                    yield key, files
                    files = {}
                most = LARGEST_MEMBER if kind == "npy" else LARGEST_IMAGE
                if member.size > most:
                    raise RequestError(f"{path}: {member.name} has {member.size:,} bytes, and may have {most:,}.")
                key, content = name, archive.extractfile(member)
                files[kind] = content.read() if content else b""
            if files:
                yield key, files
    except RequestError:
        raise
    except FileNotFoundError as error:
        raise RequestError(f"{path}: the shard cannot be read (No such file). Correct the path.") from error
    except (tarfile.TarError, *PACKED) as error:
        raise RequestError(f"{path}: the shard cannot be read ({reason(error)}). {REPAIR}") from error


def _sample(path: Path, key: str, files: dict[str, bytes]) -> tuple[Any, ...]:
    inputs = [kind for kind in (*IMAGES, "npy") if kind in files]
    labels = [kind for kind in LABELS if kind in files]
    if len(inputs) != 1 or not labels:
        found = ", ".join(f".{kind}" for kind in files)
        raise RequestError(
            f"{path}: the sample {key} has the files {found}, and needs one input (.npy, .png or .jpg) and a label "
            "(.cls or .json)."
        )
    (kind,) = inputs
    if kind == "npy":
        try:
            x = np.lib.format.read_array(io.BytesIO(files[kind]), allow_pickle=False)
        except DAMAGE as error:
            raise RequestError(f"{path}: {key}.npy is no array of numbers ({reason(error)}). {REPAIR}") from error
    else:
        x = decode_image(path, f"{key}.{kind}", files[kind])
    return (x, *_label(path, key, labels[0], files[labels[0]]))


def _label(path: Path, key: str, kind: str, text: bytes) -> tuple[Any, ...]:
    try:
        if kind == "cls":
            return (int(text),)
        value = json.loads(text)
        if isinstance(value, dict):
            label = _json_numbers(value["label"])
            return (label, float(value["weight"])) if "weight" in value else (label,)
        return (_json_numbers(value),)
    except (ValueError, KeyError, TypeError) as error:
        what = "a class number" if kind == "cls" else "a number, a list of numbers or an object with `label`"
        raise RequestError(f"{path}: {key}.{kind} is not {what} ({reason(error)}). Correct it.") from error


def _json_numbers(value: Any) -> Any:
    """A list as floats, whichever of its numbers are whole in this sample; a single number as it is."""
    return np.asarray(value, float if isinstance(value, list) else None)


def is_shard_folder(path: Path) -> bool:
    """Whether a folder holds shards of arrays: `.npz` files, or `x*.npy` beside `y*.npy`.

    Args:
        path: the folder.
    """
    return any(path.glob("*.npz")) or any(path.glob("x*.npy"))


def folder_items(path: Path) -> Iterator[tuple[Any, ...]]:
    """The shards of a folder in the order of their names, as batches (x, y) or (x, y, weights).

    An `.npz` holds x and y, or x_NAME for each of several inputs, and perhaps weights; memory holds one such file.
    `x*.npy` lies beside a `y*.npy` and perhaps a `w*.npy` of the same rest of the name, and is read a part at a time.

    Args:
        path: the folder.

    Raises:
        RequestError: a shard is damaged, or an array is missing.
    """
    do = "Save it with numpy.savez(file, x=..., y=...)."
    for file in sorted(path.glob("*.npz")):
        arrays = read_arrays(file, do, None)
        named = {name.removeprefix("x_"): part for name, part in arrays.items() if name.startswith("x_")}
        x = arrays.get("x", named or None)
        if x is None or "y" not in arrays:
            raise RequestError(f"{file}: found {', '.join(sorted(arrays)) or 'nothing'}; expected x and y. {do}")
        yield (x, arrays["y"], arrays["weights"]) if "weights" in arrays else (x, arrays["y"])
    for file in sorted(path.glob("x*.npy")):
        parts = [file, file.with_name("y" + file.name[1:])]
        weights = file.with_name("w" + file.name[1:])
        arrays_of = [_mapped(part) for part in (*parts, *([weights] if weights.exists() else []))]
        lengths = [len(array) for array in arrays_of]
        if len(set(lengths)) > 1:
            raise RequestError(f"{file} and the files beside it have different lengths: {lengths}.")
        step = max(1, PIECE // max(1, arrays_of[0][:1].nbytes))
        for start in range(0, lengths[0], step):
            yield tuple(np.asarray(array[start : start + step]) for array in arrays_of)


PIECE = 16 * 2**20
"""Bytes of an `x*.npy` that are read at once."""


def _mapped(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise RequestError(f"{path} is missing: each x*.npy needs its y*.npy.") from error
    except DAMAGE as error:
        raise RequestError(f"{path}: the file cannot be read ({reason(error)}). {REPAIR}") from error
