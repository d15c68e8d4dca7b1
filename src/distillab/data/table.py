"""Reading a table of features: one example a row, one column its label."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.column_kinds import ReadColumns, is_missing, read_columns
from distillab.data.delimited import NUMBER
from distillab.data.frame import Frame, read_frame
from distillab.errors import RequestError
from distillab.tasks import Task

LABELS = ("label", "target", "class", "y")
"""Recognised names of the label column."""


class Table(NamedTuple):
    """A table's features and labels."""

    x: NDArray[np.float32]
    """Shape (N, F): numbers, codes of words, booleans as 0 and 1; NaN where missing."""
    y: NDArray[np.int32]
    """Shape (N,), class numbers; -1 for a missing label."""
    class_names: tuple[str, ...]
    features: tuple[str, ...]
    """The names of the feature columns, in order."""
    label: str
    """The name of the label column."""
    numbers: NDArray[np.float64] | None
    """The labels as numbers, NaN for a missing one; None if one is no number."""
    ids: tuple[str, ...] | None
    """The column "id", which is no feature, unless it is the label or the only other column; None without one."""
    columns: ReadColumns
    """What the features hold."""
    frame: Frame
    """The table as the file has it."""
    stated: bool
    """Whether the user named the label column."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out on reading, one sentence each."""
        none = int((self.y == -1).sum())
        of_labels = f"{none:,} rows have no label and are unlabelled examples."
        of_ids = f"The column {self.frame.id_column!r} names the examples and is no feature."
        notes = [*self.frame.notes, *self.columns.notes, of_labels if none else "", of_ids if self.ids else ""]
        return tuple(note for note in notes if note)


def read_table(path: str | os.PathLike[str], *, label: str | None = None) -> Table:
    """Read a table; its classes are the distinct labels, numbers first in their order, then text.

    Args:
        path: a file that `read_frame` reads.
        label: the label column; by default one called "label", "target", "class" or "y", or else the last where no
            other can be meant (`label_column`).

    Raises:
        RequestError: no such column, a fault of the file, fewer than two classes, or a feature that is none; the
            message names row and column.
    """
    frame = read_frame(path)
    if len(frame.columns) < 2:
        raise RequestError(f"{path} holds no table: it must have a header, a row and at least two columns.")
    chosen = label_column(frame) if label is None else label
    labels = [_label_text(value, frame, row, chosen) for row, value in enumerate(frame.column(chosen))]
    names = sorted({text for text in labels if text}, key=_as_number)
    if len(names) < 2:
        raise RequestError(
            f"{path}: the column {chosen!r} holds {len(names)} classes; there must be at least 2. Give another column "
            "with --label."
        )
    places = {name: number for number, name in enumerate(names)}
    y = np.array([places.get(text, -1) for text in labels], np.int32)
    ids = frame.id_column if frame.id_column != chosen and len(frame.columns) > 2 else None
    columns = read_columns(frame, [name for name in frame.columns if name not in (chosen, ids)])
    features = tuple(column.name for column in columns.kinds)
    named = None if ids is None else frame.ids
    return Table(
        columns.x, y, tuple(names), features, chosen, _as_numbers(labels), named, columns, frame, label is not None
    )


SHOWN = 10
"""Names of classes that a note lists."""


def label_note(table: Table, task: Task, names: Sequence[str]) -> str:
    """Which column is the label, and what it holds.

    Args:
        table: as read.
        task: what the labels mean.
        names: of the classes.
    """
    if table.numbers is not None and task.name == "regression":
        held = f"numbers from {np.nanmin(table.numbers):g} to {np.nanmax(table.numbers):g}"
    else:
        held = f"{len(names)} classes: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
    other = "" if table.stated else " Another is stated with --label."
    return f"The label is the column {table.label!r} ({held}).{other}"


def label_column(frame: Frame) -> str:
    """The label column of a table that does not state it.

    It is the only one with a name in `LABELS`; without one the last, if it alone holds words, or all hold numbers.

    Args:
        frame: the table, of at least two columns.

    Raises:
        RequestError: several columns can be meant.
    """
    found = [name for name in frame.columns if name.lower() in LABELS]
    if len(found) == 1:
        return found[0]
    if not found:
        *others, last = frame.columns
        if all(_holds_numbers(frame.columns[name]) for name in others):
            return last
    names = list(frame.columns)
    shown = ", ".join(map(repr, found or names[:20])) + (", ..." if len(names) > 20 and not found else "")
    what = "several columns may be the label" if found else "no column is called label, target, class or y"
    raise RequestError(f"{frame.path}: {what}. State it with --label: one of {shown}.")


def _holds_numbers(values: Iterable[Any]) -> bool:
    """Whether at least half of the known values are numbers, as for a feature."""
    known = [value for value in values if not is_missing(value)]
    numbers = sum(isinstance(value, (int, float)) or bool(NUMBER.fullmatch(str(value).strip())) for value in known)
    return 2 * numbers >= len(known)


def _label_text(value: Any, frame: Frame, row: int, column: str) -> str:
    """A label as text, "" for none; the word "none" may be a class."""
    if value is None or (is_missing(value) and str(value).strip().lower() != "none"):
        return ""
    if not isinstance(value, (str, bool, int, float)):
        raise RequestError(f"{frame.where(row)}, column {column!r} holds no label: it must be a word or a number.")
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()


def _as_numbers(labels: list[str]) -> NDArray[np.float64] | None:
    try:
        values = np.array([float(text or "nan") for text in labels])
    except ValueError:
        return None
    words = [text for text, value in zip(labels, values, strict=True) if text and not np.isfinite(value)]
    return None if words else values  # "inf" is a word


def _as_number(name: str) -> tuple[int, int, str]:
    """Whole numbers first, in their order; then text."""
    return (0, int(name), "") if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)
