"""The same students asked by other metrics, and class by class."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.analysis import alpha_curves
from distillab.analysis.other_metrics import class_scores


def hump(alpha: float, seed: int) -> float:
    return 0.9 - 0.1 * abs(alpha - 0.5) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def test_classes_are_averaged_over_the_seeds(rows) -> None:
    """Recall of class 0: 8/10 and 6/10 in two seeds; precision 8/9 and 6/6."""
    spec = rows.spec(seeds=2, alpha=[0.5, 1])
    trials = rows.trials(spec, hump)
    counts = {0: [[8, 2], [1, 9]], 1: [[6, 4], [0, 10]]}
    (curve,) = alpha_curves(spec, trials, {})
    scores = class_scores(curve, {trial.id: counts[trial.seed] for trial in trials}, [0.5, 1.0])
    assert scores.alphas == (0.5, 1.0)
    assert scores.recall.shape == (2, 2)
    np.testing.assert_allclose(scores.recall[0], [0.7, 0.95])
    assert scores.precision[1, 0] == pytest.approx((8 / 9 + 1) / 2)
    assert scores.f1[0, 0] == pytest.approx((16 / 19 + 12 / 16) / 2)


def test_students_that_were_not_counted_are_not_reported(rows) -> None:
    spec = rows.spec(seeds=2)
    assert class_scores(alpha_curves(spec, rows.trials(spec, hump), {})[0], {}, [0.5]) is None


def test_classes_are_averaged_over_the_same_seeds_at_every_alpha(rows) -> None:
    spec = rows.spec(seeds=2, alpha=[0.5, 1])
    trials = rows.trials(spec, hump, without=[(1.0, 1)])
    counts = {0: [[8, 2], [1, 9]], 1: [[6, 4], [0, 10]]}
    (curve,) = alpha_curves(spec, trials, {})
    scores = class_scores(curve, {trial.id: counts[trial.seed] for trial in trials}, [0.5, 1.0])
    np.testing.assert_allclose(scores.recall, [[0.8, 0.9], [0.8, 0.9]])  # seed 1 lacks alpha = 1, so it is left aside
