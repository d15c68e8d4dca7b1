"""One step of a student of each task equals the gradient worked out by hand, in NumPy's float64."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

from distillab.engine.devices import mesh
from distillab.engine.functional import Functional, read_variables
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, Outcome, Recipe, Student
from distillab.models import build

N, F, ALPHA, T, RATE = 6, 4, 0.3, 2.0, 0.1
ROOM = 1e-6  # float32: sums of at most 100 products of numbers of about 1


def dense(outputs: int, positions: tuple[int, ...] = ()) -> keras.Model:
    return keras.Sequential([keras.Input((*positions, F)), keras.layers.Dense(outputs)])


def one_step(
    model: keras.Model, x: np.ndarray, labels: np.ndarray, teacher: np.ndarray, *, students: int = 1, **recipe: Any
) -> tuple[np.ndarray, Outcome, Epoch]:
    """One step of gradient descent on the whole of the data: the gradient of the kernel, by the weights' difference."""
    functional, records = Functional(model), list[Epoch]()
    options = Recipe(epochs=1, batch_size=len(x), optimiser="sgd", schedule="constant", **recipe)
    trainer = CohortTrainer(functional, Examples(x, x, x, teacher[None], 1.0), options, mesh=mesh(1), capacity=students)
    start = read_variables(model)
    of = [Student(ALPHA, T, RATE, seed, start, labels, labels) for seed in range(students)]
    outcome = trainer.train(of, on_epoch=records.append, predict_training=True)
    return (start.trainable[0] - outcome.variables.trainable[0][0]) / RATE, outcome, records[0]


