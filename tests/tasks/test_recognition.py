"""The task is recognised from labels and models where only one is possible, and asked for where several are."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.tasks import TASKS, Head, check_head, recognise

NAN = float("nan")
ONE_HOT = [[1, 0, 0], [0, 0, 1]]
MULTI_HOT = [[1, 1, 0], [0, 0, 1]]
SOFT = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
REAL = [[1.5, -2.0, 7.0], [0.1, 0.2, 0.3]]
SOFTMAX, SIGMOIDS, LOGITS = Head(3, "softmax"), Head(3, "sigmoid"), Head(3)
SIGMOID, ONE = Head(1, "sigmoid"), Head(1)
MAP, SIGMOID_MAP, ONE_MAP = Head(3, "softmax", 2), Head(1, "sigmoid", 2), Head(1, "", 2)


@pytest.mark.parametrize(
    ("labels", "heads", "task"),
    [
        ([0, 1, 2], [], "categorical"),
        ([0, 1, 1], [], "categorical"),
        (["cat", "dog"], [], "categorical"),
        ([0.5, 1.5], [], "regression"),
        (ONE_HOT, [], "categorical"),
        ([0, 1, 2], [SOFTMAX], "categorical"),
        ([0, 1, 2], [LOGITS], "categorical"),
        ([0, 1, 2], [Head(3, "log_softmax")], "categorical"),
        ([0, 1, 1], [Head(2)], "categorical"),
        (ONE_HOT, [SOFTMAX, LOGITS], "categorical"),
        (SOFT, [LOGITS], "categorical"),
        ([0, 1, 1], [SIGMOID], "binary"),
        ([[0], [1]], [SIGMOID, ONE], "binary"),
        ([0, 1, NAN, -1], [ONE], "binary"),
        ([True, False], [ONE], "binary"),
        ([3, 1, 7], [ONE], "regression"),
        ([-3, 1], [ONE], "regression"),
        ([0.5, 1.5], [ONE], "regression"),
        (MULTI_HOT, [SIGMOIDS], "multilabel"),
        (ONE_HOT, [SIGMOIDS], "multilabel"),
        ([[1, NAN, 1], [0, -1, 1]], [SIGMOIDS], "multilabel"),
        (np.tile([0, 1, 2, 0], (2, 4, 1)), [], "categorical"),
        (np.tile([0, 1, 2, 0], (2, 4, 1)), [MAP], "categorical"),
        (np.eye(3)[np.arange(8).reshape(2, 2, 2) % 3], [MAP], "categorical"),
        (np.arange(16).reshape(1, 4, 4) % 2, [SIGMOID_MAP], "binary"),
        (np.linspace(0, 1, 16).reshape(1, 4, 4, 1), [ONE_MAP], "regression"),
        ([[0, 2, 1, 1], [2, 2, 0, -1]], [Head(3, "", 1)], "categorical"),
    ],
)
def test_labels_and_models_name_their_task(labels, heads: list[Head], task: str) -> None:
    assert recognise(labels, heads).name == task


@pytest.mark.parametrize(
    ("labels", "heads", "message"),
    [
        (MULTI_HOT, [SOFTMAX], r"such as \[1, 1, 0\] are several ones a row.* ends in softmax. State the task: multil"),
        (MULTI_HOT, [LOGITS], "does not say which task they are of. State the task: multilabel .*regression .*categor"),
        (MULTI_HOT, [], "State the task: multilabel"),
        ([[0, 0, 0], [1, 0, 0]], [SOFTMAX], r"such as \[0, 0, 0\] are several ones a row, or none"),
        (REAL, [LOGITS], r"such as \[1.5, -2, 7\] are real numbers, no distribution.* State the task: regression"),
        (REAL, [SIGMOIDS], "real numbers, no distribution over classes, and the model ends in sigmoid"),
        (SOFT, [SIGMOIDS], "real numbers.* the model ends in sigmoid"),
        ([0.5, 1.5], [SIGMOID], "ends in one sigmoid, and there are labels such as 0.5"),
        ([0, 2], [SIGMOID], r"Give labels 0 and 1 \(task=binary\)"),
        ([0, 1, 0.25], [LOGITS], "Labels such as 0.25 are one real number an example, and the model has several"),
        ([0, 1, 2], [SIGMOIDS], "ends in several sigmoids"),
        (ONE_HOT, [ONE], "The model has one output, and labels such as .* a row an example"),
        ([0, 1], [Head(1, "softmax")], "one output and ends in softmax, which is always 1. End it in sigmoid"),
        (
            [0, 1],
            [Head(2, "softmax", name="the teacher"), Head(2, "sigmoid", name="the student")],
            "the teacher ends in softmax and the student ends in sigmoid: they do not have the same task",
        ),
        ([-1, NAN], [], "No example has a label"),
        ([], [], r"Labels of shape \(0,\) and type float64 are no numbers"),
        ([1j], [], "type complex128 are no numbers"),
    ],
)
def test_a_contradiction_or_a_choice_is_an_error_that_names_what_is_possible(
    labels, heads: list[Head], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        recognise(labels, heads)
    assert "\n" not in str(caught.value)


def test_a_task_that_is_stated_is_taken_if_the_models_fit_it() -> None:
    assert recognise(MULTI_HOT, [LOGITS], given="multilabel").name == "multilabel"
    assert recognise(MULTI_HOT, [LOGITS], given="regression").name == "regression"
    with pytest.raises(RequestError, match=r"There is no task 'multi'.* Known: binary, categorical"):
        recognise(MULTI_HOT, given="multi")


FITS = {
    "categorical": [LOGITS, SOFTMAX, Head(3, "log_softmax"), MAP],
    "binary": [ONE, SIGMOID, SIGMOID_MAP, ONE_MAP],
    "multilabel": [LOGITS, SIGMOIDS, ONE, SIGMOID, SIGMOID_MAP, ONE_MAP],
    "regression": [LOGITS, ONE, ONE_MAP],
}
HEADS = sorted({head for heads in FITS.values() for head in heads})


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("task", TASKS)
def test_a_task_fits_the_models_whose_outputs_it_can_read(task: str, head: Head) -> None:
    if head in FITS[task]:
        check_head(TASKS[task], head)
        return
    with pytest.raises(RequestError, match=rf"task={task} needs .*; the model has {head.outputs} output"):
        check_head(TASKS[task], head)
