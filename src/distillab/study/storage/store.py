"""The store of a study: one SQLite file that holds every result there is.

The contract. One process writes at a time, under the folder's lock; any number may read. A cohort's results are
recorded in one transaction: after a crash at any moment the file holds whole cohorts, and nothing is recorded twice.
Within `with`, a reader sees the file as it was at the first look; it should not stay long, for a writer waits for it.
Rows are added and never changed. Results (`teachers`, `trials`, `epochs`, `metrics`) are the same for the same study,
whatever the interruptions; `runs` and `cohorts` tell how they came about, and differ. docs/store.md has it in full: the
tables, the versions, and what readers with SQL may count on.
"""

from __future__ import annotations

import gc
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import MAKE_SPACE, RequestError, WorkError
from distillab.study.storage.examples import GalleryExamples, GalleryPredictions, packed_logits, unpacked_logits
from distillab.study.storage.predictions import ValidationPredictions
from distillab.study.storage.records import TeacherResult, TrialResult
from distillab.study.storage.schema import MIGRATIONS, RESULTS, SCHEMA, VERSION
from distillab.study.storage.union import CELLS, INSERT_TRIAL, METRIC_NAMES, DifferenceError, Numbered, unite

APPLICATION = 0x64697374  # "dist", SQLite's own place for saying whose file this is


PATIENCE = 30.0
"""Seconds that a reader and a writer wait for each other."""


