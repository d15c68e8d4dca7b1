"""The labels of a table's column: class numbers and names, and numbers where all are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.columns import is_missing
from distillab.data.frame import Frame
from distillab.data.labels import UNLABELLED, Labels
from distillab.errors import RequestError, not_allowed


class ReadLabels(NamedTuple):
    """A label column as read."""

    y: Labels
    """Class numbers, (N,); -1 for a missing label."""
    class_names: tuple[str, ...]
    """The distinct labels, whole numbers first in their order, then words."""
    numbers: NDArray[np.float64] | None
    """The labels as numbers, NaN for a missing one; None where one is no number."""


def read_labels(frame: Frame, column: str) -> ReadLabels:
    """Read the labels of a column.

    Args:
        frame: the table.
        column: its name.

    Raises:
        RequestError: there is no such column, a value is no label, or there are fewer than two classes.
    """
    labels = [_label_text(value, frame, row, column) for row, value in enumerate(frame.column(column))]
    names = sorted({text for text in labels if text}, key=_as_number)
    if len(names) < 2:
        raise RequestError(
            f"{frame.path}: the column {column!r} holds {len(names)} classes; there must be at least 2. Give another "
            "column with --label."
        )
    places = {name: number for number, name in enumerate(names)}
    y: Labels = np.array([places.get(text, UNLABELLED) for text in labels], np.int32)
    return ReadLabels(y, tuple(names), _as_numbers(labels))


def label_texts(frame: Frame, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The labels of several outputs as text, "" where one is missing.

    Args:
        frame: the table.
        columns: of the labels.

    Raises:
        RequestError: no such column, one twice, or a label that is none.
    """
    if len(set(columns)) < len(columns):
        raise not_allowed("label", list(columns), "different columns")
    return {
        name: np.array([_label_text(value, frame, row, name) for row, value in enumerate(frame.column(name))])
        for name in columns
    }


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
    return (0, int(name), "") if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)
