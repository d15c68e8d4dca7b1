"""Whose test predictions a page draws, and the scores of single labels."""

from __future__ import annotations

import pytest

from distillab.analysis import alpha_curves, compare_alphas
from distillab.analysis.details import compared_details, label_scores


def test_the_first_seed_that_has_the_chosen_alpha_and_both_ends_is_drawn(rows):
    spec = rows.spec()
    trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.05 * (alpha == 0.5))
    (curve,) = alpha_curves(spec, trials, {})
    result = compare_alphas(curve, margin=0.001)
    details = {trial.id: {"of": (trial.seed, trial.alpha)} for trial in trials if (trial.seed, trial.alpha) != (0, 1.0)}
    drawn = {name: detail["of"] for name, detail in compared_details(curve, result, details).items()}
    assert drawn == {"teacher alone": (1, 0.0), "chosen": (1, 0.5), "labels alone": (1, 1.0)}
    assert compared_details(curve, result, {}) == {}


def test_scores_of_labels_are_means_over_the_seeds_where_they_are_defined(rows):
    spec = rows.spec()
    trials = rows.trials(spec, lambda alpha, seed: 0.9)
    (curve,) = alpha_curves(spec, trials, {})

    def labels(seed: int, alpha: float) -> list[dict[str, object]]:
        undefined = seed == 2
        score = 0.5 + 0.1 * seed + 0.2 * (alpha == 1)
        of = {"average_precision": None if undefined else score, "auroc": 0.75, "f1": 0.5}
        return [{"label": 0, "positives": 7, **of}]

    details = {trial.id: {"labels": labels(trial.seed, trial.alpha)} for trial in trials}
    rows_of = label_scores(curve, details, [0.5, 1.0])
    assert rows_of is not None
    (row,) = rows_of
    assert (row["label"], row["positives"]) == (0, 7)
    assert row["average_precision", 0.5] == pytest.approx(0.55)  # of seeds 0 and 1: (0.5 + 0.6) / 2
    assert row["average_precision", 1.0] == pytest.approx(0.75)
    assert label_scores(curve, {}, [0.5]) is None
