"""What each test example adds to a metric."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.tasks import TASKS
from distillab.tasks.case_scores import GROUPS, case_scores, groups_of
from distillab.tasks.evaluation import evaluate


def classes(examples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, examples).astype(np.int32)
    return (np.eye(3)[labels] + rng.normal(size=(examples, 3))).astype(np.float32), labels


def test_of_accuracy_they_are_right_or_wrong():
    outputs = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]], np.float32)
    assert case_scores(TASKS["categorical"], "accuracy", outputs, np.array([0, 1, 1])).tolist() == [1, 1, 0]


@pytest.mark.parametrize("examples", [50, 10 * GROUPS])
def test_of_a_mean_over_examples_they_are_the_means_of_groups(examples):
    outputs, labels = classes(examples)
    found = case_scores(TASKS["categorical"], "nll", outputs, labels)
    each = np.log(np.exp(outputs.astype(float)).sum(axis=1)) - outputs[np.arange(examples), labels]
    assert found == pytest.approx([each[group].mean() for group in groups_of(examples)], abs=1e-3)


def test_pseudovalues_of_a_ratio_worked_by_hand():
    # Mean absolute errors 1, 2 and 3 squared: rmse = sqrt(14/3); without each: sqrt(13/2), sqrt(10/2), sqrt(5/2).
    outputs, labels = np.array([[1.0], [2.0], [3.0]]), np.zeros((3, 1))
    expected = 3 * np.sqrt(14 / 3) - 2 * np.sqrt([13 / 2, 10 / 2, 5 / 2])
    assert case_scores(TASKS["regression"], "rmse", outputs, labels) == pytest.approx(expected)


def test_their_mean_is_near_the_metric():
    """The jackknife's correction is of the order of the metric's bias, 1 / M."""
    outputs, labels = classes(300)
    value = evaluate(TASKS["categorical"], outputs, labels)["f1_macro"]
    assert case_scores(TASKS["categorical"], "f1_macro", outputs, labels).mean() == pytest.approx(value, abs=3 / 300)


def test_examples_of_unknown_labels_are_left_out():
    outputs, labels = classes(30)
    labels[::3] = -1
    assert len(case_scores(TASKS["categorical"], "accuracy", outputs, labels)) == 20


def test_a_metric_that_needs_the_only_positive_is_undefined_without_it():
    outputs, labels = np.arange(10, dtype=np.float32)[:, None], (np.arange(10) == 4).astype(np.int32)
    found = case_scores(TASKS["binary"], "auroc", outputs, labels)
    assert np.flatnonzero(np.isnan(found)).tolist() == [4]


def test_groups_hold_every_example_once_and_differ_by_one_at_most():
    groups = groups_of(1234)
    assert sorted(np.concatenate(groups).tolist()) == list(range(1234))
    assert {len(group) for group in groups} == {6, 7}
