"""Adding the rows of one study's file to another's: what is new is added, what both hold must be the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from distillab.study.storage.schema import RESULTS

CELLS, METRIC_NAMES = ("cells", "coordinates", "settings"), ("metric_names", "split", "name")
"""Tables of pairs of texts that have a number; see `Numbered`."""

INSERT_TRIAL = (
    "INSERT INTO trials (id, seed, alpha, cell, teacher, state, diverged_epoch, last_finite_loss) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

_BY_TEXT = ("confusions", "answers", "reliability", "examples", "shown", "teacher_shown")


class DifferenceError(Exception):
    """One result that both files hold is not the same in them; the message says which."""


class Numbered(dict[tuple[str, str], int]):
    """The numbers of a table's pairs of texts; a pair that is asked for and not there is given the next one.

    Args:
        connection: to the file.
        table: `CELLS` or `METRIC_NAMES`.
    """

    def __init__(self, connection: sqlite3.Connection, table: tuple[str, str, str]) -> None:
        self._connection = connection
        self._name, self._first, self._second = table

    def __missing__(self, pair: tuple[str, str]) -> int:
        where = f"SELECT number FROM {self._name} WHERE {self._first} = ? AND {self._second} = ?"
        found = self._connection.execute(where, pair).fetchone()
        if found is None:
            insert = f"INSERT INTO {self._name} ({self._first}, {self._second}) VALUES (?, ?)"
            found = (self._connection.execute(insert, pair).lastrowid,)
        self[pair] = found[0]
        return self[pair]


def unite(ours: sqlite3.Connection, theirs: sqlite3.Connection) -> tuple[int, int]:
    """Add what the other file holds and this one lacks, inside a transaction that the caller has begun.

    A table at a time is read, and no more than a metric's values of it are held.

    Args:
        ours: the file that grows.
        theirs: the other, of the newest version.

    Returns:
        How many trials were added, and how many were here already.

    Raises:
        DifferenceError: both hold a result, and it is not the same; the caller takes back what was added.
    """
    for table in ("teachers", "teacher_epochs"):
        _rows(ours, theirs, table)
    number, known = _trials(ours, theirs)
    _epochs(ours, theirs, number, known)
    _metrics(ours, theirs, number, known)
    for table in _BY_TEXT:
        _rows(ours, theirs, table)
    return len(number) - len(known), len(known)


def _rows(ours: sqlite3.Connection, theirs: sqlite3.Connection, table: str) -> None:
    """Unite a table whose keys are the same in both files."""
    query, width = RESULTS[table]
    names = [column[0] for column in ours.execute(f"{query} LIMIT 0").description]
    same = " AND ".join(f"{name} = ?" for name in names[:width])
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})"
    for row in theirs.execute(query):
        here = ours.execute(f"{query} WHERE {same}", row[:width]).fetchone()
        if here is None:
            ours.execute(insert, row)
        elif here != row:
            raise DifferenceError(f"{' '.join(map(str, row[:width]))} ({table})")


def _trials(ours: sqlite3.Connection, theirs: sqlite3.Connection) -> tuple[dict[int, int], set[int]]:
    """Unite the trials.

    Returns:
        Our number of each by theirs, and which of ours were here already.
    """
    query, _ = RESULTS["trials"]
    cell, number, known = Numbered(ours, CELLS), dict[int, int](), set[int]()
    for (place, name), row in zip(
        theirs.execute("SELECT number, id FROM trials ORDER BY number"),
        theirs.execute(f"{query} ORDER BY trials.number"),
        strict=True,
    ):
        here = ours.execute(f"{query} WHERE trials.id = ?", [name]).fetchone()
        if here is None:
            _, seed, alpha, coordinates, settings, *rest = row
            added = ours.execute(INSERT_TRIAL, (name, seed, alpha, cell[coordinates, settings], *rest))
            number[place] = added.lastrowid or 0
            continue
        if here != row:
            raise DifferenceError(f"{name} (trials)")
        ((number[place],),) = ours.execute("SELECT number FROM trials WHERE id = ?", [name])
        known.add(number[place])
    return number, known


def _epochs(ours: sqlite3.Connection, theirs: sqlite3.Connection, number: dict[int, int], known: set[int]) -> None:
    def lacking() -> Iterator[tuple[Any, ...]]:
        for place, *row in theirs.execute("SELECT * FROM epoch_values ORDER BY trial, epoch"):
            trial = number[place]
            here = None
            if trial in known:
                same = "SELECT * FROM epoch_values WHERE trial = ? AND epoch = ?"
                here = ours.execute(same, (trial, row[0])).fetchone()
            if here is None:
                yield trial, *row
            elif here != (trial, *row):
                raise DifferenceError(f"{_name(ours, trial)} {row[0]} (epochs)")

    ours.executemany("INSERT INTO epoch_values VALUES (?, ?, ?, ?, ?, ?)", lacking())


def _metrics(ours: sqlite3.Connection, theirs: sqlite3.Connection, number: dict[int, int], known: set[int]) -> None:
    names = Numbered(ours, METRIC_NAMES)
    of_metric = "SELECT trial, value FROM metric_values WHERE metric = ? ORDER BY trial"
    for their_metric, split, name in theirs.execute("SELECT number, split, name FROM metric_names").fetchall():
        metric = names[split, name]
        here = dict(ours.execute(of_metric, [metric])) if known else {}
        lacking = []
        for place, value in theirs.execute(of_metric, [their_metric]):
            trial = number[place]
            if trial not in here:
                lacking.append((metric, trial, value))
            elif here[trial] != value:
                raise DifferenceError(f"{_name(ours, trial)} {split} {name} (metrics)")
        ours.executemany("INSERT INTO metric_values VALUES (?, ?, ?)", lacking)


def _name(ours: sqlite3.Connection, trial: int) -> str:
    return str(ours.execute("SELECT id FROM trials WHERE number = ?", [trial]).fetchone()[0])
