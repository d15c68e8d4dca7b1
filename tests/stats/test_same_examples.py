"""Two classifiers on the same examples: hand numbers, statsmodels, symmetries, and coverage counted exactly."""

import numpy as np
import pytest
from scipy.stats import binom, multinomial
from statsmodels.stats.contingency_tables import mcnemar as reference

from distillab.errors import RequestError
from distillab.stats import mcnemar


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
