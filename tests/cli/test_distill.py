"""`distillab distill` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.cli import main
from distillab.data import load
from distillab.engine import latency as latency_module


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["distill", *map(str, words)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


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
    assert {"student.keras", "model_card.md", "result.json", "examples.npz", "study.db"} <= names


@pytest.mark.parametrize(
    ("words", "told"),
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
        (("--loss", "teacher_free"), "There is no loss"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(words, told: str, teacher: Path, tmp_path: Path, capsys):
    given = {"--teacher": teacher, "--student": "linear", "--data": "digits", "--out": tmp_path / "out"}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    code, out, err = call(capsys, *(word for pair in given.items() for word in pair))
    assert code == 2
    assert told in " ".join(err.split())
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_a_class_count_that_differs_is_refused(teacher: Path, tmp_path: Path, capsys):
    x = np.random.default_rng(0).integers(0, 16, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(60) % 3)
    words = ("--teacher", teacher, "--student", "linear", "--data", tmp_path / "d.npz", "--out", tmp_path / "out")
    code, _, err = call(capsys, *words)
    assert code == 2
    assert "answers 10 classes, and the data have 3" in " ".join(err.split())
