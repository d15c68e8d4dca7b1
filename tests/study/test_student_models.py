"""Students: whatever a user brings, and what is shipped of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras
from distillab.data import Dataset, read_data
from distillab.distillation.request import Request
from distillab.distillation.students import auto_candidates, find_student, shipped
from distillab.distillation.teachers import find_teachers
from distillab.errors import RequestError
from distillab.models import build


def test_a_softmax_at_the_end_is_left_out_in_training_and_put_back_after(own: Dataset, tmp_path: Path):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.save(tmp_path / "s.keras")
    student = find_student(tmp_path / "s.keras", own, Request(warm_start=True))
    assert student.softmax
    assert student.warm is not None
    sent = shipped(student, student.warm, own)
    raw = own.x_test[:20].astype(np.float32)
    np.testing.assert_allclose(
        sent.predict(raw, verbose=0), model.predict(raw * own.scale, verbose=0), atol=1e-6
    )  # float32 probabilities


@pytest.mark.parametrize("last", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax")])
def test_a_softmax_layer_at_the_end_too(own: Dataset, last: object):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10), last()])
    student = find_student(model, own, Request())
    assert student.softmax
    assert student.warm is None
    assert student.functional.classes == 10


def test_what_is_shipped_scales_its_inputs_itself(own: Dataset):
    student = find_student("mlp-6", own, Request())
    weights = student.functional.initial(0)
    sent = shipped(student, weights, own)
    raw = own.x_test[:20]
    ours = np.asarray(student.functional(weights, own.inputs(raw), training=False).logits)
    np.testing.assert_allclose(sent.predict(raw.astype(np.float32), verbose=0), ours, atol=1e-5)


def test_features_are_standardised_inside(tmp_path: Path):
    rng = np.random.default_rng(0)
    own = read_data((rng.normal(50, 7, (200, 5)).astype(np.float32), np.arange(200) % 2))
    student = find_student("mlp-6", own, Request())
    weights = student.functional.initial(0)
    shipped(student, weights, own).save(tmp_path / "s.keras")
    sent = keras.models.load_model(tmp_path / "s.keras", compile=False)
    ours = np.asarray(student.functional(weights, own.prepared(own.x_test), training=False).logits)
    np.testing.assert_allclose(sent.predict(own.x_test, verbose=0), ours, atol=1e-4)  # x of about 50


def test_a_student_that_scales_by_itself_is_left_alone(own: Dataset):
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10)]
    student = find_student(keras.Sequential(layers), own, Request())
    assert student.scale == 1
    assert not any(
        type(layer).__name__ == "Rescaling" for layer in shipped(student, student.functional.initial(0), own).layers
    )


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (
            [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)],
            "answers 7 classes, and the data have",
        ),
        ([keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(10)], "Give --image-size"),
        ([keras.Input((64,)), keras.layers.Dense(10)], r"reads inputs of shape \(64,\)"),
        ([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "sigmoid")], "sigmoid"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(own: Dataset, layers: list[object], told: str):
    with pytest.raises(RequestError, match=told):
        find_student(keras.Sequential(layers), own, Request())


def test_auto_takes_the_largest_of_each_family_within_the_limit(own: Dataset):
    names = auto_candidates(own, [], Request(size="40KB"))
    sizes = {name: 4 * build(name, (8, 8, 1), 10).count_params() for name in names}
    assert max(sizes.values()) <= 40_000
    assert {name.partition("-")[0] for name in names} == {"cnn", "resnet", "mobilenet"}
    assert names[:2] == ["cnn-16-32", "cnn-32-64"] or sizes["cnn-16-32"] > 0


def test_a_share_is_of_the_teachers_weights(own: Dataset, teacher: keras.Model):
    teachers = find_teachers([teacher], own, Request())
    with pytest.raises(RequestError, match="No student of the zoo keeps the limits; cnn-4-8 has"):
        auto_candidates(own, teachers, Request(size="10%"))
    names = auto_candidates(own, teachers, Request(size="100%"))
    assert all(build(name, (8, 8, 1), 10).count_params() <= teacher.count_params() for name in names)
    with pytest.raises(RequestError, match="stored predictions have no size"):
        auto_candidates(own, [replace(teachers[0], model=None)], Request(size="10%"))


def test_auto_without_a_limit_or_with_nonsense_is_refused(own: Dataset):
    with pytest.raises(RequestError, match="needs a limit"):
        auto_candidates(own, [], Request())
    with pytest.raises(RequestError, match="a share such as 10%"):
        auto_candidates(own, [], Request(size="small"))
    with pytest.raises(RequestError, match="keeps the limits"):
        auto_candidates(own, [], Request(flops=10))
