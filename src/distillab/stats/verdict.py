"""The verdict on the hypothesis "some intermediate alpha beats the labels alone"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from distillab.errors import not_allowed
from distillab.stats.multiple import holm
from distillab.stats.planning import Decision, seeds_to_decide
from distillab.stats.sample import Floats, as_sample, as_scores, check_margin, check_significance
from distillab.stats.t_test import one_sample_t

VerdictKind = Literal["supported", "practically equivalent", "contradicted", "undecided"]


class AlphaEvidence(NamedTuple):
    """One intermediate alpha against the labels alone (alpha = 1)."""

    alpha: float
    difference: float
    """Mean accuracy at alpha minus mean accuracy at 1, as a proportion; positive is a gain."""
    sd: float
    """Of the paired differences over seeds."""
    p: float
    """Two-sided paired t, for "there is a difference"."""
    p_adjusted: float
    """The same after Holm over the intermediate alphas."""
    p_equivalent: float
    """Two one-sided tests, for "within ± margin"."""
    p_no_gain: float
    """One-sided, for "the gain is less than the margin"."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The conclusion of a study, with its evidence."""

    kind: VerdictKind
    reason: str
    """One plain sentence."""
    deciding_alpha: float | None
    """supported: the significant alpha with the largest gain; equivalent and contradicted: the alpha with the
    largest p."""
    seeds_needed: int | None
    """When undecided: total seeds that would probably decide it; None where no affordable number would, or none is
    known."""
    seeds_towards: Decision | None
    """When undecided: the decision that those seeds would probably reach."""
    evidence: tuple[AlphaEvidence, ...]
    """One entry per intermediate alpha, in the order given."""
    margin: float
    significance: float
    n: int
    """Seeds."""


def verdict(
    accuracy: ArrayLike, alphas: ArrayLike, *, margin: float = 0.001, significance: float = 0.05, shares: bool = True
) -> Verdict:
    """Decide whether some alpha strictly between 0 and 1 beats alpha = 1, seed by seed.

    The first rule that applies, over the K intermediate alphas:

    1. *practically equivalent*: every one lies within ± margin of alpha = 1 (two one-sided tests, each p <=
       significance), even where some tiny difference is significant;
    2. *supported*: at least one has a positive gain and a Holm-adjusted two-sided paired-t p <= significance;
    3. *contradicted*: every one is shown to gain less than the margin (one-sided p <= significance);
    4. *undecided*: otherwise, with the number of seeds that would probably decide it; and, with a plain reason, where
       there are fewer than two seeds, no alpha = 1 or no intermediate one.

    Rules 1 and 3 need every test to succeed, so their level holds without adjustment (intersection-union).

    Args:
        accuracy: shape (R, A), proportions in [0, 1] or, without `shares`, any scores where higher is better; a row is
            a seed, a column an alpha.
        alphas: shape (A,), in [0, 1], each once.
        margin: > 0, the largest gain that does not matter, as a proportion: 0.001 is 0.1 percentage points.
        significance: in (0, 0.5).
        shares: whether the scores must be proportions.

    Example:
        >>> result = verdict([[0.91, 0.90], [0.92, 0.908], [0.93, 0.921], [0.92, 0.912]], [0.5, 1.0])
        >>> result.kind, result.deciding_alpha
        ('supported', 0.5)

    Source: S. Holm 1979 (the adjustment); D. J. Schuirmann 1987 (equivalence); R. L. Berger, "Multiparameter hypothesis
    testing and acceptance sampling", Technometrics 1982 (intersection-union).

    Note: it covers the seeds of one data set and one test set, looked at once. "supported" means that some alpha gains
    something, not that the gain exceeds the margin: `evidence` holds its size.
    """
    scores, grid = _checked(accuracy, alphas, shares)
    check_margin(margin)
    check_significance(significance)
    inner, labels_alone = np.flatnonzero((grid > 0) & (grid < 1)), np.flatnonzero(grid == 1)
    evidence: tuple[AlphaEvidence, ...] = ()
    if labels_alone.size == 0:
        conclusion = _Conclusion("undecided", "There is no student at alpha = 1 to compare with.")
    elif inner.size == 0:
        conclusion = _Conclusion("undecided", "There is no student at an alpha strictly between 0 and 1.")
    else:
        evidence = _evidence(scores[:, inner] - scores[:, labels_alone], grid[inner], margin)
        conclusion = _conclude(evidence, len(scores), margin, significance)
    return Verdict(
        kind=conclusion.kind,
        reason=conclusion.reason,
        deciding_alpha=conclusion.alpha,
        seeds_needed=conclusion.seeds_needed,
        seeds_towards=conclusion.seeds_towards,
        evidence=evidence,
        margin=margin,
        significance=significance,
        n=len(scores),
    )


