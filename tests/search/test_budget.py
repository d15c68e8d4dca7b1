"""A time budget: what fits is kept, what does not is cut and named."""

from __future__ import annotations

import pytest

from distillab.search.budget import Budget


def budget(limit: float | None, *, each: float = 1.0, seeds: int = 5, epochs: int = 10) -> Budget:
    """A training takes `each` seconds an epoch."""

    def cost(students: int, epochs: float) -> float:
        return each * students * epochs

    return Budget(limit, cost, cost, seeds, epochs)


def test_without_a_limit_everything_is_affordable():
    unlimited = budget(None)
    assert unlimited.affordable(2, 500) == 500
    assert (unlimited.seeds, unlimited.epochs, unlimited.cuts) == (5, 10, [])


def test_an_ample_budget_cuts_nothing():
    ample = budget(1000.0)
    assert ample.affordable(2, 40) == 40  # 800 s beside 100 s of final trainings
    assert ample.cuts == []


def test_candidates_that_do_not_fit_beside_the_final_trainings_are_cut():
    short = budget(500.0)
    assert short.affordable(2, 40) == 19  # 500 s less 100 s for final trainings, 20 s each, a moment has passed
    assert short.cuts == ["19 candidates instead of 40"]


def test_seeds_are_cut_first_then_epochs():
    # 2 students x 5 seeds x 10 epochs = 100 s; 3 seeds are 60 s, within 60 % of 100 s
    fewer = budget(100.0)
    assert (fewer.seeds, fewer.epochs) == (3, 10)
    assert fewer.cuts == ["3 seeds instead of 5"]
    # 2 seeds are 40 s: of 20 s half the epochs fit
    tiny = budget(20.0)
    assert (tiny.seeds, tiny.epochs) == (2, 5)
    assert tiny.cuts == ["2 seeds instead of 5", "5 epochs instead of 10"]


@pytest.mark.parametrize("limit", [1e-6, 0.5])
def test_the_shortest_budget_leaves_one_epoch_and_no_search(limit: float):
    none = budget(limit)
    assert (none.seeds, none.epochs) == (2, 1)
    assert none.affordable(2, 14) == 0
