"""Outputs of models of other frameworks: recognised by their values, and turned into the logits that a task needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.foreign import ForeignModel, Gives, as_raw_outputs, recognised_outputs
from distillab.tasks import TASKS

LN = np.log
LOW = LN(1e-7)  # of a probability of 0
SURE = LN(1e7 - 1)  # the logit of a probability of 1, clipped at 1 - 1e-7

CASES: list[tuple[Gives, str, list[Any], list[Any]]] = [
    ("logits", "categorical", [[1, 2, 3]], [[1, 2, 3]]),
    ("probabilities", "categorical", [[0.2, 0.8, 0]], [[LN(0.2), LN(0.8), LOW]]),
    ("probabilities", "categorical", [[0.2], [1]], [[LN(0.8), LN(0.2)], [LOW, 0]]),
    ("logits", "categorical", [[LN(3)]], [[LN(0.25), LN(0.75)]]),
    ("decisions", "categorical", [[2], [0]], [[LOW, LOW, 0], [0, LOW, LOW]]),
    ("decisions", "categorical", [[0, 1, 0]], [[LOW, 0, LOW]]),
    ("logits", "binary", [[1.5]], [[1.5]]),
    ("logits", "binary", [[1, 3]], [[2]]),
    ("probabilities", "binary", [[0.75], [0]], [[LN(3)], [-SURE]]),
    ("probabilities", "binary", [[0.25, 0.75]], [[LN(3)]]),
    ("decisions", "binary", [[1], [0]], [[-LOW], [LOW]]),
    ("logits", "multilabel", [[1, -2]], [[1, -2]]),
    ("probabilities", "multilabel", [[0.75, 0.5, 1]], [[LN(3), 0, SURE]]),
    ("decisions", "multilabel", [[1, 0]], [[SURE, -SURE]]),
    ("values", "regression", [[7.5, -1]], [[7.5, -1]]),
    ("logits", "regression", [[7.5]], [[7.5]]),
    ("decisions", "regression", [[2]], [[2]]),
]


@pytest.mark.parametrize(("gives", "task", "outputs", "expected"), CASES)
def test_each_pair_of_outputs_and_task_as_worked_by_hand(
    gives: Gives, task: str, outputs: list[Any], expected: list[Any]
) -> None:
    classes = 3 if gives == "decisions" and task == "categorical" else 2
    raw = as_raw_outputs(np.array(outputs, float), gives, TASKS[task], classes)
    assert raw.dtype == np.float32
    np.testing.assert_allclose(raw, expected, rtol=1e-6, atol=1e-6)


def test_one_output_makes_two_classes_whose_probabilities_sum_to_one() -> None:
    outputs = np.array([[-700.0], [-1.0], [0.0], [30.0]])
    raw = as_raw_outputs(outputs, "logits", TASKS["categorical"], 2)
    np.testing.assert_allclose(np.exp(raw).sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(raw[:, 1] - raw[:, 0], outputs[:, 0], rtol=1e-6)


def test_maps_are_converted_at_every_position() -> None:
    half = np.full((2, 3, 4, 1), 0.5)
    raw = as_raw_outputs(half, "probabilities", TASKS["categorical"], 2)
    np.testing.assert_allclose(raw, np.full((2, 3, 4, 2), LN(0.5)), rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "task", "expected"),
    [
        ([[0.25, 0.75], [1, 0]], "categorical", "probabilities"),
        ([[0.25, 0.7501], [1, 0]], "categorical", "probabilities"),  # of half precision
        ([[0.25, 0.8], [1, 0]], "categorical", "logits"),
        ([[1.5, -0.5]], "categorical", "logits"),  # sum to 1, and are none
        ([[0.25, 0.75]], "binary", "probabilities"),
        ([[2, -1]], "binary", "logits"),
        ([[0.25], [0.5]], "binary", "probabilities"),
        ([[1.25], [0.5]], "binary", "logits"),
        ([[2], [0]], "categorical", "decisions"),
        ([[2.5], [0]], "categorical", "logits"),
        ([[0.25, 0.5]], "multilabel", "probabilities"),
        ([[0.25, -3]], "multilabel", "logits"),
        ([[0.25, 0.75]], "regression", "values"),
    ],
)
def test_outputs_are_recognised_by_their_values(outputs: list[Any], task: str, expected: str) -> None:
    assert recognised_outputs(np.array(outputs, float), TASKS[task]) == expected


def model(call: Callable[..., Any]) -> ForeignModel:
    return ForeignModel(name="mine", kind="function", call=call)


def test_one_number_an_example_is_one_column() -> None:
    given = model(lambda x: x[:, 0] > 0).predict(np.array([[1.0], [-1.0]]))
    np.testing.assert_array_equal(given, [[1], [0]])
    assert given.dtype == np.float32


def failing(batch: Any) -> Any:
    raise KeyError("no such column\nin this table")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: np.zeros((2, 3)), r"The function mine gives float64 of shape \(2, 3\) for 4 inputs, and must give"),
        (lambda x: np.array(["cat"] * 4), r"gives <U3 of shape \(4,\) for 4 inputs, and must give numbers"),
        (lambda x: None, r"gives object of shape \(\) for 4 inputs"),
        (lambda x: 1.0, r"gives float64 of shape \(\) for 4 inputs"),
        (lambda x: [[1], [2, 3]], "The function mine fails for float32 inputs of shape"),
        (failing, r"The function mine fails for float32 inputs of shape \(5,\): .*no such column"),
    ],
)
def test_a_model_that_fails_or_gives_no_outputs_is_named_in_a_line(call: Callable[..., Any], told: str) -> None:
    with pytest.raises(RequestError, match=told) as raised:
        model(call).predict(np.zeros((4, 5), np.float32))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("gives", "outputs", "names", "expected"),
    [
        ("probabilities", 3, (), (3, "")),
        ("logits", 4, ("a", "b", "c", "d"), (4, "softmax")),
        ("probabilities", 2, (), None),  # two classes, or two labels
        ("values", 3, (), None),
        ("", 3, (), None),
        ("logits", None, (), None),
    ],
)
def test_the_head_helps_where_it_is_certain(gives: Gives, outputs: int, names: tuple[str, ...], expected: Any) -> None:
    head = ForeignModel(name="m", kind="k", call=failing, gives=gives, outputs=outputs, class_names=names).head
    assert (head and (head.outputs, head.ending)) == expected
