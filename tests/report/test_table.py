"""Tables in files hold the store's numbers to the bit, whatever is installed."""

from __future__ import annotations

import csv
import io
import sys

import pytest
from tests.report.test_page import hump, store_study

from distillab.errors import RequestError
from distillab.report.table import write_table
from distillab.study.folder import Folder


@pytest.fixture
def folder(rows, tmp_path) -> Folder:
    spec = rows.spec(noise={"rate": [0, 0.1]}, seeds=3)
    folder = Folder(tmp_path / "study")
    store_study(folder, spec, rows.trials(spec, hump, diverged={(0.5, 1)}), rows.teachers())
    return folder


@pytest.fixture
def without_pandas(monkeypatch):
    for name in ("pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)


def read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def trials(folder):
    _, store = folder.read()
    with store:
        return {trial.id: trial for trial in store.trials()}


def test_csv_needs_no_pandas_and_holds_every_number_to_the_bit(folder, tmp_path, without_pandas):
    table = read(write_table(folder.path, tmp_path / "students.csv"))
    recorded = trials(folder)
    assert list(table[0])[:7] == ["id", "seed", "alpha", "noise.rate", "state", "diverged_epoch", "teacher"]
    assert [row["id"] for row in table] == list(recorded)
    for row in table:
        trial = recorded[row["id"]]
        assert (int(row["seed"]), float(row["alpha"])) == (trial.seed, trial.alpha)
        assert float(row["noise.rate"]) == trial.settings["noise"]["rate"]
        if trial.diverged_epoch is None:
            assert (row["state"], row["diverged_epoch"]) == ("finished", "")
            assert float(row["test_accuracy"]) == trial.metrics["test", "accuracy"]
        else:
            assert (row["state"], row["diverged_epoch"]) == ("diverged", str(trial.diverged_epoch + 1))
            assert row["test_accuracy"] == ""


def test_csv_of_epochs_has_a_row_each(folder, tmp_path, without_pandas):
    table = read(write_table(folder.path, tmp_path / "epochs.csv", epochs=True))
    recorded = trials(folder)
    assert len(table) == sum(len(trial.epochs) for trial in recorded.values())
    names = ("loss", "label_loss", "distillation_loss", "validation_accuracy")
    for row in table:
        values = recorded[row["id"]].epochs[int(row["epoch"]) - 1]
        assert [float(row[name] or "nan") for name in names] == pytest.approx(values, rel=0, abs=0, nan_ok=True)


def test_groups_on_an_axis_become_text(rows, tmp_path):
    spec = rows.spec(augmentation=[{"shift": 0}, {"shift": 1}], seeds=1)
    folder = Folder(tmp_path / "groups")
    store_study(folder, spec, rows.trials(spec, hump), rows.teachers())
    table = read(write_table(folder.path, tmp_path / "groups.csv"))
    assert len({row["augmentation"] for row in table}) == 2


def test_parquet_without_pyarrow_says_what_to_install(folder, tmp_path, without_pandas):
    with pytest.raises(RequestError, match=r"needs pyarrow. Install it: pip install 'distillab\[parquet\]'"):
        write_table(folder.path, tmp_path / "students.parquet")
    assert not (tmp_path / "students.parquet").exists()


def test_parquet_holds_the_same_table(folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write_table(folder.path, tmp_path / "students.parquet"))
    lines = read(write_table(folder.path, tmp_path / "students.csv"))
    assert table.column_names == list(lines[0])
    assert table["test_accuracy"].to_pylist() == [
        float(row["test_accuracy"]) if row["test_accuracy"] else None for row in lines
    ]
