"""`distillab distill` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.cli import main
from distillab.data import load
from distillab.engine import latency as latency_module


def call(capsys: pytest.CaptureFixture[str], *words: object, command: str = "distill") -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([command, *map(str, words)])
    message = capsys.readouterr()
    return int(ended.value.code or 0), message.out, message.err


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(latency_module, "SECONDS", 0.01)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    keras.utils.set_random_seed(0)
    digits = load("digits")
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(digits.inputs(digits.x_train), digits.y_train, epochs=3, verbose=0)
    model.save(tmp_path / "teacher.keras")
    return tmp_path / "teacher.keras"


QUICK = ("--epochs", 2, "--seeds", 2, "--search-seeds", 1, "--rounds", 0, "--temperature", 3, "--learning-rate", 0.01)


def test_it_prints_the_verdict_and_leaves_student_and_card(teacher: Path, tmp_path: Path, capsys):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def tiny(shape, classes):\n"
        "    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])\n"
    )
    words = ("--teacher", teacher, "--student", f"{tmp_path}/mine.py:tiny", "--data", "digits")
    code, out, err = call(capsys, *words, "--out", tmp_path / "out", *QUICK)
    assert code == 0, err
    assert "istillation" in out.splitlines()[0]
    assert "percentage points of test accuracy" in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"student.keras", "model_card.md", "answer.json", "study.yaml", "examples.npz", "study.db"} <= names
    verdict = json.loads((tmp_path / "out" / "answer.json").read_text())["verdict"]
    for who in ("student", "baseline"):  # two models that are right agree
        one_is_wrong = 2 - verdict[who]["accuracy"]["mean"] - verdict["teacher"]["accuracy"]  # at most
        assert verdict[who]["agreement"]["mean"] >= 1 - one_is_wrong


def test_answer_report_and_check_read_its_folder(teacher: Path, tmp_path: Path, capsys):
    words = ("--teacher", teacher, "--student", "linear", "--data", "digits", "--out", tmp_path / "out")
    assert call(capsys, *words, *QUICK)[0] == 0
    code, out, _ = call(capsys, tmp_path / "out", command="answer")
    assert (code, out.splitlines()[0]) == (0, "linear, distilled from teacher.keras. On digits: 450 test examples.")
    machine = call(capsys, tmp_path / "out", "--format", "json", command="answer")
    assert json.loads(machine[1]) == json.loads((tmp_path / "out" / "answer.json").read_text())
    code, out, _ = call(capsys, tmp_path / "out", command="report")
    assert (code, out.strip()) == (0, str(tmp_path / "out" / "report.html"))
    assert call(capsys, tmp_path / "out", "--out", tmp_path / "page.html", command="report")[0] == 0
    assert (tmp_path / "page.html").read_text() == (tmp_path / "out" / "report.html").read_text()
    code, _, err = call(capsys, tmp_path / "out", "--metric", "nll", command="answer")
    assert (code, "--metric is for studies" in err) == (2, True)
    code, out, _ = call(capsys, "check", tmp_path / "out", command="data")
    assert code == 0
    assert "sound" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--alpha", "serch"), "'search' or 'predicted'"),
        (("--alpha", "2"), "alpha=2.0"),
        (("--budget", "fast"), "such as 15m"),
        (("--teacher-input", "224"), "such as 224x224"),
        (("--seeds", "1"), "at least 2"),
        (("--student", "cnnn-4-8"), "Did you mean 'cnn'"),
        (("--student", "auto"), "needs a limit"),
        (("--data", "nowhere.npz"), "nowhere.npz"),
        (("--teacher", "nowhere.keras"), "There is no model file"),
        (("--loss", "teacher_free"), "loss='teacher_free' is not allowed: it must be one of 'kl'"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(words, message: str, teacher: Path, tmp_path: Path, capsys):
    given = {"--teacher": teacher, "--student": "linear", "--data": "digits", "--out": tmp_path / "out"}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    code, out, err = call(capsys, *(word for pair in given.items() for word in pair))
    assert code == 2
    assert message in " ".join(err.split())
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_a_class_count_that_differs_is_refused(teacher: Path, tmp_path: Path, capsys):
    x = np.random.default_rng(0).integers(0, 16, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(60) % 3)
    words = ("--teacher", teacher, "--student", "linear", "--data", tmp_path / "d.npz", "--out", tmp_path / "out")
    code, _, err = call(capsys, *words)
    assert code == 2
    assert "predicts 10 classes, and the data have 3" in " ".join(err.split())
