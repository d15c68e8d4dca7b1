"""Arrays larger than memory: stored in files and memory-mapped, so that only the parts in use are read."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from distillab.data.labels import Array, Rows
from distillab.errors import WorkError
from distillab.io import release_pages

SHARE = 0.25
"""Fraction of the free memory above which an array is memory-mapped; training needs several copies of parts of it."""

CHUNK = 16 * 2**20
"""Bytes copied at once."""

AROUND = 64 * 2**10
"""Bytes that the kernel maps around a page that is read."""


def is_mapped(array: Any) -> bool:
    """Whether an array is backed by a memory-mapped file.

    Args:
        array: an array or a view of one, or `SelectedRows`.
    """
    if isinstance(array, SelectedRows):
        return True
    base: object = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap)


def pieces(array: Any, size: int = CHUNK) -> Iterator[tuple[int, Array]]:
    """Cut an array into runs of rows; the memory of a mapped one is given back after each.

    Args:
        array: shape (N, ...), or `SelectedRows`.
        size: bytes of a run, about.

    Yields:
        The first row's number, and the rows.
    """
    step = max(1, size // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]
        release_pages(array)


def taken(array: Array, rows: Any) -> Array:
    """Copy some rows; of a mapped array so that its pages take little memory, wherever in the file the rows are.

    Args:
        array: shape (N, ...).
        rows: row numbers, shape (K,).
    """
    if not is_mapped(array):
        return np.asarray(array[rows])
    found = np.empty((len(rows), *array.shape[1:]), array.dtype)
    step = max(1, CHUNK // (array[:1].nbytes + AROUND))
    for start in range(0, len(rows), step):
        found[start : start + step] = array[rows[start : start + step]]
        release_pages(array)
    return found


class SelectedRows:
    """Rows of mapped arrays, one after another, read where they are indexed: no copy of all of them is made.

    Args:
        parts: arrays of one shape per row, each with its selected rows; None selects all.
        change: a function applied to the rows that are read.

    Example:
        >>> x = np.arange(10.0)[:, None]
        >>> rows = SelectedRows([(x, np.array([7, 5])), (x, None)], lambda rows: 2 * rows)
        >>> len(rows), rows[np.array([0, 3])].tolist()
        (12, [[14.0], [2.0]])
    """

    def __init__(
        self, parts: Sequence[tuple[Array, Rows | None]], change: Callable[[Array], Array] | None = None
    ) -> None:
        self._parts = [part for part in parts if _count(*part)] or list(parts[:1])
        self._change = change or (lambda rows: rows)
        self._starts = np.cumsum([0, *(_count(*part) for part in self._parts)])
        none = self._change(np.asarray(self._parts[0][0][:0]))
        self.dtype, self.shape = none.dtype, (int(self._starts[-1]), *none.shape[1:])

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return int(math.prod(self.shape) * self.dtype.itemsize)

    def __getitem__(self, index: Any) -> Array:
        wanted = np.arange(len(self))[index]
        found = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        for number, (array, rows) in enumerate(self._parts):
            first, end = self._starts[number : number + 2]
            here = np.flatnonzero((wanted >= first) & (wanted < end))
            own = wanted[here] - first
            if len(here):
                found[here] = self._change(taken(array, own if rows is None else rows[own]))
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype)


class ArrayStore:
    """Allocates arrays: small ones in memory, large ones in a temporary folder that is deleted with the store.

    Args:
        limit: bytes above which an array is memory-mapped; by default `SHARE` of the free memory.

    Example:
        >>> store = ArrayStore(limit=10)
        >>> type(store.gather([(np.arange(100), np.array([1, 3, 5] * 30))])).__name__
        'memmap'
    """

    def __init__(self, limit: int | None = None) -> None:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self.limit = int(SHARE * free) if limit is None else limit
        self._folder: Path | None = None
        self._files = 0

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """Allocate an array with undefined contents.

        Args:
            shape: its shape.
            dtype: its type.

        Raises:
            WorkError: the disk has too little free space.
        """
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if size <= self.limit:
            return np.empty(tuple(shape), dtype)
        path = self.new_file()
        free = shutil.disk_usage(path.parent).free
        if size > free:
            raise WorkError(
                f"The data need {size / 2**30:.1f} GiB on the disk of {path.parent}, which has {free / 2**30:.1f} GiB "
                "free. Set TMPDIR to a folder on a larger disk."
            )
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))

    def gather(
        self, parts: Sequence[tuple[Array, Rows | None]], change: Callable[[Array], Array] | None = None
    ) -> Array:
        """Concatenate rows of arrays, shape (number of rows, ...). A single whole array is returned without a copy.

        Args:
            parts: arrays of one shape per row, each with its selected rows; None selects all.
            change: a function applied to the rows, chunk by chunk.
        """
        parts = [part for part in parts if _count(*part)] or list(parts[:1])
        if len(parts) == 1 and parts[0][1] is None and (change is None or not is_mapped(parts[0][0])):
            return parts[0][0] if change is None else change(parts[0][0])
        apply = change or (lambda rows: rows)
        first = apply(np.asarray(parts[0][0][:1]))
        joined = self.empty((sum(_count(*part) for part in parts), *first.shape[1:]), first.dtype)
        step, offset = max(1, CHUNK // max(1, first.nbytes)), 0
        for array, rows in parts:
            length = _count(array, rows)
            for start in range(0, length, step):
                stop = min(start + step, length)
                chunk = array[start:stop] if rows is None else taken(array, rows[start:stop])
                joined[offset + start : offset + stop] = apply(chunk)
                release_pages(array)
                release_pages(joined)
            offset += length
        return joined

    def selected(
        self, parts: Sequence[tuple[Array, Rows | None]], change: Callable[[Array], Array] | None = None
    ) -> Array:
        """Rows of arrays, shape (number of rows, ...): as `gather`, but large rows of mapped arrays are not copied.

        Args:
            parts, change: as in `gather`.
        """
        if len(parts) == 1 and parts[0][1] is None and change is None:
            return parts[0][0]
        if not any(is_mapped(array) for array, _ in parts):
            return self.gather(parts, change)
        rows = SelectedRows(parts, change)
        return cast("Array", rows) if rows.nbytes > self.limit else rows[:]

    def unpack(self, archive: zipfile.ZipFile, name: str) -> Array:
        """Read an array of an open `.npz` archive without pickles; a large one is unpacked to a file and mapped.

        Args:
            archive: the open file.
            name: the array's name.
        """
        member = f"{name}.npy"
        if archive.getinfo(member).file_size <= self.limit:
            with archive.open(member) as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        path = self.new_file()
        with archive.open(member) as packed, path.open("wb") as plain:
            shutil.copyfileobj(packed, plain, CHUNK)
        mapped: Array = np.lib.format.open_memmap(path, mode="r")
        return mapped

    @property
    def folder(self) -> Path:
        """The temporary folder, which is deleted with the store."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="distillab-data-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def new_file(self) -> Path:
        """A path in the folder that no other array has."""
        self._files += 1
        return self.folder / f"{self._files}.npy"


def _count(array: Array, rows: Rows | None) -> int:
    return len(array if rows is None else rows)
