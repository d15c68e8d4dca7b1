"""The bench's record: what is measured is a process of its own, and the table says what the record holds."""

from __future__ import annotations

import json

import pytest

from distillab.bench.record import Bench, Measurement, _run, table
from distillab.bench.subjects import STUDENT, SUBJECTS
from distillab.errors import WorkError
from distillab.models import build

RECORD = Bench(
    date="2026-01-01T00:00:00Z",
    machine={"processor": "x86_64", "system": "Linux", "cores": 2},
    versions={"keras": "3.15.1"},
    examples=3200,
    flops_per_second=2e11,
    floor_seconds=0.5,
    teacher_floor_seconds=50.0,
    rows=[
        Measurement("student", "this engine", 1.5, 2.0, 600.0),
        Measurement("student", "keras.distillation on jax", 60.0, 1.0, 700.0),
        Measurement("teacher", "this engine", 75.0, 2.0, 800.0, predict_seconds=20.0),
    ],
)


def test_the_table_compares_with_the_first_row_and_with_the_floor() -> None:
    lines = table(RECORD).splitlines()
    assert "200 GFLOP/s" in lines[1]
    rival = next(line for line in lines if line.startswith("keras.distillation")).split()
    assert rival[3:6] == ["60.00", "40.0", "120.0"]  # seconds, times the engine's, times the floor
    teacher = lines[-1].split()
    assert teacher[2:5] == ["75.00", "1.0", "1.5"]
    assert teacher[-1] == "20.0"
    assert not any(line.startswith("Devices") for line in lines)  # nothing measured, nothing said


def test_the_record_is_plain_json() -> None:
    tree = json.loads(RECORD.to_json())
    assert tree["rows"][1]["seconds"] == 60.0
    assert tree["machine"]["cores"] == 2


def test_a_subject_is_measured_in_a_process_of_its_own() -> None:
    result = _run("engine", "jax", {"examples": 64, "students": 2, "devices": 1})
    assert result["seconds"] > 0
    assert result["devices"] == 1
    assert 50 < result["peak_mib"] < 10_000


def test_a_subject_that_fails_is_reported_with_its_last_words() -> None:
    with pytest.raises(WorkError, match=r"The bench's 'engine' on jax failed: .*devices=0 is not allowed"):
        _run("engine", "jax", {"examples": 64, "devices": 0})


def test_the_pytorch_student_is_the_zoos() -> None:
    pytest.importorskip("torch")
    assert SUBJECTS["torch_loop"](examples=64)["seconds"] > 0
    assert build(STUDENT, (28, 28, 1), 10).count_params() == 20490
