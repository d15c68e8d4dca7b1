"""The model confidence set: the candidates that the data cannot distinguish from the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed
from distillab.stats.paired import all_signs, drawn_signs
from distillab.stats.sample import SAME, Floats, as_scores, check_count, check_share

Resampling = Literal["sign flip", "bootstrap"]


class ConfidenceSet(NamedTuple):
    """The remaining candidates, and the order of elimination."""

    included: NDArray[np.bool_]
    """Shape (K,)."""
    p: Floats
    """Shape (K,), the p value of each candidate: it is in the set at every confidence below 1 - p. The last to stay
    has 1."""
    order: tuple[int, ...]
    """All columns, from the first eliminated to the last to stay; candidates that tie stand in column order."""
    n: int
    method: str


def model_confidence_set(
    scores: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 2000,
    resampling: Resampling = "sign flip",
) -> ConfidenceSet:
    """Find the candidates that are not significantly worse than the best.

    Start with all K. For each remaining pair let d_(r,ij) = score_j - score_i at seed r, and test with
    T_R = max over pairs of |mean(d_ij)| / se(d_ij) whether all remaining are equally good; drop the candidate on the
    losing side of that maximum; repeat. A candidate's p value is the largest p met up to its own elimination; the set
    keeps p > 1 - confidence. Identical columns stay or go together, as do exact ties of the statistic; the best mean
    always stays. R seeds cannot give a sign-flip p below 2^(1-R): below six, nothing is eliminated at 95 %.

    Args:
        scores: shape (R, K), finite, paired by seed (rows); higher is better.
        rng: the generator of the resamples; unused where all sign patterns are counted (2^R <= resamples).
        confidence: strictly between 0 and 1.
        resamples: at least 100.
        resampling: where the distribution of T_R comes from; whole rows are resampled either way, so the dependence
            between candidates is kept.
            "sign flip": each seed's differences keep or change their sign together, and T_R is computed afresh. Exact
            for any R when the differences are symmetric about zero under equality.
            "bootstrap": seeds drawn with replacement, the standard error held fixed, as in the source. With few seeds
            it eliminates good candidates too often (docs/statistics.md has the figures).

    Example:
        >>> scores = [[3.0, 1.0], [3.1, 1.2], [3.3, 1.1], [3.2, 1.0], [3.0, 0.9], [3.1, 1.0]]
        >>> model_confidence_set(scores, rng=np.random.default_rng(0)).included.tolist()
        [True, False]

    Source: P. R. Hansen, A. Lunde and J. M. Nason, "The model confidence set", Econometrica 2011: the procedure, T_R
    and its elimination rule, and the bootstrap. Sign flips instead of the bootstrap are this package's choice.

    Note: a wide set means little evidence, not that all its members are good. It covers seeds, not another data set.
    """
    table = as_scores(scores)
    check_share("confidence", confidence)
    check_count("resamples", resamples, 100)
    if resampling not in ("sign flip", "bootstrap"):
        raise not_allowed("resampling", resampling, "'sign flip' or 'bootstrap'")
    # Rows are sorted by values that do not depend on the order of seeds or candidates, nor on a shift common to a row:
    # so none of these changes which resample goes with which seed.
    table = table[np.lexsort(np.sort(table - table.mean(axis=1, keepdims=True), axis=1).T)]
    distinct, member = np.unique(table, axis=1, return_inverse=True)
    n = len(table)
    floor = _ROUNDING * float(np.abs(table).max())
    weights, description = _weights(n, rng, resamples, resampling)
    test = _bootstrap_test if resampling == "bootstrap" else _flip_test
    worse, better = np.triu_indices(distinct.shape[1], 1)
    statistic, null = test(distinct[:, better] - distinct[:, worse], weights, floor)
    rounds, largest = _eliminated(statistic, worse, better, distinct.shape[1])
    running = np.maximum.accumulate(_shares(null, np.minimum(rounds[worse], rounds[better]), largest))
    candidate_p = np.append(running, 1.0)[rounds[member]]
    order = np.argsort(rounds[member], kind="stable").tolist()
    return ConfidenceSet(candidate_p > 1 - confidence, candidate_p, tuple(order), n, f"MCS, T_R, {description}")


def _weights(n: int, rng: np.random.Generator, resamples: int, resampling: Resampling) -> tuple[Floats, str]:
    """Each resample's weights of the seeds, shape (resamples, n), and a description."""
    if resampling == "bootstrap":
        return rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n, f"bootstrap, {resamples} resamples"
    if 2**n <= resamples:
        return all_signs(n) / n, "sign flip, exact"
    # The observed pattern is one of those that could have been drawn: p is never 0.
    signs = np.vstack([np.ones(n), drawn_signs(rng, resamples, n)])
    return signs / n, f"sign flip, {resamples} draws"


