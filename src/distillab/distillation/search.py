"""Searching on validation data: from coarse to fine, or by halving the candidates where time is short."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distillab.distillation.candidates import Candidate, Space, best_of, coarse, coarse_alone, finer, finer_alone

Scores = list[tuple[Candidate, float, float]]
"""Candidate, score, and the score that settles ties; higher is better."""

Evaluate = Callable[[Sequence[Candidate], int], Scores]
"""(candidates, epochs) -> their scores, in order."""

RUNG = 3
"""At each rung of a halving a third of the candidates goes on, to a training three times as long."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        taught: the best candidate with a teacher.
        alone: the best without one.
        scores: every candidate trained for all epochs, each with its scores.
        trained: how many candidates of each kind were trained, at whatever length.
        epochs: how many epochs all of them took together, in full trainings.
        method: how it searched, a sentence's subject.
    """

    taught: Candidate
    alone: Candidate
    scores: Scores
    trained: int
    epochs: float
    method: str


def coarse_to_fine(space: Space, evaluate: Evaluate, *, epochs: int, rounds: int) -> Found:
    """Try a coarse grid, then the neighbours of the best, nearer at every round; the same number without a teacher.

    Args:
        space: what may vary.
        evaluate: trains and scores candidates.
        epochs: of each training.
        rounds: refinements.
    """
    first = coarse(space)
    scores = evaluate([*first, *coarse_alone(space, len(first))], epochs)
    for turn in range(rounds):
        seen = {candidate for candidate, *_ in scores}
        new = [one for one in finer(space, _best(scores, True), turn) if one not in seen]
        beside = [one for one in finer_alone(_best(scores, False), turn, 100) if one not in seen][: len(new)]
        scores += evaluate([*new, *beside], epochs)
    trained = sum(candidate.taught for candidate, *_ in scores)
    return Found(
        _best(scores, True), _best(scores, False), scores, trained, len(scores), "A search from coarse to fine"
    )


def successive_halving(space: Space, evaluate: Evaluate, *, epochs: int) -> Found:
    """Train the coarse grid briefly, go on with the better third for longer, and so on; the same without a teacher.

    Args:
        space: what may vary.
        evaluate: trains and scores candidates.
        epochs: of the longest training.

    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016,
    algorithm 1, with thirds; every rung is trained from the start, for its schedule depends on its length.
    """
    first = coarse(space)
    going, cost = {True: first, False: coarse_alone(space, len(first))}, 0.0
    scores: Scores = []
    lengths = rungs(epochs)
    for place, length in enumerate(lengths):
        scores = evaluate([*going[True], *going[False]], length)
        cost += len(scores) * length / epochs
        if place + 1 < len(lengths):
            going = {taught: _better_third(scores, taught) for taught in (True, False)}
    return Found(_best(scores, True), _best(scores, False), scores, len(first), cost, "Successive halving")


def rungs(epochs: int) -> list[int]:
    """The lengths of the trainings of a halving, shortest first.

    Example:
        >>> rungs(18), rungs(2)
        ([2, 6, 18], [1, 2])
    """
    lengths = {max(1, round(epochs / RUNG**power)) for power in (2, 1, 0)}
    return sorted(lengths)


def cost_of_halving(candidates: int, epochs: int) -> float:
    """Epochs of all trainings of a halving, for each of its two kinds."""
    total = 0.0
    for place, length in enumerate(rungs(epochs)):
        total += max(1, math.ceil(candidates / RUNG**place)) * length
    return total


def _better_third(scores: Scores, taught: bool) -> list[Candidate]:
    left = [one for one in scores if one[0].taught is taught]
    kept: list[Candidate] = []
    for _ in range(max(1, math.ceil(len(left) / RUNG))):
        kept.append(best_of([one for one in left if one[0] not in kept]))
    return kept


def _best(scores: Scores, taught: bool) -> Candidate:
    return best_of([one for one in scores if one[0].taught is taught])
