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
    assert exported.accuracy == np.mean(exported.predictions.argmax(-1) == load("digits").y_test)
    assert exported.keras_accuracy is None


def test_stored_examples_beside_the_model_are_used(model_file: Path, tmp_path: Path):
    digits = load("digits")
    x = digits.inputs(digits.x_train[:40])
    np.savez(tmp_path / "examples.npz", x_train=x, y_train=digits.y_train[:40], x_test=x[:9], y_test=digits.y_train[:9])
    exported = export_model(model_file, to="onnx", out=tmp_path / "student.onnx")
    assert (exported.examples, exported.agreement.n) == ("test examples of the distillation", 9)


def test_without_data_inputs_are_random_and_there_is_no_accuracy(model_file: Path, tmp_path: Path):
    exported = export_model(model_file, to="onnx", out=tmp_path / "student.onnx")
    assert (exported.examples, exported.accuracy) == ("inputs of random numbers", None)


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
