"""Intervals: hand numbers, SciPy, symmetries, and the cases with no spread."""

import numpy as np
import pytest
import scipy.stats

from distillab.errors import RequestError
from distillab.stats import bootstrap_interval, intervals_over_seeds, t_interval, t_intervals

SAMPLE = np.random.default_rng(11).normal(0.97, 0.003, size=12)


def test_t_interval_of_a_sample_worked_by_hand():
    # 2, 4, 6: mean 4, sd 2, se 2 / sqrt(3) = 1.1547005; t(0.975; 2) = 4.3026527; half width 4.9682754.
    result = t_interval([2.0, 4.0, 6.0])
    assert result.estimate == 4.0
    # The table's t has eight digits.
    assert result.low == pytest.approx(4 - 4.9682754, abs=1e-6)
    assert result.high == pytest.approx(4 + 4.9682754, abs=1e-6)
    assert (result.n, result.method) == (3, "t")


def test_t_interval_agrees_with_scipy():
    se = SAMPLE.std(ddof=1) / np.sqrt(len(SAMPLE))
    low, high = scipy.stats.t.interval(0.9, len(SAMPLE) - 1, loc=SAMPLE.mean(), scale=se)
    result = t_interval(SAMPLE, confidence=0.9)
    # Same formula in float64.
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-12)


def test_bootstrap_of_two_values_spans_them():
    # Resamples of (0, 1) have means 0, 1/2, 1 with chances 1/4, 1/2, 1/4: symmetric, so BCa shifts nothing and the
    # 2.5 % and 97.5 % points are 0 and 1.
    result = bootstrap_interval([0.0, 1.0], rng=np.random.default_rng(1))
    assert (result.estimate, result.low, result.high) == (0.5, 0.0, 1.0)


def test_bootstrap_agrees_with_scipy_on_the_same_draws():
    theirs = scipy.stats.bootstrap(
        (np.sort(SAMPLE),), np.mean, method="BCa", n_resamples=999, random_state=np.random.default_rng(2)
    ).confidence_interval
    ours = bootstrap_interval(SAMPLE, rng=np.random.default_rng(2), resamples=999)
    assert (ours.low, ours.high) == (theirs.low, theirs.high)


def test_bootstrap_comes_near_the_t_interval_for_many_seeds():
    sample = np.random.default_rng(3).normal(size=400)
    boot, t = bootstrap_interval(sample, rng=np.random.default_rng(4)), t_interval(sample)
    # Both ends estimate the same normal quantile; 9999 resamples leave about 0.03 se of Monte Carlo error, skewness
    # less.
    se = sample.std(ddof=1) / 20
    assert (boot.low, boot.high) == pytest.approx((t.low, t.high), abs=0.15 * se)


def test_turning_the_signs_round_turns_the_t_interval_round():
    result, turned = t_interval(SAMPLE), t_interval(-SAMPLE)
    assert (turned.low, turned.high) == pytest.approx((-result.high, -result.low), rel=1e-12)


def test_the_order_of_the_seeds_changes_nothing():
    mixed = np.random.default_rng(5).permutation(SAMPLE)
    assert t_interval(mixed)[1:3] == pytest.approx(t_interval(SAMPLE)[1:3], rel=1e-14)
    ours, theirs = (bootstrap_interval(s, rng=np.random.default_rng(6)) for s in (SAMPLE, mixed))
    assert ours == theirs


@pytest.mark.parametrize("interval", [t_interval, lambda v: bootstrap_interval(v, rng=np.random.default_rng(0))])
class TestWithoutSpread:
    def test_identical_values_give_no_width(self, interval):
        result = interval([0.97] * 5)
        assert result.low == result.estimate == result.high == pytest.approx(0.97)

    def test_values_that_differ_by_rounding_count_as_identical(self, interval):
        result = interval([0.97 - 0.96, 0.98 - 0.97, 0.99 - 0.98])
        assert result.low == result.high

    def test_one_seed_has_an_estimate_and_no_ends(self, interval):
        result = interval([0.97])
        assert result.estimate == 0.97
        assert np.isnan(result.low)
        assert np.isnan(result.high)

    def test_a_diverged_seed_is_refused_by_name(self, interval):
        with pytest.raises(RequestError, match=r"values\[1\]=nan is not allowed.*diverged"):
            interval([0.9, np.nan])

    def test_a_table_is_refused(self, interval):
        with pytest.raises(RequestError, match=r"values.shape=\(2, 2\) is not allowed"):
            interval([[1.0, 2.0], [3.0, 4.0]])


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(RequestError, match="confidence=95 is not allowed"):
        t_interval(SAMPLE, confidence=95)


def test_too_few_resamples_are_refused():
    with pytest.raises(RequestError, match="resamples=10 is not allowed: it must be a whole number of at least 100"):
        bootstrap_interval(SAMPLE, rng=np.random.default_rng(0), resamples=10)


def test_two_or_three_seeds_give_the_range_seen_and_four_an_interval():
    values = np.array([[0.942, 0.5], [0.958, 0.5], [0.95, 0.5], [0.951, 0.6]])
    two, three, four = (intervals_over_seeds(values[:n]) for n in (2, 3, 4))
    assert two[0] == (0.95, 0.942, 0.958, 2, "range seen")
    assert three[1] == (0.5, 0.5, 0.5, 3, "range seen")
    assert four == t_intervals(values)
    assert np.isnan(intervals_over_seeds(values[:1])[0].low)
