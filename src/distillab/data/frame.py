"""A table as its file has it: named columns of values, each row with its place in the file."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.delimited import read_delimited
from distillab.data.json_lines import read_json_lines
from distillab.errors import RequestError, reason, unknown

Column = NDArray[np.object_]

TEXT = (".csv", ".tsv")
SUFFIXES = (*TEXT, ".jsonl", ".ndjson", ".parquet")
"""Of the files that `read_frame` reads."""

INDEX_NAMES = ("", "Unnamed: 0", "__index_level_0__")
"""What pandas and R call the column of row numbers that they write."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Named columns of equal length.

    Args:
        path: the file.
        columns: by name, in the file's order, shape (N,): str or None from CSV; from JSON Lines and Parquet str, bool,
            int, float or None, perhaps lists. None is a missing value: an empty field, a missing key, a null.
        numbers: each row's number as the file counts it, shape (N,).
        notes: what was found out about the file, one sentence each.

    Example:
        >>> column = np.array(["x", None], object)
        >>> frame = Frame(Path("data.csv"), {"kind": column}, np.array([2, 4]))
        >>> len(frame), frame.where(1)
        (2, 'data.csv: row 4')
    """

    path: str | os.PathLike[str]
    columns: Mapping[str, Column] = field(repr=False)
    numbers: NDArray[np.intp] = field(repr=False)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in their order."""
        return tuple(self.columns)

    @property
    def typed(self) -> bool:
        """Whether values have types; otherwise all are text, as in CSV."""
        return Path(self.path).suffix.lower() not in TEXT

    def where(self, row: int) -> str:
        """The place of a row in the file, for a message.

        Args:
            row: from 0 to N-1.
        """
        return f"{self.path}: row {self.numbers[row]}"

    def column(self, name: str) -> Column:
        """The values of a column.

        Args:
            name: of the column.

        Raises:
            RequestError: there is none; the message names the nearest.
        """
        if name not in self.columns:
            raise unknown("column", name, self.columns)
        return self.columns[name]

    def without(self, names: Sequence[str]) -> Frame:
        """The frame without some columns.

        Args:
            names: of the columns.

        Raises:
            RequestError: there is none of a name.
        """
        left_out = {name: self.column(name) for name in names}
        return replace(self, columns={name: of for name, of in self.columns.items() if name not in left_out})

    @property
    def id_column(self) -> str | None:
        """The first column called "id", in capitals or not."""
        return next((name for name in self.columns if name.lower() == "id"), None)

    @property
    def ids(self) -> tuple[str, ...] | None:
        """The values of the column "id" as text; None without one."""
        column = self.id_column
        return None if column is None else tuple(_id_text(value) for value in self.columns[column])


def _id_text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def read_frame(path: str | os.PathLike[str]) -> Frame:
    """Read a table: `.csv` or `.tsv` with a header, separated by commas, tabs or semicolons; `.jsonl`; `.parquet`.

    A first column of row numbers without a name, which pandas and R write, is left out, and so are columns that have
    neither name nor values.

    Args:
        path: the file.

    Raises:
        RequestError: it cannot be read; the message names file and row.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.csv"
        ...     _ = path.write_text("age;job\\n31;baker\\n;\\n40;\\n")
        ...     frame = read_frame(path)
        >>> frame.columns["job"].tolist(), frame.numbers.tolist()
        (['baker', None], [2, 4])
        >>> frame.notes
        ('The fields of a.csv are separated by semicolons.',)
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _checked(path, *_of_parquet(path))
    if suffix in (".jsonl", ".ndjson"):
        objects, lines = read_json_lines(path)
        names = list(dict.fromkeys(name for one in objects for name in one))
        return _checked(path, names, [[one.get(name) for one in objects] for name in names], lines, ())
    names, rows, numbers, notes = read_delimited(path)
    values = [[row[column] if row[column].strip() else None for row in rows] for column in range(len(names))]
    return _checked(path, names, values, numbers, notes)


def _checked(
    path: Path, names: Sequence[str], values: Sequence[Sequence[Any]], numbers: Sequence[int], notes: tuple[str, ...]
) -> Frame:
    """The frame without columns of row numbers, and without those that are empty and have no name."""
    columns: dict[str, Column] = {}
    for place, (name, column) in enumerate(zip(names, values, strict=True), start=1):
        if not name and all(value is None for value in column):
            notes = (*notes, f"Column {place} has neither name nor values, and was left out.")
            continue
        if name in INDEX_NAMES and len(names) > 1 and _counts(column):
            called = f"The column {name!r}" if name else f"Column {place}, which has no name,"
            notes = (*notes, f"{called} numbers the rows and was left out.")
            continue
        if not name:
            raise RequestError(f"{path}: column {place} has no name. Give it one in the first row.")
        if name in columns:
            raise RequestError(f"{path}: two columns are called {name!r}. Rename one.")
        columns[name] = _objects(column)
    if not columns:
        raise RequestError(f"{path} holds no table: it must have a column with a name.")
    return Frame(path, columns, np.array(numbers, np.intp), notes)


def _objects(values: Sequence[Any]) -> Column:
    column = np.empty(len(values), object)  # NumPy would take lists among the values for an axis
    for row, value in enumerate(values):
        column[row] = value
    return column


def _counts(values: Sequence[Any]) -> bool:
    """Whether values count from 0 or from 1."""
    first = str(values[0]).strip()
    if first not in ("0", "1"):
        return False
    return all(str(value).strip() == str(number) for number, value in enumerate(values, start=int(first)))


def _of_parquet(path: Path) -> tuple[list[str], list[list[Any]], list[int], tuple[str, ...]]:
    try:
        path.open("rb").close()  # a missing file is told before a missing package
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({reason(error)}).") from error
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise RequestError(
            f"{path} is a Parquet file and needs pyarrow. Install it: pip install 'distillab[parquet]'; or save the "
            "table as CSV."
        ) from error
    try:
        table = parquet.ParquetFile(path).read()
    except (OSError, pyarrow.ArrowException) as error:
        raise RequestError(f"{path} cannot be read as Parquet ({reason(error)}).") from error
    if not table.num_rows or not table.num_columns:
        raise RequestError(f"{path} holds no table: it must have a row and a column.")
    values = [_plain(column, pyarrow) for column in table.columns]
    return list(table.column_names), values, list(range(1, table.num_rows + 1)), ()


def _plain(column: Any, pyarrow: Any) -> list[Any]:
    """The values as those of JSON; times as text."""
    types = pyarrow.types
    if types.is_decimal(column.type):
        column = column.cast(pyarrow.float64())
    elif types.is_temporal(column.type):
        column = column.cast(pyarrow.string())
    return [value.isoformat() if isinstance(value, datetime.date) else value for value in column.to_pylist()]
