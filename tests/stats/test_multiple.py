"""Holm: a hand number, statsmodels, symmetries."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from distillab.errors import RequestError
from distillab.stats import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_worked_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.5, already increasing.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06], rel=1e-12)


def test_a_later_p_never_falls_below_an_earlier_one():
    # Times 3, 2, 1: 0.06, 0.042, 0.022; the maximum so far is 0.06 throughout.
    assert holm([0.02, 0.021, 0.022]) == pytest.approx([0.06, 0.06, 0.06], rel=1e-12)


@given(P_VALUES)
def test_holm_agrees_with_statsmodels(p):
    with mock.patch("gc.collect"):  # which statsmodels calls every time: half a second in a large process
        theirs = multipletests(p, method="holm")[1]
    assert holm(p) == pytest.approx(theirs, rel=1e-12)  # same products in float64


@settings(max_examples=50, deadline=None)
@given(P_VALUES, st.randoms())
def test_permuting_the_comparisons_permutes_the_result(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert (holm(np.array(p)[order]) == holm(p)[order]).all()


@settings(max_examples=50, deadline=None)
@given(P_VALUES)
def test_adjusting_never_lowers_a_p_and_never_passes_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-15).all()


def test_nothing_to_adjust_is_nothing():
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("p", [[1.2], [-0.1], [np.nan]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(RequestError, match="it must be a number from 0 to 1"):
        holm(p)