def drawn(outputs: int, positions: tuple[int, ...] = ()) -> tuple[keras.Model, np.ndarray, np.ndarray, np.ndarray]:
    """A model, inputs, a teacher's outputs, and the model's own outputs in float64."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    model = dense(outputs, positions)
    x = rng.normal(size=(N, *positions, F)).astype(np.float32)
    teacher = rng.normal(scale=2, size=(N, *positions, outputs)).astype(np.float32)
    kernel, bias = (array.astype(np.float64) for array in read_variables(model).trainable)
    return model, x, teacher, x.astype(np.float64) @ kernel + bias


def of_kernel(x: np.ndarray, by_outputs: np.ndarray) -> np.ndarray:
    return x.reshape(-1, F).astype(np.float64).T @ by_outputs.reshape(-1, by_outputs.shape[-1])


def test_one_logit_learns_from_labels_and_teacher_as_a_bernoulli_variable() -> None:
    model, x, teacher, z = drawn(1)
    y = np.array([0, 1, 1, 0, 1, 0])
    gradient, outcome, record = one_step(model, x, y, teacher, task="binary")
    t = teacher.astype(np.float64)
    by_outputs = ALPHA * (expit(z) - y[:, None]) + (1 - ALPHA) * T * (expit(z / T) - expit(t / T))
    np.testing.assert_allclose(gradient, of_kernel(x, by_outputs / N), atol=ROOM / RATE)
    np.testing.assert_allclose(record.label_loss[0], np.mean(np.logaddexp(0, z) - y[:, None] * z), atol=ROOM)
    decided = (outcome.test_logits[0][:, 0] > 0).astype(int)
    assert outcome.train_predictions is not None
    np.testing.assert_array_equal(outcome.train_predictions[0], decided)
    assert record.validation_accuracy[0] == pytest.approx(np.mean(decided == y))


def test_missing_labels_of_several_count_for_the_teacher_alone() -> None:
    model, x, teacher, z = drawn(3)
    y = np.random.default_rng(1).integers(0, 2, (N, 3))
    y[0], y[2, 1] = -1, -1
    gradient, _, record = one_step(model, x, y, teacher, task="multilabel", unlabelled=True)
    known, t = y >= 0, teacher.astype(np.float64)
    by_labels = np.where(known, expit(z) - y, 0) / known.sum()
    by_teacher = T * (expit(z / T) - expit(t / T)) / (N * 3)
    np.testing.assert_allclose(gradient, of_kernel(x, ALPHA * by_labels + (1 - ALPHA) * by_teacher), atol=ROOM / RATE)
    np.testing.assert_allclose(record.label_loss[0], np.mean((np.logaddexp(0, z) - y * z)[known]), atol=ROOM)


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber", "bounded"])
def test_real_outputs_are_drawn_to_labels_and_teacher(loss: str) -> None:
    model, x, teacher, p = drawn(2)
    y = np.random.default_rng(1).normal(size=(N, 2)).astype(np.float32)
    gradient, outcome, record = one_step(model, x, y, teacher, task="regression", loss=loss, label_loss="squared")
    to_labels, to_teacher = p - y, p - teacher.astype(np.float64)
    worse = (to_labels**2).mean(-1) > ((teacher.astype(np.float64) - y) ** 2).mean(-1)
    by_teacher = {
        "squared": 2 * to_teacher,
        "absolute": np.sign(to_teacher),
        "huber": np.clip(to_teacher, -1, 1),
        "bounded": np.where(worse[:, None], 2 * to_labels, 0),
    }[loss]
    by_outputs = (ALPHA * 2 * to_labels + (1 - ALPHA) * by_teacher) / (N * 2)
    np.testing.assert_allclose(gradient, of_kernel(x, by_outputs), atol=ROOM / RATE)
    left = ((outcome.test_logits[0] - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    assert record.validation_accuracy[0] == pytest.approx(1 - left, abs=1e-5)


def test_maps_average_over_positions_and_unknown_ones_count_for_the_teacher_alone() -> None:
    model, x, teacher, z = drawn(3, (2, 2))
    y = np.random.default_rng(1).integers(0, 3, (N, 2, 2))
    y[1, 0], y[4] = -1, -1
    gradient, outcome, _ = one_step(model, x, y, teacher, unlabelled=True)
    known, t = y >= 0, teacher.astype(np.float64)
    by_labels = np.where(known[..., None], softmax(z, -1) - np.eye(3)[np.maximum(y, 0)], 0) / known.sum()
    by_teacher = T * (softmax(z / T, -1) - softmax(t / T, -1)) / (N * 4)
    np.testing.assert_allclose(gradient, of_kernel(x, ALPHA * by_labels + (1 - ALPHA) * by_teacher), atol=ROOM / RATE)
    assert outcome.test_logits.shape == (1, N, 2, 2, 3)
    assert outcome.train_predictions is not None
    assert outcome.train_predictions.shape == (1, N, 2, 2)


def test_masked_positions_of_a_sequence_count_for_nothing() -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 5, F)).astype(np.float32)
    x[0, 3:], x[3, 1:] = 0, 0  # padding, which Masking finds
    inputs = keras.Input((5, F))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Masking()(inputs)))
    teacher = rng.normal(size=(N, 5, 3)).astype(np.float32)
    y, seen = rng.integers(0, 3, (N, 5)), (x != 0).any(-1)
    kernel = read_variables(model).trainable[0].astype(np.float64)
    z = x.astype(np.float64) @ kernel
    gradient, *_ = one_step(model, x, y, teacher)
    t = teacher.astype(np.float64)
    by_outputs = ALPHA * (softmax(z, -1) - np.eye(3)[y]) + (1 - ALPHA) * T * (softmax(z / T, -1) - softmax(t / T, -1))
    by_outputs = np.where(seen[..., None], by_outputs, 0) / seen.sum()
    np.testing.assert_allclose(gradient, of_kernel(x, by_outputs), atol=ROOM / RATE)


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_a_student_is_the_same_alone_and_in_a_cohort(task: str) -> None:
    outputs = 1 if task == "binary" else 3
    model, x, teacher, _ = drawn(outputs)
    rng = np.random.default_rng(1)
    shape = (N,) if task == "binary" else (N, outputs)
    y = rng.normal(size=shape).astype(np.float32) if task == "regression" else rng.integers(0, 2, shape)
    losses = {"loss": "squared", "label_loss": "squared"} if task == "regression" else {}
    (alone, *_), (together, *_) = (
        one_step(model, x, y, teacher, task=task, students=count, **losses) for count in (1, 3)
    )
    np.testing.assert_array_equal(alone, together)


def test_a_u_net_learns_maps_in_any_slot_of_a_cohort() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (20, 6, 7, 1)).astype(np.uint8)
    y = (x[..., 0] > 8).astype(np.int32)  # a pixel's class is its own brightness
    model = Functional(build("unet-4-8", (6, 7, 1), 2))
    recipe = Recipe(epochs=60, batch_size=10)
    teacher = np.zeros((1, 20, 6, 7, 2), np.float32)
    trainer = CohortTrainer(model, Examples(x, x[:0], x, teacher, 1 / 16), recipe, mesh=mesh(1), capacity=2)
    first, second = (Student(1.0, 1.0, 0.01, seed, model.initial(seed), y, y[:0]) for seed in (0, 1))
    together, swapped = trainer.train([first, second]), trainer.train([second, first])
    np.testing.assert_array_equal(together.test_logits, swapped.test_logits[::-1])
    assert np.mean(together.test_logits.argmax(-1) == y) > 0.9
