"""The rule of replication: at its borders, by hand, and how often it errs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from distillab.errors import RequestError
from distillab.stats.replication import replication


def around(mean: float, half: float, n: int = 5) -> np.ndarray:
    """Values whose 95 % t interval is mean +- half."""
    pattern = np.linspace(-1, 1, n)
    scale = half / (stats.t.ppf(0.975, n - 1) * pattern.std(ddof=1) / np.sqrt(n))
    return mean + scale * pattern


@pytest.mark.parametrize(
    ("mean", "half", "verdict"),
    [
        (8.0, 7.0, "replicated"),  # [1, 15]: of the published sign, and half of 10 is within
        (5.0, 4.9, "replicated"),  # [0.1, 9.9]
        (4.0, 4.5, "cannot be told"),  # [-0.5, 8.5]: none and more than half are both within
        (3.0, 1.9, "not replicated"),  # [1.1, 4.9]: there, but less than half of it
        (0.0, 4.9, "not replicated"),  # [-4.9, 4.9]
        (-8.0, 2.0, "not replicated"),  # the other way
        (0.0, 6.0, "cannot be told"),
        (30.0, 5.0, "replicated"),  # more than published
    ],
)
def test_an_effect_is_judged_by_its_interval_in_either_direction(mean: float, half: float, verdict: str) -> None:
    assert replication(around(mean, half), 10.0).verdict == verdict
    assert replication(-around(mean, half), -10.0).verdict == verdict


@pytest.mark.parametrize(("mean", "verdict"), [(0.9, "replicated"), (1.6, "cannot be told"), (3.1, "not replicated")])
def test_no_effect_beyond_a_margin_is_judged_by_where_the_interval_lies(mean: float, verdict: str) -> None:
    assert replication(around(mean, 1.0), 0.0, within=2.0).verdict == verdict
    assert replication(around(-mean, 1.0), 0.0, within=2.0).verdict == verdict


def test_where_only_a_direction_was_published_the_sign_decides() -> None:
    assert replication(around(2, 1), 0, direction=1).verdict == "replicated"
    assert replication(around(2, 1), 0, direction=-1).verdict == "not replicated"
    assert replication(around(0, 1), 0, direction=1).verdict == "cannot be told"
    with pytest.raises(RequestError, match="direction=0 is not allowed: it must be \\+1 or -1"):
        replication([1.0, 2.0], 0)


def test_another_protocol_can_find_an_effect_and_not_refute_it() -> None:
    assert replication(around(8, 7), 10, same_protocol=False).verdict == "replicated"
    assert replication(around(0, 1), 10, same_protocol=False).verdict == "cannot be told"
    assert replication(around(9, 1), 0, within=2, same_protocol=False).verdict == "cannot be told"


def test_one_repetition_or_one_without_spread_cannot_tell() -> None:
    for values in ([72.0], [72.0, 72.0, 72.0]):
        assert replication(values, 72.0).verdict == "cannot be told"


def test_an_effect_that_is_not_there_is_found_in_one_of_forty_and_refuted_where_it_could_be_seen() -> None:
    rng = np.random.default_rng(0)
    none = [replication(sample, 6.0).verdict for sample in rng.normal(0, 1, (2000, 5))]
    # The interval's lower end is above 0 in 2.5 %: 50 of 2,000, with a deviation of 7; four of them are allowed.
    assert none.count("replicated") <= 78
    assert none.count("not replicated") > 1900
    there = [replication(sample, 6.0).verdict for sample in rng.normal(6, 1, (2000, 5))]
    assert there.count("not replicated") <= 78
    assert there.count("replicated") > 1900
