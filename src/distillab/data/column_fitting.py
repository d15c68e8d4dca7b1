"""Columns fitted to the training rows of a table, and the words that other rows hold besides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from distillab.data.columns import Column, Columns
from distillab.data.labels import Array, Rows
from distillab.data.table import Table


def table_columns(
    table: Table, training: Array, others: Sequence[tuple[Array, Rows]]
) -> tuple[Columns | None, tuple[str, ...]]:
    """The columns of a table that was split; None for one of numbers without gaps, which are plain features.

    Args:
        table: as read.
        training: the training inputs, (N, F).
        others: validation, test and unlabelled inputs, each with the row of each input in the table.

    Returns:
        (columns fitted to the training rows, notes).

    Raises:
        RequestError: the training rows are all equal.
    """
    if table.columns.plain:
        return None, ()
    columns = fitted(table.columns.kinds, training)
    return columns, (*constant_notes(columns), *unseen_notes(columns, others, table.frame.where))


def fitted(kinds: Sequence[Column], x: Array) -> Columns:
    """What training rows show about the columns of a table.

    Args:
        kinds: names, kinds and words.
        x: the training rows as read, (N, F), N >= 1.

    Example:
        >>> x = np.float32([[1, 0], [3, np.nan], [np.nan, 0], [8, 0]])
        >>> job = Column(name="job", kind="category", categories=("baker", "cook"))
        >>> age, job = fitted([Column(name="age", kind="number"), job], x).columns
        >>> age.median, age.mean, age.gaps, job.unseen
        (3.0, 4.0, True, ('cook',))
    """
    found = []
    for kind, values in zip(kinds, x.T, strict=True):
        known = values[~np.isnan(values)].astype(np.float64)
        column = dataclasses.replace(kind, gaps=len(known) < len(values))
        if kind.kind == "category":
            codes = set(known.astype(int).tolist())
            unseen = tuple(word for code, word in enumerate(kind.categories) if code not in codes)
            found.append(dataclasses.replace(column, unseen=unseen))
            continue
        if not len(known):
            found.append(dataclasses.replace(column, spread=0.0))
            continue
        spread = 0.0 if known.min() == known.max() else float(known.std())
        median = float(np.median(known)) if kind.kind == "number" else float(known.mean() > 0.5)
        found.append(dataclasses.replace(column, median=median, mean=float(known.mean()), spread=spread))
    return Columns(tuple(found))


def unseen_notes(columns: Columns, parts: Sequence[tuple[Array, Rows]], where: Callable[[int], str]) -> tuple[str, ...]:
    """For each column, how often other rows than those of training hold a word that those never have.

    Args:
        columns: fitted.
        parts: inputs as read, (M, F), with the row of each in the table.
        where: the place of a row of the table in its file.

    Returns:
        Sentences that name the first row of each.
    """
    notes = []
    for at, column in enumerate(columns.columns):
        if not column.unseen:
            continue
        codes = [code for code, word in enumerate(column.categories) if word in column.unseen]
        found: list[tuple[int, float]] = []
        for x, rows in parts:
            here = np.isin(x[:, at], codes)
            found += zip(rows[here].tolist(), x[here, at].tolist(), strict=True)
        if found:
            row, code = min(found)
            words = f"{len(found):,} validation, test or unlabelled rows hold words that no training row has"
            first = f"first {column.categories[int(code)]!r} in {where(row)}"
            notes.append(f"In {column.name!r} {words} ({first}): students read them as missing.")
    return tuple(notes)


def constant_notes(columns: Columns) -> tuple[str, ...]:
    """The columns that students do not read, a sentence.

    Args:
        columns: fitted.
    """
    names = [repr(column.name) for column in columns.columns if column.constant and not column.gaps]
    if not names:
        return ()
    return (f"All training rows are equal in {', '.join(names)}: students do not read that.",)
