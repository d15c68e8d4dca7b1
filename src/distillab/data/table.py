"""Reading a table of features: a CSV file with a header, one example per row."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, reason, unknown

LABELS = ("label", "target", "class", "y")
"""Recognised names of the label column; without one of them, it is the last column."""


class Table(NamedTuple):
    """A table's features and labels."""

    x: NDArray[np.float32]
    """Shape (N, F)."""
    y: NDArray[np.int32]
    """Shape (N,), class numbers; -1 for an empty label."""
    class_names: tuple[str, ...]
    features: tuple[str, ...]
    """The names of the feature columns, in order."""
    label: str
    """The name of the label column."""
    numbers: NDArray[np.float64] | None
    """The labels as numbers, NaN for an empty one; None if one is no number."""
    ids: tuple[str, ...] | None = None
    """The column "id", which is no feature, unless it is the label or the only other column; None without one."""


def read_table(path: str | os.PathLike[str], *, label: str | None = None) -> Table:
    """Read a CSV file; its classes are the distinct labels, numbers first in their order, then text.

    Args:
        path: the file; comma-separated, with a header.
        label: the label column; by default one called "label", "target", "class" or "y", or else the last.

    Raises:
        RequestError: no such column, a row of another length, a feature that is no finite number, fewer than two
            classes; the message names line and column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path} cannot be read as CSV ({reason(error)}). Save it as UTF-8, with commas.") from error
    header, rows = [name.strip() for name in rows[0]] if rows else [], [row for row in rows[1:] if row]
    if len(header) < 2 or not rows:
        raise RequestError(f"{path} holds no table: it must have a header, a row and at least two columns.")
    label_column = _label_column(header, label)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise RequestError(f"{path}: row {number} has {len(row)} fields, and the header has {len(header)}.")
    labels = [row[label_column].strip() for row in rows]
    names = sorted({text for text in labels if text}, key=_as_number)
    if len(names) < 2:
        raise RequestError(
            f"{path}: the column {header[label_column]!r} holds {len(names)} classes; there must be at least 2. Give "
            "another column with --label."
        )
    numbers = {name: number for number, name in enumerate(names)}
    y = np.array([numbers.get(text, -1) for text in labels], np.int32)
    id_column = _id_column(header, label_column)
    columns = [column for column in range(len(header)) if column not in (label_column, id_column)]
    x = np.empty((len(rows), len(columns)), np.float32)
    for row_number, row in enumerate(rows):
        for feature, column in enumerate(columns):
            x[row_number, feature] = _number(row[column], path, row_number + 2, header[column])
    features = tuple(header[column] for column in columns)
    ids = None if id_column is None else tuple(row[id_column].strip() for row in rows)
    return Table(x, y, tuple(names), features, header[label_column], _as_numbers(labels), ids)


def _as_numbers(labels: list[str]) -> NDArray[np.float64] | None:
    try:
        values = np.array([float(text or "nan") for text in labels])
    except ValueError:
        return None
    words = [text for text, value in zip(labels, values, strict=True) if text and not np.isfinite(value)]
    return None if words else values  # "nan" and "inf" are words


def _label_column(header: list[str], label: str | None) -> int:
    if label is not None:
        if label not in header:
            raise unknown("column", label, header)
        return header.index(label)
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in LABELS if name in lower), len(header) - 1)


def _id_column(header: list[str], label_column: int) -> int | None:
    """The column called "id", if it is not the label and features remain."""
    found = [column for column, name in enumerate(header) if name.lower() == "id" and column != label_column]
    return found[0] if found and len(header) > 2 else None


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
            f"{path}: row {row}, column {column!r} holds {text!r}, and features must be finite numbers. Remove the "
            "row or fill in a number; encode a column of words as one column per word."
        )
    return value
