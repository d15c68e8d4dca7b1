"""Models from files: safe, whole, and without their optimiser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab import Distiller
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.files import read_model


def test_a_model_comes_back_with_its_weights_and_without_its_optimiser(tmp_path: Path):
    model = build("mlp-6", (4,), 3)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.random.default_rng(0).standard_normal((32, 4)).astype("float32")
    model.fit(x, np.arange(32) % 3, verbose=0)
    model.save(tmp_path / "model.keras")
    again = read_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert getattr(again, "optimizer", None) is None


def test_code_in_a_file_runs_only_where_it_is_trusted(tmp_path: Path):
    layers = [keras.Input((4,)), keras.layers.Lambda(lambda x: 2 * x, output_shape=(4,)), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.save(tmp_path / "model.keras")
    with pytest.raises(RequestError, match=r"Lambda layer.*--trust"):
        read_model(tmp_path / "model.keras")
    x = np.ones((2, 4), np.float32)
    trusted = read_model(tmp_path / "model.keras", trust=True)
    np.testing.assert_array_equal(trusted.predict(x, verbose=0), model.predict(x, verbose=0))


PROGRAM = """
import sys
from distillab.models.files import read_model
student = read_model(sys.argv[1])
print("distillab.keras" in sys.modules, type(student).__name__, float(abs(student.get_weights()[0]).sum()))
"""


def test_of_a_checkpointed_distiller_the_student_is_read_in_a_process_of_its_own(tmp_path: Path):
    student, teacher = (build(name, (4,), 3) for name in ("mlp-6", "mlp-8"))
    distiller = Distiller(student, teacher, save_teacher=True)
    distiller.compile("adam")
    x = np.random.default_rng(0).standard_normal((32, 4)).astype("float32")
    path = tmp_path / "best.keras"
    distiller.fit(x, np.arange(32) % 3, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    done = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True)
    *kind, weights = done.stdout.split()
    assert kind == ["False", type(student).__name__]
    assert float(weights) == pytest.approx(float(np.abs(student.get_weights()[0]).sum()), rel=1e-6)


@pytest.mark.parametrize("trust", [False, True])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, trust: bool):
    whole = tmp_path / "whole.keras"
    build("mlp-6", (4,), 3).save(whole)
    content = whole.read_bytes()
    for name, damaged in (("cut", content[: len(content) // 2]), ("empty", b""), ("flipped", _flipped(content))):
        path = tmp_path / f"{name}.keras"
        path.write_bytes(damaged)
        with pytest.raises(RequestError, match=name) as message:
            read_model(path, trust=trust)
        assert "\n" not in str(message.value)


def _flipped(content: bytes) -> bytes:
    """With a member's compressed contents overwritten, and the archive's directory whole."""
    offset = content.index(b"config.json") + 40
    return content[:offset] + b"\xff" * 30 + content[offset + 30 :]


def test_what_is_no_model_file_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match=r"a \.keras file"):
        read_model(tmp_path / "model.pkl")
    with pytest.raises(RequestError, match="There is no model file"):
        read_model(tmp_path / "model.keras")
