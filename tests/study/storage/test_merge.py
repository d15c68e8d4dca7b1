"""Two folders of one study become one, to the bit; different studies, or different results, stay apart."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from distillab.errors import RequestError
from distillab.study.folder import Folder
from distillab.study.run import run_study
from distillab.study.spec import Spec
from distillab.study.storage.check import check
from distillab.study.storage.merge import merge
from distillab.study.storage.store import Store

Make = Callable[..., Spec]


def results(path: Path) -> object:
    with Store(path / "study.db", read_only=True) as store:
        return store.results()


def take_out(path: Path, seeds: str) -> None:
    """Make a folder one that has not trained some seeds."""
    of_trials = ("confusions", "validation_predictions", "reliability", "example_predictions", "test_correct")
    tables = dict.fromkeys(of_trials, "id")
    tables |= dict.fromkeys(("epoch_values", "metric_values"), "number")
    with sqlite3.connect(path / "study.db") as file:
        for table, key in tables.items():
            file.execute(f"DELETE FROM {table} WHERE trial IN (SELECT {key} FROM trials WHERE seed IN ({seeds}))")
        file.execute(f"DELETE FROM trials WHERE seed IN ({seeds})")
    file.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.study.conftest import TINY

    from distillab.study.spec import read_spec

    path = tmp_path_factory.mktemp("whole") / "study"
    run_study(read_spec(TINY | {"seeds": 3}), path)
    return path


@pytest.fixture
def halves(whole: Path, tmp_path: Path) -> tuple[Path, Path]:
    import shutil

    for name, without in (("one", "2"), ("two", "0")):
        shutil.copytree(whole, tmp_path / name)
        take_out(tmp_path / name, without)
    return tmp_path / "one", tmp_path / "two"


def test_halves_that_overlap_become_the_whole(whole: Path, halves: tuple[Path, Path]) -> None:
    first, second = halves
    before = results(second)
    merged = merge(Folder(first), Folder(second))
    assert (merged.added, merged.known) == (3, 3)
    assert results(first) == results(whole)
    assert results(second) == before
    assert check(Folder(first)).faults == ()
    assert merge(Folder(first), Folder(second)) == (0, 6)
    with Store(first / "study.db", read_only=True) as store:
        assert len(store.runs()) == 2  # its own and the other's, once


def test_the_order_of_merging_changes_no_result(whole: Path, halves: tuple[Path, Path]) -> None:
    first, second = halves
    merge(Folder(second), Folder(first))
    assert results(second) == results(whole)


def test_the_study_has_as_many_seeds_as_the_larger_one(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(seeds=1), tmp_path / "small")
    run_study(tiny(seeds=2), tmp_path / "large")
    merge(Folder(tmp_path / "small"), Folder(tmp_path / "large"))
    spec, store = Folder(tmp_path / "small").read()
    store.close()
    assert spec.objective.seeds == 2
    assert results(tmp_path / "small") == results(tmp_path / "large")


def test_parts_run_in_two_places_become_the_whole(whole: Path, tiny: Make, tmp_path: Path) -> None:
    for part in (1, 2):
        summary = run_study(tiny(seeds=3), tmp_path / str(part), part=(part, 2))
        assert summary.trained == summary.trials == {1: 6, 2: 3}[part]
    merge(Folder(tmp_path / "1"), Folder(tmp_path / "2"))
    assert results(tmp_path / "1") == results(whole)


def test_another_study_is_refused(tiny: Make, tmp_path: Path) -> None:
    run_study(tiny(seeds=1), tmp_path / "one")
    run_study(tiny(seeds=1, epochs=3), tmp_path / "other")
    before = results(tmp_path / "one")
    with pytest.raises(RequestError, match="hold different studies: they differ in epochs"):
        merge(Folder(tmp_path / "one"), Folder(tmp_path / "other"))
    with pytest.raises(RequestError, match="cannot be merged with itself"):
        merge(Folder(tmp_path / "one"), Folder(tmp_path / "one"))
    assert results(tmp_path / "one") == before


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            "UPDATE metric_values SET value = value + 0.25 "
            "WHERE metric IN (SELECT number FROM metric_names WHERE name = 'accuracy')",
            "accuracy (metrics)",
        ),
        ("UPDATE metric_values SET value = NULL WHERE metric = 1", "(metrics)"),
        ("UPDATE epoch_values SET loss = loss + 1 WHERE epoch = 1", "1 (epochs)"),
        ("UPDATE trials SET last_finite_loss = 7", "(trials)"),
        ("UPDATE confusions SET counts = '[[1]]'", "(confusions)"),
        ("UPDATE teacher_epochs SET loss = loss + 1", "0 (teacher_epochs)"),
    ],
)
def test_one_student_with_two_results_is_refused(halves: tuple[Path, Path], change: str, difference: str) -> None:
    first, second = halves
    with sqlite3.connect(second / "study.db") as file:
        file.execute(change)
    file.close()
    before = results(first)
    with pytest.raises(
        RequestError, match=f"hold different results of .*{re.escape(difference)}.*They cannot be merged"
    ):
        merge(Folder(first), Folder(second))
    assert results(first) == before


def test_a_row_that_only_the_other_holds_of_a_student_of_both_is_added(whole: Path, halves: tuple[Path, Path]) -> None:
    first, second = halves
    with sqlite3.connect(first / "study.db") as file:
        file.execute("DELETE FROM epoch_values WHERE epoch = 1")
        file.execute("DELETE FROM metric_values WHERE metric IN (1, 3)")
        file.execute("DELETE FROM reliability")
    file.close()
    merge(Folder(first), Folder(second))
    merge(Folder(first), Folder(whole))
    assert results(first) == results(whole)


def test_files_of_teachers_and_kept_students_are_copied(halves: tuple[Path, Path]) -> None:
    first, second = halves
    (second / "students").mkdir()
    (second / "students" / "abc.npz").write_bytes(b"weights")
    (teacher,) = (first / "teachers").glob("*.keras")
    teacher.unlink()
    merge(Folder(first), Folder(second))
    assert teacher.read_bytes() == (second / "teachers" / teacher.name).read_bytes()
    assert (first / "students" / "abc.npz").read_bytes() == b"weights"


def test_rows_without_a_student_are_refused_and_not_skipped(halves: tuple[Path, Path]) -> None:
    first, second = halves
    with sqlite3.connect(second / "study.db") as file:
        file.execute("INSERT INTO epoch_values VALUES (99, 0, 1, 1, 1, 1)")
    file.close()
    before = results(first)
    with pytest.raises(RequestError, match=r"two/study\.db is corrupt: There are epochs of 1 student that is not"):
        merge(Folder(first), Folder(second))
    assert results(first) == before
