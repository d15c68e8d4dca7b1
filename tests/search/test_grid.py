"""Grid search: it finds the best of a known surface, gives the baseline the same budget, and trains nothing twice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from distillab.search.grid import REPEATS, grid_search
from distillab.search.space import Candidate, Score, Space, best_of, coarse, coarse_baseline, finer

EVERYTHING = Space.of(None, None, None)


class Landscape:
    """A known surface: best at alpha 0.3, T = 5, and a learning rate of 0.004; it evaluates at most `limit`."""

    def __init__(self, limit: float = math.inf) -> None:
        self.first: list[Candidate] = []
        self.repeated: list[Candidate] = []
        self.limit = limit

    def __call__(self, candidates: Sequence[Candidate], repeats: int) -> list[Score]:
        evaluated = list(candidates[: int(min(len(candidates), self.limit - len(self.first)))])
        (self.first if repeats == 1 else self.repeated).extend(evaluated)
        return [Score(candidate, self.score(candidate), 0.0) for candidate in evaluated]

    @staticmethod
    def score(candidate: Candidate) -> float:
        value = -0.1 * abs(math.log2(candidate.learning_rate / 0.004))
        if candidate.distilled:
            return value - (candidate.alpha - 0.3) ** 2 - 0.05 * math.log(candidate.temperature / 5) ** 2
        return value - (candidate.alpha - 0.9) ** 2


def test_the_search_comes_close_to_the_best_there_is():
    result = grid_search(EVERYTHING, Landscape(), rounds=3)
    assert abs(result.distilled.alpha - 0.3) <= 0.07
    assert 3.5 <= result.distilled.temperature <= 7
    assert result.distilled.learning_rate == pytest.approx(0.004, rel=0.2)
    assert abs(result.baseline.alpha - 0.9) <= 0.03
    assert result.baseline.learning_rate == pytest.approx(0.004, rel=0.2)


@pytest.mark.parametrize("space", [EVERYTHING, Space.of(None, 3.0, None), Space.of(0.5, 3.0, None)])
def test_the_baseline_gets_as_many_candidates_as_the_student(space: Space):
    landscape = Landscape()
    result = grid_search(space, landscape, rounds=2)
    kinds = [candidate.distilled for candidate in landscape.first]
    assert sum(kinds) == len(kinds) - sum(kinds) == result.count(True) == result.count(False)


def test_no_candidate_is_evaluated_twice_at_the_same_seeds():
    landscape = Landscape()
    grid_search(EVERYTHING, landscape, rounds=3)
    assert len(set(landscape.first)) == len(landscape.first)
    assert set(landscape.repeated) <= set(landscape.first)


def test_a_fixed_number_is_not_searched():
    landscape = Landscape()
    grid_search(Space.of(0.5, 3.0, 0.01), landscape, rounds=2)
    assert {candidate for candidate in landscape.first if candidate.distilled} == {Candidate(True, 0.5, 3.0, 0.01)}
    assert {candidate.learning_rate for candidate in landscape.first} == {0.01}


def test_a_candidate_that_diverged_is_never_the_best():
    plain, other = Candidate(True, 0.0, 3.0, 0.1), Candidate(True, 0.5, 3.0, 0.1)
    assert best_of([Score(plain, math.nan, 0.0), Score(other, 0.1, 0.0)]) == other
    assert best_of([Score(plain, math.nan, math.nan), Score(other, math.nan, math.nan)]) == plain


def test_plain_labels_are_in_the_grid_once_and_first_in_the_baselines():
    assert sum(candidate.alpha == 1 for candidate in coarse(EVERYTHING, 0.001)) == 1
    assert coarse_baseline(EVERYTHING, 0.001)[0] == Candidate(False, 1.0, 1.0, 0.001)
    assert all(
        0 <= candidate.alpha <= 1
        for level in range(4)
        for candidate in finer(EVERYTHING, Candidate(True, 0, 3, 0.1), level)
    )


def test_a_lucky_candidate_loses_at_more_seeds():
    lucky = Candidate(True, 1.0, 4.0, 0.004)

    def noisy(candidates: Sequence[Candidate], repeats: int) -> list[Score]:
        return [
            Score(
                candidate, Landscape.score(candidate) + (9.0 if candidate == lucky and repeats < REPEATS else 0.0), 0.0
            )
            for candidate in candidates
        ]

    result = grid_search(EVERYTHING, noisy, rounds=2)
    assert result.distilled != lucky
    assert result.repeated


@pytest.mark.parametrize("limit", [0, 1, 14, 20])
def test_a_search_that_runs_out_of_time_returns_the_best_so_far(limit: int):
    landscape = Landscape(limit)
    result = grid_search(EVERYTHING, landscape, rounds=2)
    assert len(landscape.first) == limit
    distilled = [candidate for candidate in landscape.first if candidate.distilled]
    assert result.distilled == (max(distilled, key=landscape.score) if distilled else EVERYTHING.middle)
    assert not result.baseline.distilled
