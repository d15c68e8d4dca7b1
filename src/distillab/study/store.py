"""The store of a study: one SQLite file that holds every result there is.

The contract. One process writes at a time, under the folder's lock; any number may read. A cohort's results are
recorded in one transaction: after a crash at any moment the file holds whole cohorts, and nothing is recorded twice.
Rows are added and never changed. Results (`teachers`, `trials`, `epochs`, `metrics`) are the same for the same study,
whatever the interruptions; `runs` and `cohorts` tell how they came about, and differ.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, WorkError
from distillab.study.kept import KeptAnswers
from distillab.study.schema import MIGRATIONS, RESULT_TABLES, SCHEMA, VERSION
from distillab.study.shown import ShownAnswers, ShownExamples, packed_logits, unpacked_logits

APPLICATION = 0x64697374  # "dist", SQLite's own place for saying whose file this is


_NONE = "SELECT NULL WHERE 0"

_KEYS = dict.fromkeys(RESULT_TABLES, 1) | {"teacher_epochs": 2, "epochs": 2, "metrics": 3, "teacher_shown": 2}
"""How many columns, the first ones, tell a row of each result table from the others."""


@dataclass(frozen=True)
class TrialRecord:
    """A trained student, as it is recorded.

    Args:
        id: the trial's identity.
        seed: its seed.
        alpha: its weight of the hard labels.
        coordinates: its place on the study's axes.
        settings: all its settings.
        teacher: its teacher's identity.
        epochs: per epoch (loss, hard, soft, validation accuracy); nan where a loss is not finite.
        metrics: (split, name) to value; empty for a student that diverged. Of the split "train" there are shares of the
            examples with wrong labels: `recovered` (the student answers the clean label), `memorised` (the wrong one),
            and the teacher's own, `teacher_recovered` and `teacher_memorised`.
        diverged_epoch: the epoch, from 0, of its first loss that was not finite; None where all were.
        last_finite_loss: the loss of its last step that was finite; None where there was none.
        confusion: counts of its test answers, a row a label and a column an answer; None for a student that diverged.
            `Store.trials` leaves it out: `Store.confusions` reads it.
        answers: to the validation examples, of the few students whose answers are kept. `Store.trials` leaves them out:
            `Store.answers` reads them.
        reliability: of its test answers, in bins of confidence of equal width: how many, their mean confidence, the
            share that is right; None where it has no probabilities. `Store.reliability` reads it.
        shown: its answers to the examples that are shown. `Store.shown` reads them.
    """

    id: str
    seed: int
    alpha: float
    coordinates: Mapping[str, Any]
    settings: Mapping[str, Any]
    teacher: str
    epochs: Sequence[tuple[float, float, float, float]]
    metrics: Mapping[tuple[str, str], float]
    diverged_epoch: int | None = None
    last_finite_loss: float | None = None
    confusion: Sequence[Sequence[int]] | None = None
    answers: KeptAnswers | None = None
    reliability: Sequence[Sequence[float]] | None = None
    shown: ShownAnswers | None = None


@dataclass(frozen=True)
class TeacherRecord:
    """A trained teacher, as it is recorded.

    Args:
        id: its identity.
        settings: how it was trained.
        weights: digest of its weights.
        examples: how many training examples it saw.
        metrics: name to value, on the test set.
        losses: mean training loss of each epoch.
    """

    id: str
    settings: Mapping[str, Any]
    weights: str
    examples: int
    metrics: Mapping[str, float]
    losses: Sequence[float]


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
        self.path = path
        if read_only and not path.is_file():
            raise RequestError(f"{path.parent} holds no study: {path.name} is missing. Run 'distillab run' first.")
        with _clear_errors(path):
            address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA synchronous = FULL")
            self._open(new=not read_only)

    def _open(self, *, new: bool) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == 0 and tables == 0 and new:
            statements = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            self._connection.executescript(f"BEGIN; {SCHEMA} {statements} COMMIT;")
        elif application != APPLICATION:
            raise RequestError(f"{self.path} is not a distillab study. Choose another folder with --out.")
        elif not 1 <= version <= VERSION:
            raise RequestError(
                f"{self.path} has version {version}, and this distillab reads versions up to {VERSION}. Install a "
                "newer distillab, or choose another folder with --out."
            )
        elif new:  # an older file is read as it is, and brought up to date before anything is added to it
            for older in range(version, VERSION):
                statements = f"{MIGRATIONS[older]} PRAGMA user_version = {older + 1};"
                self._connection.executescript(f"BEGIN IMMEDIATE; {statements} COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _clear_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has rolled back where the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with _clear_errors(self.path):
            return self._connection.execute(query, parameters).fetchall()

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

    def add_teacher(self, record: TeacherRecord) -> None:
        """Record a trained teacher."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO teachers VALUES (?, ?, ?, ?, ?)",
                (record.id, _text(record.settings), record.weights, record.examples, _text(record.metrics)),
            )
            rows = [(record.id, epoch, loss) for epoch, loss in enumerate(record.losses)]
            connection.executemany("INSERT INTO teacher_epochs VALUES (?, ?, ?)", rows)

    def add_shown(self, examples: ShownExamples, teachers: Mapping[str, NDArray[np.float32]]) -> None:
        """Record the examples that are shown, and teachers' logits for them; what is there already stays."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO examples VALUES (?, ?, ?, ?, ?, ?)", (examples.id, *examples.packed())
            )
            rows = [(name, examples.id, *packed_logits(logits)) for name, logits in teachers.items()]
            connection.executemany("INSERT OR IGNORE INTO teacher_shown VALUES (?, ?, ?, ?)", rows)

    def add_cohort(
        self, records: Sequence[TrialRecord], *, run: int, students: int, examples: int, seconds: float
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
            for record in records:
                connection.execute(
                    "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        record.id,
                        record.seed,
                        record.alpha,
                        _text(record.coordinates),
                        _text(record.settings),
                        record.teacher,
                        "finished" if record.diverged_epoch is None else "diverged",
                        record.diverged_epoch,
                        record.last_finite_loss,
                    ),
                )
                epochs = [(record.id, epoch, *values) for epoch, values in enumerate(record.epochs)]
                connection.executemany("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)", epochs)
                metrics = [(record.id, split, name, value) for (split, name), value in record.metrics.items()]
                connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", metrics)
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
        ours, theirs = self.results(), other.results()
        for table, places in _KEYS.items():
            mine = {row[:places]: row for row in ours[table]}
            for row in theirs.get(table, []):
                if mine.get(row[:places], row) != row:
                    raise RequestError(
                        f"{other.path.parent} and {self.path.parent} hold different results of "
                        f"{' '.join(str(part) for part in row[:places])} ({table}): they were trained on machines that "
                        "round differently, or one is damaged. They cannot be merged."
                    )
        here = {row[0] for row in ours["trials"]}
        new = {row[0] for row in theirs["trials"]} - here
        with self._transaction() as connection:
            for table in RESULT_TABLES:
                known = {row[: _KEYS[table]] for row in ours[table]}
                rows = [row for row in theirs.get(table, []) if row[: _KEYS[table]] not in known]
                if rows:
                    marks = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            last = None
            for run in other.runs() if new else []:
                told = {key: value for key, value in run.items() if key not in ("started", "finished")}
                entry = (run["started"], run["finished"], _text(told | {"merged from": other.path.parent.name}))
                last = connection.execute("INSERT INTO runs (started, finished, provenance) VALUES (?, ?, ?)", entry)
            if new:  # what they cost there, as one cohort
                seconds, examples = (total / len(theirs["trials"]) for total in other.cost())
                cost = (last.lastrowid if last else None, len(new), round(examples), seconds * len(new))
                connection.execute("INSERT INTO cohorts (run, students, examples, seconds) VALUES (?, ?, ?, ?)", cost)
        return len(new), len(theirs["trials"]) - len(new)

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

    def teachers(self) -> dict[str, TeacherRecord]:
        """The recorded teachers, by identity."""
        losses: dict[str, list[float]] = {}
        for name, loss in self._rows("SELECT teacher, loss FROM teacher_epochs ORDER BY teacher, epoch"):
            losses.setdefault(name, []).append(loss)
        return {
            name: TeacherRecord(
                name, json.loads(settings), weights, examples, json.loads(metrics), losses.get(name, [])
            )
            for name, settings, weights, examples, metrics in self._rows("SELECT * FROM teachers ORDER BY id")
        }

    def trials(self, *, metrics: Collection[str] | None = None, epochs: bool = True) -> list[TrialRecord]:
        """The recorded trials, ordered by seed and identity; those of one cell share their mappings.

        Args:
            metrics: the names to read; None: all. Of a large study that is most of the work.
            epochs: whether to read them.
        """
        read = lru_cache(maxsize=None)(json.loads)
        history: dict[str, list[tuple[float, float, float, float]]] = {}
        for trial, *values in self._rows(
            "SELECT trial, loss, hard, soft, validation_accuracy FROM epochs ORDER BY trial, epoch" if epochs else _NONE
        ):
            loss, hard, soft, accuracy = (math.nan if value is None else value for value in values)  # NULL holds NaN
            history.setdefault(trial, []).append((loss, hard, soft, accuracy))
        measured: dict[str, dict[tuple[str, str], float]] = {}
        chosen = "" if metrics is None else f" WHERE name IN ({', '.join('?' * len(metrics))})"
        for trial, split, name, value in self._rows(f"SELECT * FROM metrics{chosen}", list(metrics or ())):
            measured.setdefault(trial, {})[split, name] = value
        return [
            TrialRecord(
                id=name,
                seed=seed,
                alpha=alpha,
                coordinates=read(coordinates),
                settings=read(settings),
                teacher=teacher,
                epochs=history.get(name, []),
                metrics=measured.get(name, {}),
                diverged_epoch=diverged_epoch,
                last_finite_loss=last,
            )
            for name, seed, alpha, coordinates, settings, teacher, _, diverged_epoch, last in self._rows(
                "SELECT * FROM trials ORDER BY seed, id"
            )
        ]

    def confusions(self) -> dict[str, list[list[int]]]:
        """Counts of the students' test answers by trial: a row a label, a column an answer."""
        rows = self._rows("SELECT trial, counts FROM confusions ORDER BY trial") if self._has("confusions") else []
        return {trial: json.loads(counts) for trial, counts in rows}

    def answers(self) -> dict[str, KeptAnswers]:
        """The validation answers that are kept, by trial."""
        rows = self._rows("SELECT * FROM answers ORDER BY trial") if self._has("answers") else []
        return {trial: KeptAnswers.unpacked(*packed) for trial, *packed in rows}

    def reliability(self) -> dict[str, list[list[float]]]:
        """Bins of confidence by trial; see `TrialRecord`."""
        rows = self._rows("SELECT trial, bins FROM reliability ORDER BY trial") if self._has("reliability") else []
        return {trial: json.loads(bins) for trial, bins in rows}

    def examples(self) -> dict[str, ShownExamples]:
        """The examples that are shown, by identity."""
        rows = self._rows("SELECT * FROM examples ORDER BY id") if self._has("examples") else []
        return {name: ShownExamples.unpacked(*packed) for name, *packed in rows}

    def shown(self) -> dict[str, ShownAnswers]:
        """Students' answers to the shown examples, by trial."""
        rows = self._rows("SELECT * FROM shown ORDER BY trial") if self._has("shown") else []
        return {trial: ShownAnswers.unpacked(*packed) for trial, *packed in rows}

    def teacher_shown(self) -> dict[tuple[str, str], NDArray[np.float16]]:
        """Teachers' logits for the shown examples, by teacher and examples."""
        there = self._has("teacher_shown")
        rows = self._rows("SELECT * FROM teacher_shown ORDER BY teacher, examples") if there else []
        return {(teacher, examples): unpacked_logits(*packed) for teacher, examples, *packed in rows}

    def classes(self) -> int | None:
        """C, counted in the test answers of any student; None where there are none."""
        rows = self._rows("SELECT counts FROM confusions LIMIT 1") if self._has("confusions") else []
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
        """The rows of all result tables that there are, sorted: equal for equal results."""
        there = [table for table in RESULT_TABLES if self._has(table)]
        return {table: sorted(self._rows(f"SELECT * FROM {table}"), key=repr) for table in there}

    def _has(self, table: str) -> bool:
        """Whether there is such a table: a file of an older version, opened for reading, may have none."""
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Say in one line what SQLite could not do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise WorkError(
            f"{path} cannot be used: {error}. Check the disk's space and the folder's permissions."
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what SQLite itself wanted to say
        raise RequestError(f"{path} is damaged or not a distillab study: {error}. Choose another folder.") from error
