"""Arrays larger than memory: kept in files and mapped, so that the operating system reads what is used and no more."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from distillab.data.labels import Array, Rows
from distillab.errors import WorkError

SHARE = 0.25
"""Of the memory that is free: arrays larger than that are mapped, for several copies of parts of them are needed."""

CHUNK = 64 * 2**20
"""Bytes copied at a time."""


def free_memory() -> int:
    """Bytes of memory that are free on this machine."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def is_mapped(array: Array) -> bool:
    """Whether an array's numbers lie in a mapped file, and not in memory."""
    base: object = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap)


class Room:
    """Where arrays lie: small ones in memory, large ones in files of a folder that goes when nobody uses them.

    Args:
        limit: bytes from which an array is mapped; by default `SHARE` of the free memory.

    Example:
        >>> room = Room(limit=10)
        >>> type(room.gather([(np.arange(100), np.array([1, 3, 5] * 30))])).__name__
        'memmap'
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = int(SHARE * free_memory()) if limit is None else limit
        self._folder: Path | None = None
        self._files = 0

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """A new array, to be filled.

        Raises:
            WorkError: the disk has no room for it.
        """
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if size <= self.limit:
            return np.empty(tuple(shape), dtype)
        path = self._path()
        free = shutil.disk_usage(path.parent).free
        if size > free:
            raise WorkError(
                f"The data need {size / 2**30:.1f} GiB on the disk of {path.parent}, and {free / 2**30:.1f} GiB are "
                "free. Set TMPDIR to a larger disk."
            )
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))

    def gather(
        self, parts: Sequence[tuple[Array, Rows | None]], change: Callable[[Array], Array] | None = None
    ) -> Array:
        """Join rows of arrays; what is asked for whole and alone is not copied.

        Args:
            parts: arrays of the same shape per row, and which of their rows; None: all.
            change: what is done to rows, to some at a time.

        Returns:
            Shape (sum of the rows, ...), read-only where it is mapped.
        """
        parts = [(array, rows) for array, rows in parts if len(array if rows is None else rows)] or list(parts[:1])
        if len(parts) == 1 and parts[0][1] is None and change is None:
            return parts[0][0]
        same = change or (lambda rows: rows)
        first = same(np.asarray(parts[0][0][:1]))
        count = sum(len(array if rows is None else rows) for array, rows in parts)
        joined = self.empty((count, *first.shape[1:]), first.dtype)
        step, at = max(1, CHUNK // max(1, first.nbytes)), 0
        for array, rows in parts:
            length = len(array if rows is None else rows)
            for start in range(0, length, step):
                stop = min(start + step, length)
                joined[at + start : at + stop] = same(array[start:stop] if rows is None else array[rows[start:stop]])
            at += length
        return joined

    def unpacked(self, archive: zipfile.ZipFile, name: str) -> Array:
        """An array of an `.npz`, without pickles; one that is large is unpacked to a file and mapped."""
        member = f"{name}.npy"
        if archive.getinfo(member).file_size <= self.limit:
            with archive.open(member) as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        path = self._path()
        with archive.open(member) as packed, path.open("wb") as plain:
            shutil.copyfileobj(packed, plain, CHUNK)
        mapped: Array = np.lib.format.open_memmap(path, mode="r")
        return mapped

    def _path(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="distillab-data-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._files += 1
        return self._folder / f"{self._files}.npy"
