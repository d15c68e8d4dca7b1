"""A mean over seeds and test examples: new seeds and new examples at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from distillab.errors import RequestError
from distillab.stats import (
    DIFFERENCES,
    SHARES,
    crossed_bootstrap,
    crossed_interval,
    crossed_mean,
    crossed_test,
    t_interval,
)


def signs(rng: np.random.Generator, seeds: int, examples: int, share: float = 0.2) -> np.ndarray:
    """Differences of -1, 0 and 1, of which the example explains a part."""
    of_example = rng.normal(size=examples)
    both = of_example + rng.normal(size=(seeds, examples))
    far = stats.norm.ppf(1 - share / 2) * np.sqrt(2)
    return (both > far).astype(float) - (both < -far)


def test_the_analysis_of_variance_worked_by_hand():
    # Two seeds, three examples:  1 2 6 | 3 4 2.  Seeds' means 3 and 3, examples' means 2, 3 and 4, mean 3.
    # MS_R = 0; MS_C = 2 (1 + 0 + 1) / 2 = 2; residuals -1 -1 2 | 1 1 -2: MS_RC = 12 / 2 = 6.
    # The seeds' means are equal, so MS_R is taken as MS_RC = 6. Var = (6 + 0) / 6 = 1, and
    # df = 36 / (36 / 1 + 4 / 2 + 36 / 2) = 36 / 56, which is raised to 1. For other examples alone Var is 1 as well.
    found = crossed_mean([[1.0, 2.0, 6.0], [3.0, 4.0, 2.0]])
    assert found.squares == pytest.approx((6, 2, 6))
    assert (found.mean, found.se, found.df, found.same_seeds) == (3, 1, 1, True)
    assert found.high == pytest.approx(3 + stats.t.ppf(0.975, 1))
    assert found.p == pytest.approx(2 * stats.t.sf(3, 1))


def test_it_is_never_narrower_than_for_other_examples_alone():
    # Seeds' means 2 and 2.1, so MS_R = 3 * 2 * 0.05^2 = 0.015 by luck: Var = MS_R / 6, while the examples' chance,
    # of which MS_RC is the larger mean square here, is MS_RC / 6 with two degrees of freedom.
    found = crossed_mean([[1.0, 1.0, 4.0], [3.1, 3.1, 0.1]])
    assert found.squares.examples < found.squares.rest
    assert found.se == pytest.approx(np.sqrt(0.015 / 6))
    half = stats.t.ppf(0.975, 2) * np.sqrt(found.squares.rest / 6)
    assert (found.low, found.high) == pytest.approx((2.05 - half, 2.05 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(2.05 / np.sqrt(found.squares.rest / 6), 2))


def test_degrees_of_freedom_worked_by_hand():
    # 0 2 4 | 2 5 5: seeds' means 2 and 4, examples' means 1, 3.5 and 4.5, mean 3.
    # MS_R = 3 (1 + 1) = 6; MS_C = 2 (4 + 1/4 + 9/4) / 2 = 6.5; residuals 0 -.5 .5 | 0 .5 -.5: MS_RC = 1 / 2.
    # Var = (6 + 6) / 6 = 2; df = 144 / (36 + 6.5^2 / 2 + 0.25 / 2) = 144 / 57.25.
    found = crossed_mean([[0.0, 2.0, 4.0], [2.0, 5.0, 5.0]])
    assert found.squares == pytest.approx((6, 6.5, 0.5))
    assert found.se == pytest.approx(np.sqrt(2))
    assert found.df == pytest.approx(144 / 57.25)


def test_mean_squares_agree_with_least_squares():
    scores = np.random.default_rng(0).normal(size=(4, 7))
    rows, columns = np.indices(scores.shape).reshape(2, -1)
    one, of_seed, of_example = np.ones((28, 1)), np.eye(4)[rows], np.eye(7)[columns]

    def explained(*factors: np.ndarray) -> float:
        design = np.concatenate([one, *factors], axis=1)
        fitted = design @ np.linalg.lstsq(design, scores.ravel(), rcond=None)[0]
        return float(((fitted - scores.mean()) ** 2).sum())

    total = float(((scores - scores.mean()) ** 2).sum())
    expected = explained(of_seed) / 3, explained(of_example) / 6, (total - explained(of_seed, of_example)) / 18
    assert crossed_mean(scores).squares == pytest.approx(expected)


def test_where_examples_do_not_differ_it_is_the_t_interval_of_the_seeds():
    of_seeds = np.array([0.1, 0.4, 0.2, 0.5])
    found, expected = crossed_mean(np.tile(of_seeds[:, None], 50)), t_interval(of_seeds)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.df == pytest.approx(3)


def test_where_seeds_do_not_differ_it_is_the_t_interval_of_the_examples():
    of_examples = np.random.default_rng(1).normal(size=40)
    found, expected = crossed_mean(np.tile(of_examples, (6, 1))), t_interval(of_examples)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_seed_covers_other_examples_alone():
    scores = np.random.default_rng(2).normal(size=(1, 30))
    found = crossed_mean(scores)
    assert (found.low, found.high) == pytest.approx(tuple(t_interval(scores[0])[1:3]))
    assert found.method == "one seed: other examples alone"


def test_without_any_spread_nothing_is_claimed():
    for scores in (np.full((3, 20), 0.5), np.ones((3, 1))):
        found = crossed_mean(scores)
        assert np.isnan(found.low)
        assert np.isnan(found.high)
        assert found.p == 1


@pytest.mark.parametrize("seeds", [2, 5, 20])
def test_thirty_six_examples_all_at_100_percent_leave_room_for_a_difference(seeds):
    gain, share = (
        crossed_mean(np.zeros((seeds, 36)), bounds=DIFFERENCES),
        crossed_mean(np.ones((seeds, 36)), bounds=SHARES),
    )
    assert gain.mean == 0
    assert gain.low < -0.05
    assert gain.high > 0.05
    assert gain.p == 1
    # Of 36 examples without an error the rate of errors may be 1 - 0.025^(1/36) = 9.7 % (Clopper and Pearson).
    assert share.high == 1
    assert share.low < 1 - 0.05


def test_a_difference_on_every_example_stays_below_certainty():
    found = crossed_mean(np.ones((3, 40)), bounds=DIFFERENCES)
    assert found.mean == found.high == 1
    assert 0.5 < found.low < 1
    assert found.p < 0.001


@given(st.integers(2, 6), st.integers(2, 60), st.integers(0, 1_000_000), st.floats(0.01, 0.9))
def test_intervals_stay_between_the_bounds_and_hold_the_mean(seeds, examples, seed, share):
    scores = signs(np.random.default_rng(seed), seeds, examples, share)
    for values, bounds in ((scores, DIFFERENCES), (np.abs(scores), SHARES)):
        found = crossed_mean(values, bounds=bounds)
        assert bounds[0] <= found.low <= found.mean <= found.high <= bounds[1]


@given(st.integers(2, 6), st.integers(8, 60), st.integers(0, 1_000_000))
def test_exchanging_student_and_baseline_turns_it_round(seeds, examples, seed):
    scores = signs(np.random.default_rng(seed), seeds, examples)
    found, other = crossed_mean(scores, bounds=DIFFERENCES), crossed_mean(-scores, bounds=DIFFERENCES)
    assert (other.low, other.high, other.p) == pytest.approx((-found.high, -found.low, found.p))


def test_the_order_of_seeds_and_of_examples_changes_nothing():
    rng = np.random.default_rng(3)
    scores = signs(rng, 4, 50)
    shuffled = scores[rng.permutation(4)][:, rng.permutation(50)]
    assert crossed_mean(shuffled, bounds=DIFFERENCES)[:4] == pytest.approx(crossed_mean(scores, bounds=DIFFERENCES)[:4])


def test_scale_and_shift_of_unbounded_scores_carry_over():
    scores = np.random.default_rng(4).normal(size=(3, 25))
    found, other = crossed_mean(scores), crossed_mean(10 * scores + 7)
    assert (other.low, other.high) == pytest.approx((10 * found.low + 7, 10 * found.high + 7))


@given(st.integers(2, 6), st.integers(10, 80), st.integers(0, 1_000_000))
def test_the_test_rejects_what_the_interval_leaves_out(seeds, examples, seed):
    found = crossed_mean(signs(np.random.default_rng(seed), seeds, examples), bounds=DIFFERENCES)
    if not found.adjusted:
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
    low, _ = crossed_interval(found, confidence=0.9)
    if low < found.mean:
        assert crossed_test(found, null=low).p_greater == pytest.approx(0.05)


def test_small_scores_agree_with_the_plain_t_interval():
    """The logit's scale bends by the square of the difference: 2e-4 of a half-width near 0.02."""
    rng = np.random.default_rng(5)
    scores = signs(rng, 10, 2000, share=0.05)
    bounded, plain = crossed_mean(scores, bounds=DIFFERENCES), crossed_mean(scores)
    assert (bounded.low, bounded.high) == pytest.approx((plain.low, plain.high), abs=1e-4)
    assert bounded.p == pytest.approx(plain.p, rel=0.01)


