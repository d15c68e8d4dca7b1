"""TensorFlow's formats: compared with Keras before they are left; refused in one line without TensorFlow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.errors import RequestError, WorkError
from distillab.export import export_tensorflow
from distillab.export import tensorflow as module
from distillab.models import build
from distillab.models.frameworks.saved_model import saved_model

RNG = np.random.default_rng(0)
IMAGES = RNG.random((300, 12, 12, 1), np.float32)
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="the extra `tensorflow` is not installed"
)


@needs_tensorflow
@pytest.mark.parametrize(("form", "name"), [("litert", "s.tflite"), ("saved_model", "s")])
@pytest.mark.parametrize("student", ["cnn-4-8", "resnet-4-8"])
def test_it_predicts_as_keras_does_for_any_number_of_examples(student: str, form, name: str, tmp_path: Path):
    done = export_tensorflow(build(student, (12, 12, 1), 4), tmp_path / name, IMAGES, form)
    assert done.agreement.same_labels == done.agreement.n == 300
    assert done.agreement.within_rounding
    assert done.latency[1].p50 > 0
    assert (tmp_path / name).exists()
    again = export_tensorflow(build(student, (12, 12, 1), 4), tmp_path / name, IMAGES, form)  # in the same place
    assert again.bytes > 0
    if form == "saved_model":  # and can teach
        np.testing.assert_allclose(saved_model(tmp_path / name)(IMAGES), again.predictions, atol=1e-5)


@needs_tensorflow
@pytest.mark.parametrize(("form", "name"), [("litert", "s.tflite"), ("saved_model", "s")])
def test_several_inputs_of_their_own_types_predict_as_in_keras(form, name: str, tmp_path: Path):
    words, numbers = keras.Input((6,), name="words", dtype="int32"), keras.Input((2,), name="numbers")
    read = [keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 4)(words)), numbers]
    model = keras.Model({"words": words, "numbers": numbers}, keras.layers.Dense(3)(keras.layers.Concatenate()(read)))
    examples = {"words": RNG.integers(0, 9, (300, 6)), "numbers": RNG.normal(size=(300, 2))}
    done = export_tensorflow(model, tmp_path / name, examples, form)
    assert done.agreement.within_rounding
    assert done.agreement.same_labels == 300


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"LiteRT export needs TensorFlow.*distillab\[tensorflow\]"):
        export_tensorflow(build("linear", (4,), 2), tmp_path / "s.tflite", IMAGES, "litert")


def test_a_wrong_place_is_refused_before_anything_else(tmp_path: Path):
    with pytest.raises(RequestError, match=r"a file that ends in \.tflite"):
        export_tensorflow(build("linear", (4,), 2), tmp_path / "s.onnx", IMAGES, "litert")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(RequestError, match="is no SavedModel"):
        export_tensorflow(build("linear", (4,), 2), tmp_path, IMAGES, "saved_model")


def test_a_failing_program_is_reported_in_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    with pytest.raises(WorkError, match="cannot be written by TensorFlow"):
        export_tensorflow(build("cnn-4-8", (12, 12, 1), 4), tmp_path / "s.tflite", IMAGES, "litert")
    assert list(tmp_path.iterdir()) == []
