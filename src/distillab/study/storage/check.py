"""Is a study's folder whole: does the file hold what its contract says, and do the files beside it belong to it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.damage import told_as_damage
from distillab.study.storage.store import Store
from distillab.study.trials import trials as planned


class Condition(NamedTuple):
    """What a check has found."""

    trials: int
    teachers: int
    runs: int
    faults: tuple[str, ...]
    """In a sentence each; none where all is well."""


def check(folder: Folder) -> Condition:
    """Check a study's folder.

    The file itself (SQLite's own check), the rows (every student complete, of a recorded teacher, of this study and
    trained on the data of its runs), and the files of teachers.

    Args:
        folder: of a study.

    Raises:
        RequestError: the folder holds no study, or its file cannot be opened.
    """
    spec, store = folder.read()
    with store, told_as_damage(store.path):
        faults = list(store.faults())
        if faults:
            return Condition(0, 0, 0, tuple(faults))
        seeds, runs = store.seeds(), store.runs()
        teachers = {name for (name,) in store.select("SELECT id FROM teachers")}
        faults += [*_of_types(store), *_of_trials(store), *_of_teachers(store, teachers), *_strays(store)]
    faults += _of_study(spec, seeds, runs)
    return Condition(len(seeds), len(teachers), len(runs), tuple(faults))


_NUMBER = "typeof({0}) NOT IN ('real', 'integer', 'null')"  # NULL holds what is not a number
_ILL_TYPED = {
    "trials": "typeof(id) <> 'text' OR typeof(teacher) <> 'text' OR typeof(seed) <> 'integer' OR "
    "typeof(alpha) NOT IN ('real', 'integer') OR alpha NOT BETWEEN 0 AND 1 OR "
    "typeof(diverged_epoch) NOT IN ('integer', 'null')",
    "metric_values": _NUMBER.format("value"),
    "epoch_values": " OR ".join(_NUMBER.format(name) for name in ("loss", "hard", "soft", "validation_accuracy")),
    "cells": "NOT json_valid(coordinates) OR NOT json_valid(settings)",
    "teachers": "NOT json_valid(settings) OR NOT json_valid(metrics)",
}


def _of_types(store: Store) -> Iterator[str]:
    """Rows that no study wrote: SQLite takes a word where a number belongs."""
    for table, wrong in _ILL_TYPED.items():
        ((count,),) = store.select(f"SELECT count(*) FROM {table} WHERE {wrong}")
        if count:
            yield f"{count:,} rows of {table} hold what no study writes: values of other types, or out of range."


def _of_trials(store: Store) -> Iterator[str]:
    """Students that lack what they should have, or have what they should not."""
    lengths = {number: _epochs(settings) for number, settings in store.select("SELECT number, settings FROM cells")}
    with_accuracy = {number for (number,) in store.select(_WITH_ACCURACY)}
    epochs = dict(store.select("SELECT trial, count(*) FROM epoch_values GROUP BY trial"))
    ill = {number for (number,) in store.select(_DIVERGED_WITH_METRICS)}
    for number, name, cell, diverged_epoch in store.select("SELECT number, id, cell, diverged_epoch FROM trials"):
        if diverged_epoch is not None:
            if number in ill:
                yield f"Student {name} diverged, and has metrics."
            continue
        if number not in with_accuracy:
            yield f"Student {name} is finished, and has no test accuracy."
        planned_epochs, there = lengths.get(cell), epochs.get(number, 0)
        if planned_epochs is not None and there != planned_epochs:
            yield f"Student {name} has {there} of {planned_epochs} epochs."


_WITH_ACCURACY = (
    "SELECT trial FROM metric_names JOIN metric_values ON metric = number WHERE split = 'test' AND name = 'accuracy'"
)
_DIVERGED_WITH_METRICS = (
    "SELECT number FROM trials WHERE diverged_epoch IS NOT NULL AND EXISTS (SELECT 1 FROM metric_names "
    "JOIN metric_values ON metric = metric_names.number WHERE trial = trials.number)"
)


def _epochs(settings: str) -> int | None:
    told: dict[str, int | None] = json.loads(settings)
    return told.get("snapshot") or told.get("epochs")


def _of_teachers(store: Store, teachers: set[str]) -> Iterator[str]:
    for name, teacher in store.select("SELECT id, teacher FROM trials"):
        if teacher not in teachers:
            yield f"Student {name} learned from teacher {teacher}, which is not recorded."


def _strays(store: Store) -> Iterator[str]:
    """Rows that belong to no student."""
    for what, table, key in (
        ("epochs", "epoch_values", "number"),
        ("metrics", "metric_values", "number"),
        ("confusion counts", "confusions", "id"),
        ("shown answers", "shown", "id"),
    ):
        query = f"SELECT count(DISTINCT trial) FROM {table} WHERE trial NOT IN (SELECT {key} FROM trials)"
        ((count,),) = store.select(query)
        if count:
            yield f"There are {what} of {count} student{'s that are' if count > 1 else ' that is'} not recorded."
    ((count,),) = store.select("SELECT count(*) FROM trials WHERE cell NOT IN (SELECT number FROM cells)")
    if count:
        yield f"There are {count} students whose settings are not recorded."


def _of_study(spec: Spec, seeds: dict[str, int], runs: list[dict[str, object]]) -> Iterator[str]:
    """Students whose identity is none of this study's, on the data of its runs."""
    digests = {str(data["digest"]) for run in runs if isinstance(data := run.get("data"), dict) and "digest" in data}
    if len(digests) > 1:
        yield f"Its runs used {len(digests)} different data sets."
    if not digests or not seeds:
        return
    known = {trial.id for digest in digests for trial in planned(spec, digest)}
    strange = sum(name not in known for name, seed in seeds.items() if seed < spec.objective.seeds)
    if strange:
        yield f"{strange:,} students are none of this study's: of other settings, data or another version."
