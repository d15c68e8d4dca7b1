"""The number of seeds that would decide an undecided study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.power import one_sided_power, paired_power, tost_power
from distillab.stats.sample import Floats, as_sample, check_count, check_margin, check_share

SEED_CAP = 1000
"""Largest number of seeds to suggest."""

Decision = Literal["practically equivalent", "supported", "contradicted"]


class SeedPlan(NamedTuple):
    """The smallest number of seeds for a decision."""

    seeds: int | None
    """Seeds in all, not in addition; None beyond the cap."""
    towards: Decision | None
    """The decision that they would probably reach; None where `seeds` is None."""
    power: float
    cap: int


def seeds_to_decide(
    difference: ArrayLike,
    sd: ArrayLike,
    *,
    margin: float,
    significance: float = 0.05,
    power: float = 0.8,
    cap: int = SEED_CAP,
) -> SeedPlan:
    """Find the smallest number of seeds that reaches `power` for one of the three decisions.

    The observed means and standard deviations are taken for the true ones, and each decision gets its own n:

    - supported: the first comparison with a positive mean whose two-sided paired t test reaches the power at
      significance / K, which is Holm's first step;
    - practically equivalent: every comparison's two one-sided tests succeed;
    - contradicted: every comparison's one-sided test for "less than +margin" succeeds.

    Where all K tests must succeed, each needs the power 1 - (1 - power) / K, so that all succeed together with at least
    `power` whatever their dependence.

    Args:
        difference: shape (K,), observed mean differences.
        sd: shape (K,), >= 0, standard deviations of the differences over seeds.
        margin: > 0, the largest difference that does not matter.
        significance, power: of each decision.
        cap: the largest number of seeds to consider.

    Example:
        >>> seeds_to_decide([0.005], [0.01], margin=0.001)[:2]
        (34, 'supported')

    Source: the sizing of studies by power: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988.

    Note: a planning figure, not a finding. The observed effect is uncertain and, in a promising study, too large on
    average, so the actual power is often lower. Add seeds once, up to this number, not one by one until something is
    significant.
    """
    means, sds = as_sample(difference, "difference"), as_sample(sd, "sd")
    if means.shape != sds.shape:
        raise not_allowed("sd.shape", sds.shape, f"that of difference, {means.shape}")
    check_margin(margin)
    check_share("significance", significance)
    check_share("power", power)
    check_count("cap", cap, 2)
    tests = len(means)
    joint = 1 - (1 - power) / tests
    most = np.full(tests, float(cap))
    equivalent = _smallest(lambda n: tost_power(means, sds, n, margin=margin, significance=significance), joint, most)
    supported = _smallest(lambda n: paired_power(np.maximum(means, 0.0), sds, n, significance / tests), power, most)
    contradicted = _smallest(lambda n: one_sided_power(margin - means, sds, n, significance), joint, most)
    needed: dict[Decision, float] = {
        "practically equivalent": equivalent.max(),
        "supported": supported.min(),
        "contradicted": contradicted.max(),
    }
    towards = min(needed, key=lambda decision: needed[decision])
    if not np.isfinite(needed[towards]):
        return SeedPlan(None, None, power, cap)
    return SeedPlan(int(needed[towards]), towards, power, cap)


def _smallest(power_at: Callable[[Floats], Floats], target: float, most: Floats) -> Floats:
    """Bisect, column by column, for the smallest n from 2 to `most` that reaches the target; inf where none does.

    Each power grows with n wherever it can reach the targets in use (0.5 or more at an effect on the right side).
    """
    low, high = np.ones_like(most), most
    reachable = power_at(high) >= target
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = power_at(middle) >= target
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reachable, high, np.inf)
