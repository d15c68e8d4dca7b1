"""Reading a table of features: one example a row, one column its label."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.column_kinds import ReadColumns, read_columns
from distillab.data.columns import is_missing
from distillab.data.delimited import NUMBER
from distillab.data.frame import Frame, read_frame
from distillab.data.label_column import read_labels
from distillab.data.labels import Labels
from distillab.data.weights import Weights, weights_of_column
from distillab.errors import RequestError, not_allowed
from distillab.tasks import Task

LABELS = ("label", "target", "class", "y")
"""Recognised names of the label column."""


class Table(NamedTuple):
    """A table's features and labels."""

    x: NDArray[np.float32]
    """Shape (N, F): numbers, codes of words, booleans as 0 and 1; NaN where missing."""
    y: Labels
    """Shape (N,), class numbers; -1 for a missing label."""
    class_names: tuple[str, ...]
    numbers: NDArray[np.float64] | None
    """The labels as numbers, NaN for a missing one; None if one is no number."""
    label: str
    """The name of the label column."""
    ids: tuple[str, ...] | None
    """The column "id", which is no feature, unless it is the label or the only other column; None without one."""
    columns: ReadColumns
    """What the features hold."""
    frame: Frame
    """The table as the file has it."""
    stated: bool
    """Whether the user named the label column."""
    weights: Weights | None = None
    """(N,), where a column holds them."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the feature columns, in order."""
        return tuple(column.name for column in self.columns.kinds)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out on reading, one sentence each."""
        none = int((self.y == -1).sum())
        of_labels = f"{none:,} rows have no label and are unlabelled examples."
        of_ids = f"The column {self.frame.id_column!r} names the examples and is no feature."
        notes = [*self.frame.notes, *self.columns.notes, of_labels if none else "", of_ids if self.ids else ""]
        return tuple(note for note in notes if note)


def read_table(
    source: str | os.PathLike[str] | Frame,
    *,
    label: str | None = None,
    weight: str | None = None,
    others: Sequence[str] = (),
) -> Table:
    """Read a table; its classes are the distinct labels, numbers first in their order, then text.

    Args:
        source: a file that `read_frame` reads, or what it read.
        label: the label column; by default one called "label", "target", "class" or "y", or else the last where no
            other can be meant (`label_column`).
        weight: the column of the examples' weights, which is no feature.
        others: further label columns, of several outputs; they are no features.

    Raises:
        RequestError: no such column, a fault of the file, fewer than two classes, or a feature that is none; the
            message names row and column.
    """
    frame = source if isinstance(source, Frame) else read_frame(source)
    if len(frame.columns) < 2:
        raise RequestError(f"{frame.path} holds no table: it must have a header, a row and at least two columns.")
    weights = None
    if weight is not None:
        where = [frame.where(row) for row in range(len(frame))]
        weights = weights_of_column(frame.column(weight).tolist(), weight, where)
    chosen = label_column(frame, weight) if label is None else label
    if chosen == weight:
        raise not_allowed("sample_weight", weight, "another column than the label")
    labels = read_labels(frame, chosen)
    ids = frame.id_column if frame.id_column != chosen and len(frame.columns) > 2 else None
    no_features = {chosen, ids, weight, *others}
    columns = read_columns(frame, [name for name in frame.columns if name not in no_features])
    named = None if ids is None else frame.ids
    return Table(columns.x, *labels, chosen, named, columns, frame, label is not None, weights)


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


def label_column(frame: Frame, weight: str | None = None) -> str:
    """The label column of a table that does not state it.

    It is the only one with a name in `LABELS`; without one the last, if it alone holds words, or all hold numbers.

    Args:
        frame: the table, of at least two columns.
        weight: the column of weights, which is no label.

    Raises:
        RequestError: several columns can be meant.
    """
    names = [name for name in frame.columns if name != weight]
    found = [name for name in names if name.lower() in LABELS]
    if len(found) == 1:
        return found[0]
    if not found:
        *others, last = names
        if all(_holds_numbers(frame.columns[name]) for name in others):
            return last
    shown = ", ".join(map(repr, found or names[:20])) + (", ..." if len(names) > 20 and not found else "")
    what = "several columns may be the label" if found else "no column is called label, target, class or y"
    raise RequestError(f"{frame.path}: {what}. State it with --label: one of {shown}.")


def _holds_numbers(values: Iterable[Any]) -> bool:
    """Whether at least half of the known values are numbers, as for a feature."""
    known = [value for value in values if not is_missing(value)]
    numbers = sum(isinstance(value, (int, float)) or bool(NUMBER.fullmatch(str(value).strip())) for value in known)
    return 2 * numbers >= len(known)
