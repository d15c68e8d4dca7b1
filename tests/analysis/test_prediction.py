"""Alpha predicted from both ends: against a search, and what following it costs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from distillab.analysis import analyse
from distillab.study.storage import records
from distillab.study.storage.records import (
    KEPT_ALPHAS,
    ValidationPredictions,
    ValidationResults,
    validation_predictions,
)
from distillab.tasks import TASKS

ALPHAS = [0, 0.25, 0.5, 0.75, 1]


RNG = np.random.default_rng(0)


LABELS = RNG.integers(0, 3, (6, 40))


ENDS = RNG.dirichlet(np.ones(3), (2, 6, 40)) * 0.5


ENDS[:, np.arange(6)[:, None], np.arange(40), LABELS] += 0.5 * np.array([0.6, 1.0])[:, None, None]


def linear(alpha: float, seed: int) -> np.ndarray:
    return (1 - alpha) * ENDS[0, seed] + alpha * ENDS[1, seed]


def kept(trials, bend: float = 0.0) -> dict[str, ValidationPredictions]:
    """The predictions of students that are linear in alpha, but for a bend in the middle."""
    predictions = {}
    for trial in trials:
        if trial.alpha in KEPT_ALPHAS and trial.diverged_epoch is None:
            probabilities = linear(trial.alpha, trial.seed) + bend * (trial.alpha == 0.5)
            predictions[trial.id] = ValidationPredictions(
                probabilities.astype(np.float16), LABELS[trial.seed].astype(np.int16)
            )
    return predictions


def score(alpha: float, seed: int) -> float:
    """Best at 0.25; the jitter differs from alpha to alpha."""
    return 0.9 - 0.04 * abs(alpha - 0.25) + 0.001 * ((seed * (1 + round(4 * alpha))) % 3)


def test_the_prediction_is_the_least_squared_error_of_a_search(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score)
    (prediction,) = analyse(spec, trials, {}, validation=ValidationResults(kept(trials))).predictions
    grid = np.linspace(-1, 2, 3001)
    targets = np.eye(3)[LABELS]
    errors = [sum(np.sum((linear(a, s) - targets[s]) ** 2) for s in range(6)) for a in grid]
    assert prediction.free == pytest.approx(grid[np.argmin(errors)], abs=5e-3)  # halves hold three digits
    assert prediction.alpha == pytest.approx(min(max(prediction.free, 0), 1))
    assert prediction.nearest == min(ALPHAS, key=lambda a: abs(a - prediction.alpha))
    assert prediction.departure == pytest.approx(0, abs=2e-3)
    assert prediction.seeds == 6


def test_what_following_it_costs_is_paired_by_seed(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score)
    (prediction,) = analyse(spec, trials, {}, validation=ValidationResults(kept(trials))).predictions
    assert prediction.swept == 0.25
    apart = np.array([score(prediction.nearest, s) - score(0.25, s) for s in range(6)])
    assert prediction.test is not None
    assert prediction.test.difference == pytest.approx(apart.mean())
    half = 2.5706 * apart.std(ddof=1) / math.sqrt(6)  # t at 5 degrees, 97.5 %
    assert prediction.test.high - prediction.test.difference == pytest.approx(half, rel=1e-4)
    assert prediction.validation == prediction.test  # the rows have the same score on both


def test_a_bend_in_the_middle_is_a_departure(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score)
    (straight,), (bent,) = (
        analyse(spec, trials, {}, validation=ValidationResults(kept(trials, bend))).predictions for bend in (0.0, 0.1)
    )
    lengths = [np.sqrt(np.mean(np.sum((ENDS[1, s] - ENDS[0, s]) ** 2, axis=1))) for s in range(6)]
    assert bent.departure == pytest.approx(np.mean([0.1 * math.sqrt(3) / length for length in lengths]), rel=0.01)
    assert bent.free == straight.free


def test_seeds_without_both_ends_do_not_count_and_without_any_there_is_no_prediction(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score, without=[(1, 0), (0, 1)], diverged=[])
    (prediction,) = analyse(spec, trials, {}, validation=ValidationResults(kept(trials))).predictions
    assert prediction.seeds == 4
    assert analyse(spec, trials, {}).predictions == ()
    only_ends = {name: held for name, held in kept(trials).items() if not name.startswith("00000000")}  # alpha = 0
    assert analyse(spec, trials, {}, validation=ValidationResults(only_ends)).predictions == ()


def test_without_a_middle_the_departure_is_not_known(rows) -> None:
    spec = rows.spec(seeds=6, alpha=[0, 0.3, 1])
    trials = rows.trials(spec, score)
    (prediction,) = analyse(spec, trials, {}, validation=ValidationResults(kept(trials))).predictions
    assert math.isnan(prediction.departure)
    tree = analyse(spec, trials, {}, validation=ValidationResults(kept(trials))).to_json()
    json.dumps(tree, allow_nan=False)
    assert tree["predictions"][0]["departure"] is None


def test_of_two_alphas_as_near_the_larger_is_taken(rows) -> None:
    """At alpha = 0 the predictions lack 3/8, at alpha = 1 they have 5/8 too much: the least error is at 3/8."""
    spec = rows.spec(seeds=6, alpha=[0, 0.25, 0.5, 1])
    trials = rows.trials(spec, score)
    probabilities = {}
    for trial in trials:
        if trial.alpha in (0.0, 1.0):
            p = np.array([[1.0, 0.0]]) + np.array([[-0.375, 0.375]]) + trial.alpha * np.array([[1.0, -1.0]])
            probabilities[trial.id] = ValidationPredictions(p.astype(np.float16), np.zeros(1, np.int16))
    (prediction,) = analyse(spec, trials, {}, validation=ValidationResults(probabilities)).predictions
    assert prediction.alpha == pytest.approx(0.375)
    assert prediction.nearest == 0.5


def test_predictions_are_kept_of_every_alpha_or_where_they_are_many_of_the_ends_and_the_middle(monkeypatch) -> None:
    logits, labels = np.array([[0.0, np.log(3.0)]], np.float32), np.array([1])
    held = validation_predictions(TASKS["categorical"], 0.5, logits, labels)
    assert held is not None
    np.testing.assert_allclose(held.probabilities, [[0.25, 0.75]])
    assert held.labels.tolist() == [1]
    assert validation_predictions(TASKS["categorical"], 0.3, logits, labels) is not None
    monkeypatch.setattr(records, "MOST_PREDICTIONS", 1)
    assert validation_predictions(TASKS["categorical"], 0.3, logits, labels) is None
    assert validation_predictions(TASKS["categorical"], 0.5, logits, labels) is not None
