"""Paired tests: hand numbers, SciPy, symmetries, and differences without spread."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from distillab.errors import RequestError
from distillab.stats import one_sample_t, paired_t, sign_flip

DIFFERENCES = np.random.default_rng(21).normal(0.001, 0.002, size=9)


def rng():
    return np.random.default_rng(22)


def test_paired_t_worked_by_hand():
    # 1, 2, 3: mean 2, se 1 / sqrt(3), t = 2 sqrt(3); for 2 degrees of freedom P(|T| > t) = 1 - t / sqrt(t^2 + 2)
    # = 1 - sqrt(12 / 14).
    result = paired_t([1.0, 2.0, 3.0])
    assert result.difference == 2.0
    assert result.statistic == pytest.approx(2 * np.sqrt(3), rel=1e-12)
    assert result.p == pytest.approx(1 - np.sqrt(12 / 14), rel=1e-12)


def test_paired_t_agrees_with_scipy():
    theirs = scipy.stats.ttest_1samp(DIFFERENCES, 0.0)
    assert paired_t(DIFFERENCES)[1:3] == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-10)


def test_student_1908_sleep_data():
    # Hours of sleep gained, drug 2 minus drug 1, ten patients; t = 4.0621, p = 0.002833 (R's help page for t.test).
    sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    result = paired_t(sleep)
    # Published to five and four digits.
    assert result.statistic == pytest.approx(4.0621, abs=5e-5)
    assert result.p == pytest.approx(0.002833, abs=5e-7)


def test_columns_are_tested_as_if_alone():
    table = np.column_stack([DIFFERENCES, -DIFFERENCES, np.zeros(9), np.full(9, 0.01)])
    together = one_sample_t(table)
    alone = [paired_t(column) for column in table.T]
    assert together.p == pytest.approx([t.p for t in alone], rel=1e-12)
    assert together.statistic == pytest.approx([t.statistic for t in alone], rel=1e-12)


@pytest.mark.parametrize(("side", "field"), [("greater", "p_greater"), ("less", "p_less")])
def test_one_sided_p_agrees_with_scipy(side, field):
    theirs = scipy.stats.ttest_1samp(DIFFERENCES, 0.0005, alternative=side).pvalue
    assert float(getattr(one_sample_t(DIFFERENCES, null=0.0005), field)) == pytest.approx(theirs, rel=1e-10)


def test_sign_flip_worked_by_hand():
    # |±1 ±2 ±3| reaches 6 in two patterns of eight.
    assert sign_flip([1.0, 2.0, 3.0], rng=rng()).p == 2 / 8
    # 1, 2, -3: the sum is 0, which every pattern reaches.
    assert sign_flip([1.0, 2.0, -3.0], rng=rng()).p == 1.0
    # -1, 2, 3: sum 4; the eight magnitudes are 6, 4, 2, 0, each twice: four patterns reach 4.
    assert sign_flip([-1.0, 2.0, 3.0], rng=rng()).p == 4 / 8


def test_sign_flip_agrees_with_scipy():
    theirs = scipy.stats.permutation_test(
        (DIFFERENCES, np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(DIFFERENCES, rng=rng()).p == pytest.approx(theirs.pvalue, rel=1e-12)


def test_drawn_patterns_come_near_the_exact_share():
    differences = np.random.default_rng(23).normal(0.5, 1.0, size=10)
    exact, drawn = sign_flip(differences, rng=rng()), sign_flip(differences, rng=rng(), resamples=1000)
    assert exact.method == "sign flip, exact"
    assert drawn.method == "sign flip, 1000 draws"
    # Four standard errors of a share of 1000 draws, and 1/1000 for the observed pattern counted in.
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p * (1 - exact.p) / 1000) + 1e-3)


def test_drawn_patterns_never_give_p_zero():
    assert sign_flip(np.linspace(1, 2, 40), rng=rng(), resamples=999).p == 1 / 1000


@pytest.mark.parametrize("test", [paired_t, lambda d: sign_flip(d, rng=rng(), resamples=500)])
class TestSymmetries:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(-50, 50), min_size=2, max_size=14))
    def test_swapping_the_pair_turns_the_estimate_and_keeps_p(self, test, values):
        result, turned = test(np.array(values) / 1000), test(-np.array(values) / 1000)
        assert turned.difference == -result.difference
        assert turned.p == pytest.approx(result.p, rel=1e-9)

    @settings(max_examples=30, deadline=None)
    @given(st.permutations(DIFFERENCES.tolist()))
    def test_the_order_of_the_seeds_changes_nothing(self, test, values):
        assert test(values).p == pytest.approx(test(DIFFERENCES).p, rel=1e-9)

    def test_the_unit_changes_nothing(self, test):
        assert test(100 * DIFFERENCES).p == pytest.approx(test(DIFFERENCES).p, rel=1e-9)

    def test_all_zero_differences_are_no_evidence(self, test):
        result = test([0.0] * 6)
        assert (result.difference, result.statistic, result.p) == (0.0, 0.0, 1.0)

    def test_one_seed_is_no_evidence(self, test):
        assert test([0.5]).p == 1.0

    def test_identical_differences_are_worth_their_signs(self, test):
        # Six seeds on the same side: 2 patterns of 2^6, whatever the size of the difference.
        assert test([0.001] * 6).p == 2 / 64
        assert test([-0.3] * 6).p == 2 / 64

    def test_no_seed_is_refused(self, test):
        with pytest.raises(RequestError, match=r"differences\.shape"):
            test([])


def test_identical_differences_say_which_test_was_used():
    result = paired_t([0.01 + 1e-17, 0.01, 0.98 - 0.97])
    assert result.method == "sign test (identical differences)"
    assert result.statistic == 3.0


def test_a_constant_equal_to_the_null_lies_on_neither_side():
    result = one_sample_t(np.full(5, 0.3 - 0.2), null=0.1)
    assert (float(result.p), float(result.p_greater), float(result.p_less)) == (1.0, 1.0, 1.0)
