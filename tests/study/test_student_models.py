"""Students from any source, and the models that are shipped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import Dataset, read_data
from distillab.errors import RequestError
from distillab.models.digests import architecture
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


def on_a_frozen_layer(value: float, *, trainable: bool = False) -> keras.Sequential:
    """A student on a layer whose kernel holds one number."""
    first = keras.layers.Dense(4, activation="relu", trainable=trainable)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), first, keras.layers.Dense(10)])
    first.set_weights([np.full((64, 4), value), np.zeros(4)])
    return model


def digest(model: keras.Model, own: Dataset, **options: object) -> str:
    return student_model(model, own, ModelOptions(**options)).digest


def test_another_frozen_part_is_another_student_and_other_weights_that_train_are_not(own: Dataset):
    assert digest(on_a_frozen_layer(7), own) == digest(on_a_frozen_layer(7), own)
    assert digest(on_a_frozen_layer(7), own) != digest(on_a_frozen_layer(8), own)
    assert digest(on_a_frozen_layer(7, trainable=True), own) == digest(on_a_frozen_layer(8, trainable=True), own)


def test_the_digest_of_a_student_that_keeps_nothing_is_that_of_its_architecture_and_scale(own: Dataset):
    """As in the first version: trials that were recorded then are found again."""
    student = student_model(on_a_frozen_layer(7, trainable=True), own, ModelOptions())
    text = json.dumps(architecture(student.functional.model), sort_keys=True) + f"{own.scale!r} False"
    assert student.digest == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_adapters_of_another_rank_inside_attention_are_another_student(own: Dataset):
    def model(rank: int) -> keras.Model:
        keras.utils.set_random_seed(0)
        attention, inputs = keras.layers.MultiHeadAttention(1, 2), keras.Input((8, 8, 1))
        x = keras.layers.Reshape((8, 8))(inputs)
        made = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(attention(x, x))))
        attention.query_dense.enable_lora(rank)
        return made

    assert digest(model(1), own) == digest(model(1), own) != digest(model(2), own)


def test_every_seed_starts_from_the_frozen_weights_as_given_from_any_source(own: Dataset, tmp_path: Path):
    model = on_a_frozen_layer(7)
    model.save(tmp_path / "s.keras")
    function = "import keras, numpy as np\n\ndef made(shape, classes):\n"
    function += f"    return keras.models.load_model({str(tmp_path / 's.keras')!r})\n"
    (tmp_path / "mine.py").write_text(function)
    for source in (model, tmp_path / "s.keras", f"{tmp_path / 'mine.py'}:made"):
        student = student_model(source, own, ModelOptions())
        one, other = student.initial(0), student.initial(1)
        np.testing.assert_array_equal(one.fixed[0], np.full((64, 4), 7.0))
        np.testing.assert_array_equal(other.fixed[0], one.fixed[0])
        assert not np.array_equal(one.trainable[0], other.trainable[0])


def test_what_is_shipped_keeps_adapted_statistics_under_a_softmax_too(own: Dataset):
    normalise = keras.layers.Normalization(axis=None)
    normalise.adapt(own.x_train.astype(np.float32))
    last = keras.layers.Dense(10, activation="softmax")
    model = keras.Sequential([keras.Input((8, 8, 1)), normalise, keras.layers.Flatten(), last])
    student = student_model(model, own, ModelOptions())
    weights = student.initial(0)
    sent, raw = shipped_model(student, weights, own), own.x_test[:20].astype(np.float32)
    logits = np.asarray(student.functional(weights, raw, training=False).logits)
    by_hand = (raw.reshape(20, 64) - own.x_train.mean()) / own.x_train.std() @ weights.trainable[0]
    np.testing.assert_allclose(logits, by_hand, atol=1e-4)  # float32 sums of 64 terms of size 1
    np.testing.assert_allclose(sent.predict(raw, verbose=0), keras.ops.softmax(logits), atol=1e-5)


def test_a_frozen_attention_layer_is_frozen_when_it_comes_from_a_file(own: Dataset, tmp_path: Path):
    attention, inputs = keras.layers.MultiHeadAttention(1, 2), keras.Input((8, 8, 1))
    x = keras.layers.Reshape((8, 8))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(attention(x, x))))
    attention.trainable = False
    model.save(tmp_path / "s.keras")
    student = student_model(tmp_path / "s.keras", own, ModelOptions())
    assert (student.start.kept, student.start.drawn) == (8, 2)
    np.testing.assert_array_equal(student.initial(5).fixed[0], np.asarray(attention.query_dense.kernel))


def test_adapters_from_a_file_learn_after_a_warm_start(own: Dataset, tmp_path: Path):
    model = on_a_frozen_layer(7, trainable=True)
    model.layers[1].enable_lora(2)
    model.save(tmp_path / "s.keras")
    student = student_model(tmp_path / "s.keras", own, ModelOptions(warm_start=True))
    names = [variable.name for variable in student.functional.model.trainable_variables]
    assert student.initial(0).trainable[names.index("lora_kernel_a")].any()
    assert student.initial(0).fixed[0].mean() == 7
