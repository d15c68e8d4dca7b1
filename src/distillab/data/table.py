"""Reading a table of features: a CSV file with a header, one example a row."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.archive import one_line
from distillab.errors import RequestError, unknown

LABELS = ("label", "target", "class", "y")
"""What the column of the labels may be called; otherwise it is the last."""


class Table(NamedTuple):
    """A table's features and labels."""

    x: NDArray[np.float32]
    """Shape (N, F)."""
    y: NDArray[np.int32]
    """Shape (N,), class numbers; -1 where the label's field is empty."""
    class_names: tuple[str, ...]
    features: tuple[str, ...]
    """The columns' names, in order."""


def read_table(path: Path, *, label: str | None = None) -> Table:
    """Read a CSV file.

    Args:
        path: the file; comma-separated, with a header.
        label: the column of the labels; by default one called "label", "target", "class" or "y", or else the last.

    Returns:
        `Table`; classes are the different labels, sorted as numbers where all are whole numbers, otherwise as text.

    Raises:
        RequestError: no such column, a row of another length, a feature that is no finite number, fewer than two
            classes; the message names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(
            f"{path} cannot be read as CSV ({one_line(error)}). Save it as UTF-8, with commas."
        ) from error
    header, rows = [name.strip() for name in rows[0]] if rows else [], [row for row in rows[1:] if row]
    if len(header) < 2 or not rows:
        raise RequestError(f"{path} holds no table: it must have a header, a row and at least two columns.")
    place = _label_column(header, label)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise RequestError(f"{path}: row {number} has {len(row)} fields, and the header has {len(header)}.")
    told = [row[place].strip() for row in rows]
    names = sorted({text for text in told if text}, key=_as_number)
    if len(names) < 2:
        raise RequestError(
            f"{path}: the column {header[place]!r} holds {len(names)} classes; there must be at least 2. Another "
            "column is named with --label."
        )
    numbers = {name: number for number, name in enumerate(names)}
    y = np.array([numbers.get(text, -1) for text in told], np.int32)
    x = np.empty((len(rows), len(header) - 1), np.float32)
    columns = [column for column in range(len(header)) if column != place]
    for row_number, row in enumerate(rows):
        for to, column in enumerate(columns):
            x[row_number, to] = _number(row[column], path, row_number + 2, header[column])
    return Table(x, y, tuple(names), tuple(header[column] for column in columns))


def _label_column(header: list[str], label: str | None) -> int:
    if label is not None:
        if label not in header:
            raise unknown("column", label, header)
        return header.index(label)
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in LABELS if name in lower), len(header) - 1)


def _as_number(name: str) -> tuple[int, int, str]:
    """Whole numbers first, in their order; then text."""
    return (0, int(name), "") if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)


def _number(text: str, path: Path, row: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise RequestError(
            f"{path}: row {row}, column {column!r} holds {text!r}, and features must be finite numbers. Leave out the "
            "row, or give its value a number; columns of words become one column a word."
        )
    return value
