"""Texts with labels from files: a column of a table, or a folder with a folder of `.txt` files for each class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.folders import class_files, classes_of
from distillab.data.frame import Frame
from distillab.data.images import SUFFIXES
from distillab.data.label_column import read_labels
from distillab.data.labels import UNLABELLED, Labels
from distillab.data.table import LABELS
from distillab.data.text import RawTexts, checked_text
from distillab.data.weights import weights_of_column
from distillab.errors import RequestError, not_allowed, reason

SUFFIX = ".txt"

WORDS = 3
"""Words that a value of a text column has on average, at least."""

LONG = 8
"""Words on average above which a column beside others is taken for text, not for categories."""


class ReadTexts(NamedTuple):
    """Labelled texts as read."""

    arrays: dict[str, Any]
    """x_train and y_train, perhaps of other parts: row numbers in `raw`, (N, 1), and class numbers."""
    raw: RawTexts
    class_names: tuple[str, ...] | None
    notes: tuple[str, ...]
    ids: Mapping[str, Sequence[str]]
    """By part, the ids of its examples."""
    column: str | None = None
    """The label column of a table, if its labels are numbers."""


def text_and_label(
    frame: Frame, text: str | None, label: str | None, weight: str | None = None
) -> tuple[str, str] | None:
    """The columns of texts and of labels in a table of texts.

    A column of texts that is not stated is the only one besides label and ids. It holds words, mostly different values,
    at least three words in one on average. A label column that is not stated has a name in `LABELS`, or is the only
    one besides texts and ids.

    Args:
        frame: the table.
        text, label: the names of the columns that the user states.
        weight: the column of the examples' weights.

    Returns:
        None where the table holds other features.

    Raises:
        RequestError: there is no such column, a choice is left, or long texts stand beside other columns.
    """
    names = [name for name in frame.columns if name not in (frame.id_column, weight)]
    if label is None:
        named = [name for name in names if name.lower() in LABELS and name != text]
        label = named[0] if len(named) == 1 else None
    others = [name for name in names if name != label]
    if text is None:
        found = {name: count for name in others if (count := _words(frame.columns[name])) >= WORDS}
        if len(others) == (1 if label else 2) and len(found) == 1:
            text = next(iter(found))
        else:
            _refuse_long(frame, others, found)
            return None
    frame.column(text)
    if label is None:
        rest = [name for name in others if name != text]
        if len(rest) != 1:
            raise RequestError(f"{frame.path}: the label column is not known. State it with --label: {_shown(rest)}.")
        label = rest[0]
    if text == label:
        raise not_allowed("text", text, "another column than the label")
    if weight in (text, label):
        raise not_allowed("sample_weight", weight, "another column than text and label")
    return text, label


def _refuse_long(frame: Frame, others: Sequence[str], found: Mapping[str, float]) -> None:
    long = [name for name, count in found.items() if count >= LONG]
    if long:
        beside = _shown([name for name in others if name != long[0]])
        raise RequestError(
            f"{frame.path}: the column {long[0]!r} holds texts, beside {beside}. To read it alone, give --text "
            f"{long[0]}; to read the others, remove it."
        )


def _shown(names: Sequence[str]) -> str:
    return (", ".join(map(repr, names[:20])) + ", ..." * (len(names) > 20)) or "there is no other column"


def _words(values: Iterable[Any]) -> float:
    """Words of a value on average; 0 where a value is no text, or values repeat as those of categories do."""
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(value, str) for value in known) or 2 * len(set(known)) < len(known):
        return 0.0
    return float(np.mean([len(value.split()) for value in known]))


def read_text_table(frame: Frame, text: str, label: str, *, stated: bool, weight: str | None = None) -> ReadTexts:
    """Read a table of texts and labels.

    Args:
        frame: the table.
        text, label: its columns.
        stated: whether the user states the column of texts.
        weight: the column of the examples' weights.

    Raises:
        RequestError: a text is missing or a value is no text or no label; the message names file and row.
    """
    texts = [checked_text(value, frame.where(row)) for row, value in enumerate(frame.column(text))]
    labels = read_labels(frame, label)
    ids = frame.ids if frame.id_column not in (text, label) else None
    notes = [] if stated else [f"The column {text!r} is read as text."]
    unread = [name for name in frame.columns if name not in (text, label, weight, frame.id_column)]
    if unread:
        notes.append(f"The columns beside {text!r} and {label!r} are not read: {_shown(unread)}.")
    arrays: dict[str, Any] = {
        "x_train": np.arange(len(texts), dtype=np.int32)[:, None],
        "y_train": labels.y if labels.numbers is None else labels.numbers,
    }
    if weight is not None:
        where = [frame.where(row) for row in range(len(frame))]
        arrays["w_train"] = weights_of_column(frame.column(weight).tolist(), weight, where)
    return ReadTexts(
        arrays,
        RawTexts(texts, frame.where),
        None if labels.numbers is not None else labels.class_names,
        (*frame.notes, *notes),
        {} if ids is None else {"train": ids},
        None if labels.numbers is None else label,
    )


def is_text_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds text files and no images.

    Args:
        path: the folder.
    """
    texts = False
    for file in Path(path).rglob("*"):
        if file.suffix.lower() in SUFFIXES:
            return False
        texts = texts or (file.suffix.lower() == SUFFIX and not file.name.startswith("."))
    return texts


def read_text_folder(path: str | os.PathLike[str]) -> ReadTexts:
    """Read a folder with one folder of `.txt` files for each class, with or without train, val, test, unlabelled.

    Args:
        path: the folder, in the structure of `read_photographs`.

    Raises:
        RequestError: another structure, fewer than two classes, or a file that is empty or not UTF-8.
    """
    path = Path(path)
    files = list(class_files(path, (SUFFIX,)))
    classes = classes_of(path, files, f"texts ({SUFFIX})")
    texts = [_read(file) for *_, file in files]
    arrays: dict[str, Any] = {}
    ids: dict[str, tuple[str, ...]] = {}
    for part in dict.fromkeys(part for part, *_ in files):
        rows = [row for row, (of, *_) in enumerate(files) if of == part]
        groups = [files[row][1] for row in rows]
        labels: Labels = np.array([UNLABELLED if one is None else classes.index(one) for one in groups], np.int32)
        numbers: NDArray[np.int32] = np.array(rows, np.int32)[:, None]
        arrays |= {f"x_{part}": numbers, f"y_{part}": labels}
        ids[part] = tuple(files[row][2].relative_to(path).as_posix() for row in rows)
    return ReadTexts(arrays, RawTexts(texts, lambda row: str(files[row][2])), classes, (), ids)


def _read(file: Path) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{file} cannot be read as a text ({reason(error)}). Save it as UTF-8.") from error
    return checked_text(text, str(file))
