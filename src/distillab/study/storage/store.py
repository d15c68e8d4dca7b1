"""The store of a study: one SQLite file that holds every result.

The contract. One process writes at a time, under the folder's lock; any number may read. A cohort's results are
recorded in one transaction: after a crash at any moment the file holds whole cohorts, and nothing is recorded twice.
Within `with`, a reader sees the file as it was at its first query; a writer waits until it leaves. Rows are added and
never changed. The results of a study do not depend on interruptions; `runs` and `cohorts` describe how they were
made, and do. docs/store.md has the tables, and what readers with SQL may rely on.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from distillab.study.storage.connection import connect, corrupt, sqlite_errors
from distillab.study.storage.records import (
    GalleryExamples,
    GalleryPredictions,
    TeacherResult,
    TrialResult,
    ValidationExamples,
    ValidationPredictions,
    ValidationResults,
)
from distillab.study.storage.schema import INVALID, RESULTS

T = TypeVar("T")

_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, zlib.error)
"""What JSON, zlib and NumPy raise for content that distillab did not write."""

_INSERT_CELL = "INSERT INTO cells (coordinates, settings) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_TRIAL = (
    "INSERT INTO trials (id, seed, alpha, cell, teacher, state, diverged_epoch, last_finite_loss) "
    "VALUES (?, ?, ?, (SELECT number FROM cells WHERE coordinates = ? AND settings = ?), ?, ?, ?, ?)"
)


class Store:
    """A study's results on disk.

    Every method that reads raises `RequestError` where the file is corrupt; every method raises `WorkError` where
    SQLite cannot do its work, for example on a full disk.

    Args:
        path: the SQLite file; created where it is missing, unless only for reading.
        read_only: open for reading; the file must exist.

    Raises:
        RequestError: the file is missing, corrupt, of another schema, or not distillab's.
        WorkError: the file cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path, self._read_only = Path(path), read_only
        self._connection = connect(self.path, read_only=read_only)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        if self._read_only:  # several queries see the same state while a run goes on recording
            self._connection.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all or nothing, through the connection that this yields."""
        with sqlite_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:  # an interrupt too must not leave half of it
                if self._connection.in_transaction:  # SQLite itself has rolled back where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def select(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query over the tables and views of docs/store.md.

        Args:
            query, parameters: in SQL, and for its question marks.
        """
        with sqlite_errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def begin_run(self, started: str, provenance: Mapping[str, Any]) -> int:
        """Record the start of a run; gives its number.

        Args:
            started: the time, ISO 8601.
            provenance: versions, machine, data and command.
        """
        row = started, _text(provenance)
        with self.transaction() as connection:
            return connection.execute("INSERT INTO runs (started, provenance) VALUES (?, ?)", row).lastrowid or 0

    def end_run(self, run: int, finished: str) -> None:
        """Record the end of a run.

        Args:
            run, finished: its number, and the time, ISO 8601.
        """
        with self.transaction() as connection:
            connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (finished, run))

    def add_teacher(self, record: TeacherResult) -> None:
        """Record a trained teacher.

        Args:
            record: not yet in the store.
        """
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO teachers VALUES (?, ?, ?, ?, ?)",
                (record.id, _text(record.settings), record.weights, record.examples, _text(record.metrics)),
            )
            rows = [(record.id, epoch, loss) for epoch, loss in enumerate(record.losses)]
            connection.executemany("INSERT INTO teacher_epochs VALUES (?, ?, ?)", rows)

    def add_examples(self, examples: GalleryExamples, teachers: Mapping[str, NDArray[np.float16]]) -> None:
        """Record the gallery's examples and teachers' predictions for them; rows that exist stay.

        Args:
            examples: K of them.
            teachers: `gallery_outputs` by teacher, shape (K, C).
        """
        with self.transaction() as connection:
            inputs = np.ascontiguousarray(examples.inputs, examples.inputs.dtype.newbyteorder("<"))
            described = (examples.id, inputs.dtype.str, json.dumps(inputs.shape), examples.scale)
            row = (*described, _packed(inputs), _packed(examples.labels, "<i2"))
            connection.execute("INSERT OR IGNORE INTO examples VALUES (?, ?, ?, ?, ?, ?)", row)
            rows = [(name, row[0], logits.shape[1], _packed(logits, "<f2")) for name, logits in teachers.items()]
            connection.executemany("INSERT OR IGNORE INTO teacher_example_predictions VALUES (?, ?, ?, ?)", rows)

    def add_validation_examples(self, examples: str, teachers: Mapping[str, ValidationExamples]) -> None:
        """Record what teachers predict for the validation examples; rows that exist stay.

        Args:
            examples: `Settings.validation_rows`.
            teachers: by identity.
        """
        rows = [
            (name, examples, of.probabilities.shape[1], _packed(of.probabilities, "<f2"), _packed(of.trusted, "u1"))
            for name, of in teachers.items()
        ]
        with self.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO validation_examples VALUES (?, ?, ?, ?, ?)", rows)

    def add_cohort(
        self, records: Sequence[TrialResult], *, run: int, students: int, examples: int, seconds: float
    ) -> None:
        """Record the results of a cohort, all or nothing.

        Args:
            records: several for a student that was evaluated at several epochs.
            run: the number of the run that trained them.
            students, examples, seconds: as in `CohortResult`.
        """
        with self.transaction() as connection:
            names = dict.fromkeys(key for record in records for key in record.metrics)
            connection.executemany("INSERT INTO metric_names (split, name) VALUES (?, ?) ON CONFLICT DO NOTHING", names)
            rows = connection.execute("SELECT number, split, name FROM metric_names")
            metric = {(split, name): number for number, split, name in rows}
            values: list[tuple[int, int, float]] = []
            for record in records:
                cell = _text(record.coordinates), _text(record.settings)
                connection.execute(_INSERT_CELL, cell)
                state = "finished" if record.diverged_epoch is None else "diverged"
                end = (record.teacher, state, record.diverged_epoch, record.last_finite_loss)
                row = (record.id, record.seed, record.alpha, *cell, *end)
                number = connection.execute(_INSERT_TRIAL, row).lastrowid or 0
                values += [(metric[key], number, value) for key, value in record.metrics.items()]
                epochs = [(number, epoch, *figures) for epoch, figures in enumerate(record.epochs)]
                connection.executemany("INSERT INTO epoch_values VALUES (?, ?, ?, ?, ?, ?)", epochs)
                for table, (field, encode, _) in _BY_TRIAL.items():
                    if (value := getattr(record, field)) is not None:
                        columns = (record.id, *encode(value))
                        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", columns)
            connection.executemany("INSERT INTO metric_values VALUES (?, ?, ?)", sorted(values, key=itemgetter(0, 1)))
            connection.execute(
                "INSERT INTO cohorts (run, students, examples, seconds) VALUES (?, ?, ?, ?)",
                (run, students, examples, seconds),
            )

    def faults(self) -> list[str]:
        """What SQLite's own check reports; empty for a sound file."""
        lines = [row[0] for row in self.select("PRAGMA integrity_check(5)")]
        return [] if lines == ["ok"] else [f"{self.path.name}: {' '.join(str(line).split())}" for line in lines]

    def done(self) -> set[str]:
        """Identities of the recorded trials."""
        return set(self.seeds())

    def seeds(self) -> dict[str, int]:
        """Seed of every recorded trial, by identity."""
        return dict(self.select("SELECT id, seed FROM trials"))

    def teachers(self) -> dict[str, TeacherResult]:
        """The recorded teachers, by identity."""
        self._validate("teacher_epochs")
        losses: defaultdict[str, list[float]] = defaultdict(list)
        for name, loss in self.select("SELECT teacher, loss FROM teacher_epochs ORDER BY teacher, epoch"):
            losses[name].append(loss)
        teachers = {}
        for name, text, weights, examples, metrics in self.select("SELECT * FROM teachers ORDER BY id"):
            settings, values = self._decode(_mapping, text), self._decode(_numbers, metrics)
            teachers[name] = TeacherResult(name, settings, weights, examples, values, losses.get(name, []))
        return teachers

    def trials(self, *, metrics: Collection[tuple[str, str]] | None = None, epochs: bool = True) -> list[TrialResult]:
        """The recorded trials, ordered by seed and identity; those of one cell share their mappings.

        Args:
            metrics: those to read, by split and name; None: all. In a large study they are most of the work.
            epochs: whether to read the epochs.
        """
        with sqlite_errors(self.path), _without_garbage_collection():
            self._validate("trials")
            columns = "number, id, seed, alpha, cell, teacher, diverged_epoch, last_finite_loss"
            rows = self.select(f"SELECT {columns} FROM trials ORDER BY number")
            cells = {
                number: (self._decode(_mapping, coordinates), self._decode(_mapping, settings))
                for number, coordinates, settings in self.select("SELECT number, coordinates, settings FROM cells")
            }
            if missing := {row[4] for row in rows} - cells.keys():
                raise corrupt(self.path, f"trials have no settings: cell {missing.pop()} is missing")
            measured: defaultdict[int, dict[tuple[str, str], float]] = defaultdict(dict)
            for metric, split, name in self.select("SELECT number, split, name FROM metric_names ORDER BY number"):
                key = split, name
                if metrics is None or key in metrics:
                    self._validate("metric_values", f"metric = {metric}")
                    query = "SELECT trial, value FROM metric_values WHERE metric = ?"
                    for trial, value in self._connection.execute(query, [metric]):
                        measured[trial][key] = value
            history = self._history() if epochs else defaultdict(tuple)
            trials = [  # made before they are sorted: trials of a cell, mostly read together, are close in memory
                TrialResult(name, seed, alpha, *cells[cell], teacher, history[number], measured[number], epoch, last)
                for number, name, seed, alpha, cell, teacher, epoch, last in rows
            ]
            trials.sort(key=attrgetter("seed", "id"))
            return trials

    def _history(self) -> Mapping[int, Sequence[tuple[float, float, float, float]]]:
        """Every trial's epochs, by its number."""
        self._validate("epoch_values")
        history: defaultdict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
        columns = "trial, loss, label_loss, distillation_loss, validation_accuracy"
        query = f"SELECT {columns} FROM epoch_values ORDER BY trial, epoch"
        nan = math.nan  # stored as NULL
        for trial, *values in self._connection.execute(query):
            if None in values:
                values = [nan if value is None else value for value in values]
            history[trial].append(tuple(values))
        return history

    def confusions(self) -> dict[str, list[list[int]]]:
        """Counts of test predictions by trial: a row a label, a column a predicted class."""
        return self._by_trial("confusions")

    def reliability(self) -> dict[str, list[list[float]]]:
        """Bins of confidence by trial; see `TrialResult`."""
        return self._by_trial("reliability")

    def details(self) -> dict[str, dict[str, Any]]:
        """What a page draws of test predictions, by trial; see `distillab.tasks.detail`."""
        return self._by_trial("details")

    def test_correct(self) -> dict[str, NDArray[np.bool_]]:
        """Whether each test prediction is right, by trial, shape (M,)."""
        return self._by_trial("test_correct")

    def validation_predictions(self) -> dict[str, ValidationPredictions]:
        """The recorded validation predictions, by trial."""
        return self._by_trial("validation_predictions")

    def validation(self) -> ValidationResults:
        """What is recorded of the validation data besides metrics."""
        rows = self.select("SELECT * FROM validation_examples ORDER BY teacher, examples")
        examples = {(teacher, name): self._decode(_validation, *packed) for teacher, name, *packed in rows}
        return ValidationResults(self.validation_predictions(), examples)

    def examples(self) -> dict[str, GalleryExamples]:
        """The gallery's examples, by identity."""
        rows = self.select("SELECT * FROM examples ORDER BY id")
        return {name: self._decode(_examples, *columns) for name, *columns in rows}

    def example_predictions(self) -> dict[str, GalleryPredictions]:
        """Students' predictions for the gallery's examples, by trial."""
        return self._by_trial("example_predictions")

    def teacher_example_predictions(self) -> dict[tuple[str, str], NDArray[np.float16]]:
        """Teachers' logits for the gallery's examples, by teacher and identity of the examples; shape (K, C)."""
        rows = self.select("SELECT * FROM teacher_example_predictions ORDER BY teacher, examples")
        return {(teacher, examples): self._decode(_logits, *packed) for teacher, examples, *packed in rows}

    def classes(self) -> int | None:
        """C, from any student's confusion counts; None without any."""
        rows = self.select("SELECT counts FROM confusions LIMIT 1")
        return len(self._decode(_matrix, *rows[0])) if rows else None

    def runs(self) -> list[dict[str, Any]]:
        """Every run: start, end (None without one) and provenance."""
        rows = self.select("SELECT started, finished, provenance FROM runs ORDER BY id")
        return [
            {"started": started, "finished": finished, **self._decode(_mapping, text)}
            for started, finished, text in rows
        ]

    def numerics(self) -> set[int | None]:
        """Versions of the engine's numerics that trained the recorded students; None: from before they were noted."""
        rows = self.select("SELECT provenance FROM runs WHERE id IN (SELECT run FROM cohorts)")
        return {self._decode(_mapping, text).get("numerics") for (text,) in rows}

    def cost(self) -> tuple[float, int]:
        """Seconds spent on training cohorts, and training examples that students saw."""
        ((seconds, examples),) = self.select("SELECT total(seconds), total(students * examples) FROM cohorts")
        return float(seconds), int(examples)

    def results(self) -> dict[str, list[Any]]:
        """The rows of all results, in an order that is the same for equal results."""
        return {table: sorted(self.select(query), key=repr) for table, query in RESULTS.items()}

    def _by_trial(self, table: str) -> dict[str, Any]:
        decode = _BY_TRIAL[table][2]
        rows = self.select(f"SELECT * FROM {table} ORDER BY trial")
        return {trial: self._decode(decode, *columns) for trial, *columns in rows}

    def _decode(self, decode: Callable[..., T], *columns: Any) -> T:
        try:
            return decode(*columns)
        except _UNREADABLE as error:
            raise corrupt(self.path, f"{type(error).__name__}: {error}") from error

    def _validate(self, table: str, rows: str = "TRUE") -> None:
        """Refuse rows of a table with values of types or ranges that distillab never writes."""
        if self.select(f"SELECT 1 FROM {table} WHERE {rows} AND ({INVALID[table]}) LIMIT 1"):
            raise corrupt(self.path, f"the table {table} has values of other types, or out of range")


