"""What the columns of a table hold: numbers, words or booleans; and what they must not hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data.columns import WORDS, Column, is_missing
from distillab.data.delimited import NUMBER
from distillab.data.frame import Frame
from distillab.errors import RequestError, shown

MANY_WORDS = 50
"""Different words above which a column identifies its examples, if more than half of its values differ."""

DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})( .*)?|\d{1,2}:\d{2}(:\d{2}.*)?"
)
_DIGITS = r"[+-]?\d+(?:[., ' ]\d{3})*(?:[.,]\d+)?"
_UNITS = (
    r"%|[€$£¥]|°[CF]?|(?:[kmcµ]?m|[km]?g|[mc]?l|lbs?|oz|ft|in|s|ms|min|h|hrs?|days?|years?|yrs?|k|K|M|USD|EUR|GBP)\b"
)
MEASURE = re.compile(rf"[€$£¥]?\s*{_DIGITS}\s*(?:{_UNITS})?²?³?", re.IGNORECASE)
"""Numbers as people write them: 1,234 or 12 kg or 5%."""

Where = Callable[[int], str]


class ReadColumns(NamedTuple):
    """The features of a table as read."""

    x: NDArray[np.float32]
    """(N, F): numbers, codes of words, 0 and 1; NaN where missing."""
    kinds: tuple[Column, ...]
    notes: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether all are numbers and none is missing."""
        return all(column.kind == "number" for column in self.kinds) and not np.isnan(self.x).any()


def read_columns(frame: Frame, names: Sequence[str]) -> ReadColumns:
    """Read columns as features; one without any value is left out.

    Text that stands for a missing value (`MISSING`) is one. A column of text in which at least half of the values are
    numbers is one of numbers; one of true and false, or of yes and no, is one of booleans; all others are of words.
    Values with a type (of JSON Lines and Parquet) keep it.

    Args:
        frame: the table.
        names: of the columns.

    Raises:
        RequestError: a number that is none, dates, or words that only name the examples; the message names the row.
    """
    values: list[NDArray[np.float64]] = []
    kinds: list[Column] = []
    notes: list[str] = []
    for name in names:
        numbers = _plain_numbers(frame.columns[name].tolist(), typed=frame.typed)
        if numbers is not None:
            kinds.append(Column(name=name, kind="number"))
            values.append(numbers)
            continue
        column = [None if is_missing(value) else value for value in frame.columns[name]]
        if all(value is None for value in column):
            notes.append(f"The column {name!r} has no value and was left out.")
            continue
        kind = _kind(name, column, frame)
        kinds.append(kind)
        codes = {value: kind.code(value) for value in set(column)}
        values.append(np.array([codes[value] for value in column]))
    if not kinds:
        raise RequestError(f"{frame.path} holds no features beside the label.")
    x = np.array(values).T.astype(np.float32)
    gaps = [kind.name for kind, column in zip(kinds, values, strict=True) if np.isnan(column).any()]
    missing = [(name, _words_for_missing(frame, name)) for name in gaps]
    missing_notes = [f"{name!r} {count:,} ({words})" for name, (count, words) in missing]
    if missing_notes:
        notes.append(f"Missing values: {', '.join(missing_notes)}.")
    return ReadColumns(np.ascontiguousarray(x), tuple(kinds), tuple(notes))


def _plain_numbers(values: Sequence[Any], *, typed: bool) -> NDArray[np.float64] | None:
    """Numbers without a gap, fast; None where a value needs a closer look."""
    others = (bool, str) if typed else (bool,)
    if any(value is None or isinstance(value, others) for value in values):
        return None
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        return None
    fine = np.abs(numbers).max() <= np.finfo(np.float32).max  # fails for NaN
    return numbers if fine and not any(isinstance(value, str) and "_" in value for value in values) else None


def _words_for_missing(frame: Frame, name: str) -> tuple[int, str]:
    found = [value for value in frame.columns[name] if is_missing(value)]
    words = sorted({"empty" if value is None or not str(value).strip() else str(value).strip() for value in found})
    return len(found), ", ".join(words)


