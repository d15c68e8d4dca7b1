"""How many seeds would decide an undecided study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.power import one_sided_power, paired_power, tost_power
from distillab.stats.sample import Floats, as_sample, check_count, check_margin, check_share

SEED_CAP = 1000
"""Largest number of seeds worth naming: beyond it the honest answer is "not by more seeds"."""

Decision = Literal["practically equivalent", "supported", "contradicted"]


class SeedPlan(NamedTuple):
    """The cheapest way to a decision."""

    seeds: int | None
    """Seeds in all, not in addition; None beyond the cap."""
    towards: Decision | None
    """The decision they would probably bring; None where `seeds` is None."""
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

    Where every one of K tests must succeed, each is asked for the power 1 - (1 - power) / K, so that all succeed
    together with at least `power` whatever their dependence.

    Args:
        difference: shape (K,), observed mean differences.
        sd: shape (K,), >= 0, standard deviations of the differences over seeds.
        margin: > 0, the largest difference that does not matter.
        significance: of each decision.
        power: the chance of the decision that is asked for.
        cap: the largest number of seeds to consider.

    Returns:
        `SeedPlan`.

    Raises:
        RequestError: an argument out of its range, or shapes that differ.

    Example:
        >>> seeds_to_decide([0.005], [0.01], margin=0.001)[:2]
        (34, 'supported')

    Source: the sizing of studies by power: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988.

    Note: a planning figure, not a finding. The observed effect is itself uncertain and, in a study that looked
    promising, too large on average, so the power reached will often be lower. Seeds should be added once, to the number
    named, not one by one until something is significant.
    """
    means, sds = as_sample(difference, "difference"), as_sample(sd, "sd")
    if means.shape != sds.shape:
        raise not_allowed("sd.shape", sds.shape, f"that of difference, {means.shape}")
    check_margin(margin)
    check_share("significance", significance)
    check_share("power", power)
    check_count("cap", cap, 2)
    share = significance / len(means)
    joint = 1 - (1 - power) / len(means)
    gain = np.where(means > 0, means, 0.0)
    routes: dict[Decision, Floats] = {
        "practically equivalent": _smallest(
            lambda n: tost_power(means, sds, n, margin=margin, significance=significance), joint, cap, len(means)
        ).max(keepdims=True),
        "supported": _smallest(lambda n: paired_power(gain, sds, n, share), power, cap, len(means)).min(keepdims=True),
        "contradicted": _smallest(
            lambda n: one_sided_power(margin - means, sds, n, significance), joint, cap, len(means)
        ).max(keepdims=True),
    }
    towards = min(routes, key=lambda decision: float(routes[decision][0]))
    seeds = float(routes[towards][0])
    if not np.isfinite(seeds):
        return SeedPlan(None, None, power, cap)
    return SeedPlan(int(seeds), towards, power, cap)


def _smallest(power_at: Callable[[Floats], Floats], target: float, cap: int, columns: int) -> Floats:
    """Bisect, column by column, for the smallest n from 2 to `cap` that reaches the target; inf where none does.

    Each power grows with n wherever it can reach the targets in use (0.5 or more at an effect on the right side).
    """
    low, high = np.ones(columns), np.full(columns, float(cap))
    reachable = power_at(high) >= target
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        enough = power_at(middle) >= target
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reachable, high, np.inf)
