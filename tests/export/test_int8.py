"""Models of 8 bits: smaller, as accurate to a point, or refused."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import load
from distillab.errors import RequestError, WorkError
from distillab.export import export_int8, export_onnx
from distillab.export import int8 as module
from distillab.models import build

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytestmark = pytest.mark.usefixtures("tools")


@pytest.fixture(scope="module")
def digits():
    dataset = load("digits")
    return dataset.inputs(dataset.x_train), dataset.y_train, dataset.inputs(dataset.x_test), dataset.y_test


@pytest.fixture(scope="module")
def trained(digits) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build("mlp-32", (8, 8, 1), 10)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits[0], digits[1], epochs=8, verbose=0)
    return model


def test_it_is_smaller_and_about_as_accurate(trained: keras.Model, digits, tmp_path: Path):
    x, _, x_test, y_test = digits
    whole = export_onnx(trained, tmp_path / "whole.onnx", x_test)
    small = export_int8(trained, tmp_path / "small.onnx", x_test, y_test, x[:256])
    assert small.bytes == small.path.stat().st_size < whole.bytes
    assert small.keras_accuracy == np.mean(trained.predict(x_test, verbose=0).argmax(-1) == y_test) > 0.9
    assert small.accuracy >= small.keras_accuracy - module.LOSS
    assert small.agreement.same_labels >= 0.97 * len(x_test)
    weights = [one for one in onnx.load(small.path).graph.initializer if len(one.dims) == 2]
    assert weights
    assert all(one.data_type == onnx.TensorProto.INT8 for one in weights)


def test_a_loss_of_accuracy_is_refused_with_both_figures(trained: keras.Model, digits, tmp_path: Path):
    x, _, x_test, y_test = digits
    narrow = x[:64] * np.float32(0.02)  # calibrated on far smaller inputs, all real ones are cut off
    with pytest.raises(WorkError, match=r"falls from 9\d\.\d\d to \d+\.\d\d % on .* examples.*No file was written"):
        export_int8(trained, tmp_path / "small.onnx", x_test, y_test, narrow)
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_do_not_fit_are_refused(trained: keras.Model, digits, tmp_path: Path):
    x, _, x_test, y_test = digits
    with pytest.raises(RequestError, match=r"labels\.shape"):
        export_int8(trained, tmp_path / "small.onnx", x_test, y_test[:-1], x)
    with pytest.raises(RequestError, match=r"calibration\.shape"):
        export_int8(trained, tmp_path / "small.onnx", x_test, y_test, x[:0])
    assert list(tmp_path.iterdir()) == []
