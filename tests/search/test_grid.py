"""Searching: it finds what there is to find, spends the same on student and baseline, and never asks twice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from distillab.search.grid import Scores, coarse_to_fine, cost_of_halving, rungs, successive_halving
from distillab.search.space import Candidate, Space, best_of, coarse, coarse_alone, finer

EVERYTHING = Space.of(None, None, None)


class Landscape:
    """A known surface: best at alpha 0.3, T = 5, and a learning rate of 0.004."""

    def __init__(self) -> None:
        self.asked: list[tuple[Candidate, int]] = []
        self.again: list[tuple[Candidate, int]] = []

    def __call__(self, candidates: Sequence[Candidate], epochs: int, repeats: int) -> Scores:
        (self.asked if repeats == 1 else self.again).extend((one, epochs) for one in candidates)
        return [(one, self.score(one), 0.0) for one in candidates]

    @staticmethod
    def score(one: Candidate) -> float:
        value = -0.1 * abs(math.log2(one.learning_rate / 0.004))
        if one.taught:
            return value - (one.alpha - 0.3) ** 2 - 0.05 * math.log(one.temperature / 5) ** 2
        return value - (one.alpha - 0.9) ** 2


def test_coarse_to_fine_comes_close_to_the_best_there_is():
    found = coarse_to_fine(EVERYTHING, Landscape(), epochs=4, rounds=3)
    assert abs(found.taught.alpha - 0.3) <= 0.07
    assert 3.5 <= found.taught.temperature <= 7
    assert found.taught.learning_rate == pytest.approx(0.004, rel=0.2)
    assert abs(found.alone.alpha - 0.9) <= 0.03
    assert found.alone.learning_rate == pytest.approx(0.004, rel=0.2)


@pytest.mark.parametrize("space", [EVERYTHING, Space.of(None, 3.0, None), Space.of(0.5, 3.0, None)])
def test_the_baseline_is_searched_as_much_as_the_student(space: Space):
    landscape = Landscape()
    found = coarse_to_fine(space, landscape, epochs=4, rounds=2)
    kinds = [one.taught for one, _ in landscape.asked]
    assert sum(kinds) == len(kinds) - sum(kinds) == found.with_teacher == found.without


def test_no_candidate_is_trained_twice_at_one_length():
    refined, halved = Landscape(), Landscape()
    coarse_to_fine(EVERYTHING, refined, epochs=4, rounds=3)
    successive_halving(EVERYTHING, halved, epochs=9)
    for landscape in (refined, halved):
        assert len(set(landscape.asked)) == len(landscape.asked)


def test_what_is_given_is_not_searched():
    landscape = Landscape()
    coarse_to_fine(Space.of(0.5, 3.0, 0.01), landscape, epochs=4, rounds=2)
    assert {one for one, _ in landscape.asked if one.taught} == {Candidate(True, 0.5, 3.0, 0.01)}
    assert {one.learning_rate for one, _ in landscape.asked} == {0.01}


def test_halving_keeps_the_better_third_and_trains_it_longer():
    landscape = Landscape()
    found = successive_halving(EVERYTHING, landscape, epochs=18)
    lengths = [epochs for _, epochs in landscape.asked]
    assert rungs(18) == [2, 6, 18]
    assert [lengths.count(length) for length in (2, 6, 18)] == [104, 36, 12]
    assert found.taught.alpha == 0.25
    assert found.cost == pytest.approx(sum(lengths) / 18)
    assert sum(lengths) == 2 * cost_of_halving(52, 18)


def test_a_candidate_that_diverged_is_never_the_best():
    one, other = Candidate(True, 0.0, 3.0, 0.1), Candidate(True, 0.5, 3.0, 0.1)
    assert best_of([(one, math.nan, 0.0), (other, 0.1, 0.0)]) == other
    assert best_of([(one, math.nan, math.nan), (other, math.nan, math.nan)]) == one


def test_labels_alone_are_in_the_grid_once_and_first_without_a_teacher():
    assert sum(one.alpha == 1 for one in coarse(EVERYTHING, 0.001)) == 1
    assert coarse_alone(EVERYTHING, 0.001, 40)[0] == Candidate(False, 1.0, 1.0, 0.001)
    assert all(0 <= one.alpha <= 1 for turn in range(4) for one in finer(EVERYTHING, Candidate(True, 0, 3, 0.1), turn))


def test_a_lucky_candidate_is_found_out_at_more_seeds():
    lucky = Candidate(True, 1.0, 4.0, 0.004)

    def noisy(candidates: Sequence[Candidate], epochs: int, repeats: int) -> Scores:
        return [
            (one, Landscape.score(one) + (9.0 if one == lucky and repeats == 1 else 0.0), 0.0) for one in candidates
        ]

    found = coarse_to_fine(EVERYTHING, noisy, epochs=4, rounds=2)
    assert found.taught != lucky
