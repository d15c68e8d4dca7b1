"""The verdict on a gain over new seeds and new test examples."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.stats import DIFFERENCES, CrossedVerdict, crossed_verdict, verdict


def ruling(scores: np.ndarray, margin: float = 0.001) -> CrossedVerdict:
    return crossed_verdict(scores, margin=margin, bounds=DIFFERENCES)


def by_counts(examples: int, *counts: tuple[int, int]) -> np.ndarray:
    """Differences seed by seed: so many examples that only the student, and that only the baseline predicts rightly.

    Each seed's are other examples.
    """
    scores = np.zeros((len(counts), examples))
    start = 0
    for row, (better, worse) in zip(scores, counts, strict=True):
        row[start : start + better], row[start + better : start + better + worse] = 1, -1
        start += better + worse
    return scores


def test_a_gain_on_many_examples_at_every_seed_is_supported():
    result = ruling(by_counts(1000, (60, 10), (55, 5), (58, 8), (62, 9), (61, 12)))
    assert result.kind == "supported"
    assert result.p < 0.01


def test_its_mirror_image_is_contradicted():
    assert ruling(-by_counts(1000, (60, 10), (55, 5), (58, 8), (62, 9), (61, 12))).kind == "contradicted"


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_thirty_six_examples_all_at_100_percent_decide_nothing(seeds):
    """They were called equivalent within 0.1 points: "+0.00 (95 % interval +0.00 to +0.00)"."""
    before = verdict(np.ones((20, 2)), [0.5, 1.0])
    assert before.kind == "practically equivalent"
    result = ruling(np.zeros((seeds, 36)))
    assert result.kind == "undecided"
    assert "36 test examples" in result.reason


def test_two_seeds_that_happen_to_gain_alike_support_nothing():
    """An untrained teacher "helped, p = 0.033": the seeds' gains were near each other, the examples' chance unseen."""
    scores = by_counts(360, (16, 10), (17, 10))  # gains of 6 and 7 examples: t = 13 with one degree of freedom
    before = verdict(np.stack([0.5 + scores.mean(axis=1), [0.5, 0.5]], axis=1), [0.5, 1.0])
    assert before.kind == "supported"
    assert before.evidence[0].p < 0.05
    assert ruling(scores).kind == "undecided"


def test_as_many_examples_as_it_says_decide_an_equivalence():
    needed = ruling(np.zeros((5, 36))).needed.examples
    assert needed is not None
    # (t + z) sqrt(2) / (N + 2) <= 0.001 with t = 1.645 and z = 0.842: N = 3,515.
    assert needed == pytest.approx(3515, abs=3)
    assert ruling(np.zeros((5, needed))).kind == "practically equivalent"
    # 1.645 sqrt(2) / (N + 2) <= 0.001 takes 2,325 examples whatever the power.
    assert ruling(np.zeros((5, 2200))).kind == "undecided"


def test_equal_seeds_decide_only_where_as_many_equal_signs_would():
    kinds = {seeds: ruling(np.zeros((seeds, 10_000))) for seeds in (2, 4, 5)}
    assert [result.kind for result in kinds.values()] == ["undecided", "undecided", "practically equivalent"]
    assert kinds[2].needed.seeds == 5
    assert "spread is unknown" in kinds[2].reason


def test_one_seed_decides_nothing():
    result = ruling(by_counts(1000, (100, 0)))
    assert (result.kind, result.needed.seeds) == ("undecided", None)
    assert result.reason.startswith("One seed shows no spread")


def test_a_larger_study_as_advised_decides_most_of_the_time():
    """With the power of 0.8: of 80 studies 64 on average, standard error 3.6; four of them are allowed."""
    rng = np.random.default_rng(0)
    of_seed, of_example, of_both, examples = 0.03, 0.1, 0.3, 400

    def study(seeds: int) -> np.ndarray:
        scores = of_seed * rng.normal(size=(seeds, 1)) + of_example * rng.normal(size=examples)
        return 0.02 + scores + of_both * rng.normal(size=(seeds, examples))

    # A pilot that observed exactly what is true, for advice from a lucky one would be wrong: its mean squares are the
    # expected ones.
    seeds, rest = 5, of_both**2
    row, column, both = (rng.normal(size=shape) for shape in ((seeds, 1), (1, examples), (seeds, examples)))
    row, column = row - row.mean(), column - column.mean()
    both += both.mean() - both.mean(axis=0, keepdims=True) - both.mean(axis=1, keepdims=True)
    row *= np.sqrt((rest + examples * of_seed**2) * (seeds - 1) / examples / (row**2).sum())
    column *= np.sqrt((rest + seeds * of_example**2) * (examples - 1) / seeds / (column**2).sum())
    both *= np.sqrt(rest * (seeds - 1) * (examples - 1) / (both**2).sum())
    needed = crossed_verdict(0.02 + row + column + both, margin=0.001).needed.seeds
    assert needed is not None
    decided = sum(crossed_verdict(study(needed), margin=0.001).kind == "supported" for _ in range(80))
    assert decided >= 64 - 4 * 3.6


@pytest.mark.parametrize(
    ("options", "named"), [({"margin": 0.0}, "margin"), ({"margin": 0.1, "significance": 0.5}, "significance")]
)
def test_a_margin_or_significance_out_of_range_is_refused(options, named):
    with pytest.raises(RequestError, match=named):
        crossed_verdict(np.eye(3), **options)
