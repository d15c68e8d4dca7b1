"""Largest remainder: the sum is kept, and each count is a neighbour of its quota."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from distillab.data.apportion import largest_remainder


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.integers(0, 100))
def test_counts_sum_to_the_total_and_round_their_quotas(weights: list[int], total: int) -> None:
    quotas = [Fraction(total * weight, sum(weights)) for weight in weights]
    counts = largest_remainder(quotas, total)
    assert sum(counts) == total
    assert all(abs(count - quota) < 1 for count, quota in zip(counts, quotas, strict=True))


def test_those_first_in_line_come_before_larger_remainders() -> None:
    # 1.6 + 0.9 + 0.5 = 3, two are missing after rounding down: the last by right, the second by its remainder.
    quotas = [Fraction(16, 10), Fraction(9, 10), Fraction(5, 10)]
    assert largest_remainder(quotas, 3) == [2, 1, 0]
    assert largest_remainder(quotas, 3, [False, False, True]) == [1, 1, 1]