class _Conclusion(NamedTuple):
    kind: VerdictKind
    reason: str
    alpha: float | None = None
    seeds_needed: int | None = None
    seeds_towards: Decision | None = None


def _conclude(evidence: tuple[AlphaEvidence, ...], seeds: int, margin: float, significance: float) -> _Conclusion:
    """Apply the rules of `verdict` in their order."""
    if seeds < 2:
        return _Conclusion("undecided", "One seed shows no spread: at least two are needed to compare.")
    hardest = max(evidence, key=lambda e: (e.p_equivalent, e.alpha))
    if hardest.p_equivalent <= significance:
        reason = f"Every intermediate alpha is within ±{margin:g} of alpha = 1 (p <= {hardest.p_equivalent:.2g})."
        return _Conclusion("practically equivalent", reason, hardest.alpha)
    winners = [e for e in evidence if e.difference > 0 and e.p_adjusted <= significance]
    if winners:
        best = max(winners, key=lambda e: (e.difference, e.alpha))
        reason = (
            f"alpha = {best.alpha:g} gains {best.difference:.2g} on alpha = 1 (adjusted p = {best.p_adjusted:.2g})."
        )
        if all(e.p_no_gain <= significance for e in evidence):
            reason += f" Yet every gain is shown to be less than the margin, {margin:g}."
        return _Conclusion("supported", reason, best.alpha)
    nearest = max(evidence, key=lambda e: (e.p_no_gain, e.alpha))
    if nearest.p_no_gain <= significance:
        reason = f"Every intermediate alpha gains less than {margin:g} on alpha = 1 (p <= {nearest.p_no_gain:.2g})."
        return _Conclusion("contradicted", reason, nearest.alpha)
    plan = seeds_to_decide(
        [e.difference for e in evidence], [e.sd for e in evidence], margin=margin, significance=significance
    )
    if plan.seeds is None:
        return _Conclusion("undecided", f"No test decides, and at these differences {plan.cap} seeds would not either.")
    needed = max(plan.seeds, seeds + 1)
    reason = f"No test decides with {seeds} seeds; if the differences stay as they are, {needed} would probably do."
    return _Conclusion("undecided", reason, None, needed, plan.towards)


def _evidence(gains: Floats, grid: Floats, margin: float) -> tuple[AlphaEvidence, ...]:
    plain = one_sample_t(gains)
    above = one_sample_t(gains, null=-margin).p_greater
    below = one_sample_t(gains, null=margin).p_less
    columns = (grid, plain.mean, plain.sd, plain.p, holm(plain.p), np.maximum(above, below), below)
    return tuple(AlphaEvidence(*row) for row in np.stack(columns, axis=1).tolist())


def _checked(accuracy: ArrayLike, alphas: ArrayLike, shares: bool) -> tuple[Floats, Floats]:
    scores, grid = as_scores(accuracy, "accuracy"), as_sample(alphas, "alphas")
    if scores.shape[1] != len(grid):
        raise not_allowed("accuracy.shape", scores.shape, f"(seeds, {len(grid)}): one column for each alpha")
    if shares and (scores.min() < 0 or scores.max() > 1):
        outside = float(scores[(scores < 0) | (scores > 1)][0])
        raise not_allowed("accuracy", outside, "a proportion from 0 to 1", "Divide percentages by 100.")
    if grid.min() < 0 or grid.max() > 1:
        raise not_allowed("alpha", float(grid[(grid < 0) | (grid > 1)][0]), "a number from 0 to 1")
    if len(np.unique(grid)) < len(grid):
        raise not_allowed("alphas", grid.tolist(), "a list that names each alpha once")
    return scores, grid
