"""Models of 8 bits: smaller, as accurate to a point, or refused."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

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
    assert small.keras_quality == ("accuracy", np.mean(trained.predict(x_test, verbose=0).argmax(-1) == y_test))
    assert small.keras_quality.value > 0.9
    assert small.quality.value >= small.keras_quality.value - module.LOSS
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


@pytest.fixture(scope="module")
def ink(digits) -> keras.Model:
    """A regression of the mean pixel, from 0 to 100."""
    keras.utils.set_random_seed(0)
    x = digits[0]
    layers = [keras.layers.Flatten(), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Rescaling(100.0)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, 100 * x.mean((1, 2)), epochs=3, verbose=0)
    return model


def test_a_regression_may_lose_two_per_cent_of_its_error(ink: keras.Model, digits, tmp_path: Path, monkeypatch):
    x, _, x_test, _ = digits
    rng = np.random.default_rng(0)
    # Labels with noise of 2: 8 bits are far finer than what the model does not know.
    labels = 100 * x_test.mean((1, 2, 3)) + 2 * rng.standard_normal(len(x_test))
    small = export_int8(ink, tmp_path / "small.onnx", x_test, labels, x[:256])
    error = np.abs(ink.predict(x_test, verbose=0)[:, 0] - labels).mean()
    assert small.keras_quality == ("mae", pytest.approx(error, rel=1e-5))
    assert small.quality.value <= 1.02 * error
    assert small.agreement.same_labels is None
    monkeypatch.setattr(module, "RELATIVE_LOSS", -1.0)
    with pytest.raises(
        WorkError, match=r"the mean absolute error rises from \d\.\d+ to \d\.\d+ on .* examples, by more"
    ):
        export_int8(ink, tmp_path / "other.onnx", x_test, labels, x[:256])
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


def test_a_binary_model_is_held_to_its_auroc(digits, tmp_path: Path):
    x, y, x_test, y_test = digits
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(16, "relu"), keras.layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x, y > 4, epochs=3, verbose=0)
    small = export_int8(model, tmp_path / "small.onnx", x_test, (y_test > 4).astype(int), x[:256])
    expected = roc_auc_score(y_test > 4, model.predict(x_test, verbose=0)[:, 0])
    assert small.keras_quality == ("auroc", pytest.approx(expected, abs=1e-6))
    assert small.quality.value >= expected - module.LOSS
    with pytest.raises(RequestError, match=r"AUROC is not defined on these .* examples: all labels are the same"):
        export_int8(model, tmp_path / "other.onnx", x_test, np.ones(len(x_test), int), x[:256])


def test_a_model_of_maps_is_held_to_its_mean_iou(digits, tmp_path: Path):
    x, _, x_test, _ = digits
    keras.utils.set_random_seed(0)
    model = build("unet-4-6", (8, 8, 1), 2)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    strokes, strokes_test = ((images[..., 0] > 0.5).astype(np.int32) for images in (x, x_test))
    model.fit(x, strokes, epochs=2, verbose=0)
    small = export_int8(model, tmp_path / "small.onnx", x_test, strokes_test, x[:256])
    predicted = model.predict(x_test, verbose=0).argmax(-1)
    overlaps = [((predicted == k) & (strokes_test == k)).sum() for k in (0, 1)]
    unions = [((predicted == k) | (strokes_test == k)).sum() for k in (0, 1)]
    expected = np.mean(np.divide(overlaps, unions))
    assert small.keras_quality == ("mean_iou", pytest.approx(expected, abs=1e-9))
    assert expected > 0.8
    assert small.quality.value >= expected - module.LOSS
    assert small.agreement.n == strokes_test.size


def test_arrays_that_do_not_fit_are_refused(trained: keras.Model, digits, tmp_path: Path):
    x, _, x_test, y_test = digits
    with pytest.raises(RequestError, match=r"labels\.shape"):
        export_int8(trained, tmp_path / "small.onnx", x_test, y_test[:-1], x)
    with pytest.raises(RequestError, match=r"calibration\.shape"):
        export_int8(trained, tmp_path / "small.onnx", x_test, y_test, x[:0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "bag-of-embeddings-32",
        pytest.param("textcnn-32-8", marks=pytest.mark.slow),
        pytest.param("transformer-encoder-16-1", marks=pytest.mark.slow),
    ],
)
def test_embeddings_are_held_in_8_bits(name: str, tmp_path: Path):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    ids, y = rng.integers(2, 2000, (400, 8)).astype(np.int32), np.arange(400) % 2
    ids[:, 0] = np.where(y, rng.integers(2, 1000, 400), rng.integers(1000, 2000, 400))
    model = build(name, (8,), 2, vocabulary=2000)
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(ids, y, epochs=6, verbose=0)
    whole = export_onnx(model, tmp_path / "whole.onnx", ids)
    small = export_int8(model, tmp_path / "small.onnx", ids, y, ids[:256])
    assert whole.agreement.within_rounding
    (embedding,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    assert whole.bytes - small.bytes > 2.5 * embedding.count_params()  # of the 4 bytes of each weight one remains
