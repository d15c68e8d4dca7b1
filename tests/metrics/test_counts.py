"""Counts of classes and labels: numbers worked by hand, and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from distillab.metrics import Counts, class_counts, f1_micro, label_counts, mean_iou

EXACT = 1e-12  # float64 on both sides, sums of at most 60 terms


def counts_of(predicted: np.ndarray, labels: np.ndarray, classes: int) -> Counts:
    return class_counts(sklearn.metrics.confusion_matrix(labels, predicted, labels=range(classes)))


def test_overlap_worked_by_hand() -> None:
    # Class 0: labelled at 0 1 2, predicted at 0 1: overlap 2 of 3. Class 1: labelled at 3, predicted at 2 3: 1 of 2.
    # Class 2 is labelled at 4 and never predicted: 0 of 1. Class 3 is predicted at 4 alone: 0. Class 4 never occurs.
    counts = counts_of(np.array([0, 0, 1, 1, 3]), np.array([0, 0, 0, 1, 2]), 5)
    np.testing.assert_allclose(counts.iou, [2 / 3, 1 / 2, 0, 0, 0], atol=EXACT)
    assert mean_iou(counts) == pytest.approx((2 / 3 + 1 / 2) / 4, abs=EXACT)


def test_labels_worked_by_hand() -> None:
    # Label 0: one hit, nothing else: F1 1. Label 1: one hit, predicted twice: 2/3. Together 2 hits, 3 predicted, 2
    # labelled: 4/5. The entries that are unknown would change all three.
    decided = np.array([[1, 1], [0, 1], [1, 1], [0, 0]])
    labels = np.array([[1, 0], [0, 1], [-1, -1], [0, 0]])
    counts = label_counts(decided, labels)
    np.testing.assert_allclose(counts.f1, [1, 2 / 3], atol=EXACT)
    assert f1_micro(counts) == pytest.approx(4 / 5, abs=EXACT)
    np.testing.assert_array_equal(counts, [[1, 1], [1, 2], [1, 1]])


@settings(deadline=None)
@given(classes=st.integers(2, 6), examples=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_overlap_agrees_with_scikit_learn(classes: int, examples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, labels = rng.integers(0, classes, (2, examples))
    counts, every = counts_of(predicted, labels, classes), range(classes)
    of_each = sklearn.metrics.jaccard_score(labels, predicted, labels=every, average=None, zero_division=0)
    np.testing.assert_allclose(counts.iou, of_each, atol=EXACT)
    expected = sklearn.metrics.jaccard_score(labels, predicted, average="macro", zero_division=0)
    assert mean_iou(counts) == pytest.approx(expected, abs=EXACT)


@settings(deadline=None)
@given(names=st.integers(1, 6), examples=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_labels_agree_with_scikit_learn(names: int, examples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    decided, labels = rng.integers(0, 2, (2, examples, names))
    counts = label_counts(decided, labels)
    # scikit-learn takes one column for a binary problem: a column without labels keeps it multi-label
    wide = [np.pad(each, [(0, 0), (0, 1)]) for each in (labels, decided)]
    for average, ours in ((None, counts.f1), ("micro", f1_micro(counts))):
        theirs = sklearn.metrics.f1_score(*wide, average=average, zero_division=0)
        np.testing.assert_allclose(ours, theirs[:-1] if average is None else theirs, atol=EXACT)
    theirs = sklearn.metrics.precision_recall_fscore_support(*wide, average=None, zero_division=0)
    np.testing.assert_allclose([counts.precision, counts.recall], [each[:-1] for each in theirs[:2]], atol=EXACT)


@settings(deadline=None)
@given(classes=st.integers(2, 6), seed=st.integers(0, 2**32))
def test_exchanging_labels_and_predictions_changes_neither_f1_nor_overlap(classes: int, seed: int) -> None:
    predicted, labels = np.random.default_rng(seed).integers(0, classes, (2, 30))
    there, back = counts_of(predicted, labels, classes), counts_of(labels, predicted, classes)
    np.testing.assert_array_equal(there.f1, back.f1)
    np.testing.assert_array_equal(there.iou, back.iou)
    np.testing.assert_array_equal(there.precision, back.recall)
    np.testing.assert_allclose(there.iou, there.f1 / (2 - there.f1), atol=EXACT)
