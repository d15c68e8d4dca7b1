"""Metrics of the order of scores: numbers worked by hand, scikit-learn's, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from distillab.metrics import (
    Ranking,
    auroc,
    average_precision,
    for_each_label,
    mean_defined,
    precision_recall_curve,
    roc_curve,
)

EXACT = 1e-12  # float64 on both sides, sums of at most 60 terms


@st.composite
def ranked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores, many of them equal, and labels of both kinds."""
    examples = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(0, 2, examples)
    labels[:2] = 0, 1
    return rng.integers(0, draw(st.integers(1, 40)), examples) / 4 - 3.0, labels


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    return auroc(Ranking(scores, labels).counts())


def precision(scores: np.ndarray, labels: np.ndarray) -> float:
    return average_precision(Ranking(scores, labels).counts())


def test_worked_by_hand() -> None:
    # Labels 1 at 4 and 2, labels 0 at 3, 2 and 1. Pairs won: 4 beats all three; 2 beats 1, ties with 2: 3 + 1.5 of 6.
    scores, labels = np.array([4.0, 2.0, 3.0, 2.0, 1.0]), np.array([1, 1, 0, 0, 0])
    assert area(scores, labels) == pytest.approx(4.5 / 6, abs=EXACT)
    # Thresholds 4: precision 1 at recall 1/2; 3: no new label 1; 2: precision 2/4 at recall 1. 1/2 * 1 + 1/2 * 1/2.
    assert precision(scores, labels) == pytest.approx(0.75, abs=EXACT)


@settings(deadline=None)
@given(case=ranked())
def test_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    assert area(scores, labels) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=EXACT)
    assert precision(scores, labels) == pytest.approx(
        sklearn.metrics.average_precision_score(labels, scores), abs=EXACT
    )
    counts = Ranking(scores, labels).counts()
    false, true, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(counts), np.stack([false, true], axis=1), atol=EXACT)
    of_precision, recall, _ = sklearn.metrics.precision_recall_curve(labels, scores)
    ours = precision_recall_curve(counts)[::-1]  # theirs runs from the lowest threshold and adds the point (0, 1)
    np.testing.assert_allclose(ours, np.stack([recall, of_precision], axis=1)[:-1], atol=EXACT)


@settings(deadline=None)
@given(case=ranked())
def test_only_the_order_of_the_scores_counts(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    for moved in (np.exp(scores), scores**3, 2 * scores + 100):
        assert area(moved, labels) == area(scores, labels)
        assert precision(moved, labels) == precision(scores, labels)


@settings(deadline=None)
@given(case=ranked())
def test_reversing_the_scores_or_the_labels_reflects_the_area(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    assert area(-scores, labels) == pytest.approx(1 - area(scores, labels), abs=EXACT)
    assert area(scores, 1 - labels) == pytest.approx(1 - area(scores, labels), abs=EXACT)


@settings(deadline=None)
@given(case=ranked(), seed=st.integers(0, 2**32))
def test_a_weight_is_a_repetition(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    scores, labels = case
    rows = np.random.default_rng(seed).integers(0, len(labels), len(labels))
    counts = Ranking(scores, labels).counts(np.bincount(rows, minlength=len(labels)).astype(float))
    for metric in (auroc, average_precision):
        expected = metric(Ranking(scores[rows], labels[rows]).counts())
        assert metric(counts) == pytest.approx(expected, abs=EXACT, nan_ok=True)


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_has_no_order(label: int) -> None:
    scores, labels = np.array([1.0, 2.0]), np.array([label, label])
    assert np.isnan(area(scores, labels))
    assert np.isnan(precision(scores, labels))


def test_a_useless_model_has_half_the_area_and_a_perfect_one_all() -> None:
    labels = np.array([0, 1, 0, 1])
    assert area(np.zeros(4), labels) == 0.5
    assert precision(np.zeros(4), labels) == 0.5  # the share of the label 1
    assert area(labels.astype(float), labels) == precision(labels.astype(float), labels) == 1


def test_labels_that_are_unknown_or_all_equal_are_left_out() -> None:
    scores = np.array([[1.0, 5.0, 1.0], [2.0, 9.0, 2.0], [3.0, 1.0, 3.0], [0.0, 2.0, 0.0]])
    labels = np.array([[0, 1, 1], [1, -1, 1], [1, 0, 1], [-1, 1, 1]])
    values = for_each_label(auroc, scores, labels)
    assert values[:2] == [1.0, 1.0]  # the unknown entries, of score 0 and 9, would make it 1/2 and 3/4 or so
    assert np.isnan(values[2])
    assert mean_defined([0.5, 1.0, values[2]]) == 0.75
    assert np.isnan(mean_defined([values[2]]))
