"""Exporting a model file from Python: on a data set, on stored examples, on random inputs."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import load
from distillab.errors import RequestError
from distillab.export import export_model, export_onnx
from distillab.models import build

pytestmark = pytest.mark.usefixtures("tools")


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(0)
    build("mlp-8", (8, 8, 1), 10).save(tmp_path / "student.keras")
    return tmp_path / "student.keras"


def test_it_is_compared_on_test_examples_of_the_data(model_file: Path, tmp_path: Path):
    exported = export_model(model_file, to="onnx", out=tmp_path / "student.onnx", data="digits")
    assert exported.examples == "test examples of digits"
    assert exported.agreement.n == len(exported.predictions) == len(load("digits").y_test)
    assert exported.quality == ("accuracy", np.mean(exported.predictions.argmax(-1) == load("digits").y_test))
    assert exported.keras_quality is None


def test_stored_examples_beside_the_model_are_used(model_file: Path, tmp_path: Path):
    digits = load("digits")
    x = digits.inputs(digits.x_train[:40])
    np.savez(tmp_path / "examples.npz", x_train=x, y_train=digits.y_train[:40], x_test=x[:9], y_test=digits.y_train[:9])
    exported = export_model(model_file, to="onnx", out=tmp_path / "student.onnx")
    assert (exported.examples, exported.agreement.n) == ("test examples of the distillation", 9)


@pytest.mark.parametrize("int8", [False, True])
def test_stored_examples_state_their_task(tmp_path: Path, int8: bool):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.random((300, 6), np.float32)
    y = (x @ rng.random((6, 2), np.float32)).astype(np.float32)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), "mae")
    model.fit(x, y, epochs=10, verbose=0)
    model.save(tmp_path / "student.keras")
    arrays = {"x_train": x[:200], "y_train": y[:200], "x_test": x[200:], "y_test": y[200:] + 0.5}
    np.savez(tmp_path / "examples.npz", **arrays, task="regression")
    exported = export_model(tmp_path / "student.keras", to="onnx", out=tmp_path / "student.onnx", int8=int8)
    error = np.abs(model.predict(x[200:], verbose=0) - arrays["y_test"]).mean()
    assert exported.quality == ("mae", pytest.approx(error, rel=0.02))
    np.savez(tmp_path / "examples.npz", **arrays)  # as before there were tasks
    with pytest.raises(RequestError, match="labels"):
        export_model(tmp_path / "student.keras", to="onnx", out=tmp_path / "other.onnx")
    assert not (tmp_path / "other.onnx").exists()


def test_a_bare_file_is_compared_as_the_stated_task_says(tmp_path: Path):
    build("linear", (5,), 1).save(tmp_path / "student.keras")
    compared = {
        task: export_model(tmp_path / "student.keras", to="onnx", out=tmp_path / "student.onnx", task=task).agreement
        for task in (None, "binary", "regression")
    }
    assert {task: one.same_labels for task, one in compared.items()} == {None: None, "binary": 1000, "regression": None}
    with pytest.raises(RequestError, match="task=categorical needs one output for each class"):
        export_model(tmp_path / "student.keras", to="onnx", out=tmp_path / "other.onnx", task="categorical")


def test_without_data_inputs_are_random_and_there_is_no_accuracy(model_file: Path, tmp_path: Path):
    exported = export_model(model_file, to="onnx", out=tmp_path / "student.onnx")
    assert (exported.examples, exported.quality) == ("inputs of random numbers", None)


def test_paths_may_be_strings(model_file: Path, tmp_path: Path):
    exported = export_model(str(model_file), to="onnx", out=str(tmp_path / "student.onnx"))
    assert exported.path == tmp_path / "student.onnx"
    again = export_onnx(keras.models.load_model(model_file), str(tmp_path / "again.onnx"), load("digits").x_test / 16.0)
    assert again.path.is_file()


def test_eight_bits_need_data_and_onnx(model_file: Path, tmp_path: Path):
    with pytest.raises(RequestError, match="Give --data"):
        export_model(model_file, to="onnx", out=tmp_path / "student.onnx", int8=True)
    with pytest.raises(RequestError, match="used with --to onnx"):
        export_model(model_file, to="litert", out=tmp_path / "student.tflite", data="digits", int8=True)
