"""Two one-sided tests: a hand number, statsmodels, symmetries, the margin's edge."""

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from distillab.errors import RequestError
from distillab.stats import tost

DIFFERENCES = np.random.default_rng(31).normal(0.0002, 0.0008, size=10)


def test_tost_worked_by_hand():
    # -1, 0, 1: mean 0, se 1 / sqrt(3); margin 2: t = 2 sqrt(3) on both sides; for 2 degrees of freedom
    # P(T > t) = (1 - t / sqrt(t^2 + 2)) / 2 = (1 - sqrt(12 / 14)) / 2.
    result = tost([-1.0, 0.0, 1.0], margin=2.0)
    expected = (1 - np.sqrt(12 / 14)) / 2
    assert (result.p_above, result.p_below, result.p) == pytest.approx((expected,) * 3, rel=1e-12)


def test_tost_agrees_with_statsmodels():
    p, above, below = DescrStatsW(DIFFERENCES).ttost_mean(-0.001, 0.001)
    result = tost(DIFFERENCES, margin=0.001)
    assert (result.p, result.p_above, result.p_below) == pytest.approx((p, above[1], below[1]), rel=1e-9)


def test_p_is_below_the_significance_exactly_when_the_interval_lies_inside_the_margin():
    inside = tost(DIFFERENCES, margin=1.0)
    half = max(abs(inside.interval.low), abs(inside.interval.high))
    assert tost(DIFFERENCES, margin=half * 1.0001).p < 0.05
    assert tost(DIFFERENCES, margin=half * 0.9999).p > 0.05


def test_swapping_the_pair_keeps_p():
    result, turned = tost(DIFFERENCES, margin=0.001), tost(-DIFFERENCES, margin=0.001)
    assert turned.difference == -result.difference
    assert turned.p == pytest.approx(result.p, rel=1e-12)
    assert turned.p_above == pytest.approx(result.p_below, rel=1e-12)


def test_the_order_of_the_seeds_changes_nothing():
    assert tost(DIFFERENCES[::-1], margin=0.001).p == pytest.approx(tost(DIFFERENCES, margin=0.001).p, rel=1e-12)


def test_identical_students_need_five_seeds_to_be_called_equivalent():
    assert tost([0.0] * 4, margin=0.001).p == 1 / 16
    assert tost([0.0] * 5, margin=0.001).p == 1 / 32


@pytest.mark.parametrize("difference", [0.001, -0.001, 0.981 - 0.980, 0.5])
def test_a_constant_difference_on_or_beyond_the_margin_is_not_equivalent(difference):
    assert tost([difference] * 8, margin=0.001).p == 1.0


def test_one_seed_shows_no_equivalence():
    result = tost([0.0], margin=0.001)
    assert result.p == 0.5
    assert np.isnan(result.interval.low)


@pytest.mark.parametrize("margin", [0.0, -0.1, np.nan, np.inf])
def test_a_margin_that_is_not_positive_is_refused(margin):
    with pytest.raises(RequestError, match=r"margin=.* is not allowed: it must be > 0"):
        tost(DIFFERENCES, margin=margin)


def test_a_significance_of_a_half_is_refused():
    with pytest.raises(RequestError, match=r"significance=0\.5 is not allowed"):
        tost(DIFFERENCES, margin=0.1, significance=0.5)
