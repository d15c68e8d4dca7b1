"""Merging studies that ran in two places: new results are added, and results in both folders must be equal."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from distillab.errors import RequestError
from distillab.io import replace_file
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.check import invalid_rows, strays
from distillab.study.storage.connection import address, corrupt
from distillab.study.storage.schema import RESULTS
from distillab.study.storage.store import Store


class Merged(NamedTuple):
    """The result of a merge."""

    added: int
    """Students that were new."""
    known: int
    """Students that were already recorded, with the same results."""


def merge(into: Folder, other: Folder) -> Merged:
    """Add another folder's students, and its teachers' and students' files, to a study.

    Args:
        into: the folder that grows.
        other: a folder of the same study, with other seeds or cells, or overlapping; it stays unchanged.

    Raises:
        RequestError: a folder holds no study, they hold different ones, the numerics of their engines differ, or
            one student has two results; nothing has been added.
        WorkError: a file cannot be written.
    """
    if into.path.resolve() == other.path.resolve():
        raise RequestError(f"{into.path} cannot be merged with itself. Name two folders.")
    spec, others = _spec(into), _spec(other)
    if differences := spec.differs_from(others):
        raise RequestError(
            f"{into.path} and {other.path} hold different studies: they differ in {', '.join(differences)}. Only the "
            "same study can be merged."
        )
    seeds = max(spec.objective.seeds, others.objective.seeds)
    spec = dataclasses.replace(spec, objective=spec.objective.model_copy(update={"seeds": seeds}))
    with into.write(spec) as target:
        with Store(other.store, read_only=True) as source:
            merged = _merge_stores(target, source)
        for ours, theirs in ((into.teachers, other.teachers), (into.students, other.students)):
            for file in sorted(theirs.glob("*.*")):
                if not (ours / file.name).exists():
                    replace_file(ours / file.name, partial(shutil.copyfile, file))
    return merged


def _merge_stores(target: Store, source: Store) -> Merged:
    """Add the results that one store lacks and another has, all or nothing."""
    for fault in (*invalid_rows(source), *strays(source)):
        raise corrupt(source.path, fault)
    if len(target.numerics() | source.numerics()) > 1:
        raise RequestError(
            f"{source.path.parent} and {target.path.parent} hold results of different versions of the engine's "
            "numerics, which round in other places. Only results of one version can be merged."
        )
    target.select("ATTACH DATABASE ? AS other", [address(source.path, "ro")])
    try:
        with target.transaction() as connection:
            merged = _add_results(connection)
            if merged.added:
                _add_runs(connection, source, merged)
    except _DifferenceError as error:
        raise RequestError(
            f"{source.path.parent} and {target.path.parent} hold different results of {error}: they were trained on "
            "machines that round differently, or one is corrupt. They cannot be merged."
        ) from None
    finally:
        target.select("DROP TABLE IF EXISTS temp.numbers")
        target.select("DETACH DATABASE other")
    return merged


_TRIALS = (
    "SELECT NULL AS number, id, seed, alpha, main.cells.number AS cell, teacher, state, diverged_epoch, "
    "last_finite_loss FROM other.trials CROSS JOIN other.cells ON other.cells.number = cell "
    "CROSS JOIN main.cells USING (coordinates, settings) ORDER BY other.trials.number"
)
_EPOCHS = (
    "SELECT ours AS trial, epoch, loss, label_loss, distillation_loss, validation_accuracy "
    "FROM other.epoch_values CROSS JOIN temp.numbers ON theirs = trial"
)
_METRICS = (
    "SELECT main.metric_names.number AS metric, ours AS trial, value FROM other.metric_names "
    "CROSS JOIN main.metric_names USING (split, name) "
    "CROSS JOIN other.metric_values ON metric = other.metric_names.number CROSS JOIN temp.numbers ON theirs = trial"
)
_TRIAL_NAME = "(SELECT id FROM main.trials WHERE number = ours.trial)"
_METRIC_NAME = "(SELECT split || ' ' || name FROM main.metric_names WHERE number = ours.metric)"


class _DifferenceError(Exception):
    """A result differs between the files; the message names it."""


def _add_results(connection: sqlite3.Connection) -> Merged:
    """Add the rows of the attached file `other`, inside a transaction of the caller."""
    for table, columns in (("cells", "coordinates, settings"), ("metric_names", "split, name")):
        connection.execute(
            f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM other.{table} WHERE TRUE ORDER BY number "
            "ON CONFLICT DO NOTHING"
        )
    ((total, known),) = connection.execute(
        "SELECT count(*), count(ours.id) FROM other.trials LEFT JOIN main.trials AS ours USING (id)"
    )
    _add_rows(connection, "trials", _TRIALS, key=["id"])
    connection.execute("CREATE TEMP TABLE numbers (theirs INTEGER PRIMARY KEY, ours INTEGER)")
    connection.execute(
        "INSERT INTO temp.numbers SELECT other.trials.number, main.trials.number "
        "FROM other.trials CROSS JOIN main.trials USING (id) ORDER BY 1"
    )
    _add_rows(connection, "epoch_values", _EPOCHS, name=f"{_TRIAL_NAME} || ' ' || ours.epoch")
    _add_rows(connection, "metric_values", _METRICS, name=f"{_TRIAL_NAME} || ' ' || {_METRIC_NAME}")
    theirs = {name for (name,) in connection.execute("SELECT name FROM other.sqlite_master")}
    for table in RESULTS:  # an older file lacks some
        if table in theirs - {"trials", "epochs", "metrics"}:  # the keys of the others mean the same in both files
            _add_rows(connection, table, f"SELECT * FROM other.{table}")
    return Merged(total - known, known)


def _add_rows(
    connection: sqlite3.Connection, table: str, source: str, *, key: Sequence[str] = (), name: str = ""
) -> None:
    """Add the rows of a query that a table lacks; rows with the same key must be equal.

    `source` selects the other file's rows, with the columns of the table and this file's numbers; `key` identifies a
    row, by default by its primary key; `name` is an expression for what to call one that differs, by default its key.
    """
    columns = {column: part for _, column, *_, part in connection.execute(f"PRAGMA main.table_info({table})")}
    key = key or [column for column, part in columns.items() if part]
    name = name or " || ' ' || ".join(f"ours.{column}" for column in key)
    same = " AND ".join(f"ours.{column} = theirs.{column}" for column in key)
    differ = " OR ".join(f"ours.{c} IS NOT theirs.{c}" for c in columns if c not in (*key, "number"))
    query = f"SELECT {name} FROM ({source}) AS theirs CROSS JOIN main.{table} AS ours ON {same} WHERE {differ} LIMIT 1"
    row = connection.execute(query).fetchone()
    if row:
        label = {"epoch_values": "epochs", "metric_values": "metrics"}.get(table, table)
        raise _DifferenceError(f"{row[0]} ({label})")
    # Not OR IGNORE, which would also skip rows that break other constraints.
    connection.execute(f"INSERT INTO main.{table} SELECT * FROM ({source}) WHERE TRUE ON CONFLICT DO NOTHING")


def _add_runs(connection: sqlite3.Connection, source: Store, merged: Merged) -> None:
    """Add the other file's runs, and the cost of the students that were added, as one cohort."""
    last = None
    for run in source.runs():
        provenance = {key: value for key, value in run.items() if key not in ("started", "finished")}
        provenance["merged from"] = source.path.parent.name
        row = (run["started"], run["finished"], json.dumps(provenance, sort_keys=True))
        last = connection.execute("INSERT INTO runs (started, finished, provenance) VALUES (?, ?, ?)", row).lastrowid
    seconds, examples = (total / sum(merged) for total in source.cost())
    connection.execute(
        "INSERT INTO cohorts (run, students, examples, seconds) VALUES (?, ?, ?, ?)",
        (last, merged.added, round(examples), seconds * merged.added),
    )


def _spec(folder: Folder) -> Spec:
    spec, store = folder.read()
    with store:
        return spec
