"""Rows that no study wrote: a damaged page, or a stranger's hand, told as that and not as a fault in reading it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from distillab.errors import DistillabError, RequestError
from distillab.study.store import TeacherRecord, TrialRecord

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    MemoryError,
    zlib.error,
)
"""What reading of such rows raises: JSON, compressed arrays, numbers that are words."""


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


def check_rows(trials: Iterable[TrialRecord], teachers: Mapping[str, TeacherRecord]) -> None:
    """See that rows hold what their columns say, for SQLite does not; where a number is not finite, it holds none.

    Raises:
        TypeError: one does not.
    """
    sound: set[int] = set()  # trials of one cell share their mappings
    for trial in trials:
        _see(trial.id, isinstance(trial.id, str) and isinstance(trial.teacher, str) and isinstance(trial.seed, int))
        _see(trial.id, isinstance(trial.alpha, int | float) and 0 <= trial.alpha <= 1)
        for mapping in (trial.coordinates, trial.settings):
            if id(mapping) not in sound:
                _see(trial.id, isinstance(mapping, dict))
                sound.add(id(mapping))
        _see(trial.id, all(isinstance(value, float | int | None) for value in trial.metrics.values()))
        _see(trial.id, trial.diverged_epoch is None or isinstance(trial.diverged_epoch, int))
        _see(trial.id, all(isinstance(value, float | int) for epoch in trial.epochs for value in epoch))
    for teacher in teachers.values():
        _see(teacher.id, isinstance(teacher.settings, dict) and isinstance(teacher.metrics, dict))
        _see(teacher.id, all(isinstance(value, float | int) for value in teacher.metrics.values()))
        _see(teacher.id, all(isinstance(loss, float | int | None) for loss in teacher.losses))


def _see(name: object, right: bool) -> None:
    if not right:
        raise TypeError(f"the row of {name!r} has values of other types")
