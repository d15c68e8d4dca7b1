"""Metrics of real outputs: numbers worked by hand, scikit-learn's and SciPy's, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from distillab.metrics import mae, r2, rmse, spearman

EXACT = 1e-10  # float64 on both sides; R2 divides by a variance, which amplifies rounding of at most 60 terms


@st.composite
def numbers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels of one or several outputs, some equal, each output with two labels that differ."""
    examples, width = draw(st.integers(2, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    outputs, labels = np.round(rng.standard_normal((2, examples, width)), draw(st.integers(0, 3)))
    labels[:2] = [[-1.0], [1.0]]
    return outputs, labels


def test_worked_by_hand() -> None:
    # Errors 1, 0, -2 (the fourth label is unknown): mean |error| 1, root of 5/3. Mean label 2: squares 1 + 0 + 1 = 2,
    # so R2 = 1 - 5/2. Ranks 2 3 1 against 1 2 3: differences 1, 1, -2, so 1 - 6 * 6 / (3 * 8) = -1/2.
    outputs, labels = np.array([[2.0], [2.0 + 1e-9], [1.0], [9.0]]), np.array([[1.0], [2.0], [3.0], [np.nan]])
    assert mae(outputs, labels) == pytest.approx(1, abs=1e-8)  # of 1e-9, which only keeps two predictions apart
    assert rmse(outputs, labels) == pytest.approx(np.sqrt(5 / 3), abs=1e-8)
    assert r2(outputs, labels) == pytest.approx(-1.5, abs=1e-8)
    assert spearman(outputs, labels) == pytest.approx(-0.5, abs=EXACT)


@settings(deadline=None)
@given(case=numbers())
def test_agrees_with_scikit_learn_and_scipy(case: tuple[np.ndarray, np.ndarray]) -> None:
    outputs, labels = case
    assert mae(outputs, labels) == pytest.approx(sklearn.metrics.mean_absolute_error(labels, outputs), abs=EXACT)
    assert rmse(outputs, labels) ** 2 == pytest.approx(sklearn.metrics.mean_squared_error(labels, outputs), abs=EXACT)
    assert r2(outputs, labels) == pytest.approx(sklearn.metrics.r2_score(labels, outputs), rel=EXACT, abs=EXACT)
    columns = zip(outputs.T, labels.T, strict=True)
    expected = [scipy.stats.spearmanr(a, y).statistic if np.ptp(a) else 0.0 for a, y in columns]
    assert spearman(outputs, labels) == pytest.approx(np.mean(expected), abs=EXACT)


@settings(deadline=None)
@given(case=numbers(), shift=st.floats(-1e6, 1e6), scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_of_the_labels_scales_errors_and_moves_no_share(
    case: tuple[np.ndarray, np.ndarray], shift: float, scale: float
) -> None:
    outputs, labels = case
    moved = tuple(scale * (values + shift) for values in case)
    # adding a million leaves 1e-10 of a number near 1
    assert mae(*moved) == pytest.approx(scale * mae(outputs, labels), rel=1e-8, abs=1e-8 * scale)
    assert rmse(*moved) == pytest.approx(scale * rmse(outputs, labels), rel=1e-8, abs=1e-8 * scale)
    assert r2(*moved) == pytest.approx(r2(outputs, labels), rel=1e-8, abs=1e-8)


@settings(deadline=None)
@given(case=numbers())
def test_rank_correlation_sees_the_order_alone(case: tuple[np.ndarray, np.ndarray]) -> None:
    outputs, labels = case
    value = spearman(outputs, labels)
    assert spearman(np.exp(outputs), labels**3) == value
    assert spearman(-outputs, labels) == pytest.approx(-value, abs=EXACT)
    assert spearman(outputs[::-1], labels[::-1]) == pytest.approx(value, abs=EXACT)


def test_unknown_labels_are_left_out_of_their_output_alone() -> None:
    rng = np.random.default_rng(0)
    outputs, labels = rng.standard_normal((2, 20, 2))
    labels[:5, 1] = np.nan
    for metric in (r2, spearman):
        separately = metric(outputs[:, :1], labels[:, :1]), metric(outputs[5:, 1:], labels[5:, 1:])
        assert metric(outputs, labels) == pytest.approx(np.mean(separately), abs=EXACT)
    errors = np.concatenate([(outputs - labels)[:, 0], (outputs - labels)[5:, 1]])
    assert mae(outputs, labels) == pytest.approx(np.abs(errors).mean(), abs=EXACT)


def test_labels_that_are_all_equal_define_neither_share_nor_order() -> None:
    outputs, labels = np.random.default_rng(0).standard_normal((6, 2)), np.full((6, 2), 0.1)
    assert np.isnan(r2(outputs, labels))
    assert np.isnan(spearman(outputs, labels))
    labels[:, 0] = np.arange(6)  # the other output is left out of the mean
    assert r2(outputs, labels) == r2(outputs[:, :1], labels[:, :1])


def test_predictions_that_are_all_equal_order_nothing() -> None:
    assert spearman(np.zeros((4, 1)), np.arange(4.0)[:, None]) == 0
    assert r2(np.full((4, 1), 1.5), np.arange(4.0)[:, None]) == 0
