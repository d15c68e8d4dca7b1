"""Whole numbers that add up: shares of a total, rounded so that none is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction


def largest_remainder(quotas: Sequence[Fraction], total: int, first: Sequence[bool] | None = None) -> list[int]:
    """Round quotas to whole numbers with a given sum, each up or down to a neighbouring whole number.

    Every quota is rounded down; what is missing to the total goes, one each, to the largest fractional parts.

    Args:
        quotas: exact shares, >= 0, their sum less than 1 from `total`. Fractions, so that no float rounding decides.
        total: the sum wanted.
        first: which quotas are rounded up before the others, whatever their fractional parts; none by default.

    Returns:
        The counts, in the order of the quotas. Ties go to the earlier one.

    Example:
        >>> largest_remainder([Fraction(5, 2), Fraction(5, 4), Fraction(5, 4)], 5)
        [3, 1, 1]

    Source: A. Hamilton's method of apportionment, 1792.
    """
    counts = [math.floor(quota) for quota in quotas]
    fractional = [quota - count for quota, count in zip(quotas, counts, strict=True)]
    served = [index for index, part in enumerate(fractional) if part > 0]  # a whole quota is never rounded
    served.sort(key=lambda index: (not (first and first[index]), -fractional[index], index))
    for index in served[: total - sum(counts)]:
        counts[index] += 1
    return counts
