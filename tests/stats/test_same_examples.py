"""Two models on the same examples: hand numbers, statsmodels and SciPy, symmetries, and how often intervals cover."""

import numpy as np
import pytest
from scipy.stats import binom, bootstrap, multinomial
from statsmodels.stats.contingency_tables import mcnemar as reference

from distillab.errors import RequestError
from distillab.stats import mcnemar, paired_bootstrap


def correctness(both: int, only_first: int, only_second: int, neither: int):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


def test_worked_by_hand():
    # 6 against 1: P(X <= 1 or X >= 6) of 7 fair coins = 2 (1 + 7) / 128.
    result = mcnemar(*correctness(80, 6, 1, 13))
    assert result.p == pytest.approx(16 / 128, rel=1e-12)
    assert (result.only_first, result.only_second, result.n) == (6, 1, 100)
    assert result.difference == pytest.approx(0.05)
    # p = 7/102, q = 2/102, d = 5/102; variance (9/102 - 25/10404) / 102 = (918 - 25) / 10404 / 102.
    half = 1.959964 * np.sqrt(893 / 10404 / 102)
    assert (result.low, result.high) == pytest.approx((5 / 102 - half, 5 / 102 + half), abs=1e-7)


@pytest.mark.parametrize("counts", [(50, 9, 3, 10), (1, 0, 5, 0), (900, 40, 40, 20), (9000, 310, 255, 435)])
def test_p_agrees_with_statsmodels(counts):
    both, b, c, neither = counts
    theirs = reference([[both, b], [c, neither]], exact=True)
    assert mcnemar(*correctness(*counts)).p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_swapping_the_two_turns_the_difference_round():
    there, back = mcnemar(*correctness(60, 12, 4, 24)), mcnemar(*correctness(60, 4, 12, 24))
    assert back.p == there.p
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))


def test_order_of_the_examples_changes_nothing():
    first, second = correctness(60, 12, 4, 24)
    mixed = np.random.default_rng(0).permutation(len(first))
    assert mcnemar(first[mixed], second[mixed]) == mcnemar(first, second)


def test_the_same_predictions_are_no_difference():
    result = mcnemar(*correctness(7, 0, 0, 3))
    assert result.p == 1.0
    assert result.difference == 0.0
    assert result.low < 0 < result.high


def test_examples_that_both_have_right_or_wrong_do_not_move_p():
    assert mcnemar(*correctness(10, 8, 2, 0)).p == mcnemar(*correctness(0, 8, 2, 5000)).p


def test_p_is_no_smaller_than_chance_makes_it():
    """Under no difference, P(p <= level) <= level: counted over all outcomes of 12 discordant examples."""
    p_values = {b: mcnemar(*correctness(5, b, 12 - b, 5)).p for b in range(13)}
    for level in (0.01, 0.05, 0.2, 0.5):
        assert sum(binom.pmf(b, 12, 0.5) for b, p in p_values.items() if p <= level) <= level + 1e-12


@pytest.mark.parametrize(("for_first", "for_second"), [(0.05, 0.05), (0.1, 0.02), (0.2, 0.1), (0.3, 0.01)])
def test_the_interval_covers_as_often_as_it_says(for_first, for_second):
    """Exactly, over all tables of 60 examples: near 95 %, as Bonett and Price report (94 to 97 %)."""
    n, truth, covered = 60, for_first - for_second, 0.0
    share = (for_first, for_second, 1 - for_first - for_second)
    for b in range(n + 1):
        for c in range(n + 1 - b):
            weight = multinomial.pmf([b, c, n - b - c], n, share)
            if weight > 1e-7:
                result = mcnemar(*correctness(n - b - c, b, c, 0))
                covered += weight * (result.low <= truth <= result.high)
    assert 0.93 <= covered <= 0.99


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ([True], [True, False], "second.shape"),
        ([], [], "first.shape"),
        ([1, 0], [0, 1], "first.dtype"),
        ([True, False], [0.5, 1.0], "second.dtype"),
    ],
)
def test_what_is_no_pair_of_predictions_is_refused(first, second, named):
    with pytest.raises(RequestError, match=named):
        mcnemar(first, second)


def means(*errors: np.ndarray):
    """A metric of each model as a function of the examples drawn."""
    return [lambda rows, of=of: float(of[rows].mean()) for of in errors]


def ratio_of_means(values: np.ndarray, sizes: np.ndarray):
    return lambda rows: float(values[rows].sum() / sizes[rows].sum())


