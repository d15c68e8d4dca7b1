"""Grid search from coarse to fine on validation data, with the same number of trainings for the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distillab.search.space import (
    Candidate,
    Score,
    Space,
    at_every_rate,
    best_of,
    coarse,
    coarse_baseline,
    finer,
    finer_baseline,
    leaders,
)

Evaluate = Callable[[Sequence[Candidate], int], list[Score]]
"""(candidates, repeats) -> their scores, in order: means over `repeats` times the seeds of a first evaluation. Where
time runs out it returns fewer."""

BEAM = 2
"""Candidates whose neighbours are tried: noise may have put the best one second."""

FINALISTS, REPEATS = 4, 4
"""The best of a search are trained at more seeds before one is chosen: the largest of many noisy scores flatters."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        distilled, baseline: the best of either kind.
        scores: every candidate, each with its last score.
        method: the search's name, the subject of a sentence.
        repeated: whether the finalists were trained at more seeds.
    """

    distilled: Candidate
    baseline: Candidate
    scores: list[Score]
    method: str
    repeated: bool

    def count(self, distilled: bool) -> int:
        """The number of candidates of a kind.

        Args:
            distilled: which kind.
        """
        return len({score.candidate for score in self.scores if score.candidate.distilled is distilled})


def grid_search(space: Space, evaluate: Evaluate, *, rounds: int) -> SearchResult:
    """Choose a learning rate for either kind, then a coarse grid, then ever nearer neighbours of the best.

    The baseline gets as many candidates, where there are so many (at a fixed learning rate there may not be). The best
    few of either kind are trained at more seeds at the end.

    Args:
        space: the values to choose from.
        evaluate: trains and scores candidates.
        rounds: refinements.
    """
    scores = evaluate(at_every_rate(space), 1)
    rates = {distilled: best(space, scores, distilled).learning_rate for distilled in (True, False)}
    scores += _new([coarse(space, rates[True]), coarse_baseline(space, rates[False])], scores, evaluate)
    for level in range(rounds):
        neighbours = [
            [near for leader in leaders(scores, True, BEAM) for near in finer(space, leader, level)],
            [near for leader in leaders(scores, False, BEAM) for near in finer_baseline(space, leader, level)],
        ]
        scores += _new(neighbours, scores, evaluate)
    return final_round(space, scores, evaluate, "A search from coarse to fine")


def final_round(space: Space, scores: list[Score], evaluate: Evaluate, method: str) -> SearchResult:
    """Train the best of either kind at more seeds, and choose.

    Args:
        space, evaluate: as in `grid_search`.
        scores: of all candidates.
        method: the search's name.
    """
    finalists = [leader for distilled in (True, False) for leader in leaders(scores, distilled, FINALISTS)]
    last = evaluate(finalists, REPEATS)
    complete = len(last) == len(finalists) > 0
    distilled, baseline = (best(space, last if complete else scores, kind) for kind in (True, False))
    renewed = {score.candidate: score for score in [*scores, *(last if complete else [])]}
    return SearchResult(distilled, baseline, list(renewed.values()), method, repeated=complete)


def best(space: Space, scores: Sequence[Score], distilled: bool) -> Candidate:
    """The best candidate of a kind; the middle of the space where none was evaluated.

    Args:
        space, scores: of both kinds.
        distilled: which kind.
    """
    of_kind = [score for score in scores if score.candidate.distilled is distilled]
    return best_of(of_kind) if of_kind else space.middle if distilled else space.plain


def _new(kinds: Sequence[Sequence[Candidate]], scores: Sequence[Score], evaluate: Evaluate) -> list[Score]:
    """Evaluate the new candidates of the first kind, and as many of the second."""
    seen = {score.candidate for score in scores}
    distilled, baselines = ([new for new in dict.fromkeys(kind) if new not in seen] for kind in kinds)
    wanted = [*distilled, *baselines[: len(distilled)]]
    return evaluate(wanted, 1) if wanted else []
