"""Models of other frameworks as teachers of a study: inputs, classes by name, and digests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel
from distillab.models.preparation import IMAGENET
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.keras_teachers import keras_teacher
from distillab.study.model_options import ModelOptions
from distillab.study.teacher_models import TeacherModel
from distillab.tasks import TASKS

RNG = np.random.default_rng(0)
NAMES = ("cat", "dog", "fox")
X = RNG.normal(size=(60, 4)).astype(np.float32)
FEATURES = Dataset("own", X, np.arange(60) % 3, X, np.arange(60) % 3, NAMES, 1.0)
IMAGES = Dataset(
    "images",
    *(RNG.integers(0, 256, (60, 6, 6, 3)).astype(np.uint8), np.arange(60) % 3) * 2,
    NAMES,
    1 / 255,
)
W = RNG.normal(size=(4, 4)).astype(np.float32)


def model(outputs: int = 3, **more: Any) -> ForeignModel:
    made = ForeignModel(name="mine", kind="function", call=lambda x: x @ W[:, :outputs], gives="logits", digest="d")
    return replace(made, **more)


def teacher(of: ForeignModel, dataset: Dataset = FEATURES, **options: Any) -> TeacherModel:
    return foreign_teacher(of, dataset, ModelOptions(**options))


def test_without_names_columns_are_the_datas() -> None:
    made = teacher(model())
    np.testing.assert_allclose(made.predict(X), X @ W[:, :3], atol=1e-6)
    assert not made.named_classes


@pytest.mark.parametrize("stated", [True, False])
def test_names_in_another_order_move_the_columns(stated: bool) -> None:
    names = ("fox", "cat", "Dog")
    made = teacher(model(), teacher_classes=names) if stated else teacher(model(class_names=names))
    np.testing.assert_allclose(made.predict(X), (X @ W)[:, [1, 2, 0]], atol=1e-6)
    assert made.named_classes


def test_stated_names_override_the_models_own() -> None:
    made = teacher(model(class_names=("fox", "cat", "dog")), teacher_classes=NAMES)
    np.testing.assert_allclose(made.predict(X), (X @ W)[:, :3], atol=1e-6)


def test_of_more_classes_those_of_the_data_are_kept() -> None:
    made = teacher(model(4, class_names=("owl", "fox", "cat", "dog")))
    np.testing.assert_allclose(made.predict(X), (X @ W)[:, [2, 3, 1]], atol=1e-6)


def test_a_class_that_the_teacher_lacks_has_the_least_probability() -> None:
    made = teacher(model(2, class_names=("fox", "cat")))
    z = (X @ W)[:, :2].astype(float)
    z -= np.log(np.exp(z).sum(-1, keepdims=True))
    np.testing.assert_allclose(made.predict(X), np.stack([z[:, 1], np.full(60, np.log(1e-7)), z[:, 0]], 1), atol=1e-5)


def test_numbers_for_names_keep_the_order() -> None:
    made = teacher(model(class_names=("0", "1", "2")))
    np.testing.assert_allclose(made.predict(X), (X @ W)[:, :3], atol=1e-6)
    assert not made.named_classes
    with pytest.raises(RequestError, match="0 of the 3 classes of the data match"):
        teacher(model(class_names=("a", "b", "c")))
    with pytest.raises(RequestError, match="0 of the 3 classes of the data match"):
        teacher(model(), teacher_classes=("0", "1", "2"))  # what is stated is meant


def test_names_of_another_number_are_refused() -> None:
    with pytest.raises(RequestError, match=r"--teacher-classes names 2 classes, and the teacher has 3 outputs"):
        teacher(model(), teacher_classes=("cat", "dog"))
    with pytest.raises(RequestError, match=r"The teacher mine names 2 classes, and the teacher has 3 outputs"):
        teacher(model(class_names=("cat", "dog")))
    with pytest.raises(RequestError, match="The teacher mine predicts 4 classes, and the data have 3"):
        teacher(model(4))


@pytest.mark.parametrize(("names", "sign"), [((), 1), (("no", "yes"), 1), (("yes", "no"), -1)])
def test_the_logit_of_the_second_class_is_that_of_its_name(names: tuple[str, ...], sign: int) -> None:
    two = Dataset("two", X, np.arange(60) % 2, X, np.arange(60) % 2, ("no", "yes"), 1.0, task=TASKS["binary"])
    made = teacher(model(2, class_names=names), two)
    np.testing.assert_allclose(made.predict(X), sign * (X @ W)[:, 1:2] - sign * (X @ W)[:, :1], atol=1e-5)


def test_inputs_of_another_shape_are_refused_with_advice() -> None:
    with pytest.raises(RequestError, match=r"reads inputs of shape \(7,\), and the data have \(4,\).*in their order"):
        teacher(model(shape=(7,)))
    with pytest.raises(RequestError, match=r"\(3, 32, 48\), and images of shape .*Give --teacher-input 32x48\."):
        teacher(model(shape=(3, 32, 48)), IMAGES)
    with pytest.raises(RequestError, match=r"teacher_layout='nchw' is not allowed"):
        teacher(model(), teacher_layout="nchw")
    with pytest.raises(RequestError, match=r"teacher_layout='nhwc' is not allowed: .*mine reads: nchw"):
        teacher(model(shape=(3, 6, 6)), IMAGES, teacher_layout="nhwc")


def reader(**more: Any) -> ForeignModel:
    """Gives the first three numbers that it is given."""
    return model(**{"call": lambda x: x.reshape(len(x), -1)[:, :3]} | more)


def test_images_are_prepared_as_stated() -> None:
    x = IMAGES.x_test
    made = teacher(reader(shape=(3, None, None)), IMAGES, teacher_normalise=IMAGENET)
    np.testing.assert_allclose(made.predict(x), (x[:, 0, :3, 0] / 255 - 0.485) / 0.229, atol=1e-5)
    raw = teacher(reader(channels_first=True), IMAGES, teacher_scale="raw", teacher_layout="nhwc")
    np.testing.assert_allclose(raw.predict(x), x[:, 0, 0].astype(float))
    bytes_ = teacher(reader(dtype="uint8", shape=(6, 6, 3)), IMAGES)
    np.testing.assert_allclose(bytes_.predict(x), x[:, 0, 0].astype(float))


def test_the_digest_is_that_of_everything_the_answers_depend_on() -> None:
    def digest(of: ForeignModel, **options: Any) -> str:
        return teacher(of, IMAGES, **options).digest

    same = digest(reader())
    assert digest(reader()) == same
    others = [
        digest(reader(digest="other")),
        digest(reader(), teacher_scale="raw"),
        digest(reader(), teacher_layout="nchw"),
        digest(reader(), teacher_normalise=IMAGENET),
        digest(reader(), teacher_classes=("fox", "cat", "dog")),
        digest(reader(digest="")),
        digest(reader(digest="", call=lambda x: x.reshape(len(x), -1)[:, 3:6])),
    ]
    assert len({same, *others}) == len(others) + 1


def test_real_numbers_are_standardised() -> None:
    numbers = 10 + 3 * X[:, :1]
    own = Dataset("n", X, numbers, X, numbers, ("size",), 1.0, task=TASKS["regression"])
    made = teacher(model(call=lambda x: 10 + 3 * x[:, 0], gives=""), own)
    expected = (numbers - numbers.mean()) / numbers.std()
    np.testing.assert_allclose(made.predict(X), expected, rtol=1e-4, atol=1e-5)


def test_a_keras_model_has_its_classes_and_normalisation_stated_too() -> None:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((6, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    network = keras.Sequential(layers)
    x = IMAGES.x_test
    options = ModelOptions(teacher_classes=("fox", "cat", "dog"), teacher_normalise=IMAGENET)
    made = keras_teacher(network, "k", IMAGES, options)
    normal = ((x / 255 - IMAGENET[0]) / IMAGENET[1]).astype(np.float32)
    expected = np.asarray(network.predict(normal, verbose=0))[:, [1, 2, 0]]
    powers = np.exp(made.predict(x))
    np.testing.assert_allclose(powers / powers.sum(-1, keepdims=True), expected, atol=1e-5)
    assert made.named_classes
    assert made.digest != keras_teacher(network, "k", IMAGES, ModelOptions()).digest
    with pytest.raises(RequestError, match=r"teacher_layout='nchw' is not allowed: .*left out for a Keras model"):
        keras_teacher(network, "k", IMAGES, ModelOptions(teacher_layout="nchw"))
