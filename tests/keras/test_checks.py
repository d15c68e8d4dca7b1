"""Models that cannot teach or learn are refused by name, before anything is trained."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from tests.keras.conftest import C, F, classifier

from distillab import Distiller
from distillab.errors import RequestError

INPUT = (F,)


def of(*after: Any, shape: tuple[int, ...] = INPUT, name: str = "model") -> keras.Model:
    return keras.Sequential([keras.Input(shape), *after], name=name)


class OwnSoftmax(keras.Model):
    """Its softmax cannot be seen from outside."""

    def __init__(self) -> None:
        super().__init__(name="own")
        self.dense = layers.Dense(C)

    def call(self, inputs: Any) -> Any:
        return keras.ops.softmax(self.dense(inputs))


class Odd(keras.Model):
    """A class that no graph can express: it computes differently in training."""

    def __init__(self, ending: str) -> None:
        super().__init__(name="odd")
        self.dense, self.ending = layers.Dense(C), getattr(keras.ops, ending)

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        logits = self.dense(inputs)
        return self.ending(2 * logits if training else logits)


def odd(ending: str) -> keras.Model:
    model = Odd(ending)
    model.build((None, F))
    return model


def by_formula(outputs: int) -> keras.Model:
    """Its sigmoid is written out, so that no operation is one."""
    inputs = keras.Input(INPUT)
    logits = layers.Dense(outputs)(inputs)
    return keras.Model(inputs, 1 / (1 + keras.ops.exp(-logits)), name="formula")


def hidden_softmax() -> keras.Model:
    inputs = keras.Input(INPUT)
    return keras.Model(inputs, OwnSoftmax()(inputs), name="sure")


def built_softmax() -> keras.Model:
    model = OwnSoftmax()
    model(np.zeros((2, F), np.float32))
    model.name = "sure"
    return model


def nan_weights() -> keras.Model:
    model = classifier(1, name="broken")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    return model


def several_outputs() -> keras.Model:
    inputs = keras.Input(INPUT)
    return keras.Model(inputs, [layers.Dense(C)(inputs), layers.Dense(C)(inputs)], name="two")


REFUSED = [
    (
        lambda: 3,
        r"The student must be a keras.Model, and is a int|teacher='int' is not allowed: it must be a path, a Py",
    ),
    (lambda: keras.Sequential([layers.Dense(C)], name="unbuilt"), r"The \w+ 'unbuilt' is not built.*keras.Input"),
    (OwnSoftmax, r"The \w+ 'own' is not built"),
    (lambda: of(layers.Dense(1)), r"has 1.*must have the same classes.* End both in one output .*, or both in two"),
    (several_outputs, r"The teacher .* ha.* the output.*: they must have the same. Give both as dictionaries"),
    (lambda: odd("softmax"), r"'odd' gives probabilities \(its outputs sum to 1\), and must give logits"),
    (lambda: odd("sigmoid"), r"'odd' probably ends in a sigmoid.*Activation\('sigmoid'\).*task='regression'"),
    (
        lambda: by_formula(C),
        r"'formula' probably ends in a sigmoid: all its outputs on random inputs are between",
    ),
    (nan_weights, r"'broken' gives outputs that are not finite"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
@pytest.mark.parametrize("role", ["student", "teacher"])
def test_what_is_no_built_classifier_is_refused(make: Any, message: str, role: str) -> None:
    bad, good = make(), classifier(2)
    pair = (bad, good) if role == "student" else (good, bad)
    with pytest.raises(RequestError, match=message) as refusal:
        Distiller(*pair)
    assert role in str(refusal.value)


def test_other_classes_are_refused_naming_both_sides() -> None:
    with pytest.raises(RequestError, match=r"student 'small' has 3 classes and the teacher 'big' has 5"):
        Distiller(of(layers.Dense(3), name="small"), of(layers.Dense(5), name="big"))


@pytest.mark.parametrize("shape", [(7,), (F, 1), (2, 3)])
def test_other_inputs_are_refused_with_what_to_do(shape: tuple[int, ...]) -> None:
    teacher = of(layers.Flatten(), layers.Dense(C), shape=shape, name="big")
    with pytest.raises(RequestError, match=r"takes inputs \(None, 6\) and the teacher 'big' takes .*teacher_inputs="):
        Distiller(classifier(2), teacher)
    Distiller(classifier(2), teacher, teacher_inputs=lambda x: x)


def test_preprocessing_inside_the_models_and_open_sizes_are_welcome() -> None:
    any_size = of(layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D(), layers.Dense(C), shape=(None, None, 3))
    Distiller(of(layers.Flatten(), layers.Dense(C), shape=(8, 8, 3)), any_size)


@pytest.mark.parametrize(
    "make",
    [
        lambda: of(layers.Dense(C, activation="softmax"), name="sure"),
        lambda: of(layers.Dense(C), layers.Softmax(), name="sure"),
        lambda: of(layers.Dense(C), layers.Activation("softmax"), name="sure"),
        lambda: of(layers.Dense(F), of(layers.Dense(C, activation="softmax")), name="sure"),
        hidden_softmax,
        built_softmax,
    ],
)
def test_every_softmax_is_undone_with_a_notice(make: Any) -> None:
    teacher = make()
    with pytest.warns(
        UserWarning, match="The teacher 'sure' ends in softmax .*: its logits before that are used"
    ) as notices:
        distiller = Distiller(classifier(2), teacher)
    assert len([notice for notice in notices if notice.category is UserWarning]) == 1
    x = np.random.default_rng(0).standard_normal((5, F)).astype(np.float32)
    logits = np.asarray(distiller._hidden.teachers.predict(x))
    probabilities = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities /= probabilities.sum(-1, keepdims=True)
    np.testing.assert_allclose(probabilities, teacher.predict(x, verbose=0), atol=1e-6)
    assert not np.allclose(logits.sum(-1), 1)


class Subclassed(keras.Model):
    """A classifier without a graph: built by being called."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden, self.out = layers.Dense(width, activation="relu"), layers.Dense(C)

    def call(self, inputs: Any) -> Any:
        return self.out(self.hidden(inputs))


