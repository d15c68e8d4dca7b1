"""Labels of every task come in one form, the unknown ones marked, or are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.tasks import TASKS, canonical_labels, known_entries

NAN = float("nan")


@pytest.mark.parametrize(
    ("task", "values", "positions", "expected"),
    [
        ("categorical", [2, 0, -1], 0, [2, 0, -1]),
        ("categorical", [[2.0], [NAN]], 0, [2, -1]),
        ("categorical", [[0, 0, 1], [1, 0, 0], [-1, -1, -1]], 0, [2, 0, -1]),
        ("categorical", [[3, 1], [0, -1]], 1, [[3, 1], [0, -1]]),
        ("categorical", [[[0, 1], [1, 0]]], 1, [[1, 0]]),
        ("categorical", [[[[1], [2]]]], 2, [[[1, 2]]]),
        ("binary", [True, False], 0, [1, 0]),
        ("binary", [[1.0], [NAN]], 0, [1, -1]),
        ("binary", [[0, 1, -1]], 1, [[0, 1, -1]]),
        ("multilabel", [1, 0], 0, [[1], [0]]),
        ("multilabel", [[1, NAN, 0]], 0, [[1, -1, 0]]),
        ("multilabel", [[[1, 0], [0, -1]]], 1, [[[1, 0], [0, -1]]]),
        ("regression", [1, -1], 0, [[1.0], [-1.0]]),
        ("regression", [[0.5, 2.0]], 0, [[0.5, 2.0]]),
        ("regression", [[0.5, 2.0]], 1, [[[0.5], [2.0]]]),
    ],
)
def test_labels_take_the_form_of_their_task(task: str, values: list, positions: int, expected: list) -> None:
    labels = canonical_labels(values, TASKS[task], positions=positions)
    assert labels.dtype == (np.float32 if task == "regression" else np.int32)
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("task", "values", "expected"),
    [
        ("categorical", [0, 255, 1], [True, False, True]),
        ("binary", [0, 255, 1], [True, False, True]),
        ("multilabel", [[0, 255, 1]], [[True, False, True]]),
        ("regression", [0.5, 255.0], [[True], [False]]),
    ],
)
def test_an_ignored_value_is_unknown(task: str, values: list, expected: list) -> None:
    labels = canonical_labels(values, TASKS[task], ignore=255)
    assert known_entries(labels, TASKS[task]).tolist() == expected


def test_a_number_of_minus_one_is_known_and_nan_is_not() -> None:
    labels = canonical_labels([-1.0, NAN], TASKS["regression"])
    assert known_entries(labels, TASKS["regression"]).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("categorical", ["a", "b"], "y.dtype='<U1' is not allowed: it must be numbers"),
        ("categorical", [0.5, 1.0], "y holds 0.5, and labels are whole numbers. State task=regression"),
        ("categorical", [-2, 1], "label in y=-2 is not allowed: .* State task=regression for real numbers"),
        ("categorical", [0.0, np.inf], r"y\[1\] is infinite"),
        ("categorical", [[0, 0], [1, 0]], r"y\[0\] is \[0, 0\], which is not one-hot"),
        ("categorical", [[0, 1], [0.5, 0.5]], r"y\[1\] is \[0.5, 0.5\], which is not one-hot"),
        ("categorical", [[[0, 1]]], r"y.shape=\(1, 1, 2\) is not allowed: it must be \(N,\) or with one more axis"),
        ("categorical", [[], []], r"y.shape=\(2, 0\) is not allowed: .* none of length 0"),
        ("binary", [[0, 1, 1]], r"y.shape=\(1, 3\) is not allowed: .* task=multilabel has more"),
        ("binary", [0, 2], "label in y=2 is not allowed: it must be 0 or 1, or -1 .* task=binary"),
        ("multilabel", [[0.0, 0.5]], "label in y=0.5 is not allowed: it must be 0 or 1, .* task=multilabel"),
        ("regression", [[1.0], [-np.inf]], r"y\[1\] is infinite"),
        ("regression", [[1.0], [1e39]], r"y\[1\] is infinite in float32"),
    ],
)
def test_what_a_task_does_not_have_is_refused(task: str, values: list, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        canonical_labels(values, TASKS[task])
    assert "\n" not in str(caught.value)
