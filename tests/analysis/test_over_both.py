"""Gains for other seeds and other test examples in a study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distillab.analysis.curves import alpha_curves
from distillab.analysis.finding import analyse
from distillab.analysis.over_both import gain_over_both
from distillab.report.text import study_text
from distillab.report.view.study import study_view
from distillab.stats import DIFFERENCES, crossed_mean
from distillab.study.spec import read_spec
from distillab.study.storage.records import TrialResult

M = 200


def study(metric: str = "accuracy", seeds: int = 3) -> tuple:
    """A few seeds, alphas 0.5 and 1: right on so many examples, the first ones."""
    spec = read_spec({"dataset": "digits", "alpha": [0.5, 1], "seeds": seeds, "metric": metric})
    trials, correct = [], {}
    for seed in range(seeds):
        for alpha, right in ((0.5, 180 + seed), (1.0, 160)):
            name = f"{seed} {alpha}"
            metrics = {(split, metric): right / M for split in ("test", "validation")}
            coordinates = {"alpha": alpha}
            trials.append(TrialResult(name, seed, alpha, coordinates, {}, "t", [], metrics))
            correct[name] = np.arange(M) < right
    return spec, trials, correct


def test_the_gain_is_that_of_the_two_way_analysis():
    spec, trials, correct = study()
    (curve,) = alpha_curves(spec, trials, {})
    found = gain_over_both(curve, 0.5, 1.0, correct)
    gains = [(np.arange(M) < 180 + seed).astype(float) - (np.arange(M) < 160) for seed in range(3)]
    expected = crossed_mean(gains, bounds=DIFFERENCES)
    assert found is not None
    assert found[:4] == pytest.approx((21 / M, expected.low, expected.high, expected.p))


def test_the_seeds_intervals_of_shares_stay_within_0_and_100_percent():
    spec, trials, _ = study(seeds=4)
    far = {0: 0.9, 1: 0.2, 2: 0.95, 3: 0.1}
    trials = [
        replace(trial, metrics=dict.fromkeys(trial.metrics, far[trial.seed] if trial.alpha == 1 else 0.5))
        for trial in trials
    ]
    (setting,) = analyse(spec, trials, {}).settings
    labels_alone = setting.at(1.0)
    assert labels_alone is not None
    assert (labels_alone.low, labels_alone.high) == (0, 1)


def test_without_predictions_or_for_another_metric_there_is_none():
    spec, trials, correct = study()
    (curve,) = alpha_curves(spec, trials, {})
    assert gain_over_both(curve, 0.5, 0.5, correct) is None
    assert gain_over_both(curve, 0.5, 1.0, {}) is None
    spec, trials, _ = study("f1_macro")
    (curve,) = alpha_curves(spec, trials, {})
    assert gain_over_both(curve, 0.5, 1.0, correct) is None


def test_the_answer_states_it_beside_the_seeds_interval():
    spec, trials, correct = study()
    finding = analyse(spec, trials, {}, correct=correct)
    (setting,) = finding.settings
    assert setting.over_labels is not None
    assert setting.over_teacher is None
    text = " ".join(study_text(study_view(finding)).split())
    assert "For other seeds and other test examples (3 seeds, 200 test examples)" in text
    assert "10.50 points above labels alone (alpha = 1)" in text
    assert "other test examples" not in " ".join(study_text(study_view(analyse(spec, trials, {}))).split())