def _packed(array: NDArray[np.generic], kind: str | None = None) -> bytes:
    return zlib.compress(np.ascontiguousarray(array, kind).tobytes(), 6)


def _unpacked(content: bytes, kind: str) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(content), np.dtype(kind))


def _logits(classes: int, content: bytes) -> NDArray[np.float16]:
    return _unpacked(content, "<f2").reshape(-1, classes)


def _validation(classes: int, chances: bytes, trusted: bytes) -> ValidationExamples:
    return ValidationExamples(_logits(classes, chances), _unpacked(trusted, "u1").astype(np.bool_))


def _predictions(classes: int, chances: bytes, labels: bytes) -> ValidationPredictions:
    values = _logits(classes, chances)
    return ValidationPredictions(values, _gallery_labels(len(values), labels))


def _examples(kind: str, shape: str, scale: float, inputs: bytes, labels: bytes) -> GalleryExamples:
    stored = _unpacked(inputs, kind).reshape(json.loads(shape))
    return GalleryExamples(stored, _gallery_labels(len(stored), labels), scale)


def _gallery_labels(examples: int, content: bytes) -> NDArray[np.int16]:
    labels = _unpacked(content, "<i2")
    return labels if len(labels) == examples else labels.reshape(examples, -1)


def _bits(examples: int, content: bytes) -> NDArray[np.bool_]:
    bits = np.unpackbits(_unpacked(content, "u1"))
    if not len(bits) - 8 < examples <= len(bits):
        raise ValueError(f"{len(bits)} bits for {examples} examples")
    return bits[:examples].astype(np.bool_)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


