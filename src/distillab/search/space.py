"""The space of a search: the numbers of one training, on a grid from coarse to fine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPERATURES = (1.5, 4.0, 10.0)
RATES = tuple(1e-3 * 2.0**power for power in (-2, -1, 0, 1, 2, 3, 4))
SMOOTHING = (0.0, 0.05, 0.1, 0.2, 0.02, 0.3, 0.15, 0.4)
"""Label smoothing of the baseline, the student without a teacher."""

TEMPERATURE_RANGE = (1.0, 20.0)
"""The temperatures that Optuna may propose; the grid and its refinements stay within about these."""

RATIO = 1.6
"""The first refinement of a temperature: about the square root of the grid's own ratio."""


class Candidate(NamedTuple):
    """The numbers of one training.

    The baseline, a student without a teacher, has smoothed labels: `alpha CE + (1 - alpha) KL(uniform || student)` at
    T = 1, which up to a constant is the cross-entropy against labels smoothed by 1 - alpha.
    """

    distilled: bool
    """Whether it learns from the teacher; False: the baseline."""
    alpha: float
    temperature: float
    learning_rate: float
    loss: str = ""
    """The distillation loss; empty: the request's."""
    student: int = 0
    """Index of the architecture, where there are several."""


class Score(NamedTuple):
    """A candidate's validation result, the mean over its seeds; more is better, NaN where a seed diverged."""

    candidate: Candidate
    value: float
    """Of the metric."""
    tie: float
    """Minus the negative log-likelihood, for real outputs minus the root mean squared error, which settles ties."""
    repeats: int = 1
    """How many times the seeds of a first evaluation it rests on."""
    clean: float | None = None
    """How well it predicts the likely clean labels, where these choose in place of the metric; more is better."""

    @property
    def choosing(self) -> float:
        """The score that chooses."""
        return self.value if self.clean is None else self.clean


