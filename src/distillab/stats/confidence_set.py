"""The model confidence set: the candidates that the data cannot tell from the best."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import not_allowed
from distillab.stats.paired import all_signs, drawn_signs
from distillab.stats.sample import SAME, Floats, as_scores, check_count, check_share

Resampling = Literal["sign flip", "bootstrap"]


class ConfidenceSet(NamedTuple):
    """Which candidates remain, and in which order the others went."""

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

    Start with all K. For each pair still in let d_(r,ij) = score_j - score_i at seed r, and test with
    T_R = max over pairs of |mean(d_ij)| / se(d_ij) whether all still in are equally good; drop the candidate on the
    losing side of that maximum; repeat. A candidate's p value is the largest p met up to its own elimination; the set
    keeps p > 1 - confidence.

    Args:
        scores: shape (R, K), finite, paired by seed (rows); higher is better.
        rng: the generator of the resamples; untouched where all sign patterns are counted (2^R <= resamples).
        confidence: strictly between 0 and 1.
        resamples: at least 100.
        resampling: where the distribution of T_R comes from; whole rows are resampled either way, so the dependence
            between candidates is kept.
            "sign flip": each seed's differences keep or change their sign together, and T_R is computed afresh. Exact
            for any R when the differences are symmetric about zero under equality.
            "bootstrap": seeds drawn with replacement, the standard error held fixed, as the source has it. It lets good
            candidates go too easily with few seeds (docs/statistics.md has the figures).

    Returns:
        `ConfidenceSet`. Identical columns stay or go together, as do exact ties of the statistic; the best mean always
        stays. R seeds cannot give a sign-flip p below 2^(1-R): below six, nothing is eliminated at 95 %.

    Raises:
        RequestError: scores of the wrong shape or not finite, an argument out of its range.

    Example:
        >>> scores = [[3.0, 1.0], [3.1, 1.2], [3.3, 1.1], [3.2, 1.0], [3.0, 0.9], [3.1, 1.0]]
        >>> model_confidence_set(scores, rng=np.random.default_rng(0)).included.tolist()
        [True, False]

    Source: P. R. Hansen, A. Lunde and J. M. Nason, "The model confidence set", Econometrica 2011: the procedure, T_R
    and its elimination rule, and the bootstrap. The sign flips in the bootstrap's place are this package's choice.

    Note: a wide set means little was learnt, not that all in it are good. It covers the seeds, not another data set.
    """
    table = as_scores(scores)
    check_share("confidence", confidence)
    check_count("resamples", resamples, 100)
    if resampling not in ("sign flip", "bootstrap"):
        raise not_allowed("resampling", resampling, "'sign flip' or 'bootstrap'")
    # The rows in an order that neither the order of seeds or candidates nor a shift common to a row can touch: so
    # none of them changes which resample meets which seed.
    table = table[np.lexsort(np.sort(table - table.mean(axis=1, keepdims=True), axis=1).T)]
    distinct, member = np.unique(table, axis=1, return_inverse=True)
    n = len(table)
    floor = _ROUNDING * float(np.abs(table).max())
    if resampling == "bootstrap":
        test, weights = _bootstrap_test, rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
        said = f"bootstrap, {resamples} resamples"
    else:
        exact = 2**n <= resamples
        test, weights = _flip_test, (all_signs(n) if exact else _with_observed(drawn_signs(rng, resamples, n))) / n
        said = "sign flip, exact" if exact else f"sign flip, {resamples} draws"

    left, p, running, order = np.arange(distinct.shape[1]), np.ones(distinct.shape[1]), 0.0, list[int]()
    while len(left) > 1:
        worse, better = np.triu_indices(len(left), 1)
        behind = distinct[:, left[better]] - distinct[:, left[worse]]
        statistic, share = test(behind, weights, floor)
        each = np.full(len(left), -np.inf)
        np.maximum.at(each, worse, statistic)
        np.maximum.at(each, better, -statistic)
        worst = each >= each.max() - SAME
        if worst.all():
            break
        order += np.flatnonzero(np.isin(member, left[worst])).tolist()
        running = max(running, share)
        p[left[worst]] = running
        left = left[~worst]
    order += np.flatnonzero(np.isin(member, left)).tolist()
    candidate_p = p[member]
    return ConfidenceSet(candidate_p > 1 - confidence, candidate_p, tuple(order), n, f"MCS, T_R, {said}")


_ROUNDING = 1e-12
"""Deviations smaller than this share of the largest score are rounding, not data."""


def _flip_test(behind: Floats, weights: Floats, floor: float) -> tuple[Floats, float]:
    """Each pair's statistic, shape (pairs,), and the p value of the largest magnitude.

    g = mean / rms stands for t: t = sqrt(R - 1) g / sqrt(1 - g^2) grows with g, so the maximum and the order are the
    same;
    a flip of signs leaves rms alone; and g is bounded where t is infinite.
    """
    rms = np.sqrt(np.mean(behind**2, axis=0))
    scale = np.divide(1.0, rms, out=np.zeros_like(rms), where=rms > floor)
    statistic = behind.mean(axis=0) * scale
    null = np.abs((weights @ behind) * scale).max(axis=1)
    return statistic, float(np.mean(null >= np.abs(statistic).max() - SAME))


def _bootstrap_test(behind: Floats, weights: Floats, floor: float) -> tuple[Floats, float]:
    """As `_flip_test`, with t itself, its standard error and its null from the bootstrap."""
    mean = behind.mean(axis=0)
    moved = weights @ behind - mean
    # A difference that never varies is certain to the bootstrap; the floor keeps its t finite.
    error = np.maximum(np.sqrt(np.mean(moved**2, axis=0)), floor)
    scale = np.divide(1.0, error, out=np.zeros_like(error), where=error > 0)
    statistic = mean * scale
    null = np.abs(moved * scale).max(axis=1)
    return statistic, float(np.mean(null >= np.abs(statistic).max() - SAME))


def _with_observed(signs: Floats) -> Floats:
    """The observed pattern is one of those that could have been drawn: p is never 0."""
    return np.vstack([np.ones(signs.shape[1]), signs])
