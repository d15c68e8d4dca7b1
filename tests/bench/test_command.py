"""`distillab bench`: what the command makes of the numbers, not the numbers."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distillab.bench.rounds import measure_cell
from distillab.cli import main


class Instant:
    """Workers whose every subject returns at once."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __enter__(self) -> Instant:
        return self

    def __exit__(self, *error: object) -> None: ...

    def ask(self, worker: str, **request: Any) -> dict[str, Any]:
        facts = {"threads": 2, "batches": 10, "students": 1, "flops": 1_000, "compile_seconds": 1.0}
        return facts | {"seconds": 0.1, "mib": 100.0, "platform": "cpu"}


@pytest.fixture(autouse=True)
def _instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillab.bench.rounds.Workers", Instant)
    monkeypatch.setattr("distillab.bench.rounds.measure_cell", partial(measure_cell, settle=0))


def _give(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    return int(ended.value.code or 0)


def test_bench_prints_a_table_and_keeps_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _give("--quick", "--out", str(tmp_path / "bench.json")) == 0
    out, err = capsys.readouterr()
    assert "keras.distillation on jax" in out
    assert "vit-32-2 28x28x1: round 2" in err
    tree = json.loads((tmp_path / "bench.json").read_text())
    assert tree["rows"][0]["median"] == pytest.approx(10.0)
    assert tree["memory"] == []


def test_a_whole_bench_has_all_groups_and_the_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _give("--repeats", "1", "--students", "gru-32,cnn-16-32", "--out", str(tmp_path / "bench.json")) == 0
    tree = json.loads((tmp_path / "bench.json").read_text())
    assert {row["group"] for row in tree["rows"]} >= {"student", "teacher", "scaling", "mapping"}
    assert [one["mib"] for one in tree["memory"]] == [100.0, 100.0]
    assert "Peak memory of a process" in capsys.readouterr().out


def test_without_a_gpu_the_command_ends_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert _give("--device", "gpu") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("distillab: --device gpu: JAX has no GPU here (devices: cpu).")
