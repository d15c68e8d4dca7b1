"""The store's contract: what is recorded is there, whole, once, and never read from a stranger's file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillab.errors import RequestError, WorkError
from distillab.study.folder import Folder
from distillab.study.spec import read_spec
from distillab.study.storage import store as store_module
from distillab.study.storage.records import (
    GalleryExamples,
    GalleryPredictions,
    TeacherResult,
    TrialResult,
    ValidationExamples,
    ValidationPredictions,
    gallery_outputs,
)
from distillab.study.storage.schema import EARLIER_ID, VERSION
from distillab.study.storage.store import Store
from distillab.tasks import TASKS

CLASSES = TASKS["categorical"]
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
    alpha=st.floats(0, 1),
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
    rows = []
    for name, order in (("one", "ab"), ("two", "ba")):
        with Store(tmp_path / name) as store:
            store.add_teacher(TEACHER)
            for each in order:
                add(store, trial(each))
            rows.append(store.results())
    assert rows[0] == rows[1]
    assert len(rows[0]["metrics"]) == 4


def test_a_missing_store_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no study: study.db is missing"):
        Store(tmp_path / "study.db", read_only=True)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"this is not a database, and is long enough to be read as one" * 20)
    with pytest.raises(RequestError, match=r"study.db is corrupt or not a distillab study"):
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
    with pytest.raises(RequestError, match=f"has schema 99, and this distillab reads schema {VERSION}"):
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


def arrays(first: object, second: object) -> None:
    """See that two tuples hold equal arrays and values."""
    assert type(first) is type(second)
    for mine, other in zip(first, second, strict=True):  # type: ignore[call-overload]
        np.testing.assert_array_equal(mine, other)


def test_predictions_survive_the_round_trip(tmp_path: Path) -> None:
    kept = ValidationPredictions(np.array([[0.25, 0.75], [1.0, 0.0]], np.float16), np.array([1, 0], np.int16))
    shown = GalleryPredictions("e", np.array([1], np.int16), np.array([[0.5, -1.5]], np.float16))
    bins = [[0, 0.0, 0.0], [2, 0.8, 0.5]]
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        full = {"confusion": [[3, 1], [0, 4]], "reliability": bins}
        add(store, trial("a", **full, validation_predictions=kept, example_predictions=shown), trial("b"))
    with Store(tmp_path / "study.db", read_only=True) as store:
        assert store.confusions() == {"a": [[3, 1], [0, 4]]}
        assert store.reliability() == {"a": bins}
        assert store.classes() == 2
        (validation,), (examples,) = store.validation_predictions().items(), store.example_predictions().items()
    assert (validation[0], examples[0]) == ("a", "a")
    arrays(validation[1], kept)
    arrays(examples[1], shown)


def test_labels_of_several_kinds_and_what_is_known_of_the_examples_survive_the_round_trip(tmp_path: Path) -> None:
    several = ValidationPredictions(np.array([[0.25, 0.5]], np.float16), np.array([[1, -1]], np.int16))
    known = ValidationExamples(np.array([[0.125, 0.875]], np.float16), np.array([True]))
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a", validation_predictions=several))
        store.add_validation_examples("0.1 None 0", {TEACHER.id: known})
        store.add_validation_examples("0.1 None 0", {TEACHER.id: known})  # again: rows that exist stay
    with Store(tmp_path / "study.db", read_only=True) as store:
        recorded = store.validation()
    arrays(recorded.predictions["a"], several)
    arrays(recorded.examples[TEACHER.id, "0.1 None 0"], known)


def test_a_file_of_schema_1_is_read_as_it_is_and_brought_up_when_it_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
    with sqlite3.connect(path) as file:
        file.executescript(
            "DROP TABLE details; DROP TABLE test_correct; DROP TABLE validation_examples; PRAGMA user_version = 1;"
        )
    file.close()
    before = path.read_bytes()
    with Store(path, read_only=True) as store:
        assert store.test_correct() == {}
        assert (store.details(), [result.id for result in store.trials()]) == ({}, ["a"])
    assert path.read_bytes() == before
    with Store(path) as store:
        add(store, trial("b", detail={"roc": [[0.0, 0.0], [1.0, 1.0]]}))
    with Store(path, read_only=True) as store:
        assert store.details() == {"b": {"roc": [[0.0, 0.0], [1.0, 1.0]]}}
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (VERSION,)
    file.close()


@given(st.lists(st.booleans(), min_size=1, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_right_and_wrong_test_predictions_are_read_back(tmp_path: Path, correct: list[bool]) -> None:
    path = tmp_path / "correct.db"
    path.unlink(missing_ok=True)
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, trial("a", test_correct=np.array(correct)), trial("b"))
    with Store(path, read_only=True) as store:
        assert {name: of.tolist() for name, of in store.test_correct().items()} == {"a": correct}


def test_a_wrong_number_of_bits_is_corrupt(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a", test_correct=np.ones(9, dtype=bool)))
        with store.transaction() as connection:
            connection.execute("UPDATE test_correct SET examples = 17")
        with pytest.raises(RequestError, match="corrupt"):
            store.test_correct()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("version", [1, 6])
def test_a_file_of_an_earlier_schema_says_what_to_do_and_stays(tmp_path: Path, version: int, read_only: bool) -> None:
    path = tmp_path / "study.db"
    with sqlite3.connect(path) as file:
        file.executescript(
            f"CREATE TABLE trials (id); PRAGMA application_id = {EARLIER_ID}; PRAGMA user_version = {version};"
        )
    file.close()
    before = path.read_bytes()
    message = (
        rf"study\.db was written by an earlier version of distillab \(schema {version}; "
        rf"this one reads schema {VERSION}\)\. Run the study again in a new folder with --out\."
    )
    with pytest.raises(RequestError, match=message):
        Store(path, read_only=read_only)
    (tmp_path / "study.yaml").write_text("a_key_of_then: 1\n")  # is not what the message should name
    with pytest.raises(RequestError, match=message):
        Folder(tmp_path).read()
    with pytest.raises(RequestError, match=message), Folder(tmp_path).write(read_spec({"dataset": "digits"})):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE trials SET alpha = 'much'", Store.trials),
        ("UPDATE trials SET cell = 99", Store.trials),
        ("UPDATE cells SET settings = '[1]'", Store.trials),
        ("UPDATE cells SET settings = x'00'", Store.trials),
        ("UPDATE metric_values SET value = 'high'", Store.trials),
        ("UPDATE epoch_values SET label_loss = 'low'", Store.trials),
        ('UPDATE teachers SET metrics = \'{"accuracy": "high"}\'', Store.teachers),
        ("UPDATE teachers SET settings = 5", Store.teachers),
        ("UPDATE teacher_epochs SET loss = 'low'", Store.teachers),
        ("UPDATE confusions SET counts = '7'", Store.confusions),
        ("UPDATE confusions SET counts = '7'", Store.classes),
        ("UPDATE reliability SET bins = NULL", Store.reliability),
        ("UPDATE validation_predictions SET labels = 'text'", Store.validation_predictions),
        ("UPDATE validation_predictions SET classes = 7", Store.validation_predictions),
        ("UPDATE example_predictions SET logits = x'00'", Store.example_predictions),
        ("UPDATE runs SET provenance = '[]'", Store.runs),
    ],
)
def test_rows_that_no_study_writes_are_reported_as_corrupt(
    tmp_path: Path, change: str, read: Callable[[Store], object]
) -> None:
    path = tmp_path / "study.db"
    kept = ValidationPredictions(np.ones((3, 2), np.float16), np.zeros(3, np.int16))
    shown = GalleryPredictions("e", np.array([1], np.int16), np.array([[0.5, -1.5]], np.float16))
    with Store(path) as store:
        store.add_teacher(TEACHER)
        full = {"confusion": [[1]], "reliability": [[1, 1, 1]]}
        add(store, trial("a", **full, validation_predictions=kept, example_predictions=shown))
        read(store)
    with sqlite3.connect(path) as file:
        file.execute(change)
    file.close()
    message = r"study\.db is corrupt: .*\. Restore a backup, or run the study again in a new folder with --out\.$"
    with Store(path, read_only=True) as store, pytest.raises(RequestError, match=message):
        read(store)


def test_bugs_are_not_reported_as_corruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.db"
    with Store(path) as store:
        store.add_teacher(TEACHER)
        add(store, trial("a"))
    with pytest.raises(AttributeError, match="no_such_method"), Store(path, read_only=True) as store:
        store.done().no_such_method()  # type: ignore[attr-defined]
    with Store(path, read_only=True) as store, pytest.raises(sqlite3.ProgrammingError):
        store.select("SELECT ?", (1, 2))
    monkeypatch.setattr(store_module, "TrialResult", TeacherResult)  # which takes other arguments
    with Store(path, read_only=True) as store, pytest.raises(TypeError, match="arguments"):
        store.trials()


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
            add(store, *(trial(f"{alpha}{s}", seed=s, metrics=score, **cell) for s, score in enumerate(scores)))
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
        store.add_examples(examples, {"t": gallery_outputs(CLASSES, logits)})
        store.add_examples(
            examples, {name: gallery_outputs(CLASSES, z) for name, z in (("t", logits + 1), ("u", 1e9 * logits))}
        )
    with Store(tmp_path / "study.db", read_only=True) as store:
        (stored,) = store.examples().values()
        answers = store.teacher_example_predictions()
    assert (stored.scale, stored.inputs.dtype, stored.id) == (0.5, np.dtype(kind), examples.id)
    np.testing.assert_array_equal(stored.inputs, inputs)
    np.testing.assert_array_equal(stored.labels, [2, 0, 1])
    np.testing.assert_array_equal(answers["t", examples.id], logits.astype(np.float16))
    assert np.isfinite(answers["u", examples.id]).all()


def test_some_metrics_and_no_epochs_are_read_when_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store:
        store.add_teacher(TEACHER)
        add(store, trial("a", metrics={("test", "accuracy"): 0.9, ("test", "nll"): 0.5}))
        (result,) = store.trials(metrics=[("test", "accuracy"), ("test", "f1_macro")], epochs=False)
        assert (result.metrics, list(result.epochs)) == ({("test", "accuracy"): 0.9}, [])
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
