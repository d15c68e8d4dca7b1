"""Two models' predictions: hand numbers, symmetry, and what is no number."""

import numpy as np
import pytest

from distillab.errors import RequestError, WorkError
from distillab.export.agreement import TOLERANCE, agreement, check_agreement


def test_worked_by_hand():
    compared = agreement([[0.0, 4.0], [1.0, -5.0]], [[0.5, 4.0], [-2.0, -1.0]])
    assert compared == (4.0, 5.0, 1, 2)  # -5 against -1; the second example changes its label
    assert not compared.within_rounding


def test_equal_predictions_agree_wholly():
    predictions = np.random.default_rng(0).standard_normal((9, 4))
    assert agreement(predictions, predictions)[::2] == (0.0, 9)


def test_the_difference_and_the_labels_do_not_depend_on_who_is_first():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 50, 5))
    there, back = agreement(a, b), agreement(b, a)
    assert (there.difference, there.same_labels) == (back.difference, back.same_labels)


@pytest.mark.parametrize(
    ("largest", "off", "fine"), [(1, 0.9, True), (1, 1.1, False), (50, 40, True), (0.01, 0.9, True)]
)
def test_rounding_is_measured_on_the_largest_answer_or_on_one(largest, off, fine):
    ours = np.array([[0.0, largest]])
    compared = agreement(ours, ours - [[off * TOLERANCE, 0]])
    assert compared.within_rounding is fine


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([1.0, 2.0], [np.nan, 2.0]),
        ([np.inf, 2.0], [5.0, 2.0]),
        ([np.inf, 2.0], [np.inf, 2.0]),
        ([np.nan, np.nan], [np.nan, np.nan]),
    ],
)
def test_predictions_that_are_no_numbers_are_no_agreement_even_where_both_have_them(ours, theirs):
    compared = agreement([ours], [theirs])
    assert compared.difference == np.inf
    assert not compared.within_rounding
    with pytest.raises(WorkError, match=r"inf .*No file was written"):
        check_agreement(compared, "ONNX")


def test_other_shapes_are_refused():
    for a, b in (
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.zeros(3), np.zeros(3)),
    ):
        with pytest.raises(RequestError, match="shapes"):
            agreement(a, b)
