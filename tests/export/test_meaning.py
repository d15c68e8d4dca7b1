"""What outputs mean to an export: labels by the largest output or by a side, quality by the task's own metric."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.export.agreement import TOLERANCE, agreement
from distillab.export.meaning import Meaning, meaning_of
from distillab.tasks import TASKS


def model(outputs: int, activation: str | None = None) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, activation=activation)], name="mine")


@pytest.mark.parametrize(
    ("outputs", "activation", "task", "name"),
    [
        (3, None, "categorical", "logits"),
        (3, "softmax", "categorical", "probabilities"),
        (1, "sigmoid", "binary", "probabilities"),
        (3, "sigmoid", "multilabel", "probabilities"),
        (1, None, "regression", "predictions"),
    ],
)
def test_without_a_task_the_ending_says_it(outputs: int, activation: str | None, task: str, name: str):
    meaning = meaning_of(model(outputs, activation))
    assert (meaning.task.name, meaning.output_name) == (task, name)


@pytest.mark.parametrize(
    ("outputs", "activation", "task", "name"),
    [
        (1, None, "binary", "logits"),
        (3, None, "multilabel", "logits"),
        (3, None, "regression", "predictions"),
        (3, "sigmoid", "categorical", "probabilities"),
    ],
)
def test_a_stated_task_decides_where_the_ending_leaves_it_open(
    outputs: int, activation: str | None, task: str, name: str
):
    meaning = meaning_of(model(outputs, activation), task)
    assert (meaning.task.name, meaning.output_name) == (task, name)


@pytest.mark.parametrize(
    ("outputs", "activation", "task"),
    [(3, "softmax", "multilabel"), (3, None, "binary"), (1, "sigmoid", "regression"), (1, None, "categorical")],
)
def test_a_task_that_does_not_fit_the_model_is_refused(outputs: int, activation: str | None, task: str):
    with pytest.raises(RequestError, match=f"task={task} needs .*; the model 'mine' has"):
        meaning_of(model(outputs, activation), task)
    with pytest.raises(RequestError, match="no task 'multi'"):
        meaning_of(model(3), "multi")


@pytest.mark.parametrize(
    ("task", "ending", "ours", "theirs", "same", "n"),
    [
        # the largest of several; both examples of one position keep theirs, one of the other's changes
        ("categorical", "", [[[0, 1], [1, 0]], [[2, 0], [0, 1]]], [[[0, 2], [0, 1]], [[1, 0], [0, 1]]], 3, 4),
        ("categorical", "softmax", [[0.4, 0.6], [0.9, 0.1]], [[0.6, 0.4], [0.8, 0.2]], 1, 2),
        # the side of 0 of a logit, of 1/2 of a probability: 0.2 and 0.4 are on two sides of neither
        ("binary", "", [[-0.1], [0.2], [3.0]], [[0.1], [0.4], [2.0]], 2, 3),
        ("binary", "sigmoid", [[0.2], [0.4], [0.6]], [[0.4], [0.6], [1.0]], 2, 3),
        ("multilabel", "sigmoid", [[0.2, 0.9]], [[0.3, 0.3]], 1, 2),
        # rounding may lift a probability above 1
        ("binary", "sigmoid", [[0.2], [1.0]], [[0.3], [1.0000001]], 2, 2),
        ("regression", "", [[0.2], [0.4]], [[0.4], [0.6]], None, 2),
    ],
)
def test_labels_are_counted_by_what_outputs_mean(task, ending, ours, theirs, same, n):
    compared = agreement(ours, theirs, Meaning(TASKS[task], ending))
    assert (compared.same_labels, compared.n) == (same, n)


@pytest.mark.parametrize(("off", "fine"), [(0.9, True), (1.1, False)])
def test_rounding_of_real_numbers_is_measured_in_their_own_unit(off: float, fine: bool):
    small = np.array([[0.001], [-0.0005]])
    moved = small + np.array([[0.001 * off * TOLERANCE], [0]])
    assert agreement(small, moved, Meaning(TASKS["regression"])).within_rounding is fine
    assert agreement(small, moved).within_rounding


def test_quality_is_the_tasks_default_metric_of_probabilities_and_of_logits():
    chances, labels = np.array([[0.9], [0.3], [0.6], [0.2]], np.float32), np.array([1, 0, 0, 1])
    # 4 pairs of a 1 and a 0: 0.9 beats both, 0.2 neither
    binary = Meaning(TASKS["binary"], "sigmoid")
    assert binary.quality(chances, binary.checked(labels, chances.shape)) == ("auroc", 0.5)
    logits = Meaning(TASKS["binary"])
    assert logits.quality(np.log(chances / (1 - chances)), labels) == ("auroc", 0.5)
    # errors 0.5 and 1.5
    numbers = Meaning(TASKS["regression"])
    mae = numbers.quality(np.array([[1.0], [2.0]]), numbers.checked([0.5, 3.5], (2, 1)))
    assert (mae, mae.text, mae.label) == (("mae", 1.0), "1", "mean absolute error")
    classes = Meaning(TASKS["categorical"], "softmax")
    assert classes.quality(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1])).text == "50.00 %"
    assert "not defined" in binary.quality(chances, np.ones(4, np.int32)).text


@pytest.mark.parametrize(
    ("task", "labels", "shape"),
    [
        ("categorical", np.zeros((4,), int), (5, 3)),
        ("categorical", np.zeros((5,), int), (5, 8, 8, 3)),
        ("multilabel", np.zeros((5, 2), int), (5, 3)),
        ("binary", np.zeros((5, 8), int), (5, 1)),
        ("regression", np.zeros((5, 2)), (5, 1)),
    ],
)
def test_labels_that_do_not_fit_the_outputs_are_refused(task: str, labels: np.ndarray, shape: tuple[int, ...]):
    with pytest.raises(RequestError, match=r"labels\.shape"):
        Meaning(TASKS[task]).checked(labels, shape)
    with pytest.raises(RequestError, match="label=3 is not allowed: it must be below 3"):
        Meaning().checked([0, 3], (2, 3))