def _mapping(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object belongs here, not {type(value).__name__}")
    return value


def _numbers(text: str) -> dict[str, float]:
    values = _mapping(text)
    if not all(type(value) in (int, float) for value in values.values()):
        raise TypeError("a metric is not a number")
    return values


def _matrix(text: str) -> list[list[Any]]:
    rows = json.loads(text)
    if not (isinstance(rows, list) and all(isinstance(row, list) for row in rows)):
        raise TypeError("a list of lists belongs here")
    return rows


_BY_TRIAL: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]], Callable[..., Any]]] = {
    "confusions": ("confusion", lambda counts: (_compact(counts),), _matrix),
    "reliability": ("reliability", lambda bins: (_compact(bins),), _matrix),
    "test_correct": ("test_correct", lambda correct: (len(correct), _packed(np.packbits(correct))), _bits),
    "details": ("detail", lambda detail: (_compact(detail),), _mapping),
    "validation_predictions": (
        "validation_predictions",
        lambda of: (of.probabilities.shape[1], _packed(of.probabilities, "<f2"), _packed(of.labels, "<i2")),
        _predictions,
    ),
    "example_predictions": (
        "example_predictions",
        lambda of: (of.examples, of.logits.shape[1], _packed(of.labels, "<i2"), _packed(of.logits, "<f2")),
        lambda examples, c, labels, values: GalleryPredictions(
            examples, _gallery_labels(len(_logits(c, values)), labels), _logits(c, values)
        ),
    ),
}
"""By table with at most one row a trial: the field of `TrialResult` that it holds, to its columns, and back."""


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the collector while millions of objects are made and none is dropped: it would double the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
