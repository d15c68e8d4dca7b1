"""A cell is measured in rounds that visit every subject; a fake worker answers at once."""

from __future__ import annotations

from typing import Any

import pytest

from distillab.bench.plan import ENGINE, FLOOR, Cell, Subject
from distillab.bench.record import NotMeasured
from distillab.bench.rounds import check_gpu, measure, measure_cell
from distillab.errors import RequestError, WorkError

CELL = Cell(
    "student",
    "cnn-16-32 28x28x1",
    (
        Subject(ENGINE, "engine", "cohort"),
        Subject("fit on jax", "jax", "fit"),
        Subject("PyTorch loop", "pytorch", "torch loop"),
    ),
)
SECONDS = {"cohort": 0.2, "fit": 0.4, "torch loop": 0.3, "products": 0.01}


class Fake:
    """Workers whose timings are given, and who note what they are asked."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.asked: list[tuple[str, str]] = []
        self.kinds: dict[str, str] = {}

    def ask(self, worker: str, **request: Any) -> dict[str, Any]:
        self.asked.append((request["do"], request.get("key", worker)))
        if request["do"] == "prepare":
            kind = self.kinds[request["key"]] = request["kind"]
            if kind == self.fails:
                return {"error": "InductorError: no C++ compiler"}
            students, flops = (4, 1_000) if kind == "cohort" else (1, 5_000)
            return {"threads": 2, "batches": 10, "students": students, "flops": flops, "compile_seconds": 3.0}
        return {"seconds": SECONDS[self.kinds[request["key"]]]} if request["do"] == "time" else {}


def test_each_round_visits_all_subjects_in_an_order_of_its_own() -> None:
    fake = Fake()
    measure_cell(CELL, fake.ask, repeats=3, target=1.0, settle=0)
    actions = [action for action, _ in fake.asked]
    assert actions == ["prepare"] * 4 + ["time"] * 12 + ["forget"] * 3  # three workers: the floor is timed in one's
    times = [key for action, key in fake.asked if action == "time"]
    rounds = [times[start : start + 4] for start in (0, 4, 8)]
    assert all(sorted(one) == ["0", "1", "2", "3"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_times_are_milliseconds_a_step_of_one_student() -> None:
    rows, failed = measure_cell(CELL, Fake().ask, repeats=2, target=1.0, settle=0)
    assert failed == []
    assert {row.subject: row.median for row in rows} == pytest.approx(
        {
            ENGINE: 5.0,  # 200 ms for 10 steps of 4 students
            "fit on jax": 40.0,
            "PyTorch loop": 30.0,
            FLOOR.name: 0.2,  # 10 ms for 10 products of 5,000 operations; a step has 1,000
        }
    )
    assert rows[0].epoch_seconds == pytest.approx(5e-3 * 60_000 / 32)
    assert rows[0].repeats == pytest.approx((5.0, 5.0))


def test_a_cell_with_few_repeats_keeps_to_them() -> None:
    rows, _ = measure_cell(Cell("teacher", "t", CELL.subjects, repeats=2), Fake().ask, repeats=5, target=1.0, settle=0)
    assert {len(row.repeats) for row in rows} == {2}


def test_another_subject_that_fails_is_left_out_with_its_reason() -> None:
    rows, failed = measure_cell(CELL, Fake(fails="torch loop").ask, repeats=1, target=1.0, settle=0)
    assert [row.subject for row in rows] == [ENGINE, "fit on jax", FLOOR.name]
    assert failed == [NotMeasured(CELL.name, "PyTorch loop", "InductorError: no C++ compiler")]


def test_an_engine_that_fails_ends_the_bench() -> None:
    with pytest.raises(WorkError, match="The bench's 'this engine' failed on cnn-16-32 28x28x1: InductorError"):
        measure_cell(CELL, Fake(fails="cohort").ask, repeats=1, target=1.0, settle=0)


def test_a_subject_that_fails_in_a_round_is_named() -> None:
    fake = Fake()

    def ask(worker: str, **request: Any) -> dict[str, Any]:
        return {"error": "MemoryError"} if request["do"] == "time" else fake.ask(worker, **request)

    with pytest.raises(WorkError, match=r"The bench's '.*' failed: MemoryError"):
        measure_cell(CELL, ask, repeats=1, target=1.0, settle=0)


def test_a_machine_without_a_gpu_is_refused() -> None:
    with pytest.raises(RequestError, match=r"--device gpu: JAX has no GPU here \(devices: cpu\)\. Install jax\[cuda12"):
        check_gpu(lambda worker, **request: {"platform": "cpu"})
    check_gpu(lambda worker, **request: {"platform": "gpu"})


def test_an_unknown_student_is_refused_before_anything_starts() -> None:
    with pytest.raises(RequestError, match="There is no architecture 'cmm'"):
        measure(students=["cmm-16-32"])
