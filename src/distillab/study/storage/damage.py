"""Rows that no study wrote: a damaged page, or a stranger's hand, told as that and not as a fault in reading it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import NoneType

from distillab.errors import DistillabError, RequestError
from distillab.study.storage.records import TeacherResult, TrialResult

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    zlib.error,
)
"""What reading of such rows raises: JSON, compressed arrays, numbers that are words."""

NUMBERS: set[type] = {int, float}


@contextmanager
def told_as_damage(path: Path) -> Iterator[None]:
    """Say of rows that cannot be read that the file is damaged.

    Args:
        path: the store's file.

    Raises:
        RequestError: what is done inside met rows that no study wrote.
    """
    try:
        yield
    except DistillabError:
        raise
    except UNREADABLE as error:
        told = " ".join(str(error).split())[:200]
        raise RequestError(
            f"{path} is damaged or was changed by hand: it holds what no study does ({type(error).__name__}: {told}). "
            "Put a copy of it back."
        ) from error


def check_rows(trials: Iterable[TrialResult], teachers: Mapping[str, TeacherResult]) -> None:
    """See that rows hold what their columns say, for SQLite does not; where a number is not finite, it holds none.

    Raises:
        TypeError: one does not.
    """
    rows = list(trials)
    for name, found, allowed in (  # a set of types at a time: there may be a hundred thousand rows
        ("id", {type(row.id) for row in rows}, {str}),
        ("teacher", {type(row.teacher) for row in rows}, {str}),
        ("seed", {type(row.seed) for row in rows}, {int}),
        ("alpha", {type(row.alpha) for row in rows}, NUMBERS),
        ("diverged_epoch", {type(row.diverged_epoch) for row in rows}, {int, NoneType}),
        ("coordinates", {type(row.coordinates) for row in rows}, {dict}),
        ("settings", {type(row.settings) for row in rows}, {dict}),
        ("metrics", {type(value) for row in rows for value in row.metrics.values()}, NUMBERS | {NoneType}),
        ("epochs", {type(value) for row in rows for epoch in row.epochs for value in epoch}, NUMBERS),
    ):
        _see(f"{name} of trials", found <= allowed)
    _see("alpha of trials", all(0 <= row.alpha <= 1 for row in rows))
    for teacher in teachers.values():
        _see("settings of teachers", isinstance(teacher.settings, dict) and isinstance(teacher.metrics, dict))
        _see("metrics of teachers", {type(value) for value in teacher.metrics.values()} <= NUMBERS)
        _see("losses of teachers", {type(loss) for loss in teacher.losses} <= NUMBERS | {NoneType})


def _see(what: str, right: bool) -> None:
    if not right:
        raise TypeError(f"the {what} have values of other types, or out of range")
