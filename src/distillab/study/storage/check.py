"""Checking a study's folder: SQLite's file, the rows of its tables, and their agreement with the study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from distillab.study.folder import Folder
from distillab.study.spec import SearchSpec, Spec
from distillab.study.storage.schema import INVALID
from distillab.study.storage.store import Store
from distillab.study.trials import study_trials


class Condition(NamedTuple):
    """The result of a check."""

    trials: int
    teachers: int
    runs: int
    faults: tuple[str, ...]
    """A sentence each; empty for a sound folder."""


def check(folder: Folder) -> Condition:
    """Check a study's folder.

    The file itself (SQLite's own check), and its rows: every student is complete, has a recorded teacher, belongs to
    this study and was trained on the data of its runs.

    Args:
        folder: of a study.

    Raises:
        RequestError: the folder holds no study, or its file cannot be opened.
    """
    spec, store = folder.open()
    with store:
        faults = list(store.faults())
        faults = faults or list(invalid_rows(store))
        if faults:
            return Condition(0, 0, 0, tuple(faults))
        seeds, runs = store.seeds(), store.runs()
        teachers = {name for (name,) in store.select("SELECT id FROM teachers")}
        faults += [*_of_trials(store, spec), *strays(store)]
        if isinstance(spec, Spec):  # a search records its teacher at its end
            faults += _of_teachers(store, teachers)
    if isinstance(spec, Spec):
        faults += _of_study(spec, seeds, runs)
    return Condition(len(seeds), len(teachers), len(runs), tuple(faults))


def invalid_rows(store: Store) -> Iterator[str]:
    """Faults of values that distillab never writes.

    Args:
        store: open for reading.
    """
    for table, condition in INVALID.items():
        ((count,),) = store.select(f"SELECT count(*) FROM {table} WHERE {condition}")
        if count:
            yield f"{count:,} rows of {table} have values of other types, or out of range."


def strays(store: Store) -> Iterator[str]:
    """Faults of rows that belong to no recorded student.

    Args:
        store: open for reading.
    """
    for what, table, key in (
        ("epochs", "epoch_values", "number"),
        ("metrics", "metric_values", "number"),
        ("confusion counts", "confusions", "id"),
        ("details", "details", "id"),
        ("right and wrong test predictions", "test_correct", "id"),
        ("example predictions", "example_predictions", "id"),
    ):
        count = _strays(store, "count(DISTINCT trial)", table, "trial", f"{key} FROM trials")
        if count:
            yield f"There are {what} of {count} student{'s that are' if count > 1 else ' that is'} not recorded."
    if count := _strays(store, "count(*)", "trials", "cell", "number FROM cells"):
        yield f"There are {count} students whose settings are not recorded."
    if count := _strays(store, "count(*)", "metric_values", "metric", "number FROM metric_names"):
        yield f"There are {count} values of metrics without a name."


def _strays(store: Store, counted: str, table: str, column: str, keys: str) -> int:
    ((count,),) = store.select(f"SELECT {counted} FROM {table} WHERE {column} NOT IN (SELECT {keys})")
    return int(count)


def _of_trials(store: Store, spec: Spec | SearchSpec) -> Iterator[str]:
    """Students with missing rows, or with rows that they should not have."""
    lengths = dict(store.select(_PLANNED_EPOCHS))
    splits = ("validation", "test") if isinstance(spec, SearchSpec) else ("test",)
    metric = spec.metric if isinstance(spec, SearchSpec) else spec.objective.metric
    evaluated = {number for split in splits for (number,) in store.select(_WITH_METRIC, (split, metric))}
    epochs = dict(store.select("SELECT trial, count(*) FROM epoch_values GROUP BY trial"))
    with_metrics = {number for (number,) in store.select(_DIVERGED_WITH_METRICS)}
    for number, name, cell, diverged_epoch in store.select("SELECT number, id, cell, diverged_epoch FROM trials"):
        if diverged_epoch is not None:
            if number in with_metrics:
                yield f"Student {name} diverged, and has metrics."
            continue
        if number not in evaluated:
            yield f"Student {name} is finished, and has no {' or '.join(splits)} {metric}."
        length, recorded = lengths.get(cell), epochs.get(number, 0)
        if length is not None and recorded != length:
            yield f"Student {name} has {recorded} of {length} epochs."


_PLANNED_EPOCHS = (
    "SELECT number, coalesce(json_extract(settings, '$.snapshot'), json_extract(settings, '$.epochs')) FROM cells"
)
_WITH_METRIC = "SELECT trial FROM metric_names JOIN metric_values ON metric = number WHERE split = ? AND name = ?"
_DIVERGED_WITH_METRICS = (
    "SELECT number FROM trials WHERE diverged_epoch IS NOT NULL AND EXISTS (SELECT 1 FROM metric_names "
    "JOIN metric_values ON metric = metric_names.number WHERE trial = trials.number)"
)


def _of_teachers(store: Store, teachers: set[str]) -> Iterator[str]:
    for name, teacher in store.select("SELECT id, teacher FROM trials"):
        if teacher not in teachers:
            yield f"Student {name} learned from teacher {teacher}, which is not recorded."


def _of_study(spec: Spec, seeds: dict[str, int], runs: list[dict[str, object]]) -> Iterator[str]:
    """Students that this study, on the data of its runs, does not plan."""
    digests = {str(data["digest"]) for run in runs if isinstance(data := run.get("data"), dict) and "digest" in data}
    if len(digests) > 1:
        yield f"Its runs used {len(digests)} different data sets."
    if not digests or not seeds:
        return
    known = {trial.id for digest in digests for trial in study_trials(spec, digest)}
    strange = sum(name not in known for name, seed in seeds.items() if seed < spec.objective.seeds)
    if strange:
        yield f"{strange:,} students do not belong to this study: they have other settings, data or versions."
