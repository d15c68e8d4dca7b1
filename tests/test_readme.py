"""The README's commands: each exists, and each runs, made small where its real size takes minutes."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from tests.conftest import REAL_DATA

from distillab.cli import main
from distillab.data import catalogue, load
from distillab.models import build
from distillab.report import theory

ROOT = Path(__file__).parents[1]
SMALL = [
    *("--set", "teacher.epochs=1"),
    *("--set", "teacher.model=cnn-4-6"),
    *("--set", "alpha=0,0.5,1"),
    *("--set", "seeds=1"),
    *("--set", "epochs=1"),
]
SMALL_MNIST = [*SMALL, "--set", "train_size=500"]


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_every_make_target_exists() -> None:
    targets = [line.split()[1] for line in commands() if line.startswith("make ")]
    assert targets
    for target in targets:
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_no_page_holds_what_a_merge_left() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert pages
    assert [page.name for page in pages if re.search(r"^(<{7}|={7}$|>{7})", page.read_text(), re.MULTILINE)] == []


def test_the_demo_runs_the_commands_that_the_readme_shows() -> None:
    script = subprocess.run(["make", "--dry-run", "demo"], cwd=ROOT, capture_output=True, text=True).stdout
    shown = [line for line in commands() if line.endswith("demo") and line.startswith("distillab")]
    assert len(shown) == 3
    for line in shown:
        assert line in script


def save_taught(model: keras.Model, name: str, loss: str, file: str) -> None:
    """Save a model that is better than chance, as a teacher must be: with 8 units, by the luck of the first weights."""
    keras.utils.set_random_seed(0)
    model = keras.models.clone_model(model)  # drawn anew, from this seed
    data = load(name)
    logits = loss.startswith("sparse")
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if logits else loss
    model.compile(keras.optimizers.Adam(0.03), own)
    model.fit(data.inputs(data.x_train), data.y_train, epochs=20, verbose=0)
    model.save(file)


def test_every_command_runs(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:

    monkeypatch.chdir(tmp_path)
    read_once = functools.cache(catalogue.read_published)  # each command reads MNIST anew
    monkeypatch.setattr(catalogue, "read_published", read_once)
    monkeypatch.setattr(sys.modules["distillab.data.inventory"], "read_published", read_once)
    monkeypatch.setattr(theory, "render", lambda chart, form: b"drawn")  # tests/report/test_theory.py draws them
    lines = [line for line in commands() if line.startswith("distillab ")]
    others = {line.split()[0] for line in commands()} - {"distillab", "make", "git"}
    assert lines
    assert not others, "commands that this test does not know how to run"
    save_taught(build("mlp-8", (8, 8, 1), 10), "digits", "sparse_categorical_crossentropy", "teacher.keras")
    one_sigmoid = [keras.Input((30,)), keras.layers.BatchNormalization(), keras.layers.Dense(1, "sigmoid")]
    save_taught(keras.Sequential(one_sigmoid), "breast_cancer", "binary_crossentropy", "sigmoid.keras")
    for line in lines:
        words = shlex.split(line)[1:]
        if words[:2] == ["data", "list"]:  # two sets are enough: it reads all there are from end to end
            small = tmp_path / "data"
            small.mkdir()
            for name in REAL_DATA:
                (small / name).symlink_to(request.getfixturevalue("data_dir") / name)
            words[words.index("--data-dir") + 1] = str(small)
        elif "--data-dir" in words:
            words[words.index("--data-dir") + 1] = str(request.getfixturevalue("data_dir"))
        if words[0] == "run":
            words += SMALL if words[1] == "demo" else SMALL_MNIST
        if words[0] == "distill":
            words += ["--epochs", "1", "--seeds", "2", "--search-seeds", "1", "--rounds", "0"]
            words += ["--temperature", "3", "--alpha", "0.3", "--learning-rate", "0.01"]
        if words[1:2] == ["original"]:
            words += ["--set", "teacher.train_size="]
        with pytest.raises(SystemExit) as ended:
            main(words)
        told = capsys.readouterr()
        assert not ended.value.code, f"{line}\n{told.err}"
        assert told.out, line
    assert (tmp_path / "runs/demo/figures/accuracy_vs_alpha.png").stat().st_size > 0
    assert (tmp_path / "runs/warm/study.db").is_file()
    assert (tmp_path / "student.onnx").is_file()
    assert keras.models.load_model(tmp_path / "yes-or-no" / "student.keras").layers[-1].activation.__name__ == "sigmoid"


@pytest.mark.parametrize("page", ["README.md", "docs/distiller.md", "docs/conventions.md"])
def test_the_python_that_a_page_shows_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    import numpy as np

    def model(width: int) -> keras.Model:
        layers = keras.layers
        return keras.Sequential([keras.Input((4,)), layers.Dense(width, activation="relu"), layers.Dense(3)])

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 4)).astype("float32"), rng.integers(0, 3, 32)
    known = {"student": model(2), "teacher": model(8), "x": x, "y": y, "x_val": x, "y_val": y}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, known)
    if "student.keras" in "".join(blocks):
        assert isinstance(keras.models.load_model("student.keras"), keras.Sequential)