class Store:
    """A study's results on disk.

    Args:
        path: the SQLite file; made where missing, unless only for reading.
        read_only: open for reading; the file must exist.

    Raises:
        RequestError: the file is missing, damaged, of a newer version, or not distillab's.
        WorkError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self._read_only = path, read_only
        if path.exists() and not path.is_file():
            raise RequestError(f"{path} is not a file. Move it away, or choose another folder with --out.")
        if read_only and not path.exists():
            raise RequestError(f"{path.parent} holds no study: {path.name} is missing. Run 'distillab run' first.")
        with _clear_errors(path):
            self._connection = _sound(path) if read_only else _connect(path, "rwc")
            try:
                if not read_only:  # EXTRA: no loss of power takes back what was recorded
                    self._connection.execute("PRAGMA synchronous = EXTRA")
                self._open(new=not read_only)
                if not read_only:  # unless another program has changed it, it is so already
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            except BaseException:
                self._connection.close()
                raise

    def _open(self, *, new: bool) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (page,) = self._connection.execute("PRAGMA page_size").fetchone()
        if tables and self.path.stat().st_size % page:  # SQLite itself would read zeros for what is missing
            raise sqlite3.DatabaseError("its last page is cut short")
        if application == 0 and tables == 0 and new:
            statements = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            self._connection.executescript(f"BEGIN; {SCHEMA} {statements} COMMIT;")
        elif application == 0 and tables == 0:
            raise RequestError(
                f"{self.path} is empty: what it held is lost. Put a copy of it back, or delete it to begin again."
            )
        elif application != APPLICATION:
            raise RequestError(f"{self.path} is not a distillab study. Choose another folder with --out.")
        elif not 1 <= version <= VERSION:
            raise RequestError(
                f"{self.path} has version {version}, and this distillab reads versions up to {VERSION}. Install a "
                "newer distillab, or choose another folder with --out."
            )
        elif version < VERSION:
            if not new:  # a copy is brought up to date, one that SQLite keeps aside; the file stays as it is
                self._connection = _copied(self._connection)
            self._bring_up_to_date(version)

    def _bring_up_to_date(self, version: int) -> None:
        """Go from version to version, a transaction each: what fails or is killed on the way leaves the older file."""
        try:
            for older in range(version, VERSION):
                statements = f"{MIGRATIONS[older]} PRAGMA user_version = {older + 1};"
                self._connection.executescript(f"BEGIN IMMEDIATE; {statements} COMMIT;")
        except BaseException:
            self._connection.close()  # which takes back what was half done
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        if self._read_only:  # what is read in several queries belongs together, though a run goes on recording
            self._connection.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _clear_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has rolled back where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with _clear_errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def _each(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        return self._connection.execute(query, parameters)

    def select(self, query: str) -> list[Any]:
        """The rows that a query of the caller's finds, over the tables and views that the contract names."""
        return self._rows(query)

    def begin_run(self, started: str, provenance: Mapping[str, Any]) -> int:
        """Note that a run begins, and return its number."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO runs (started, provenance) VALUES (?, ?)", (started, _text(provenance))
            )
            return int(cursor.lastrowid or 0)

    def end_run(self, run: int, finished: str) -> None:
        """Note that a run came to its end."""
        with self._transaction() as connection:
            connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (finished, run))

    def add_teacher(self, record: TeacherResult) -> None:
        """Record a trained teacher."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO teachers VALUES (?, ?, ?, ?, ?)",
                (record.id, _text(record.settings), record.weights, record.examples, _text(record.metrics)),
            )
            rows = [(record.id, epoch, loss) for epoch, loss in enumerate(record.losses)]
            connection.executemany("INSERT INTO teacher_epochs VALUES (?, ?, ?)", rows)

    def add_shown(self, examples: GalleryExamples, teachers: Mapping[str, NDArray[np.float32]]) -> None:
        """Record the examples that are shown, and teachers' logits for them; what is there already stays."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO examples VALUES (?, ?, ?, ?, ?, ?)", (examples.id, *examples.packed())
            )
            rows = [(name, examples.id, *packed_logits(logits)) for name, logits in teachers.items()]
            connection.executemany("INSERT OR IGNORE INTO teacher_shown VALUES (?, ?, ?, ?)", rows)

    def add_cohort(
        self, records: Sequence[TrialResult], *, run: int, students: int, examples: int, seconds: float
    ) -> None:
        """Record the results of a cohort, all or nothing.

        Args:
            records: of its students; more than one of a student that was measured at several epochs.
            run: the run that trained them.
            students: how many were trained.
            examples: training examples that one student saw, over all epochs.
            seconds: wall-clock time of the training, compilation included.
        """
        with self._transaction() as connection:
            metric, cell = Numbered(connection, METRIC_NAMES), Numbered(connection, CELLS)
            values: list[tuple[int, int, float]] = []
            for record in records:
                told = _text(record.coordinates), _text(record.settings)
                state = "finished" if record.diverged_epoch is None else "diverged"
                place = (record.seed, record.alpha, cell[told], record.teacher, state, record.diverged_epoch)
                number = connection.execute(INSERT_TRIAL, (record.id, *place, record.last_finite_loss)).lastrowid or 0
                values += [(metric[key], number, value) for key, value in record.metrics.items()]
                epochs = [(number, epoch, *figures) for epoch, figures in enumerate(record.epochs)]
                connection.executemany("INSERT INTO epoch_values VALUES (?, ?, ?, ?, ?, ?)", epochs)
                if record.confusion is not None:
                    row = (record.id, json.dumps(record.confusion, separators=(",", ":")))
                    connection.execute("INSERT INTO confusions VALUES (?, ?)", row)
                if record.answers is not None:
                    connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (record.id, *record.answers.packed()))
                if record.reliability is not None:
                    row = (record.id, json.dumps(record.reliability, separators=(",", ":")))
                    connection.execute("INSERT INTO reliability VALUES (?, ?)", row)
                if record.shown is not None:
                    packed = (record.id, *record.shown.packed())
                    connection.execute("INSERT INTO shown VALUES (?, ?, ?, ?, ?)", packed)
            connection.executemany("INSERT INTO metric_values VALUES (?, ?, ?)", sorted(values, key=itemgetter(0, 1)))
            connection.execute(
                "INSERT INTO cohorts (run, students, examples, seconds) VALUES (?, ?, ?, ?)",
                (run, students, examples, seconds),
            )

    def take_from(self, other: Store) -> tuple[int, int]:
        """Add what another store holds and this one lacks, all or nothing.

        Args:
            other: of the same study.

        Returns:
            How many students were added, and how many were here already.

        Raises:
            RequestError: a student or teacher that both hold has different results; nothing has been added.
        """
        with self._transaction() as connection:
            try:
                added, known = unite(connection, other._connection)
            except DifferenceError as error:
                raise RequestError(
                    f"{other.path.parent} and {self.path.parent} hold different results of {error}: they were trained "
                    "on machines that round differently, or one is damaged. They cannot be merged."
                ) from None
            last = None
            for run in other.runs() if added else []:
                told = {key: value for key, value in run.items() if key not in ("started", "finished")}
                entry = (run["started"], run["finished"], _text(told | {"merged from": other.path.parent.name}))
                last = connection.execute("INSERT INTO runs (started, finished, provenance) VALUES (?, ?, ?)", entry)
            if added:  # what they cost there, as one cohort
                seconds, examples = (total / (added + known) for total in other.cost())
                cost = (last.lastrowid if last else None, added, round(examples), seconds * added)
                connection.execute("INSERT INTO cohorts (run, students, examples, seconds) VALUES (?, ?, ?, ?)", cost)
        return added, known

    def faults(self) -> list[str]:
        """What SQLite's own check finds wrong with the file; nothing, as a rule."""
        with _clear_errors(self.path):
            found = [row[0] for row in self._connection.execute("PRAGMA integrity_check(5)").fetchall()]
        return [] if found == ["ok"] else [f"{self.path.name}: {' '.join(str(line).split())}" for line in found]

    def done(self) -> set[str]:
        """Identities of the recorded trials."""
        return set(self.seeds())

    def seeds(self) -> dict[str, int]:
        """The seed of every recorded trial."""
        return dict(self._rows("SELECT id, seed FROM trials"))

    def teachers(self) -> dict[str, TeacherResult]:
        """The recorded teachers, by identity."""
        losses: dict[str, list[float]] = {}
        for name, loss in self._rows("SELECT teacher, loss FROM teacher_epochs ORDER BY teacher, epoch"):
            losses.setdefault(name, []).append(loss)
        return {
            name: TeacherResult(
                name, json.loads(settings), weights, examples, json.loads(metrics), losses.get(name, [])
            )
            for name, settings, weights, examples, metrics in self._rows("SELECT * FROM teachers ORDER BY id")
        }

    def trials(self, *, metrics: Collection[tuple[str, str]] | None = None, epochs: bool = True) -> list[TrialResult]:
        """The recorded trials, ordered by seed and identity; those of one cell share their mappings.

        Args:
            metrics: those to read, by split and name; None: all. Of a large study that is most of the work.
            epochs: whether to read them.
        """
        with _clear_errors(self.path), _no_collection():
            rows = self._rows(
                "SELECT number, id, seed, alpha, cell, teacher, diverged_epoch, last_finite_loss FROM trials "
                "ORDER BY number"
            )
            cells = {
                number: (json.loads(coordinates), json.loads(settings))
                for number, coordinates, settings in self._rows("SELECT number, coordinates, settings FROM cells")
            }
            measured: defaultdict[int, dict[tuple[str, str], float]] = defaultdict(dict)
            for metric, split, name in self._rows("SELECT number, split, name FROM metric_names ORDER BY number"):
                key = split, name
                if metrics is None or key in metrics:
                    for trial, value in self._each("SELECT trial, value FROM metric_values WHERE metric = ?", [metric]):
                        measured[trial][key] = value
            history = self._history() if epochs else defaultdict(tuple)
            trials = [  # first made, then sorted: those of a cell, mostly read together, lie together in memory
                TrialResult(name, seed, alpha, *cells[cell], teacher, history[number], measured[number], epoch, last)
                for number, name, seed, alpha, cell, teacher, epoch, last in rows
            ]
            trials.sort(key=attrgetter("seed", "id"))
            return trials

    def _history(self) -> Mapping[int, Sequence[tuple[float, float, float, float]]]:
        """Every trial's epochs, by its number."""
        history: defaultdict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
        query = "SELECT trial, loss, hard, soft, validation_accuracy FROM epoch_values ORDER BY trial, epoch"
        nan = math.nan  # which NULL holds
        for trial, loss, hard, soft, accuracy in self._each(query):
            history[trial].append(
                (
                    nan if loss is None else loss,
                    nan if hard is None else hard,
                    nan if soft is None else soft,
                    nan if accuracy is None else accuracy,
                )
            )
        return history

    def confusions(self) -> dict[str, list[list[int]]]:
        """Counts of the students' test answers by trial: a row a label, a column an answer."""
        rows = self._rows("SELECT trial, counts FROM confusions ORDER BY trial")
        return {trial: json.loads(counts) for trial, counts in rows}

    def answers(self) -> dict[str, ValidationPredictions]:
        """The validation answers that are kept, by trial."""
        rows = self._rows("SELECT * FROM answers ORDER BY trial")
        return {trial: ValidationPredictions.unpacked(*packed) for trial, *packed in rows}

    def reliability(self) -> dict[str, list[list[float]]]:
        """Bins of confidence by trial; see `TrialRecord`."""
        rows = self._rows("SELECT trial, bins FROM reliability ORDER BY trial")
        return {trial: json.loads(bins) for trial, bins in rows}

    def examples(self) -> dict[str, GalleryExamples]:
        """The examples that are shown, by identity."""
        rows = self._rows("SELECT * FROM examples ORDER BY id")
        return {name: GalleryExamples.unpacked(*packed) for name, *packed in rows}

    def shown(self) -> dict[str, GalleryPredictions]:
        """Students' answers to the shown examples, by trial."""
        rows = self._rows("SELECT * FROM shown ORDER BY trial")
        return {trial: GalleryPredictions.unpacked(*packed) for trial, *packed in rows}

    def teacher_shown(self) -> dict[tuple[str, str], NDArray[np.float16]]:
        """Teachers' logits for the shown examples, by teacher and examples."""
        rows = self._rows("SELECT * FROM teacher_shown ORDER BY teacher, examples")
        return {(teacher, examples): unpacked_logits(*packed) for teacher, examples, *packed in rows}

    def classes(self) -> int | None:
        """C, counted in the test answers of any student; None where there are none."""
        rows = self._rows("SELECT counts FROM confusions LIMIT 1")
        return len(json.loads(rows[0][0])) if rows else None

    def runs(self) -> list[dict[str, Any]]:
        """Every run there was: when, with what, and whether it came to its end."""
        rows = self._rows("SELECT started, finished, provenance FROM runs ORDER BY id")
        return [{"started": a, "finished": b, **json.loads(provenance)} for a, b, provenance in rows]

    def cost(self) -> tuple[float, int]:
        """Seconds spent on training cohorts, and training examples shown to students."""
        ((seconds, examples),) = self._rows("SELECT total(seconds), total(students * examples) FROM cohorts")
        return float(seconds), int(examples)

    def results(self) -> dict[str, list[Any]]:
        """The rows of all results, sorted: equal for equal results."""
        return {
            table: sorted(self._rows(query), key=itemgetter(*range(key))) for table, (query, key) in RESULTS.items()
        }


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=PATIENCE)


