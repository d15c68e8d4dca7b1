"""Whatever stops a training, the student and the optimiser keep their weights, and the training can go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from tests.keras.conftest import C, F, classifier, weights_of

from distillab import Distiller
from distillab.errors import RequestError
from distillab.keras import jax_steps

Problem = tuple[np.ndarray, np.ndarray]


class SlipError(Exception):
    """An error that no library raises."""


def raises_at(epoch: int, method: str, error: type[BaseException] = SlipError) -> keras.callbacks.Callback:
    class Faulty(keras.callbacks.Callback):
        epochs = 0

    def fail(self: Any, *_: Any, **__: Any) -> None:
        self.epochs += 1
        if self.epochs > epoch:
            raise error("on purpose")

    setattr(Faulty, method, fail)
    return Faulty()


class FaultyMetric(keras.metrics.Metric):
    def update_state(self, *_: Any, **__: Any) -> None:
        raise SlipError("on purpose")

    def result(self) -> Any:
        return ops.zeros(())


def of_wrong_shape(distiller: Distiller, x: np.ndarray, y: np.ndarray) -> None:
    distiller.fit(x[:, : F - 1], y, verbose=0)


def with_callback(method: str, epoch: int = 1, error: type[BaseException] = SlipError) -> Any:
    def fit(distiller: Distiller, x: np.ndarray, y: np.ndarray) -> None:
        callback = raises_at(epoch, method, error)
        distiller.fit(x, y, epochs=3, verbose=0, batch_size=32, validation_data=(x, y), callbacks=[callback])

    return fit


def with_generator(batches: int) -> Any:
    """A generator that fails after some batches; an epoch has two, with a validation between the epochs."""

    def fit(distiller: Distiller, x: np.ndarray, y: np.ndarray) -> None:
        def stream() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for _ in range(batches):
                yield x[:32], y[:32]
            raise SlipError("on purpose")

        distiller.fit(
            stream(), steps_per_epoch=2, epochs=3, shuffle=False, verbose=0, validation_data=(x, y), validation_steps=1
        )

    return fit


def with_metric(distiller: Distiller, x: np.ndarray, y: np.ndarray) -> None:
    faulty = Distiller(distiller.student, distiller.teacher)
    faulty.compile(distiller.optimizer, metrics=[FaultyMetric()])
    faulty.fit(x, y, verbose=0)


FAILURES = {
    "wrong shape": of_wrong_shape,
    "first batch": with_callback("on_train_batch_begin", 0),
    "later batch": with_callback("on_train_batch_end", 3),
    "epoch": with_callback("on_epoch_end"),
    "evaluation": with_callback("on_test_batch_end"),
    "interrupt": with_callback("on_train_batch_begin", 3, KeyboardInterrupt),
    "generator at once": with_generator(0),
    "generator after a validation": with_generator(2),
    "generator in an epoch": with_generator(3),
    "metric": with_metric,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_after_a_failed_fit_the_distiller_goes_on(teacher: keras.Model, problem: Problem, failure: str) -> None:
    x, y = problem
    student = classifier(2)
    distiller = Distiller(student, teacher)
    distiller.compile("adam")
    distiller.fit(x, y, verbose=0)
    with pytest.raises((Exception, KeyboardInterrupt)):  # each backend wraps errors in its own
        FAILURES[failure](distiller, x, y)
    assert all(np.isfinite(weight).all() for weight in weights_of(student))
    state = [np.array(ops.convert_to_numpy(variable)) for variable in distiller.optimizer.variables]
    assert state[0] > 0
    assert distiller.predict(x, verbose=0).shape == (len(x), C)
    before = distiller.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    losses = distiller.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < before
    assert distiller.optimizer.iterations > state[0]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="other backends change weights where they are")
@pytest.mark.parametrize("batches", [1, 3, 7])
def test_an_interrupt_inside_a_step_loses_that_step_alone(
    teacher: keras.Model, problem: Problem, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step has run, and its result is lost: with donated arguments, nothing would remain."""
    x, y = problem
    whole, stopped = (Distiller(classifier(2), teacher) for _ in range(2))
    for distiller in (whole, stopped):
        distiller.compile(keras.optimizers.Adam(0.01))
    compiled, steps = jax_steps.without_donation, []

    def interrupted(step: Any) -> Any:
        real = compiled(step)

        def run(state: Any, data: Any) -> Any:
            done = real(state, data)
            steps.append(1)
            if len(steps) == batches:
                raise KeyboardInterrupt
            return done

        return run

    monkeypatch.setattr(jax_steps, "without_donation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
    assert int(stopped.optimizer.iterations) == batches - 1
    for batch in range(batches - 1):
        rows = slice(16 * (batch % 4), 16 * (batch % 4) + 16)
        whole.train_on_batch(x[rows], y[rows])
    for now, then in zip(weights_of(stopped.student), weights_of(whole.student), strict=True):
        np.testing.assert_allclose(now, then, atol=1e-6)
    stopped.fit(x, y, verbose=0)


@pytest.mark.parametrize("save_teacher", [False, True])
def test_a_checkpoint_is_evaluated_and_given_a_teacher_again(
    teacher: keras.Model, problem: Problem, tmp_path: Path, save_teacher: bool
) -> None:
    x, y = problem
    distiller = Distiller(classifier(2), teacher, save_teacher=save_teacher, ignore_class=9)
    distiller.compile("adam", metrics=["accuracy"])
    path = tmp_path / "best.keras"
    distiller.fit(x, y, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    expected = distiller.evaluate(x, y, verbose=0, return_dict=True)
    again = keras.models.load_model(path)
    assert again.task == "categorical"
    assert again.get_config()["ignore_class"] == 9
    alone = again.evaluate(x, y, verbose=0, return_dict=True)
    if not save_teacher:
        assert set(alone) == {"loss", "student_loss", "accuracy"}
        assert alone["loss"] == alone["student_loss"] == pytest.approx(expected["student_loss"], rel=1e-5)
        with pytest.raises(Exception, match="There is no teacher"):
            again.fit(x, y, verbose=0)
    again.teacher = teacher
    assert again.teacher is teacher
    assert [id(v) for v in again.trainable_variables] == [id(v) for v in again.student.trainable_variables]
    assert again.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(again.fit(x, y, verbose=0).history["loss"]).all()
    with pytest.raises(RequestError, match="must have the same classes"):
        again.teacher = keras.Sequential([keras.Input((F,)), keras.layers.Dense(C + 1)])


def test_a_task_and_its_losses_are_loaded_as_they_were_saved(problem: Problem, tmp_path: Path) -> None:
    x, _ = problem
    student, teacher = (keras.Sequential([keras.Input((F,)), keras.layers.Dense(2)]) for _ in range(2))
    distiller = Distiller(student, teacher, task="regression", save_teacher=True)
    distiller.compile("adam", loss="huber", distillation_loss="bounded")
    distiller.fit(x, x[:, :2], verbose=0)
    expected = distiller.evaluate(x, x[:, :2], verbose=0, return_dict=True)
    distiller.save(tmp_path / "regression.keras")
    again = keras.models.load_model(tmp_path / "regression.keras")
    assert again.task == "regression"
    assert again.evaluate(x, x[:, :2], verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
