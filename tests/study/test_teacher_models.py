"""Teachers from any source: their predictions are those of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models.averaging import average_predictions
from distillab.models.storing import store_predictions
from distillab.study.model_options import ModelOptions
from distillab.study.reading_teachers import read_teachers
from distillab.study.teacher_models import TeacherModel
from distillab.study.teacher_trial import check_reading

ROUNDING = 1e-4  # of float32 logits of about 10, through a softmax and back


def find(sources: list[object], own: Dataset, **settings: Any) -> list[TeacherModel]:
    return read_teachers(sources, own, ModelOptions(**settings))


def probabilities(named: object, own: Dataset, **settings: Any) -> np.ndarray:
    """A teacher's predictions for the test examples, as probabilities."""
    logits = average_predictions([teacher.predict(own.x_test) for teacher in find([named], own, **settings)])
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def predicted_by(model: keras.Model, own: Dataset) -> np.ndarray:
    return np.asarray(model.predict(own.inputs(own.x_test), verbose=0))


def test_a_file_that_ends_in_a_softmax_is_not_softened_twice(own: Dataset, teacher: keras.Model, teacher_file: Path):
    np.testing.assert_allclose(probabilities(teacher_file, own), predicted_by(teacher, own), atol=ROUNDING)
    np.testing.assert_allclose(probabilities(teacher, own), predicted_by(teacher, own), atol=ROUNDING)


def test_stored_predictions_say_what_the_model_says(own: Dataset, teacher: keras.Model, tmp_path: Path):
    everything = np.concatenate([own.x_train, own.x_test])
    stored = teacher.predict(own.inputs(everything), verbose=0)
    store_predictions(tmp_path / "p.npy", everything, stored)
    np.testing.assert_allclose(probabilities(tmp_path / "p.npy", own), predicted_by(teacher, own), atol=ROUNDING)


def test_several_in_a_folder_answer_by_their_mean_logits(own: Dataset, teacher: keras.Model, tmp_path: Path):
    teacher.save(tmp_path / "a.keras")
    teacher.save(tmp_path / "b.keras")
    np.testing.assert_allclose(probabilities(tmp_path, own), predicted_by(teacher, own), atol=ROUNDING)
    assert len(find([tmp_path], own)) == 2


def test_a_model_that_scales_its_inputs_gets_them_raw(own: Dataset, teacher: keras.Model):
    inputs = keras.Input((8, 8, 1))
    whole = keras.Model(inputs, teacher(keras.layers.Rescaling(1 / 255)(inputs)))
    np.testing.assert_allclose(probabilities(whole, own), predicted_by(teacher, own), atol=ROUNDING)


def test_a_teacher_that_reads_another_scale_is_found_out(own: Dataset, teacher: keras.Model):
    inputs = keras.Input((8, 8, 1))
    hidden = keras.Model(inputs, teacher(inputs * (1 / 255)))  # scales, by no layer that tells
    (read_wrongly,) = find([hidden], own)
    with pytest.raises(
        RequestError, match=r"has accuracy \d+\.\d+% on .* and accuracy \d+.* Give --teacher-scale raw\."
    ):
        check_reading(read_wrongly, own)
    read = probabilities(hidden, own, teacher_scale="raw")
    np.testing.assert_allclose(read, predicted_by(teacher, own), atol=ROUNDING)


def test_another_input_size_is_resized_to(own: Dataset):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    bigger = keras.Sequential(layers)
    with pytest.raises(RequestError, match="Give --teacher-input 16x16"):
        find([bigger], own)
    (read,) = find([bigger], own, teacher_input=(16, 16))
    x = own.inputs(own.x_test)
    large = np.asarray(keras.layers.Resizing(16, 16)(np.repeat(x, 3, axis=-1)))
    np.testing.assert_allclose(read.predict(own.x_test), bigger.predict(large, verbose=0), atol=ROUNDING, rtol=ROUNDING)


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "bfloat16"])
def test_half_precision_teaches(own: Dataset, policy: str):
    keras.utils.set_random_seed(2)
    half = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(dtype=policy), keras.layers.Dense(10, dtype=policy)]
    )
    (read,) = find([half], own)
    predicted = read.predict(own.x_test)
    assert predicted.dtype == np.float32
    expected = np.asarray(half.predict(own.inputs(own.x_test), verbose=0)).astype(np.float32)
    np.testing.assert_allclose(predicted, expected, atol=0.05)  # 8 bits of bfloat16 at answers of about 1


class Odd(keras.Model):
    """A model of one's own class, which nothing can look into."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(10, activation="softmax")
        self.flatten = keras.layers.Flatten()

    def call(self, inputs: object) -> object:
        return self.dense(self.flatten(inputs))


def test_a_model_of_ones_own_class_is_asked_as_it_is(own: Dataset):
    odd = Odd()
    odd(np.zeros((1, 8, 8, 1), np.float32))
    np.testing.assert_allclose(probabilities(odd, own), predicted_by(odd, own), atol=ROUNDING)


def test_other_classes_are_refused(own: Dataset, tmp_path: Path):
    wrong = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])
    with pytest.raises(RequestError, match="predicts 7 classes, and the data have 10"):
        find([wrong], own)
    with pytest.raises(RequestError, match=r"neither \.keras files nor a SavedModel"):
        find([tmp_path], own)
    with pytest.raises(RequestError, match="There is no model file"):
        find(["nowhere.keras"], own)


def test_code_in_a_file_is_refused(own: Dataset, tmp_path: Path):
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Lambda(lambda x: x), keras.layers.Dense(10)]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    with pytest.raises(RequestError, match="--trust"):
        find([tmp_path / "m.keras"], own)


def test_layers_of_a_named_module_are_known(own: Dataset, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return 2 * x\n"
        "def build(shape, classes):\n"
        "    layers = [keras.Input(shape), keras.layers.Flatten(), Twice(), keras.layers.Dense(classes)]\n"
        "    return keras.Sequential(layers)\n"
    )
    name = f"{tmp_path}/mine.py"
    (made,) = find([f"{name}:build"], own)
    assert made.model is not None
    made.model.save(tmp_path / "m.keras")
    (read,) = find([tmp_path / "m.keras"], own, modules=(name,))
    np.testing.assert_allclose(read.predict(own.x_test), made.predict(own.x_test), atol=ROUNDING)
