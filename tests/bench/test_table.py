"""The table and the JSON say what the record holds."""

from __future__ import annotations

import json
from dataclasses import replace

from distillab.bench.plan import ENGINE, FLOOR, LABELS_ALONE
from distillab.bench.record import Bench, Memory, NotMeasured, Row
from distillab.bench.table import table

CNN = "cnn-16-32 28x28x1"


def row(subject: str, *repeats: float, cell: str = CNN, group: str = "student") -> Row:
    facts = {"threads": 2, "batches": 100, "compile_seconds": 2.5}
    return Row.of((group, cell, subject), repeats, batch=32, facts=facts)


RECORD = Bench(
    date="2026-01-01T00:00:00Z",
    device="cpu",
    machine={
        "processor": "Xeon",
        "system": "Linux",
        "cores": 2,
        "hyper_threads": False,
        "load_at_start": 0.1,
        "load_at_end": 2.0,
    },
    versions={"keras": "3.15.1"},
    rows=[
        row(ENGINE, 1.0, 0.9, 1.4),
        row("fit on jax", 4.0, 3.0, 5.0),
        row("PyTorch loop", 2.0, 2.5, 1.5),
        row(LABELS_ALONE, 0.5, 0.5, 0.5),
        row(FLOOR.name, 0.3, 0.25, 0.2),
        row("4 students", 1.0, cell="students", group="scaling"),
    ],
    not_measured=[NotMeasured(CNN, "PyTorch loop, compiled", "no C++ compiler")],
    memory=[Memory("4 students", 900.0)],
)


def test_a_row_has_median_range_and_times_the_engine_and_the_floor() -> None:
    line = next(line for line in table(RECORD).splitlines() if line.startswith("PyTorch loop  "))
    assert line.split()[2:] == ["2", "2.000", "(1.500", "to", "2.500)", "2.00", "10.0", "2.5"]  # the floor's best: 0.2


def test_the_machine_and_its_load_come_first() -> None:
    first = table(RECORD).splitlines()[0]
    assert first.startswith("Xeon, 2 cores (no hyper-threads), Linux; load 0.1 at the start, 2.0 at the end")


def test_what_was_not_measured_is_said_where_it_would_be() -> None:
    block = next(block for block in table(RECORD).split("\n\n") if block.startswith(CNN))
    assert block.splitlines()[-1] == "PyTorch loop, compiled: not measured: no C++ compiler"


def test_the_lead_is_over_the_best_that_does_the_same_work() -> None:
    assert table(RECORD).splitlines()[-1].split() == [*CNN.split(), "1.000", "2.000", "2.0", "PyTorch", "loop"]


def test_a_lead_within_the_ranges_is_marked() -> None:
    busy = replace(RECORD, rows=[row(ENGINE, 1.0, 0.9, 1.6), *RECORD.rows[1:]])
    assert table(busy).splitlines()[-1].endswith("PyTorch loop; ranges overlap")


def test_a_gpus_study_is_shown_where_there_is_one() -> None:
    assert "110 students" not in table(RECORD)
    assert "110 students, 20 epochs of 60,000 images: 41.0 s" in table(replace(RECORD, gpu_study_seconds=41.0))


def test_the_record_is_plain_json() -> None:
    tree = json.loads(RECORD.to_json())
    assert tree["unit"] == "milliseconds a step of one student"
    first = tree["rows"][0]
    assert (first["repeats"], first["median"], first["low"], first["high"]) == ([1.0, 0.9, 1.4], 1.0, 0.9, 1.4)
    assert first["epoch_seconds"] == 1.875
    assert tree["machine"]["cores"] == 2
