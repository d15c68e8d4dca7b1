"""Students from any source, and the models that are shipped."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import Dataset, read_data
from distillab.errors import RequestError
from distillab.study.model_options import ModelOptions
from distillab.study.student_models import shipped_model, student_model


def test_a_softmax_at_the_end_is_left_out_in_training_and_put_back_after(own: Dataset, tmp_path: Path):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.save(tmp_path / "s.keras")
    student = student_model(tmp_path / "s.keras", own, ModelOptions(warm_start=True))
    assert student.ending == "softmax"
    assert student.warm is not None
    sent = shipped_model(student, student.warm, own)
    raw = own.x_test[:20].astype(np.float32)
    np.testing.assert_allclose(
        sent.predict(raw, verbose=0), model.predict(raw * own.scale, verbose=0), atol=1e-6
    )  # float32 probabilities


@pytest.mark.parametrize("last", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax")])
def test_a_softmax_layer_at_the_end_too(own: Dataset, last: object):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10), last()])
    student = student_model(model, own, ModelOptions())
    assert student.ending == "softmax"
    assert student.warm is None
    assert student.functional.output_shape == (10,)


def test_what_is_shipped_scales_its_inputs_itself(own: Dataset):
    student = student_model("mlp-6", own, ModelOptions())
    weights = student.functional.initial(0)
    sent = shipped_model(student, weights, own)
    raw = own.x_test[:20]
    ours = np.asarray(student.functional(weights, own.inputs(raw), training=False).logits)
    np.testing.assert_allclose(sent.predict(raw.astype(np.float32), verbose=0), ours, atol=1e-5)


def test_features_are_standardised_inside(tmp_path: Path):
    rng = np.random.default_rng(0)
    own = read_data((rng.normal(50, 7, (200, 5)).astype(np.float32), np.arange(200) % 2))
    student = student_model("mlp-6", own, ModelOptions())
    weights = student.functional.initial(0)
    shipped_model(student, weights, own).save(tmp_path / "s.keras")
    sent = keras.models.load_model(tmp_path / "s.keras", compile=False)
    ours = np.asarray(student.functional(weights, own.prepared(own.x_test), training=False).logits)
    np.testing.assert_allclose(sent.predict(own.x_test, verbose=0), ours, atol=1e-4)  # x of about 50


def test_a_student_that_scales_by_itself_is_left_alone(own: Dataset):
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10)]
    student = student_model(keras.Sequential(layers), own, ModelOptions())
    assert student.scale == 1
    assert not any(
        type(layer).__name__ == "Rescaling"
        for layer in shipped_model(student, student.functional.initial(0), own).layers
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)],
            "predicts 7 classes, and the data have",
        ),
        ([keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(10)], "Give --image-size"),
        ([keras.Input((64,)), keras.layers.Dense(10)], r"reads inputs of shape \(64,\)"),
        ([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "sigmoid")], "sigmoid"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(own: Dataset, layers: list[object], message: str):
    with pytest.raises(RequestError, match=message):
        student_model(keras.Sequential(layers), own, ModelOptions())
