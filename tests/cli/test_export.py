"""`distillab export` as a user meets it."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest

from distillab.cli import main
from distillab.data import load
from distillab.engine import latency as latency_module
from distillab.models import build

pytest.importorskip("jax2onnx", reason="the extra `onnx` is not installed")


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, words)])
    message = capsys.readouterr()
    return int(ended.value.code or 0), message.out, message.err


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


def test_it_speaks_of_real_numbers_and_of_maps_in_their_own_words(student: Path, tmp_path: Path, capsys):
    build("linear", (8, 8, 1), 1).save(student)
    words = (student, "--to", "onnx", "--out", tmp_path / "student.onnx")
    _, out, _ = call(capsys, *words)
    assert re.search(r"within \d\S+ on 1,000 inputs of random numbers", out)
    assert "labels" not in out
    _, out, _ = call(capsys, *words, "--task", "binary")
    assert "labels agree on 1,000 of 1,000 inputs of random numbers" in out
    build("unet-2-3", (8, 8, 1), 3).save(student)
    _, out, _ = call(capsys, *words)
    assert "labels agree on 64,000 of 64,000 in 1,000 inputs of random numbers" in out


def test_int8_prints_the_accuracy_before_and_after(student: Path, tmp_path: Path, capsys):
    keras.utils.set_random_seed(0)
    digits = load("digits")
    model = build("mlp-32", (8, 8, 1), 10)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits.inputs(digits.x_train), digits.y_train, epochs=5, verbose=0)
    model.save(student)
    code, out, _ = call(capsys, student, "--to", "onnx", "--out", tmp_path / "small.onnx", "--data", "digits", "--int8")
    assert code == 0
    assert (tmp_path / "small.onnx").stat().st_size > 0
    assert "8 bits, calibrated on 512 training examples" in out
    accuracies = re.search(r"accuracy: (\d+\.\d\d) % with Keras, (\d+\.\d\d) % in 8 bits", out)
    assert accuracies
    assert float(accuracies[2]) >= float(accuracies[1]) - 1 > 85


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{dir}/none.keras", "--to", "onnx", "--out", "{dir}/a.onnx"), "There is no model file"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.txt"), "ends in .onnx"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.onnx", "--data", "mnits"), "no data set 'mnits'"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.onnx", "--data", "synthetic"), "examples.shape"),
        (("{dir}/student.keras", "--to", "tflite", "--out", "{dir}/a.onnx"), "onnx"),
        (("{dir}/student.keras", "--out", "{dir}/a.onnx"), "--to"),
        (("{dir}/student.keras", "--to", "onnx", "--out", "{dir}/a.onnx", "--int8"), "Give --data"),
    ],
)
def test_bad_requests_are_reported_and_leave_nothing(student: Path, tmp_path: Path, capsys, words, message):
    code, out, err = call(capsys, *(word.format(dir=tmp_path) for word in words))
    assert code == 2
    assert out == ""
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["student.keras"]