class Space(NamedTuple):
    """The values that a search may choose; a fixed number is a tuple of one."""

    alphas: tuple[float, ...]
    temperatures: tuple[float, ...]
    rates: tuple[float, ...]
    losses: tuple[str, ...] = ("",)
    students: int = 1

    @classmethod
    def of(cls, alpha: float | None, temperature: float | None, learning_rate: float | None) -> Space:
        """The space where some numbers are given.

        Args:
            alpha, temperature, learning_rate: fixed; None: searched.
        """
        return cls(
            ALPHAS if alpha is None else (alpha,),
            TEMPERATURES if temperature is None else (temperature,),
            RATES if learning_rate is None else (learning_rate,),
        )

    @property
    def middle(self) -> Candidate:
        """A candidate with the middle of all values."""
        alpha, temperature, rate = (values[len(values) // 2] for values in (self.alphas, self.temperatures, self.rates))
        return Candidate(True, alpha, temperature, rate)

    @property
    def plain(self) -> Candidate:
        """The baseline on plain labels at the middle learning rate."""
        return Candidate(False, 1.0, 1.0, self.middle.learning_rate)


def at_every_rate(space: Space) -> list[Candidate]:
    """A distilled candidate and a baseline on plain labels at every learning rate.

    Args:
        space: of the search.

    Example:
        >>> len(at_every_rate(Space.of(None, None, None)))
        14
    """
    kinds = (space.middle, Candidate(False, 1.0, 1.0, 0.0))
    return [kind._replace(learning_rate=_short(rate)) for kind in kinds for rate in space.rates]


def coarse(space: Space, rate: float) -> list[Candidate]:
    """The coarse grid of distilled candidates; at alpha = 1, where it has no effect, one temperature.

    Args:
        space: of the search.
        rate: the learning rate.

    Example:
        >>> len(coarse(Space.of(None, None, None), 0.001)), len(coarse(Space.of(None, 3.0, None), 0.001))
        (13, 5)
    """
    middle = space.temperatures[len(space.temperatures) // 2]
    return [
        Candidate(True, alpha, temperature, rate)
        for alpha, temperature in itertools.product(space.alphas, space.temperatures)
        if alpha < 1 or temperature == middle
    ]


def finer(space: Space, best: Candidate, level: int) -> list[Candidate]:
    """The neighbours of a distilled candidate, one number changed at a time.

    Args:
        space: of the search.
        best: the candidate.
        level: from 0; the neighbours of each level are nearer.

    Example:
        >>> space = Space.of(None, 3.0, None)
        >>> [(near.alpha, near.learning_rate) for near in finer(space, Candidate(True, 0.25, 3.0, 0.001), 0)]
        [(0.125, 0.001), (0.375, 0.001), (0.25, 0.001414), (0.25, 0.0007071)]
    """
    neighbours = []
    if len(space.alphas) > 1:
        step = 0.125 / 2**level
        neighbours += [best._replace(alpha=round(best.alpha + sign * step, 6)) for sign in (-1, 1)]
    if len(space.temperatures) > 1 and best.alpha < 1:
        ratio = RATIO ** (1 / 2**level)
        neighbours += [best._replace(temperature=_short(best.temperature * factor)) for factor in (1 / ratio, ratio)]
    if len(space.rates) > 1:
        rate = 2 ** (0.5 / 2**level)
        neighbours += [best._replace(learning_rate=_short(best.learning_rate * factor)) for factor in (rate, 1 / rate)]
    return [near for near in neighbours if 0 <= near.alpha <= 1]


def coarse_baseline(space: Space, rate: float) -> list[Candidate]:
    """The coarse grid of baselines: smoothings and learning rates, the plainest first.

    Args:
        space: of the search.
        rate: the learning rate in the middle.

    Example:
        >>> [(each.alpha, each.learning_rate) for each in coarse_baseline(Space.of(None, 3.0, None), 0.001)[:3]]
        [(1.0, 0.001), (0.95, 0.001), (1.0, 0.001414)]
    """
    powers = (0.0, 0.5, -0.5, 1.0, -1.0) if len(space.rates) > 1 else (0.0,)
    cells = sorted(itertools.product(range(len(SMOOTHING)), range(len(powers))), key=lambda cell: (sum(cell), cell[1]))
    return [Candidate(False, 1 - SMOOTHING[row], 1.0, _short(rate * 2.0 ** powers[column])) for row, column in cells]


def finer_baseline(space: Space, best: Candidate, level: int) -> list[Candidate]:
    """The neighbours of a baseline, the nearest first.

    Args:
        space, best, level: as in `finer`.
    """
    ratio, step = 2 ** (0.5 / 2**level), 0.05 / 2**level
    factors = (1.0, ratio, 1 / ratio, ratio**1.5, ratio**-1.5) if len(space.rates) > 1 else (1.0,)
    moves = sorted(itertools.product((0.0, -step, step, -2 * step, 2 * step), factors), key=lambda m: abs(m[0]))
    neighbours = [
        best._replace(alpha=round(best.alpha + move, 6), learning_rate=_short(best.learning_rate * factor))
        for move, factor in moves
    ]
    return [near for near in neighbours if 0.5 <= near.alpha <= 1]


def best_of(scores: Sequence[Score]) -> Candidate:
    """The candidate with the highest score; of equal ones the higher `tie`; then the first.

    Args:
        scores: at least one; NaN counts as worst.

    Example:
        >>> plain, other = Candidate(True, 0.0, 3.0, 0.001), Candidate(True, 1.0, 3.0, 0.001)
        >>> best_of([Score(plain, 0.9, -0.5), Score(other, 0.9, -0.4)]).alpha
        1.0
    """
    return max(scores, key=_rank).candidate  # the first of equal ones


def leaders(scores: Sequence[Score], distilled: bool, count: int) -> list[Candidate]:
    """The best candidates of a kind, the best first.

    Args:
        scores: of both kinds.
        distilled: which kind.
        count: at most this many.
    """
    ranked = sorted((score for score in scores if score.candidate.distilled is distilled), key=_rank, reverse=True)
    return list(dict.fromkeys(score.candidate for score in ranked))[:count]


def _rank(score: Score) -> tuple[float, ...]:
    return tuple(-math.inf if math.isnan(value) else value for value in (score.choosing, score.tie))


def _short(value: float) -> float:
    """Four figures: the value reported is the value that ran."""
    return float(f"{value:.4g}")
