"""Comparisons with one reference: they are the single statistics, side by side."""

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.stats import bootstrap_interval, compare_to, holm, paired_t, sign_flip, t_interval

ACCURACY = np.random.default_rng(61).normal(0.97, 0.003, size=(8, 4))


def compared(accuracy=ACCURACY, reference=3):
    return compare_to(accuracy, reference, rng=np.random.default_rng(62), resamples=500)


def test_each_comparison_is_the_single_statistics_of_the_differences():
    comparisons = compared()
    assert [c.column for c in comparisons] == [0, 1, 2]
    seed = int(np.random.default_rng(62).integers(2**63))
    for c in comparisons:
        gain = ACCURACY[:, c.column] - ACCURACY[:, 3]
        assert c.t_interval == t_interval(gain)
        assert c.bootstrap_interval == bootstrap_interval(gain, rng=np.random.default_rng(seed), resamples=500)
        assert c.paired_t == paired_t(gain)
        assert c.sign_flip == sign_flip(gain, rng=np.random.default_rng(seed), resamples=500)
    assert [c.p_adjusted for c in comparisons] == holm([c.paired_t.p for c in comparisons]).tolist()


def test_permuting_the_columns_permutes_the_comparisons():
    order = [2, 3, 0, 1]
    mixed = {order[c.column]: c[1:] for c in compared(ACCURACY[:, order], reference=1)}
    assert mixed == {c.column: c[1:] for c in compared()}


def test_permuting_the_seeds_changes_nothing():
    for ours, theirs in zip(compared(), compared(ACCURACY[::-1]), strict=True):
        assert ours.paired_t.p == pytest.approx(theirs.paired_t.p, rel=1e-12)
        assert ours.sign_flip.p == theirs.sign_flip.p
        assert ours.bootstrap_interval == theirs.bootstrap_interval


def test_a_reference_alone_has_nothing_to_be_compared_with():
    assert compared(ACCURACY[:, :1], reference=0) == ()


@pytest.mark.parametrize("reference", [-1, 4])
def test_a_column_that_is_not_there_is_refused(reference):
    with pytest.raises(RequestError, match=f"reference={reference} is not allowed: it must be a column from 0 to 3"):
        compared(reference=reference)
