"""What a search chooses from: settings of one training, on a grid from coarse to fine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
TEMPERATURES = (1.5, 4.0, 10.0)
RATES = tuple(1e-3 * 2.0**power for power in (-2, -1, 0, 1, 2, 3, 4))
SMOOTHING = (0.0, 0.05, 0.1, 0.2, 0.02, 0.3, 0.15, 0.4)
"""Of the labels, for the student without a teacher."""

RATIO = 1.6
"""By which a temperature is first refined: about the square root of the grid's own step."""


class Candidate(NamedTuple):
    """The numbers of one training.

    A student without a teacher has smoothed labels instead: `alpha CE + (1 - alpha) KL(uniform || student)` at T = 1,
    which up to a constant is the cross-entropy against labels smoothed by 1 - alpha.
    """

    taught: bool
    alpha: float
    temperature: float
    learning_rate: float
    loss: str = ""
    """Of the teacher's term; empty: the request's."""
    student: int = 0
    """Which of several architectures."""


class Space(NamedTuple):
    """What a search may vary; a fixed number is a tuple of one."""

    alphas: tuple[float, ...]
    temperatures: tuple[float, ...]
    rates: tuple[float, ...]
    losses: tuple[str, ...] = ("",)
    students: int = 1

    @classmethod
    def of(cls, alpha: float | None, temperature: float | None, learning_rate: float | None) -> Space:
        """The space that is left when some numbers are given; None: searched."""
        return cls(
            ALPHAS if alpha is None else (alpha,),
            TEMPERATURES if temperature is None else (temperature,),
            RATES if learning_rate is None else (learning_rate,),
        )

    @property
    def middle(self) -> Candidate:
        """A candidate with a teacher, from the middle of everything."""
        alpha, temperature, rate = (values[len(values) // 2] for values in (self.alphas, self.temperatures, self.rates))
        return Candidate(True, alpha, temperature, rate)


def at_every_rate(space: Space) -> list[Candidate]:
    """A candidate with a teacher and one on labels alone at every learning rate.

    Example:
        >>> len(at_every_rate(Space.of(None, None, None)))
        14
    """
    kinds = (space.middle, Candidate(False, 1.0, 1.0, 0.0))
    return [kind._replace(learning_rate=_short(rate)) for kind in kinds for rate in space.rates]


def coarse(space: Space, rate: float) -> list[Candidate]:
    """The grid of candidates with a teacher; at alpha = 1, where it does not matter, at one temperature.

    Example:
        >>> len(coarse(Space.of(None, None, None), 0.001)), len(coarse(Space.of(None, 3.0, None), 0.001))
        (13, 5)
    """
    middle = space.temperatures[len(space.temperatures) // 2]
    pairs = [
        (alpha, temperature)
        for alpha, temperature in itertools.product(space.alphas, space.temperatures)
        if alpha < 1 or temperature == middle
    ]
    return [Candidate(True, alpha, temperature, rate) for alpha, temperature in pairs]


def finer(space: Space, best: Candidate, turn: int) -> list[Candidate]:
    """The neighbours of the best candidate so far, one number changed at a time, nearer at every turn (from 0).

    Example:
        >>> space = Space.of(None, 3.0, None)
        >>> [(one.alpha, one.learning_rate) for one in finer(space, Candidate(True, 0.25, 3.0, 0.001), 0)]
        [(0.125, 0.001), (0.375, 0.001), (0.25, 0.001414), (0.25, 0.0007071)]
    """
    found = []
    if len(space.alphas) > 1:
        step = 0.125 / 2**turn
        found += [best._replace(alpha=round(best.alpha + sign * step, 6)) for sign in (-1, 1)]
    if len(space.temperatures) > 1 and best.alpha < 1:
        ratio = RATIO ** (1 / 2**turn)
        found += [best._replace(temperature=_short(best.temperature * factor)) for factor in (1 / ratio, ratio)]
    if len(space.rates) > 1:
        rate = 2 ** (0.5 / 2**turn)
        found += [best._replace(learning_rate=_short(best.learning_rate * factor)) for factor in (rate, 1 / rate)]
    return [one for one in found if 0 <= one.alpha <= 1]


def coarse_alone(space: Space, rate: float, count: int) -> list[Candidate]:
    """As many candidates without a teacher, where there are so many: smoothings and learning rates, plainest first.

    Example:
        >>> [(one.alpha, one.learning_rate) for one in coarse_alone(Space.of(None, 3.0, None), 0.001, 3)]
        [(1.0, 0.001), (0.95, 0.001), (1.0, 0.001414)]
    """
    powers = (0.0, 0.5, -0.5, 1.0, -1.0) if len(space.rates) > 1 else (0.0,)
    cells = sorted(itertools.product(range(len(SMOOTHING)), range(len(powers))), key=lambda cell: (sum(cell), cell[1]))
    found = [Candidate(False, 1 - SMOOTHING[row], 1.0, _short(rate * 2.0 ** powers[column])) for row, column in cells]
    return found[:count]


def finer_alone(space: Space, best: Candidate, turn: int) -> list[Candidate]:
    """Neighbours of the best candidate without a teacher, nearer at every turn (from 0), the nearest first."""
    ratio, step = 2 ** (0.5 / 2**turn), 0.05 / 2**turn
    factors = (1.0, ratio, 1 / ratio, ratio**1.5, ratio**-1.5) if len(space.rates) > 1 else (1.0,)
    moves = sorted(itertools.product((0.0, -step, step, -2 * step, 2 * step), factors), key=lambda m: abs(m[0]))
    found = [
        best._replace(alpha=round(best.alpha + move, 6), learning_rate=_short(best.learning_rate * factor))
        for move, factor in moves
    ]
    return [one for one in found if 0.5 <= one.alpha <= 1]


def best_of(scores: Sequence[tuple[Candidate, float, float]]) -> Candidate:
    """The candidate of the highest score; of equal ones that of the highest second score; then the first.

    Args:
        scores: candidate, score, second score; NaN counts as worst.

    Example:
        >>> one, other = Candidate(True, 0.0, 3.0, 0.001), Candidate(True, 1.0, 3.0, 0.001)
        >>> best_of([(one, 0.9, -0.5), (other, 0.9, -0.4)]).alpha
        1.0
    """
    worst = -np.inf
    ranked = [(worst if np.isnan(a) else a, worst if np.isnan(b) else b) for _, a, b in scores]
    return scores[max(range(len(scores)), key=lambda place: (ranked[place], -place))][0]


def _short(value: float) -> float:
    """Four figures: what is reported is what ran."""
    return float(f"{value:.4g}")
