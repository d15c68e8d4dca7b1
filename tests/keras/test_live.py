"""Teachers of other frameworks in the Distiller: the same steps as with their stored answers, on every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.keras.conftest import C, F, classifier, compiled, weights_of

from distillab import Distiller, with_teacher_logits
from distillab.errors import RequestError
from distillab.models.frameworks.opening import open_teacher

Problem = tuple[np.ndarray, np.ndarray]
W = np.random.default_rng(5).normal(size=(F, C)).astype(np.float32)


def by_hand(batch: Any) -> Any:
    return np.tanh(batch) @ W


def teachers(problem: Problem) -> dict[str, Any]:
    return {"function": by_hand, "estimator": LogisticRegression().fit(*problem)}


@pytest.mark.parametrize("kind", ["function", "estimator"])
def test_the_same_steps_as_with_stored_answers(kind: str, problem: Problem) -> None:
    x, y = problem
    teacher = teachers(problem)[kind]
    live, stored = classifier(2), classifier(2)
    distiller = compiled(live, teacher, alpha=0.3, temperature=2.0)
    logs = distiller.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    carrying = with_teacher_logits(x, teacher, cache=None)
    other = compiled(stored, alpha=0.3, temperature=2.0)
    expected = other.fit(carrying, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    for name in ("loss", "distillation_loss", "agreement"):
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-5)
    for a, b in zip(weights_of(live), weights_of(stored), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert not np.allclose(weights_of(live)[0], weights_of(classifier(2))[0], atol=1e-3)
    given, wanted = (
        one.evaluate(data, y, verbose=0, return_dict=True) for one, data in ((distiller, x), (other, carrying))
    )
    assert given == pytest.approx(wanted, rel=1e-5)


def test_stored_answers_are_those_of_the_model(problem: Problem) -> None:
    x, y = problem
    logits = np.asarray(with_teacher_logits(x, by_hand, cache=None)["teacher_logits"])
    np.testing.assert_allclose(logits, np.tanh(x) @ W, atol=1e-5)
    estimator = LogisticRegression().fit(x, y)
    logits = np.asarray(with_teacher_logits(x, estimator, cache=None)["teacher_logits"])
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(-1, keepdims=True), estimator.predict_proba(x), atol=1e-5)


def test_teachers_of_several_kinds_are_averaged(problem: Problem) -> None:
    x, _ = problem
    network, estimator = classifier(1), LogisticRegression().fit(*problem)
    mixed = Distiller(classifier(2), [network, by_hand, estimator])
    each = [
        np.asarray(with_teacher_logits(x, one, cache=None)["teacher_logits"]) for one in (network, by_hand, estimator)
    ]
    expected = np.mean([z - z.mean(-1, keepdims=True) for z in each], 0)
    given = mixed._hidden.teachers.predict(x)
    np.testing.assert_allclose(given - given.mean(-1, keepdims=True), expected, atol=1e-5)


def test_its_answers_are_kept_for_the_model_that_gave_them(problem: Problem, tmp_path: Path) -> None:
    x, _ = problem
    for teacher in (by_hand, by_hand, lambda batch: 2 * by_hand(batch)):
        with_teacher_logits(x, teacher, cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_it_cannot_be_saved_with_the_distiller(problem: Problem, tmp_path: Path) -> None:
    distiller = compiled(classifier(2), by_hand)
    distiller.fit(*problem, verbose=0)
    with pytest.raises(RequestError, match="of another framework cannot be saved with the distiller"):
        Distiller(classifier(2), by_hand, save_teacher=True).save(tmp_path / "d.keras")
    distiller.save(tmp_path / "d.keras")
    assert (tmp_path / "d.keras").is_file()


def test_a_student_without_known_inputs_is_refused() -> None:
    class Student(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(C)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    built = Student()
    built(np.zeros((1, F), np.float32))
    with pytest.raises(RequestError, match=r"needs a student of one known input.*Begin it with keras\.Input"):
        Distiller(built, by_hand)


@pytest.mark.parametrize(
    ("teacher", "told"),
    [(3.5, "teacher='float' is not allowed"), (LogisticRegression, "teacher='(type|ABCMeta)' is not allowed")],
)
def test_what_is_no_model_is_told_in_a_line(teacher: Any, told: str) -> None:
    with pytest.raises(RequestError, match=told) as raised:
        Distiller(classifier(2), teacher)
    assert "\n" not in str(raised.value)


def test_a_function_that_fails_is_named(problem: Problem) -> None:
    with pytest.raises(RequestError, match="The function wrong fails for float32 inputs of shape"):
        Distiller(classifier(2), wrong)


def wrong(batch: Any) -> Any:
    raise KeyError("no such column")


def test_outputs_that_could_be_either_are_asked_about() -> None:
    with pytest.raises(RequestError, match=r"between 0 and 1.*State task, or open_teacher"):
        with_teacher_logits(np.ones((4, F), np.float32), lambda x: 0 * x[:, :2] + 0.75, cache=None)
    stated = open_teacher(lambda x: 0 * x[:, :1] + 0.75, gives="probabilities")
    logits = with_teacher_logits(np.ones((4, F), np.float32), stated, cache=None)
    np.testing.assert_allclose(np.asarray(logits["teacher_logits"]), np.log(3), atol=1e-5)