def _eliminated(
    statistic: Floats, worse: NDArray[np.intp], better: NDArray[np.intp], candidates: int
) -> tuple[NDArray[np.intp], list[float]]:
    """The round, from 0, in which each candidate is eliminated (one after the last for those that stay), and each
    round's T_R. The order depends on the pairs' statistics alone; `_shares` gives their p values."""
    behind = np.full((candidates, candidates), -np.inf)
    behind[worse, better], behind[better, worse] = statistic, -statistic
    rounds, left, largest = np.zeros(candidates, dtype=np.intp), np.arange(candidates), list[float]()
    while len(left) > 1:
        each = behind[np.ix_(left, left)].max(axis=1)
        worst = each >= each.max() - SAME
        if worst.all():
            break
        left = left[~worst]
        rounds[left] += 1
        largest.append(float(each.max()))
    return rounds, largest


def _shares(null: Floats, lasts: NDArray[np.intp], largest: Sequence[float]) -> Floats:
    """Each round's share of the resamples whose T_R is at least the observed one.

    A round's T_R is the maximum over the remaining pairs, so from the last round back to the first each pair joins it
    once.

    Args:
        null: shape (pairs, resamples), magnitudes.
        lasts: shape (pairs,), the last round in which both of a pair remain.
        largest: each round's observed T_R.
    """
    shares, highest = np.ones(len(largest)), np.zeros(null.shape[1])
    for number in range(len(largest), -1, -1):
        joining = null[lasts == number]
        if len(joining):
            np.maximum(highest, joining.max(axis=0), out=highest)
        if number < len(largest):
            shares[number] = np.mean(highest >= largest[number] - SAME)
    return shares


_ROUNDING = 1e-12
"""Deviations smaller than this share of the largest score are rounding, not data."""


def _flip_test(behind: Floats, weights: Floats, floor: float) -> tuple[Floats, Floats]:
    """Each pair's statistic, shape (pairs,), and its magnitude in each resample, shape (pairs, resamples).

    g = mean / rms replaces t: t = sqrt(R - 1) g / sqrt(1 - g^2) grows with g, so the maximum and the order are the
    same; a flip of signs does not change rms; and g is bounded where t is infinite.
    """
    rms = np.sqrt(np.mean(behind**2, axis=0))
    scale = np.divide(1.0, rms, out=np.zeros_like(rms), where=rms > floor)
    statistic = behind.mean(axis=0) * scale
    null = behind.T @ weights.T
    null *= scale[:, None]
    return statistic, np.abs(null, out=null)


def _bootstrap_test(behind: Floats, weights: Floats, floor: float) -> tuple[Floats, Floats]:
    """As `_flip_test`, with t itself, its standard error and its null from the bootstrap."""
    mean = behind.mean(axis=0)
    moved = behind.T @ weights.T - mean[:, None]
    # A constant difference has no error in the bootstrap; the floor keeps its t finite.
    error = np.maximum(np.sqrt(np.mean(moved**2, axis=1)), floor)
    scale = np.divide(1.0, error, out=np.zeros_like(error), where=error > 0)
    return mean * scale, np.abs(moved * scale[:, None])
