"""The store's contract: what is recorded is there, whole, once, and never read from a stranger's file."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillab.errors import RequestError, WorkError
from distillab.study.storage import schema
from distillab.study.storage.examples import GalleryExamples, GalleryPredictions
from distillab.study.storage.predictions import ValidationPredictions
from distillab.study.storage.records import TeacherResult, TrialResult
from distillab.study.storage.schema import RESULTS
from distillab.study.storage.store import Store

TEACHER = TeacherResult("t", {"model": "cnn-1-1"}, "w", 10, {"accuracy": 0.5}, [1.0, 0.5])


def trial(name: str = "a", **differences: object) -> TrialResult:
    fields: dict[str, object] = {
        "id": name,
        "seed": 0,
        "alpha": 0.1,
        "coordinates": {"alpha": 0.1},
        "settings": {"alpha": 0.1, "noise": {"rate": 0.0}},
        "teacher": "t",
        "epochs": [(1.0, 2.0, 3.0, 0.25), (0.5, 1.0, 1.5, 0.75)],
        "metrics": {("test", "accuracy"): 0.9, ("validation", "accuracy"): 0.8},
    }
    return TrialResult(**(fields | differences))  # type: ignore[arg-type]


def add(store: Store, *records: TrialResult) -> None:
    store.add_cohort(records, run=store.begin_run("now", {}), students=len(records), examples=10, seconds=2.0)


def test_what_was_recorded_is_read_back_after_the_file_is_opened_again(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"), trial("b", diverged_epoch=1, last_finite_loss=7.5, metrics={}))
    with Store(tmp_path / "study.db", read_only=True) as store:
        assert store.trials() == [trial("a"), trial("b", diverged_epoch=1, last_finite_loss=7.5, metrics={})]
        assert store.teachers() == {"t": TEACHER}
        assert store.done() == {"a", "b"}
        assert store.cost() == (2.0, 20)


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    alpha=finite,
    last=st.none() | finite,
    epochs=st.lists(st.tuples(finite, finite, finite, finite), max_size=3),
    metrics=st.dictionaries(st.tuples(st.sampled_from(["test", "validation"]), st.text(max_size=5)), finite),
    key=st.text(max_size=5),
)
def test_every_number_survives_the_round_trip_to_the_bit(
    tmp_path: Path, alpha: float, last: float | None, epochs: list[tuple[float, ...]], metrics: object, key: str
) -> None:
    path = tmp_path / "round.db"
    path.unlink(missing_ok=True)
    record = trial(alpha=alpha, last_finite_loss=last, epochs=epochs, metrics=metrics, coordinates={key: alpha})
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, record)
        assert store.trials() == [record]


def test_losses_that_are_not_finite_stay_so(tmp_path: Path) -> None:
    nan = float("nan")
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial(epochs=[(nan, 1.0, nan, 0.1)], diverged_epoch=0))
        (record,) = store.trials()
    assert str(record.epochs) == "[(nan, 1.0, nan, 0.1)]"


def test_a_cohort_is_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
        with pytest.raises(RequestError, match="UNIQUE"):
            add(store, trial("b"), trial("a"))
        assert store.done() == {"a"}


def test_results_do_not_depend_on_the_order_of_recording(tmp_path: Path) -> None:
    found = []
    for name, order in (("one", "ab"), ("two", "ba")):
        with Store(tmp_path / name) as store:
            store.add_teacher(TEACHER)
            for each in order:
                add(store, trial(each))
            found.append(store.results())
    assert found[0] == found[1]
    assert len(found[0]["metrics"]) == 4


def test_a_missing_store_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no study: study.db is missing"):
        Store(tmp_path / "study.db", read_only=True)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"this is not a database, and is long enough to be read as one" * 20)
    with pytest.raises(RequestError, match=r"study.db is damaged or not a distillab study"):
        Store(path)
    assert path.read_bytes().startswith(b"this is not")


def test_a_strangers_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photos (id)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(RequestError, match="is not a distillab study"):
        Store(path)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    Store(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(RequestError, match="has version 99, and this distillab reads versions up to 6"):
        Store(path)


def test_a_folder_that_cannot_hold_the_file_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"study\.db cannot be used: unable to open database file"):
        Store(tmp_path / "missing" / "study.db")


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(WorkError, match="database or disk is full"):
            add(store, *(trial(f"b{k}", settings={"filler": "x" * 5000}) for k in range(20)))
        assert store.trials() == [trial("a")]


OLD = Path(__file__).parent / "assets" / "version-1.db"


def test_a_file_of_version_1_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(OLD.read_bytes())
    with Store(path, read_only=True) as store:
        trials = store.trials()
    assert [(trial.alpha, trial.seed) for trial in sorted(trials, key=lambda t: (t.alpha, t.seed))] == [
        (0.0, 0),
        (0.0, 1),
        (1.0, 0),
        (1.0, 1),
    ]
    assert all(("test", "accuracy") in trial.metrics for trial in trials)
    assert path.read_bytes() == OLD.read_bytes()


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_an_older_file_is_brought_up_to_date_before_anything_is_added(tmp_path: Path, version: int) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(OLD.with_name(f"version-{version}.db").read_bytes())
    with Store(path, read_only=True) as store:
        before = store.results()
        assert bool(store.confusions()) == (version >= 3)
        assert bool(store.answers()) == (version >= 4)
        of_examples = store.reliability(), store.examples(), store.shown(), store.teacher_shown()
        assert all(map(bool, of_examples)) if version >= 5 else of_examples == ({}, {}, {}, {})
        trials = store.trials()
    assert path.read_bytes() == OLD.with_name(f"version-{version}.db").read_bytes()
    with Store(path) as store:
        assert store.results() == before
        assert set(before) == set(RESULTS)
        assert store.trials() == trials
        (first, *_) = trials
        kept = ValidationPredictions(np.array([[0.25, 0.75], [1.0, 0.0]], np.float16), np.array([1, 0], np.int16))
        added = dataclasses.replace(
            first,
            id="f" * 16,
            metrics={("train", "recovered"): 0.25},
            confusion=[[3, 1], [0, 4]],
            answers=kept,
            reliability=[[0, 0.0, 0.0], [2, 0.8, 0.5]],
            shown=GalleryPredictions("e", np.array([1], np.int16), np.array([[0.5, -1.5]], np.float16)),
        )
        store.add_cohort([added], run=1, students=1, examples=1, seconds=1.0)
    with Store(path, read_only=True) as store:
        (found,) = (trial for trial in store.trials() if trial.id == "f" * 16)
        assert store.confusions()["f" * 16] == [[3, 1], [0, 4]]
        answers = store.answers()["f" * 16]
        assert store.reliability()["f" * 16] == [[0, 0.0, 0.0], [2, 0.8, 0.5]]
        shown = store.shown()["f" * 16]
        assert (shown.examples, shown.labels.tolist(), shown.logits.tolist()) == ("e", [1], [[0.5, -1.5]])
    np.testing.assert_array_equal(answers.probabilities, kept.probabilities)
    np.testing.assert_array_equal(answers.labels, kept.labels)
    assert found.metrics == {("train", "recovered"): 0.25}
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (6,)
    other.close()


def test_a_file_of_version_5_says_the_same_in_the_tables_of_version_6() -> None:
    """Against plain SQL over the old tables."""
    path = OLD.with_name("version-5.db")
    with sqlite3.connect(path) as file:
        told = {
            table: sorted(file.execute(f"SELECT * FROM {table}"))
            for table in ("trials", "epochs", "metrics", "confusions", "reliability", "teachers")
        }
        metrics = {row[0]: {} for row in told["trials"]}  # type: ignore[var-annotated]
        for trial, split, name, value in file.execute("SELECT * FROM metrics ORDER BY rowid"):
            metrics[trial][split, name] = value
    file.close()
    with Store(path, read_only=True) as store:
        assert {table: store.results()[table] for table in told} == told
        assert {table: sorted(store.select(f"SELECT * FROM {table}")) for table in ("epochs", "metrics")} == {
            table: told[table] for table in ("epochs", "metrics")
        }
        trials = store.trials()
    assert {trial.id: list(trial.metrics.items()) for trial in trials} == {
        name: list(values.items()) for name, values in metrics.items()
    }
    assert [len(trial.epochs) for trial in trials] == [2, 2, 2, 2]


def test_a_migration_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(OLD.with_name("version-5.db").read_bytes())
    with Store(path, read_only=True) as store:
        before = store.results()
    monkeypatch.setitem(schema.MIGRATIONS, 5, f"{schema.MIGRATIONS[5]} SELECT * FROM missing;")
    with pytest.raises(WorkError, match="no such table: missing"):
        Store(path)
    monkeypatch.undo()
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (5,)
        assert file.execute("SELECT type FROM sqlite_master WHERE name = 'metrics'").fetchone() == ("table",)
    file.close()
    with Store(path) as store:
        assert store.results() == before


KILLED = """
import os, sqlite3, sys
from pathlib import Path
from distillab.study.storage import schema, store
connect = sqlite3.connect
def with_end(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.create_function("end", 0, lambda: os._exit(9))
    connection.execute("PRAGMA cache_size = 1")  # what is changed goes to the disk at once
    return connection
sqlite3.connect = with_end
schema.MIGRATIONS[5] = schema.MIGRATIONS[5].replace("DROP TABLE epochs;", "DROP TABLE epochs; SELECT end();")
store.Store(Path(sys.argv[1]))
"""


def test_a_kill_in_the_middle_of_a_migration_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(OLD.with_name("version-5.db").read_bytes())
    with Store(path, read_only=True) as store:
        before = store.results()
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == 9
    assert path.with_name("study.db-journal").exists()
    with sqlite3.connect(path) as file:  # SQLite takes back what was half done
        assert file.execute("PRAGMA user_version").fetchone() == (5,)
        assert file.execute("SELECT type FROM sqlite_master WHERE name = 'metrics'").fetchone() == ("table",)
    file.close()
    with Store(path) as store:
        assert store.results() == before


def test_settings_are_held_once_for_all_students_of_a_cell(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"), trial("b", seed=1))
        add(store, trial("c", seed=2), trial("d", settings={"alpha": 0.2}))
        assert store.select("SELECT count(*) FROM cells") == [(2,)]
        assert store.select("SELECT count(*) FROM metric_names") == [(2,)]


def test_every_table_and_view_has_its_line_in_the_contract(tmp_path: Path) -> None:
    contract = (Path(__file__).parents[3] / "docs" / "store.md").read_text()
    with Store(tmp_path / "study.db") as store:
        for (name,) in store.select("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"):
            assert f"`{name}" in contract
            for _, column, *_ in store.select(f"PRAGMA table_info({name})"):
                assert column in contract, (name, column)


def test_the_queries_in_the_contract_find_what_they_promise(tmp_path: Path) -> None:
    contract = (Path(__file__).parents[3] / "docs" / "store.md").read_text()
    by_temperature, paired = re.findall(r"```sql\n(.*?)```", contract, re.DOTALL)
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        for alpha in (0.0, 1.0):
            cell = {"alpha": alpha, "settings": {"temperature": 3.0}, "coordinates": {"alpha": alpha}}
            scores = [{("test", "accuracy"): 0.5 + 0.25 * alpha * (seed + 1), ("test", "nll"): 9.0} for seed in (0, 1)]
            add(store, *(trial(f"{alpha}{s}", seed=s, metrics=one, **cell) for s, one in enumerate(scores)))
    with sqlite3.connect(tmp_path / "study.db") as file:
        assert file.execute(by_temperature).fetchall() == [(0.0, 3.0, 2, 0.5), (1.0, 3.0, 2, 0.875)]
        assert file.execute(paired).fetchall() == [(0, -0.25), (1, -0.5)]
    file.close()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_shown_examples_and_their_teachers_answers_are_kept_once(tmp_path: Path, kind: type) -> None:
    rng = np.random.default_rng(0)
    inputs = (9 * rng.random((3, 2, 2, 1))).astype(kind)
    examples = GalleryExamples(inputs, np.array([2, 0, 1], np.int16), 0.5)
    logits = rng.normal(size=(3, 4)).astype(np.float32)
    with Store(tmp_path / "study.db") as store:
        store.add_shown(examples, {"t": logits})
        store.add_shown(examples, {"t": logits + 1, "u": 1e9 * logits})
    with Store(tmp_path / "study.db", read_only=True) as store:
        (found,) = store.examples().values()
        answers = store.teacher_shown()
    assert (found.scale, found.inputs.dtype, found.id) == (0.5, np.dtype(kind), examples.id)
    np.testing.assert_array_equal(found.inputs, inputs)
    np.testing.assert_array_equal(found.labels, [2, 0, 1])
    np.testing.assert_array_equal(answers["t", examples.id], logits.astype(np.float16))
    assert np.isfinite(answers["u", examples.id]).all()


def test_some_metrics_and_no_epochs_are_read_when_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a", metrics={("test", "accuracy"): 0.9, ("test", "nll"): 0.5}))
        (found,) = store.trials(metrics=[("test", "accuracy"), ("test", "f1_macro")], epochs=False)
        assert (found.metrics, list(found.epochs)) == ({("test", "accuracy"): 0.9}, [])
        (whole,) = store.trials()
    assert len(whole.metrics) == 2
    assert len(whole.epochs) == 2


def test_trials_of_one_cell_share_their_mappings(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"), trial("b", seed=1))
        first, second = store.trials()
    assert first.settings is second.settings
    assert first.coordinates is second.coordinates
