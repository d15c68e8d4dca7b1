"""The columns of a table with categories or gaps: what its numbers mean, and how students read them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from distillab.data.labels import Array
from distillab.errors import RequestError, reason, shown, unknown

Kind = Literal["number", "category", "boolean"]

COLUMNS_FILE = "columns.json"
"""Beside a student of such a table."""

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""The words, in small letters, that stand for a missing value."""

WORDS = {"false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0}
"""Booleans as words, in small letters."""


def is_missing(value: Any) -> bool:
    """Whether a value of a table stands for a missing one.

    Args:
        value: as a `Frame` has it.

    Example:
        >>> [is_missing(value) for value in (None, " NA ", "?", float("nan"), "north", 0, False)]
        [True, True, True, True, False, False, False]
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return True
    return isinstance(value, str) and value.strip().lower() in MISSING


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what it holds, and what its training rows show.

    Args:
        name: in the file.
        kind: numbers; words; or one of two words, such as yes and no.
        categories: the different words, sorted: a word's place is its code. Of booleans those of 0 and of 1.
        unseen: those of the words that no training row has.
        median: the value that takes the place of a missing one; of booleans the more frequent.
        mean, spread: mean and standard deviation of the known values.
        gaps: whether values are missing in training rows.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    median: float = 0.0
    mean: float = 0.0
    spread: float = 1.0
    gaps: bool = False

    @property
    def constant(self) -> bool:
        """Whether all known values of the training rows are equal."""
        if self.kind == "category":
            return len(self.categories) - len(self.unseen) < 2
        return self.spread == 0

    @property
    def seen(self) -> tuple[int, ...]:
        """The codes of the words that students read."""
        if self.kind != "category" or (self.constant and not self.gaps):
            return ()
        return tuple(code for code, word in enumerate(self.categories) if word not in self.unseen)

    def code(self, value: Any) -> float:
        """A value of the file as the number that stands for it; NaN for a missing one and for a word never seen.

        Args:
            value: str, number, bool or None.

        Raises:
            RequestError: it is no value of this column.

        Example:
            >>> Column(name="job", kind="category", categories=("baker", "cook")).code("cook")
            1.0
        """
        if is_missing(value):
            return np.nan
        text = str(value).strip()
        if self.kind == "category":
            return float(self.categories.index(text)) if text in self.categories else np.nan
        try:
            number = WORDS[text.lower()] if self.kind == "boolean" and text.lower() in WORDS else float(text)
        except ValueError:
            number = np.inf
        if not np.isfinite(number) or (self.kind == "boolean" and number not in (0, 1)):
            what = "numbers" if self.kind == "number" else "true or false"
            raise RequestError(f"The column {self.name!r} holds {shown(value)}, and must hold {what}, or nothing.")
        return number


@dataclass(frozen=True)
class Columns:
    """The columns of a table, in order: from raw values to x (N, F), and from x to what students read, (N, F').

    Args:
        columns: F >= 1, at least one of which students can read.

    Raises:
        RequestError: no column differs between training rows.

    Example:
        >>> job = Column(name="job", kind="category", categories=("baker", "cook"), gaps=True)
        >>> columns = Columns((Column(name="age", kind="number", median=30, mean=32, spread=4), job))
        >>> x = columns.rows([{"age": "36", "job": "cook"}, {"age": "", "job": "pilot"}])
        >>> x.tolist()
        [[36.0, 1.0], [nan, nan]]
        >>> columns.names
        ('age', 'job = baker', 'job = cook', 'job is missing')
        >>> columns.encoded(x).tolist()
        [[1.0, 0.0, 1.0, 0.0], [-0.5, 0.0, 0.0, 1.0]]
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if not self.width:
            names = ", ".join(repr(column.name) for column in self.columns[:5])
            raise RequestError(f"The training rows are all equal in {names}: there is nothing to learn from.")

    @property
    def are_words(self) -> list[bool]:
        """Of each column, whether its numbers stand for words or booleans."""
        return [column.kind != "number" for column in self.columns]

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The columns of numbers and booleans that students read."""
        return tuple(at for at, one in enumerate(self.columns) if one.kind != "category" and not one.constant)

    @cached_property
    def value_gaps(self) -> tuple[int, ...]:
        """The columns of numbers and booleans of which students read whether a value is missing."""
        return tuple(at for at, one in enumerate(self.columns) if one.kind != "category" and one.gaps)

    @cached_property
    def words(self) -> tuple[tuple[int, int], ...]:
        """(column, code) of each word that students read."""
        return tuple((at, code) for at, one in enumerate(self.columns) for code in one.seen)

    @cached_property
    def word_gaps(self) -> tuple[int, ...]:
        """The columns of words of which students read whether the word is missing, or was never seen."""
        return tuple(at for at, one in enumerate(self.columns) if one.kind == "category" and one.gaps)

    @cached_property
    def width(self) -> int:
        """F', the number of features that students read."""
        return len(self.values) + len(self.value_gaps) + len(self.words) + len(self.word_gaps)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the features that students read, in their order."""
        names = [column.name for column in self.columns]
        return (
            *(names[at] for at in self.values),
            *(f"{names[at]} is missing" for at in self.value_gaps),
            *(f"{names[at]} = {self.columns[at].categories[code]}" for at, code in self.words),
            *(f"{names[at]} is missing" for at in self.word_gaps),
        )

    def encoded(self, x: Array) -> NDArray[np.float32]:
        """What students read, (N, F'): `names` says which is which.

        Numbers: (x - mean) / spread, a missing one taken for the median; booleans: 0 or 1, a missing one taken for the
        more frequent. Words: 1 for the word, otherwise 0. For each column with gaps: 1 where the value is missing.

        Args:
            x: as read, (N, F), NaN where missing.
        """
        x = np.asarray(x, np.float32)
        median, mean, spread = self.statistics
        values = x[:, list(self.values)]
        values = (np.where(np.isnan(values), median, values) - mean) / spread
        gaps = np.isnan(x[:, list(self.value_gaps)])
        words = x[:, [at for at, _ in self.words]] == np.array([code for _, code in self.words], np.float32)
        unknown_words = 1 - words.astype(np.float32) @ self.groups
        return np.concatenate([values, gaps, words, unknown_words], axis=1, dtype=np.float32)

    @cached_property
    def statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(median, mean, spread) of the columns in `values`; 0 and 1 for booleans, which are not standardised."""
        read = [self.columns[at] for at in self.values]
        numbers = [(one.median, one.mean, one.spread) if one.kind == "number" else (one.median, 0, 1) for one in read]
        median, mean, spread = np.array(numbers, np.float32).reshape(-1, 3).T
        return median, mean, spread

    @cached_property
    def groups(self) -> NDArray[np.float32]:
        """1 where a word of `words` is of a column in `word_gaps`, otherwise 0."""
        found = [[float(at == column) for column in self.word_gaps] for at, _ in self.words]
        return np.array(found, np.float32).reshape(len(self.words), len(self.word_gaps))

    def decoded(self, x: Array) -> dict[str, NDArray[Any]]:
        """The raw values by column, (N,): float64, or objects: words, True and False, NaN for a missing one.

        Numbers are the shortest decimals that float32 keeps apart: what the file has, up to seven digits.

        Args:
            x: as read, (N, F).

        Example:
            >>> columns = Columns((Column(name="age", kind="number"), Column(name="old", kind="boolean",
            ...     categories=("false", "true"))))
            >>> {name: values.tolist() for name, values in columns.decoded(np.float32([[0.1, 1]])).items()}
            {'age': [0.1], 'old': [True]}
        """
        found: dict[str, NDArray[Any]] = {}
        for column, values in zip(self.columns, np.asarray(x, np.float32).T, strict=True):
            if column.kind == "number":
                found[column.name] = values.astype(str).astype(np.float64)
                continue
            words: list[Any] = list(column.categories)
            if column.kind == "boolean" and words[1].lower() == "true":
                words = [False, True]
            table = np.array([*words, np.nan], object)
            found[column.name] = table[np.where(np.isnan(values), len(words), values).astype(int)]
        return found

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> NDArray[np.float32]:
        """x of raw rows, (N, F): what a shipped student reads.

        Args:
            rows: by column name, values as the file has them: text, numbers, or None. A column that a row lacks is
                missing in it, and what is no column is ignored.

        Raises:
            RequestError: a value that its column cannot hold.
        """
        return np.array([[one.code(row.get(one.name)) for one in self.columns] for row in rows], np.float32)

    def to_json(self) -> str:
        """As text, for `columns.json`."""
        return json.dumps({"columns": [dataclasses.asdict(column) for column in self.columns]}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Columns:
        """The columns of a text.

        Args:
            text: made by `to_json`.

        Raises:
            RequestError: it was not.
        """
        try:
            columns = [_column(values) for values in json.loads(text)["columns"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RequestError(f"This is no {COLUMNS_FILE} of distillab ({reason(error)}).") from error
        return cls(tuple(columns))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Columns:
        """Read `columns.json`, which lies beside a student.

        Args:
            path: the file, or its folder.

        Raises:
            RequestError: it cannot be read.
        """
        path = Path(path)
        path = path / COLUMNS_FILE if path.is_dir() else path
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RequestError) as error:
            raise RequestError(f"{path} cannot be read: {reason(error)}.") from error

    def column(self, name: str) -> Column:
        """A column by its name.

        Args:
            name: in the file.

        Raises:
            RequestError: there is none.
        """
        found = {column.name: column for column in self.columns}
        if name not in found:
            raise unknown("column", name, found)
        return found[name]


def _column(values: Mapping[str, Any]) -> Column:
    kind, numbers = values["kind"], [values[name] for name in ("median", "mean", "spread")]
    words = [*values["categories"], *values["unseen"]]
    if kind not in get_args(Kind) or not all(isinstance(word, str) for word in (values["name"], *words)):
        raise ValueError(f"{shown(values['name'])} is no column")
    if not all(isinstance(number, (int, float)) and np.isfinite(number) for number in numbers):
        raise ValueError(f"{shown(values['name'])} has statistics that are no numbers")
    lists = {name: tuple(values[name]) for name in ("categories", "unseen")}
    return Column(**{**values, **lists})
