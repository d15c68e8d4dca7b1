"""Searching on validation data: from coarse to fine, or by halving the candidates where time is short."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distillab.search.space import (
    Candidate,
    Space,
    at_every_rate,
    best_of,
    coarse,
    coarse_alone,
    finer,
    finer_alone,
)

Scores = list[tuple[Candidate, float, float]]
"""Candidate, score, and the score that settles ties; higher is better."""

Evaluate = Callable[[Sequence[Candidate], int, int], Scores]
"""(candidates, epochs, repeats) -> their scores, in order: means over so many times the seeds of a first look."""

BEAM = 2
"""Candidates whose neighbours are tried: noise may have put the best place second."""

FINALISTS, REPEATS = 4, 4
"""The best of a search are trained at more seeds before one is chosen: the largest of many noisy scores flatters."""

RUNG = 3
"""At each rung of a halving a third of the candidates goes on, to a training three times as long."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        taught: the best candidate with a teacher.
        alone: the best without one.
        scores: every candidate trained for all epochs, each with its scores.
        with_teacher, without: how many candidates of each kind were trained, at whatever length.
        cost: of all of them together, in full trainings at one set of seeds.
        method: how it searched, a sentence's subject.
    """

    taught: Candidate
    alone: Candidate
    scores: Scores
    with_teacher: int
    without: int
    cost: float
    method: str


def coarse_to_fine(space: Space, evaluate: Evaluate, *, epochs: int, rounds: int) -> Found:
    """Choose a learning rate for either kind, then a coarse grid, then the neighbours of the best, ever nearer.

    Without a teacher as many candidates are tried, where there are so many (at a fixed learning rate there may not be).
    The best few of either kind are trained at more seeds in the end.

    Args:
        space: what may vary.
        evaluate: trains and scores candidates.
        epochs: of each training.
        rounds: refinements.
    """
    scores = evaluate(at_every_rate(space), epochs, 1)
    rates = {taught: _best(scores, taught).learning_rate for taught in (True, False)}
    grid = coarse(space, rates[True])
    scores += _new([grid, coarse_alone(space, rates[False], 99)], scores, evaluate, epochs)
    for turn in range(rounds):
        near = [
            [one for best in _leaders(scores, True, BEAM) for one in finer(space, best, turn)],
            [one for best in _leaders(scores, False, BEAM) for one in finer_alone(space, best, turn)],
        ]
        scores += _new(near, scores, evaluate, epochs)
    last, cost = final_round(scores, evaluate, epochs)
    return _found(last, scores, len(scores) + cost, "A search from coarse to fine")


def final_round(scores: Scores, evaluate: Evaluate, epochs: int) -> tuple[Scores, float]:
    """Train the best of either kind at more seeds: their scores, and what that cost in full trainings a seed."""
    finalists = [one for taught in (True, False) for one in _leaders(scores, taught, FINALISTS)]
    return evaluate(finalists, epochs, REPEATS), float(len(finalists) * (REPEATS - 1))


def _new(kinds: Sequence[Sequence[Candidate]], scores: Scores, evaluate: Evaluate, epochs: int) -> Scores:
    """Evaluate what is new of the first kind, and as many of the second."""
    seen = {candidate for candidate, *_ in scores}
    taught, alone = ([one for one in dict.fromkeys(kind) if one not in seen] for kind in kinds)
    wanted = [*taught, *alone[: len(taught)]]
    return evaluate(wanted, epochs, 1) if wanted else []


def successive_halving(space: Space, evaluate: Evaluate, *, epochs: int) -> Found:
    """Train many candidates briefly, go on with the better third for longer, and so on; without a teacher as many.

    Args:
        space: what may vary.
        evaluate: trains and scores candidates.
        epochs: of the longest training.

    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016,
    algorithm 1, with thirds; every rung is trained from the start, for its schedule depends on its length.
    """
    rates = space.rates[:: 2 if len(space.rates) > 2 else 1]
    going = {True: [one for rate in rates for one in coarse(space, rate)]}
    alone = [one for rate in rates for one in coarse_alone(space, rate, 99)]
    going[False] = list(dict.fromkeys(sorted(alone, key=lambda one: -one.alpha)))[: len(going[True])]
    everything: Scores = []
    scores: Scores = []
    cost, lengths = 0.0, rungs(epochs)
    for place, length in enumerate(lengths):
        scores = evaluate([*going[True], *going[False]], length, 1)
        everything += scores
        cost += len(scores) * length / epochs
        if place + 1 < len(lengths):
            going = {taught: _leaders(scores, taught, math.ceil(len(going[taught]) / RUNG)) for taught in (True, False)}
    return _found(scores, everything, cost, "Successive halving")


def _found(scores: Scores, tried: Scores, cost: float, method: str) -> Found:
    counts = {kind: len({one for one, *_ in tried if one.taught is kind}) for kind in (True, False)}
    return Found(_best(scores, True), _best(scores, False), scores, counts[True], counts[False], cost, method)


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


def _leaders(scores: Scores, taught: bool, count: int) -> list[Candidate]:
    """The best candidates of a kind, the best first."""
    left = [one for one in scores if one[0].taught is taught]
    kept: list[Candidate] = []
    while left and len(kept) < count:
        kept.append(best_of(left))
        left = [one for one in left if one[0] != kept[-1]]
    return kept


def _best(scores: Scores, taught: bool) -> Candidate:
    return best_of([one for one in scores if one[0].taught is taught])