def test_a_bootstrap_of_two_examples_worked_by_hand():
    # Differences 0 and 1. Of the four equally likely draws one gives 0, one 1 and two 1/2: #{d* <= 0} is about a
    # quarter of 100,000 (standard error 137), so p is about 1/2, and the middle 40 % of the draws are all 1/2.
    first, second = means(np.array([3.0, 5.0]), np.array([3.0, 4.0]))
    draws = 100_000
    result = paired_bootstrap(first, second, 2, rng=np.random.default_rng(0), resamples=draws, confidence=0.4)
    assert result.difference == 0.5
    assert result.p == pytest.approx(0.5, abs=5 * 2 * 137 / draws)
    assert (result.low, result.high) == (0.5, 0.5)
    assert (result.only_first, result.only_second, result.n) == (None, None, 2)
    assert result.method == "paired bootstrap, percentiles of 100000 resamples"


def test_the_bootstrap_agrees_with_scipy():
    rng = np.random.default_rng(1)
    sizes, of_first = rng.uniform(1, 3, 80), rng.gamma(2.0, size=80)
    of_second = of_first + rng.normal(0.2, 0.5, 80)
    first, second = (ratio_of_means(values, sizes) for values in (of_first, of_second))
    ours = paired_bootstrap(first, second, 80, rng=np.random.default_rng(2), resamples=9999)
    theirs = bootstrap(
        (of_first, of_second, sizes),
        lambda a, b, size, axis=-1: (a.sum(axis) - b.sum(axis)) / size.sum(axis),
        paired=True,
        method="percentile",
        random_state=np.random.default_rng(3),
    )
    # a percentile of 9999 draws at 2.5 % has a standard error of 0.027 standard deviations; five of a difference of two
    within = 5 * np.sqrt(2) * 0.027 * theirs.standard_error
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=within)
    drawn = theirs.bootstrap_distribution
    tail = min(np.mean(drawn <= 0), np.mean(drawn >= 0))
    assert ours.p == pytest.approx(2 * tail, abs=5 * np.sqrt(2) * 2 * np.sqrt(tail * (1 - tail) / 9999) + 2e-4)


def test_exchanging_the_models_turns_the_bootstrap_round():
    rng = np.random.default_rng(4)
    first, second = means(rng.normal(0.3, 1, 40), rng.normal(0, 1, 40))
    there = paired_bootstrap(first, second, 40, rng=np.random.default_rng(5))
    back = paired_bootstrap(second, first, 40, rng=np.random.default_rng(5))
    assert back.p == there.p
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))


def test_equal_models_do_not_differ_and_models_far_apart_do():
    values = np.random.default_rng(6).normal(size=30)
    same = paired_bootstrap(*means(values, values), 30, rng=np.random.default_rng(7))
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    apart = paired_bootstrap(*means(values + 9, values), 30, rng=np.random.default_rng(7), resamples=999)
    assert apart.p == 2 / 1000  # no draw lies beyond zero: the smallest p that 999 draws give


def test_the_bootstrap_covers_as_often_as_it_says():
    """In 400 simulated test sets of 60 examples, whose true difference is 0.2.

    A coverage of 95 % has a standard error of 1.1 points here; three of them, and a point and a half for an interval
    of percentiles, which is known to be too narrow by the factor sqrt(59/60) and by normal instead of t quantiles.
    """
    rng, covered = np.random.default_rng(8), 0
    for _ in range(400):
        shared = rng.gamma(1.0, size=60)
        first, second = means(shared + rng.normal(0.2, 0.5, 60), shared)
        result = paired_bootstrap(first, second, 60, rng=rng, resamples=399)
        covered += result.low <= 0.2 <= result.high
    assert 0.95 - 0.033 - 0.015 <= covered / 400 <= 0.95 + 0.033


def test_draws_on_which_a_metric_is_not_defined_are_left_out():
    labels = np.array([1, 0, 0])

    def first(rows: np.ndarray) -> float:
        return float("nan") if labels[rows].all() or not labels[rows].any() else 1.0

    result = paired_bootstrap(first, lambda rows: 0.5, 3, rng=np.random.default_rng(9), resamples=1000)
    # 1/27 + 8/27 of the draws hold one label alone
    left = int(result.method.split()[-2])
    assert left == pytest.approx(1000 * 18 / 27, abs=5 * np.sqrt(1000 * 18 * 9 / 27**2))
    assert (result.low, result.high) == (0.5, 0.5)
    nothing = paired_bootstrap(lambda rows: float("nan"), first, 3, rng=np.random.default_rng(9), resamples=100)
    assert np.isnan([nothing.low, nothing.high, nothing.p]).all()


@pytest.mark.parametrize(
    ("options", "named"), [({"resamples": 99}, "resamples"), ({"confidence": 1.0}, "confidence"), ({"n": 0}, "n=0")]
)
def test_a_bootstrap_that_makes_no_sense_is_refused(options, named):
    first, second = means(np.zeros(3), np.ones(3))
    with pytest.raises(RequestError, match=named):
        paired_bootstrap(first, second, **{"n": 3, "rng": np.random.default_rng(0)} | options)