def test_the_crossed_bootstrap_agrees_where_seeds_and_examples_are_many():
    """Its variance counts the interaction three times (Owen 2007): with 60 seeds that adds little."""
    rng = np.random.default_rng(6)
    scores = rng.normal(size=(60, 1)) + rng.normal(size=300) + 0.5 * rng.normal(size=(60, 300))
    found = crossed_mean(scores)
    low, high = crossed_bootstrap(scores, rng=np.random.default_rng(7))
    # percentiles of 1999 draws at 2.5 % have a standard error of 0.06 standard errors; the bootstrap divides by R
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.25 * found.se)


@pytest.mark.parametrize(("seeds", "examples", "seed_sd"), [(2, 100, 0.05), (3, 400, 0.02), (10, 36, 0.0)])
def test_the_interval_covers_new_seeds_and_new_examples(seeds, examples, seed_sd):
    """Aim 93 to 97 %; 400 studies have a standard error of 1.1 points, and three of them are allowed."""
    rng = np.random.default_rng([8, seeds])
    covered = 0
    for _ in range(400):
        scores = seed_sd * rng.normal(size=(seeds, 1)) + 0.1 * rng.normal(size=examples)
        found = crossed_mean(scores + 0.3 * rng.normal(size=(seeds, examples)))
        covered += found.low <= 0 <= found.high
    assert 0.93 - 0.033 <= covered / 400 <= 0.97 + 0.033


@pytest.mark.parametrize(
    ("scores", "bounds", "named"),
    [
        ([0.5, 1.0], None, "scores.shape"),
        ([[0.5, np.nan]], None, "finite"),
        ([[0.5, 1.5]], SHARES, "scores=1.5 is not allowed: it must be numbers from 0 to 1"),
    ],
)
def test_what_are_no_scores_is_refused(scores, bounds, named):
    with pytest.raises(RequestError, match=named):
        crossed_mean(scores, bounds=bounds)