def _kind(name: str, values: Sequence[Any], frame: Frame) -> Column:
    where = frame.where
    known = [(row, value) for row, value in enumerate(values) if value is not None]
    for row, value in known:
        if not isinstance(value, (str, bool, int, float)):
            what = f"{where(row)}, column {name!r} holds {shown(value)}, and must hold a number, a word or a boolean"
            raise RequestError(f"{what}. Give each of its parts a column of its own.")
    types = {_type(value) for _, value in known}
    if len(types) > 1:
        row = next(row for row, value in known if _type(value) != _type(known[0][1]))
        held = f"{where(row)}, column {name!r} holds {shown(values[row])}, and the column has"
        raise RequestError(f"{held} {' and '.join(sorted(types))}: write all its values in one way.")
    if types == {"booleans"}:
        return Column(name=name, kind="boolean", categories=("false", "true"))
    if types == {"numbers"}:
        _check_finite(name, known, where)
        return Column(name=name, kind="number")
    words = [(row, value.strip()) for row, value in known]
    return _kind_of_words(name, words, where) if frame.typed else _kind_of_text(name, words, where)


def _type(value: Any) -> str:
    return "words" if isinstance(value, str) else "booleans" if isinstance(value, bool) else "numbers"


def _kind_of_text(name: str, known: Sequence[tuple[int, str]], where: Where) -> Column:
    counts = Counter(text for _, text in known)
    lower = {text.lower() for text in counts}
    if lower <= {"false", "true"} or lower <= {"no", "yes"}:
        spelling = {WORDS[text.lower()]: text for text in sorted(counts)}
        of = ("no", "yes") if lower <= {"no", "yes"} else ("false", "true")
        return Column(name=name, kind="boolean", categories=(spelling.get(0.0, of[0]), spelling.get(1.0, of[1])))
    numbers = sum(count for text, count in counts.items() if NUMBER.fullmatch(text))
    measures = sum(count for text, count in counts.items() if MEASURE.fullmatch(text))
    if 2 * numbers >= len(known) or measures == len(known):
        _check_numbers(name, known, where)
        return Column(name=name, kind="number")
    return _kind_of_words(name, known, where)


def _kind_of_words(name: str, known: Sequence[tuple[int, str]], where: Where) -> Column:
    counts = Counter(text for _, text in known)
    row, first = known[0]
    dates = sum(count for text, count in counts.items() if DATE.fullmatch(text))
    if dates > len(known) / 2:
        row, first = next((row, text) for row, text in known if DATE.fullmatch(text))
        raise RequestError(
            f"{where(row)}, column {name!r} holds {first!r}: dates are no features. Write what follows from them as "
            "numbers in columns of their own, such as year, month or days since a day, and leave the dates out."
        )
    if len(counts) > MANY_WORDS and len(counts) > len(known) / 2:
        raise RequestError(
            f"{where(row)}, column {name!r} holds {first!r}, one of {len(counts):,} different words in {len(known):,} "
            "rows: they name the examples and do not describe them. Leave the column out, call it id, or group its "
            "words."
        )
    return Column(name=name, kind="category", categories=tuple(sorted(counts)))


def _check_numbers(name: str, known: Sequence[tuple[int, str]], where: Where) -> None:
    for row, text in known:
        if NUMBER.fullmatch(text):
            continue
        if MEASURE.fullmatch(text):
            do = "Write it without separators of thousands and without a unit, with a point for decimals."
        elif text.lower().lstrip("+-") in ("inf", "infinity"):
            do = "Numbers must be finite: remove the row, or leave the field empty if it is not known."
        else:
            do = (
                "The other values are numbers: correct it, or leave the field empty if it is not known. If the numbers "
                "are names, put a letter before each."
            )
        raise RequestError(f"{where(row)}, column {name!r} holds {text!r}, which is no plain number. {do}")
    _check_finite(name, known, where)


def _check_finite(name: str, known: Sequence[tuple[int, Any]], where: Where) -> None:
    for row, value in known:
        number = float(value) if isinstance(value, str) else value  # an int may be too large for a float
        if not abs(number) <= float(np.finfo(np.float32).max):
            raise RequestError(
                f"{where(row)}, column {name!r} holds {shown(value)}, and features must be finite numbers in float32. "
                "Remove the row, or leave the field empty if it is not known."
            )