def _sound(path: Path) -> sqlite3.Connection:
    """Open a file for reading; what a killed writer left half done in it is taken back first."""
    try:
        return _looked(_connect(path, "ro"))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
    try:
        _looked(_connect(path, "rw")).close()  # SQLite rolls back with the first look
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        raise WorkError(
            f"{path} was being written when its run was killed, and what was half done must be taken back first, which "
            f"needs a folder that may be written. Copy {path.parent} to such a place, whole, and read it there."
        ) from error
    return _looked(_connect(path, "ro"))


def _looked(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same file in a temporary one of SQLite's own, which goes when it is closed."""
    copy = sqlite3.connect("", isolation_level=None)
    connection.backup(copy)
    connection.close()
    return copy


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let the collector rest while millions of objects are made and none is dropped: it would double the time."""
    rests = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if rests:
            gc.enable()


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Say in one line what SQLite could not do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise WorkError(f"{path} cannot be used: {error}. {_advice(path, error)}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what SQLite itself wanted to say
        raise RequestError(
            f"{path} is damaged or not a distillab study: {error}. Put a copy of it back, or choose another folder."
        ) from error


def _advice(path: Path, error: sqlite3.OperationalError) -> str:
    """What to do about an error of SQLite's."""
    code = error.sqlite_errorcode
    if code == sqlite3.SQLITE_READONLY_DBMOVED or not path.exists():
        return "It was moved or deleted while it was in use, or its folder was; put it back and give the command again."
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return MAKE_SPACE
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return f"Another program has kept it for {PATIENCE:g} s. Close that, and give the command again."
    return "Check the disk's space and the folder's permissions."
