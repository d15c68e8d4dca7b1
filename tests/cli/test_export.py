"""`distillab export` as a user meets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from distillab.cli import main
from distillab.export import latency as latency_module
from distillab.models import build

pytest.importorskip("jax2onnx", reason="the extra `onnx` is not installed")


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, words)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(latency_module, "SECONDS", 0.01)
    build("mlp-8", (8, 8, 1), 10).save(tmp_path / "student.keras")
    return tmp_path / "student.keras"


def test_it_prints_size_agreement_accuracy_and_latency(student: Path, tmp_path: Path, capsys):
    code, out, _ = call(capsys, student, "--to", "onnx", "--out", tmp_path / "student.onnx", "--data", "digits")
    assert code == 0
    assert (tmp_path / "student.onnx").stat().st_size > 0
    lines = out.splitlines()
    assert lines[0].startswith(f"{tmp_path}/student.onnx: ")
    agreed = re.search(r"labels agree on (\d+) of (\d+) test examples of digits", lines[1])
    assert agreed
    assert agreed[1] == agreed[2]
    assert re.match(r"accuracy on them: \d+\.\d\d %", lines[2])
    assert [line.split(",")[1] for line in lines[3:]] == [" batch 1", " batch 64"]


def test_without_data_it_says_what_it_was_compared_on(student: Path, tmp_path: Path, capsys):
    code, out, _ = call(capsys, student, "--to", "onnx", "--out", tmp_path / "student.onnx")
    assert code == 0
    assert "1,000 of 1,000 inputs of random numbers" in out
    assert "accuracy" not in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("{dir}/none.keras", "--to", "onnx", "--out", "{dir}/a.onnx"), "There is no model file"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.txt"), "ends in .onnx"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.onnx", "--data", "mnits"), "no data set 'mnits'"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.onnx", "--data", "synthetic"), "examples.shape"),
        (("{dir}/student.keras", "--to", "tflite", "--out", "{dir}/a.onnx"), "onnx"),
        (("{dir}/student.keras", "--out", "{dir}/a.onnx"), "--to"),
    ],
)
def test_bad_requests_are_told_and_leave_nothing(student: Path, tmp_path: Path, capsys, words, told):
    code, out, err = call(capsys, *(word.format(dir=tmp_path) for word in words))
    assert code == 2
    assert out == ""
    assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["student.keras"]
