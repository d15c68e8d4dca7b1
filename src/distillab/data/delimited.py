"""Text separated by commas, tabs or semicolons: its fields, row by row, and whether its first row names the columns."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from distillab.errors import RequestError, reason, shown

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
"""What may separate fields, in words."""

SEEN = 50
"""Rows by which a separator is judged where the header allows several."""

LOOKED_AT = 1_000
"""Rows below the first by which it is judged to name the columns."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read_delimited(path: Path) -> tuple[list[str], list[list[str]], list[int], tuple[str, ...]]:
    """Read the header and the rows of a text; blank rows are left out.

    Args:
        path: the file: UTF-8, with a header, fields in quotation marks where they hold separators or line breaks.

    Returns:
        (names of the columns, fields by row, each row's number as the file counts it from 1, notes).

    Raises:
        RequestError: it is not UTF-8, has no header or no row, or a row of another length.
    """
    text = _text(path)
    separator = _separator(text, "\t" if path.suffix.lower() == ".tsv" else ",")
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            records.append(record)  # noqa: PERF402  an error names the row after those that were read
    except csv.Error as error:
        what = f"{path} cannot be read as CSV (row {len(records) + 1}: {reason(error)})"
        raise RequestError(
            f"{what}. Put fields that hold quotation marks in quotation marks, and double those."
        ) from None
    names = [name.strip() for name in records[0]] if records else []
    numbers = [
        number
        for number, record in enumerate(records, start=1)
        if number > 1 and any(record) and any(map(str.strip, record))
    ]
    rows = [records[number - 1] for number in numbers]
    if not any(names) or not rows:
        raise RequestError(f"{path} holds no table: it must have a header, a row and at least two columns.")
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != len(names):
            raise RequestError(f"{path}: row {number} has {len(row)} fields, and the header has {len(names)}.")
        if row[0].strip() == names[0] and [field.strip() for field in row] == names:
            raise RequestError(f"{path}: row {number} is the header once more. Remove it.")
    if is_data(names, rows):
        raise RequestError(
            f"{path} has no header: its first row, {shown(separator.join(names))}, holds values as the rows below it. "
            "Add a first row that names the columns."
        )
    expected = "\t" if path.suffix.lower() == ".tsv" else ","
    notes = () if separator == expected else (f"The fields of {path.name} are separated by {SEPARATORS[separator]}.",)
    return names, rows, numbers, notes


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path} cannot be read as CSV ({reason(error)}). Save it as UTF-8, with commas.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"{path} cannot be read as CSV (line {line} is not UTF-8: {reason(error)})"
        raise RequestError(f"{what}. Save it as UTF-8, with commas.") from error


def _separator(text: str, expected: str) -> str:
    """The separator of the header; where it holds several, the one by which the first rows have equally many fields."""
    start = list(itertools.islice(io.StringIO(text[: 2**20], newline=""), SEEN + 1))
    fields = {separator: _lengths(start, separator) for separator in SEPARATORS}
    found = [separator for separator, lengths in fields.items() if lengths and lengths[0] > 1]
    if len(found) > 1:
        even = [separator for separator in found if len(set(fields[separator])) == 1]
        found = even or found
    return max(found, key=lambda one: (fields[one][0], one == expected), default=expected)


def _lengths(lines: Sequence[str], separator: str) -> list[int]:
    lengths = []
    try:
        for record in csv.reader(lines, delimiter=separator):
            lengths += [len(record)] * bool(record)
    except csv.Error:
        return lengths
    return lengths


def is_data(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row holds values as the rows below it, and no names of columns.

    Each of its fields is then of the kind of its column, a number over numbers, a word over words; and either all are
    numbers, other than a count from 0 or from 1, or a word of it is one of the words below.

    Args:
        names: the first row.
        rows: the others, equally long.

    Example:
        >>> is_data(["5.1", "setosa"], [["4.9", "setosa"], ["6", "virginica"]])
        True
        >>> is_data(["length", "kind"], [["4.9", "setosa"], ["6", "virginica"]])
        False
        >>> is_data(["0", "1"], [["4.9", "3"], ["6", "2"]])
        False
    """
    known = [{field for row in rows[:LOOKED_AT] if (field := row[column].strip())} for column in range(len(names))]
    numbers = [NUMBER.fullmatch(name) is not None for name in names]
    for column, is_number in enumerate(numbers):
        if names[column] and known[column] and all(map(NUMBER.fullmatch, known[column])) != is_number:
            return False
    if all(numbers):
        return list(names) not in [[str(number) for number in range(first, first + len(names))] for first in (0, 1)]
    return any(name in words for name, words, number in zip(names, known, numbers, strict=True) if not number)
