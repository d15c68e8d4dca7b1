"""Every example runs, offline, and is short enough to be read in one sitting."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
PRINTS = {
    "alpha_schedule.py": "'alpha': 0.9, 'temperature': 1.0",
    "born_again.py": "generation 3: 0.",
    "own_loss.py": "confident_teacher_kl: 0.",
    "several_teachers.py": "'agreement'",
    "stored_logits.py": "stored logits: loss",
    "texts.py": "internet: Send a message to an SMTP server.",
    "ten_lines.py": "'student_loss'",
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.name == "own_loss.py" else pytest.mark.slow) for path in EXAMPLES],
    ids=lambda path: path.name,
)
def test_an_example_runs_and_prints_what_it_is_about(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert PRINTS[path.name] in printed
    if path.name == "stored_logits.py":
        live, stored = (float(line.split("loss ")[1].split(",")[0]) for line in printed.splitlines())
        assert live == pytest.approx(stored, abs=2e-3)  # 250 steps of Adam in float32, the loss being about 1
        assert len(list((tmp_path / "logits").glob("*.npy"))) == 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_at_most_forty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40


def test_an_example_runs_for_who_has_chosen_no_backend(tmp_path: Path) -> None:
    """Keras asks for TensorFlow then, which need not be installed: distillab must be imported before it."""
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    script = next(path for path in EXAMPLES if path.name == "ten_lines.py")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path in EXAMPLES:
        text = path.read_text()
        assert text.index("from distillab import") < text.index("import keras"), path.name
