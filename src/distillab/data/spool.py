"""An array that grows batch by batch: in memory while it is small, then in a file that is mapped at the end."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from distillab.data.array_store import CHUNK, ArrayStore
from distillab.data.labels import Array
from distillab.errors import WorkError, reason


class Spool:
    """Collects rows whose number is not known before.

    Args:
        store: its limit is the most that is held in memory; its folder takes the file.

    Example:
        >>> spool = Spool(ArrayStore(limit=100))
        >>> for start in range(0, 30, 10):
        ...     spool.add(np.arange(start, start + 10))
        >>> rows = spool.finished()
        >>> type(rows).__name__, rows.shape, int(rows[29])
        ('memmap', (30,), 29)
    """

    def __init__(self, store: ArrayStore) -> None:
        self.store, self.rows, self.bytes = store, 0, 0
        self._pending: list[Array] = []
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self._empty: Array | None = None

    def add(self, rows: Array) -> None:
        """Append rows.

        Args:
            rows: shape (N, ...); the type and the shape of a row are those of the first call.

        Raises:
            WorkError: the disk is full.
        """
        self._empty = rows[:0] if self._empty is None else self._empty
        self.rows, self.bytes = self.rows + len(rows), self.bytes + rows.nbytes
        if self._file is not None:
            self._write(rows)
            return
        self._pending.append(np.array(rows))  # a generator may fill one buffer again and again
        if self.bytes > self.store.limit:
            self._path = self.store.new_file()
            self._file = self._path.open("wb", buffering=CHUNK // 16)
            for one in self._pending:
                self._write(one)
            self._pending.clear()

    def close(self) -> None:
        """Close the file; needed where the rows are not finished."""
        if self._file is not None:
            self._file.close()

    def finished(self) -> Array:
        """All rows, shape (rows, ...): in memory, or mapped from the file.

        Raises:
            WorkError: the disk is full.
        """
        if self._empty is None:
            return np.empty(0)
        if self._file is None or self._path is None:
            return np.concatenate([self._empty, *self._pending])
        try:
            self.close()
        except OSError as error:
            raise self._full(error) from error
        return np.memmap(self._path, self._empty.dtype, "r", shape=(self.rows, *self._empty.shape[1:]))

    def _write(self, rows: Array) -> None:
        try:
            self._file.write(np.ascontiguousarray(rows).tobytes())  # type: ignore[union-attr]
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> WorkError:
        return WorkError(
            f"The stream cannot be kept in {self.store.folder} ({reason(error)}) after {self.bytes / 2**30:.1f} GiB. "
            "Set TMPDIR to a folder on a larger disk."
        )
