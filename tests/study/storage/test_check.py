"""A sound folder has no fault; each fault that is planted is found and named."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.study.conftest import TINY

from distillab.errors import RequestError
from distillab.study.folder import Folder
from distillab.study.run import run_study
from distillab.study.spec import SearchSpec, read_spec
from distillab.study.storage.check import check


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "study"
    run_study(read_spec(TINY | {"seeds": 2}), path)
    return path


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "study")
    return tmp_path / "study"


def test_a_sound_folder_has_no_fault(sound: Path) -> None:
    condition = check(Folder(sound))
    assert (condition.trials, condition.teachers, condition.runs, condition.faults) == (6, 1, 1, ())


@pytest.mark.parametrize(
    ("damage", "fault_text"),
    [
        (
            "DELETE FROM metric_values WHERE metric IN "
            "(SELECT number FROM metric_names WHERE name = 'accuracy' AND split = 'test')",
            "is finished, and has no test accuracy",
        ),
        ("DELETE FROM epoch_values WHERE epoch = 0", "has 1 of 2 epochs."),
        ("DELETE FROM epoch_values", "has 0 of 2 epochs."),
        ("INSERT INTO epoch_values VALUES (99, 0, 1, 1, 1, 1)", "There are epochs of 1 student that is not recorded"),
        ("INSERT INTO metric_values VALUES (1, 99, 1)", "There are metrics of 1 student that is not recorded"),
        ("UPDATE trials SET cell = 99", "There are 6 students whose settings are not recorded"),
        ("DELETE FROM teachers", "which is not recorded"),
        (
            "UPDATE trials SET alpha = 'much' WHERE seed = 1",
            "3 rows of trials have values of other types",
        ),
        (
            "UPDATE metric_values SET value = 'high' WHERE metric = 1",
            "rows of metric_values have values of other types",
        ),
        ("UPDATE trials SET diverged_epoch = 0", "diverged, and has metrics"),
        ("UPDATE trials SET id = 'f' || substr(id, 2)", "do not belong to this study"),
        ("DELETE FROM trials WHERE seed = 1", "There are confusion counts of 3 students that are not recorded"),
    ],
)
def test_what_is_wrong_is_named(copied: Path, damage: str, fault_text: str) -> None:
    with sqlite3.connect(copied / "study.db") as file:
        file.execute(damage)
    file.close()
    faults = check(Folder(copied)).faults
    assert any(fault_text in fault for fault in faults), faults
    assert all("\n" not in fault for fault in faults)


def test_a_file_cut_short_is_found(copied: Path) -> None:
    path = copied / "study.db"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    try:
        faults = check(Folder(copied)).faults
    except RequestError as error:  # where not even the first page can be read
        faults = (str(error),)
    assert faults


def test_pages_overwritten_are_found(copied: Path) -> None:
    path = copied / "study.db"
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(bytes(content))
    try:
        faults = check(Folder(copied)).faults
    except RequestError as error:
        faults = (str(error),)
    assert faults


def test_trials_that_a_search_proposed_are_no_strangers(copied: Path) -> None:
    with sqlite3.connect(copied / "study.db") as file:
        file.execute("UPDATE trials SET id = 'f' || substr(id, 2)")
        file.execute("UPDATE cells SET coordinates = '{}', settings = json_object('other', number)")
        file.execute("DELETE FROM metric_values WHERE metric IN (SELECT number FROM metric_names WHERE split = 'test')")
        for table in ("confusions", "validation_predictions", "reliability", "example_predictions", "test_correct"):
            file.execute(f"DELETE FROM {table}")
    file.close()
    text = " ".join(check(Folder(copied)).faults)
    assert "do not belong to this study" in text
    assert "has no test accuracy" in text
    (copied / "study.yaml").write_text(SearchSpec({}).to_yaml(), encoding="utf-8")
    assert check(Folder(copied)).faults == ()
    with sqlite3.connect(copied / "study.db") as file:
        file.execute("DELETE FROM metric_values")
    file.close()
    assert all("has no validation or test accuracy" in fault for fault in check(Folder(copied)).faults)


@pytest.mark.parametrize(("text", "is_search"), [("dataset: digits", False), ("dataset: digits\nsearch: {}", True)])
def test_the_key_search_says_that_a_search_proposes_the_trials(tmp_path: Path, text: str, is_search: bool) -> None:
    (tmp_path / "study.yaml").write_text(text)
    assert Folder(tmp_path).is_search() is is_search
