"""What cannot be learned from is refused before the first step, and nothing has changed then."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from tests.keras.conftest import C, classifier, compiled, weights_of
from tests.keras.test_distiller import Batches

from distillab import Distiller
from distillab.errors import RequestError

Problem = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.2}, r"alpha=1\.2 is not allowed: it must be a number from 0 to 1\. alpha=1 trains on the labels"),
        ({"alpha": -0.1}, r"alpha=-0\.1 is not allowed"),
        ({"alpha": math.nan}, "alpha=nan is not allowed"),
        ({"alpha": "half"}, "alpha='half' is not allowed"),
        ({"alpha": True}, "alpha=True is not allowed"),
        ({"temperature": 0}, "temperature=0 is not allowed: it must be a finite number > 0"),
        ({"temperature": -3}, "temperature=-3 is not allowed"),
        ({"temperature": math.inf}, "temperature=inf is not allowed"),
        ({"distillation_loss": "klx"}, "There is no distillation loss 'klx'. Did you mean 'kl'"),
        ({"distillation_loss": 3}, "distillation_loss=3 is not allowed: it must be one of kl, "),
        ({"loss": "crossentropi"}, "There is no Keras loss 'crossentropi'"),
        ({"loss": "kl_divergence"}, "'kl_divergence' cannot take logits, which the student gives"),
        ({"loss": 3}, "loss=3 is not allowed"),
        ({"loss_weights": [1]}, r"loss_weights=\[1\] is not allowed: it must be left out. alpha weights"),
        ({"loss": "ce", "student_loss_fn": "ce"}, "loss and student_loss_fn are two names of one argument"),
        (
            {"distillation_loss": "kl", "distillation_loss_fn": "kl"},
            "distillation_loss and distillation_loss_fn are two names of one argument",
        ),
        (
            {"loss": keras.losses.SparseCategoricalCrossentropy()},
            r"SparseCategoricalCrossentropy\(from_logits=False\) expects probabilities.*from_logits=True",
        ),
        (
            {"distillation_loss": keras.losses.CategoricalCrossentropy(from_logits=True)},
            r"cannot be a distillation loss.*distillation_loss='cross_entropy'",
        ),
    ],
)
def test_a_wrong_option_of_compile_is_refused(
    student: keras.Model, teacher: keras.Model, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        Distiller(student, teacher).compile("sgd", **options)


def test_a_wrong_alpha_or_temperature_set_later_is_refused(student: keras.Model, teacher: keras.Model) -> None:
    distiller = compiled(student, teacher)
    with pytest.raises(RequestError, match="alpha=2 is not allowed"):
        distiller.alpha = 2
    with pytest.raises(RequestError, match="temperature=0 is not allowed"):
        distiller.temperature = 0
    assert (distiller.alpha, distiller.temperature) == (0.1, 3.0)


BAD_LABELS = [
    (
        lambda y: y + 1,
        r"y holds labels from 1 to 4, and must hold class numbers from 0 to 3: the student has 4 classes",
    ),
    (lambda y: y - 2, r"label in y=-2 is not allowed: it must be a class number from 0, or -1 for none"),
    (lambda y: y + 0.5, r"y holds 2\.5, and labels are whole numbers"),
    (lambda y: -2 * np.eye(C)[y], "y.* which is not one-hot: one 1 among 0s"),
    (lambda y: np.eye(C)[y] + np.eye(C)[0], "y.* which is not one-hot: one 1 among 0s"),
    (lambda y: y.astype(str), r"y.dtype=.* is not allowed: it must be numbers"),
    (lambda y: np.stack([y, y], axis=1), r"Labels of shape .* do not fit outputs of shape .* with task=categorical"),
]


HOW = {
    "fit": lambda distiller, x, good, bad: distiller.fit(x, bad, verbose=0),
    "evaluate": lambda distiller, x, good, bad: distiller.evaluate(x, bad, verbose=0),
    "train_on_batch": lambda distiller, x, good, bad: distiller.train_on_batch(x, bad),
    "validation": lambda distiller, x, good, bad: distiller.fit(x, good, validation_data=(x, bad), verbose=0),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_LABELS)
@pytest.mark.parametrize("how", HOW)
def test_bad_labels_are_refused_before_the_first_step(
    student: keras.Model, teacher: keras.Model, problem: Problem, spoil: Any, message: str, how: str
) -> None:
    x, y = problem
    distiller, before = compiled(student, teacher, task="categorical"), weights_of(student)
    with pytest.raises(RequestError, match=message):
        HOW[how](distiller, x, y, spoil(y))
    for now, then in zip(weights_of(student), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_loss_that_fails_leaves_the_student_as_it_was(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    def faulty(student_logits: Any, teacher_logits: Any, labels: Any, *, temperature: Any) -> Any:
        raise ZeroDivisionError("a slip of the pen")

    distiller, before = compiled(student, teacher, distillation_loss=faulty), weights_of(student)
    with pytest.raises(ZeroDivisionError, match="a slip of the pen"):
        distiller.fit(*problem, verbose=0)
    for now, then in zip(weights_of(student), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert np.isfinite(student.predict(problem[0], verbose=0)).all()


def test_teacher_logits_that_are_not_finite_or_of_other_classes_are_refused(
    student: keras.Model, problem: Problem
) -> None:
    x, y = problem
    logits = np.zeros((len(x), C), np.float32)
    logits[7, 2] = np.nan
    with pytest.raises(RequestError, match="teacher's logits that are not finite, first at example 7"):
        compiled(student).fit({"inputs": x, "teacher_logits": logits}, y, verbose=0)
    with pytest.raises(RequestError, match="hold teacher's logits of 3 classes, and the student has 4"):
        compiled(student).fit({"inputs": x, "teacher_logits": logits[:, :3]}, y, verbose=0)


def test_labels_of_streaming_data_are_found_out_at_the_first_batch(teacher: keras.Model, problem: Problem) -> None:
    x, y = problem
    with pytest.raises(RequestError, match=r"The loss of the first batch is not finite. .* labels outside 0\.\.3"):
        compiled(classifier(2), teacher).fit(Batches(x, y + 1), verbose=0)


def test_training_before_compiling_is_refused_by_keras_own_words(
    student: keras.Model, teacher: keras.Model, problem: Problem
) -> None:
    with pytest.raises(ValueError, match="compile"):
        Distiller(student, teacher).fit(*problem)


def test_a_loss_that_relates_examples_is_refused_for_sequences() -> None:
    def tagger() -> keras.Model:
        return keras.Sequential([keras.Input((7, 6)), keras.layers.Dense(C)])

    with pytest.raises(RequestError, match="'dist' relates the examples of a batch: it needs one prediction"):
        Distiller(tagger(), tagger()).compile("sgd", distillation_loss="dist")