def test_models_of_a_class_of_ones_own_teach_and_learn_once_they_are_built() -> None:
    x = np.random.default_rng(0).standard_normal((16, F)).astype(np.float32)
    student, teacher = Subclassed(4), Subclassed(8)
    for model in (student, teacher):
        model(x)
    distiller = Distiller(student, teacher)
    distiller.compile("adam", metrics=["accuracy"])
    logs = distiller.fit(x, np.arange(16) % C, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    with pytest.raises(RequestError, match="has 4 classes and the teacher 'small' has 3"):
        Distiller(student, of(layers.Dense(3), name="small"))


def test_log_probabilities_are_logits_like_any_other() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        Distiller(classifier(2), of(layers.Dense(C, activation="log_softmax")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher_weights": [1.0]}, r"teacher_weights=\[1.0\].*2 numbers > 0, one for each teacher"),
        ({"teacher_weights": [1.0, 0.0]}, "2 numbers > 0"),
        ({"teacher_weights": [1.0, float("nan")]}, "2 numbers > 0"),
        ({"average": "median"}, "average='median' is not allowed: it must be 'logits' or 'probabilities'"),
    ],
)
def test_a_wrong_average_of_teachers_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Distiller(classifier(2), [classifier(1), classifier(3)], **options)


def test_teachers_of_other_classes_are_refused() -> None:
    with pytest.raises(RequestError, match=r"numbers of classes differ: \{'a': 4, 'b': 3\}"):
        Distiller(classifier(2), [classifier(1, name="a"), of(layers.Dense(3), name="b")])
    with pytest.raises(RequestError, match=r"teacher=\[\] is not allowed"):
        Distiller(classifier(2), [])
