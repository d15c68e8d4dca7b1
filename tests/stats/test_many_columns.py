"""What is computed for many columns at once is what each column gives alone, and what a plain loop gives."""

from __future__ import annotations

import numpy as np
import pytest
from tests.stats import plain

from distillab.stats import (
    compare_to,
    model_confidence_set,
    one_sample_t,
    paired_t,
    paired_ts,
    sign_flip,
    sign_flips,
    t_interval,
    t_intervals,
)
from distillab.stats.paired import all_signs, drawn_signs


def scores(seed: int, seeds: int, columns: int, *, counted: bool) -> np.ndarray:
    """Accuracies near one another; as counts of 100 test examples they tie often."""
    rng = np.random.default_rng(seed)
    values = 0.9 + 0.02 * rng.random(columns) + 0.01 * rng.normal(size=(seeds, columns))
    return np.round(values, 2) if counted else values


SIZES = [(1, 3), (2, 1), (3, 4), (6, 7), (9, 20), (16, 5), (100, 3)]


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(("seeds", "columns"), SIZES)
def test_a_column_among_many_gives_to_the_bit_what_it_gives_alone(seeds: int, columns: int, counted: bool) -> None:
    table = scores(seeds, seeds, columns, counted=counted) - 0.91
    drawn = drawn_signs(np.random.default_rng(1), 999, seeds)
    rng = np.random.default_rng
    together = sign_flips(table, rng=rng(1), resamples=999, drawn=drawn)
    for column in range(columns):
        alone = table[:, column].copy()
        np.testing.assert_equal(t_intervals(table)[column], t_interval(alone))
        assert paired_ts(table)[column] == paired_t(alone)
        assert together[column] == sign_flip(alone, rng=rng(1), resamples=999)
        assert one_sample_t(alone).mean == alone.mean()


@pytest.mark.parametrize(("seeds", "columns"), [(6, 4), (12, 3), (15, 5)])
@pytest.mark.parametrize("counted", [True, False])
def test_sign_flips_and_intervals_equal_a_plain_loop(seeds: int, columns: int, counted: bool) -> None:
    table = scores(seeds, seeds, columns, counted=counted)
    table = table - table[:, [0]]
    flips = sign_flips(table[:, 1:], rng=np.random.default_rng(3), resamples=1000)
    for column, (flip, interval) in enumerate(zip(flips, t_intervals(table[:, 1:]), strict=True), start=1):
        assert flip.p == plain.sign_flip_p(table[:, column], np.random.default_rng(3), 1000)
        np.testing.assert_allclose(interval[1:3], plain.t_ends(table[:, column]), rtol=1e-12)  # float64 sums of 15


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_the_confidence_set_equals_a_plain_loop(seed: int, counted: bool) -> None:
    table = scores(seed, 8, 5, counted=counted)
    if seed == 5:  # identical candidates go together
        table[:, 3] = table[:, 1]
    result = model_confidence_set(table, rng=np.random.default_rng(0))
    p, order = plain.confidence_set(table, all_signs(8) / 8)
    assert result.p.tolist() == p.tolist()
    assert sorted(result.order) == list(range(5))
    if len(set(p.tolist())) == 5 and not counted:  # no ties: one order
        assert list(result.order) == order


def test_no_other_column_leaves_nothing_to_compare() -> None:
    assert compare_to([[0.9], [0.8]], 0, rng=np.random.default_rng(0)) == ()
    assert model_confidence_set([[0.9], [0.8]], rng=np.random.default_rng(0)).included.tolist() == [True]
