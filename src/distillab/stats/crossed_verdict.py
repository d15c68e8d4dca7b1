"""The verdict on one gain over new seeds and new test examples, and the seeds or examples that would decide it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2
from typing import NamedTuple

from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from distillab.stats.crossed import (
    Bounds,
    CrossedMean,
    MeanSquares,
    crossed_mean,
    crossed_test,
    error_of,
    examples_error,
)
from distillab.stats.planning import SEED_CAP
from distillab.stats.sample import check_margin, check_significance
from distillab.stats.verdict import VerdictKind

EXAMPLE_CAP = 1_000_000
"""Largest number of test examples to suggest."""

POWER = 0.8
"""With which the suggested numbers decide."""


class Needed(NamedTuple):
    """What would probably decide an undecided comparison; None where no affordable number would."""

    seeds: int | None
    """In all, with these test examples."""
    examples: int | None
    """In all, with these seeds."""


@dataclass(frozen=True, kw_only=True)
class CrossedVerdict:
    """What a gain over seeds and test examples shows.

    Args:
        kind: as of `verdict`.
        reason: one plain sentence.
        needed: where undecided, what would probably decide it.
        p: two-sided, for "there is a difference".
        p_equivalent: two one-sided tests, for "within ± margin".
        p_no_gain: one-sided, for "the gain is less than the margin".
        margin, significance: of the rules.
        seeds, examples: behind the gain.
    """

    kind: VerdictKind
    reason: str
    needed: Needed
    p: float
    p_equivalent: float
    p_no_gain: float
    margin: float
    significance: float
    seeds: int
    examples: int


def crossed_verdict(
    scores: ArrayLike, *, margin: float, bounds: Bounds | None = None, significance: float = 0.05
) -> CrossedVerdict:
    """Decide whether a gain holds for new seeds and new test examples.

    The rules of `verdict` in their order, with the tests of `crossed_test`: *practically equivalent* within ± margin,
    *supported* by a positive gain, *contradicted* by a gain less than the margin, or *undecided*. Seeds of one and the
    same mean show no spread: they decide only where as many equal signs would (5 seeds one-sided, 6 two-sided). Between
    bounds, a small gain is claimed only if it stays small with an example at either bound added: a few examples that
    differ, all in one direction, have a variance that is smallest where the gain is underestimated.

    Args:
        scores: student minus baseline, shape (R, N), more is better; a row is a seed, a column a test example.
        margin: > 0, the largest gain that does not matter, in the scores' own numbers.
        bounds: of the scores, as in `crossed_mean`.
        significance: in (0, 0.5).

    Example:
        >>> import numpy as np
        >>> from distillab.stats.crossed import DIFFERENCES
        >>> result = crossed_verdict(np.zeros((5, 36)), margin=0.001, bounds=DIFFERENCES)
        >>> result.kind, result.needed.examples
        ('undecided', 3517)

    Source: as `crossed_mean` and `verdict`.
    """
    check_margin(margin)
    check_significance(significance)
    found, cautious = (crossed_mean(scores, bounds=bounds, adjust=adjust) for adjust in (False, bounds is not None))
    test = crossed_test(found)
    p_no_gain = _p_less(cautious, margin)
    p_equivalent = max(p_no_gain, _p_greater(cautious, -margin))
    kind, reason, fewest = _conclude(found, test.p, p_equivalent, p_no_gain, margin, significance)
    needed = Needed(None, None)
    if kind == "undecided":
        needed = _needed(found, margin, significance, fewest)
        reason += _advice(needed, found)
    return CrossedVerdict(
        kind=kind,
        reason=reason,
        needed=needed,
        p=test.p,
        p_equivalent=p_equivalent,
        p_no_gain=p_no_gain,
        margin=margin,
        significance=significance,
        seeds=found.seeds,
        examples=found.examples,
    )


def _conclude(
    found: CrossedMean, p: float, p_equivalent: float, p_no_gain: float, margin: float, significance: float
) -> tuple[VerdictKind, str, int]:
    """The kind, its reason, and the fewest seeds that any decision takes."""
    one_sided, two_sided = (ceil(log2(sides / significance)) for sides in (1, 2))
    unknown = found.seeds < 2 or found.same_seeds
    if p_equivalent <= significance and not (unknown and found.seeds < one_sided):
        return "practically equivalent", f"The gain is within ±{margin:g} (p = {p_equivalent:.2g}).", 2
    if p <= significance and found.centre > 0 and not (unknown and found.seeds < two_sided):
        reason = f"The gain is {found.mean:.2g} (p = {p:.2g})."
        return "supported", reason + (f" Yet it is less than {margin:g}." if p_no_gain <= significance else ""), 2
    if p_no_gain <= significance and not (unknown and found.seeds < one_sided):
        return "contradicted", f"The gain is less than {margin:g} (p = {p_no_gain:.2g}).", 2
    if found.seeds < 2:
        return "undecided", "One seed shows no spread: at least two are needed to compare.", 2
    if not found.se > 0:
        return "undecided", "The scores show no spread, so nothing is known of other examples.", 2
    fewest = one_sided if min(p_equivalent, p_no_gain) <= significance else two_sided
    decided = min(p, p_equivalent, p_no_gain) <= significance
    if unknown and decided and found.seeds < fewest:
        return "undecided", f"All {found.seeds} seeds gain the same, so their spread is unknown.", fewest
    return "undecided", f"No test decides with {found.seeds} seeds and {found.examples:,} test examples.", 2


def _advice(needed: Needed, found: CrossedMean) -> str:
    parts = []
    if needed.seeds is not None:
        parts.append(f"{needed.seeds:,} seeds on these test examples")
    if needed.examples is not None:
        parts.append(f"{needed.examples:,} test examples with these seeds")
    if not parts:
        return ""
    return f" If the differences stay as they are, {' or '.join(parts)} would probably do."


def _needed(found: CrossedMean, margin: float, significance: float, fewest: int) -> Needed:
    """The smallest numbers whose expected standard error decides with the power `POWER`.

    Observed mean and variances are taken for the true ones. Where examples were added, they stay two however many
    others follow: more examples that do not differ either are evidence.
    """
    if found.seeds < 2 or found.examples < 2 or not found.se > 0:
        return Needed(None, None)
    seeds, examples = found.seeds, found.examples

    def decides(new_seeds: int, new_examples: int) -> bool:
        squares = _expected(found, new_seeds, new_examples)
        se, df = error_of(squares, new_seeds, new_examples)
        alone = examples_error(squares, new_seeds, new_examples)

        def shows(room: float, tail: float) -> bool:
            pairs = ((df, se), (new_examples - 1, alone))
            return all(room >= (stdtrit(free, 1 - tail) + ndtri(POWER)) * error for free, error in pairs)

        return shows(found.mean, significance / 2) or shows(margin - found.mean, significance)

    if fewest > seeds and decides(fewest, examples):
        return Needed(fewest, None)
    return Needed(
        _smallest(lambda n: decides(n, examples), seeds + 1, SEED_CAP),
        _smallest(lambda n: decides(seeds, n), examples + 1, EXAMPLE_CAP),
    )


def _expected(found: CrossedMean, seeds: int, examples: int) -> MeanSquares:
    """The mean squares to expect of other numbers of seeds and examples."""
    squares, before = found.squares, found.examples + 2 * found.adjusted
    of_seeds = max(squares.seeds - squares.rest, 0.0) / before
    of_examples = max(squares.examples - squares.rest, 0.0) / found.seeds
    thinner = (before - 1) / (examples + 1) if found.adjusted else 1.0
    rest = squares.rest * thinner
    return MeanSquares(rest + examples * of_seeds, rest + seeds * of_examples * thinner, rest)


def _smallest(decides: Callable[[int], bool], low: int, cap: int) -> int | None:
    """Bisect for the smallest number from `low` to `cap` that decides; None where the cap does not."""
    if not decides(cap):
        return None
    high = cap
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return low


def _p_less(found: CrossedMean, null: float) -> float:
    return 0.0 if found.bounds is not None and null >= found.bounds[1] else crossed_test(found, null=null).p_less


def _p_greater(found: CrossedMean, null: float) -> float:
    return 0.0 if found.bounds is not None and null <= found.bounds[0] else crossed_test(found, null=null).p_greater
