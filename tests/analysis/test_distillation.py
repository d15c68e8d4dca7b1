"""The comparison of a distilled student with its baseline and its teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from distillab.analysis.distillation import Comparison, PredictedTest, compare, memorised
from distillab.metrics import all_metrics, nll
from distillab.study.storage.records import TrialResult
from distillab.tasks import TASKS

M = 400
LABELS = (np.arange(M) % 4).astype(np.int32)


def logits(right: int, seed: int) -> np.ndarray:
    """Logits that are right on the first `right` examples, with some noise."""
    predicted = np.where(np.arange(M) < right, LABELS, (LABELS + 1) % 4)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(M, 4))
    return (3 * np.eye(4)[predicted] + noise).astype(np.float32)


TEACHER = logits(390, 99)


def result(values: np.ndarray, seed: int) -> TrialResult:
    metrics = {("test", name): value for name, value in all_metrics(values, LABELS, TEACHER).items()}
    return TrialResult(f"{seed}", seed, 0.5, {}, {}, "t", [], metrics)


def compared(student: list[int], baseline: list[int], **options: Any) -> Comparison:
    """Students right on so many examples, seed by seed."""
    several = [[logits(right, seed) for seed, right in enumerate(of)] for of in (student, baseline)]
    results = [[result(values, seed) for seed, values in enumerate(of)] for of in several]
    predictions = PredictedTest(several[0][0], several[1][0], TEACHER, zip(several[0][1:], several[1][1:], strict=True))
    options = {"task": TASKS["categorical"], "metric": "accuracy", "margin": 0.001, **options}
    return compare(*results, predictions, LABELS, **options)


BETTER, WORSE = [360 + seed for seed in range(5)], [340 + 2 * seed for seed in range(5)]


def test_a_gain_that_every_seed_shows_is_supported():
    comparison = compared(BETTER, WORSE)
    assert comparison.verdict.kind == "supported"
    differences = (np.array(BETTER) - np.array(WORSE)) / M
    assert comparison.gain["accuracy"].mean == pytest.approx(differences.mean())
    assert comparison.gain["accuracy"].p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    gain = comparison.over_both["gain"]
    assert gain.mean == pytest.approx(differences.mean())
    of_seeds = comparison.gain["accuracy"]
    assert gain.low < of_seeds.low < of_seeds.high < gain.high  # other test examples are a chance of their own
    assert (gain.seeds, gain.cases) == (5, M)
    assert comparison.teacher["accuracy"] == 390 / M
    assert comparison.teacher["agreement"] == 1
    likelihoods = [nll(logits(right, seed), LABELS) for seed, right in enumerate(BETTER)]
    assert comparison.student["nll"].mean == pytest.approx(np.mean(likelihoods))


def test_the_mirror_image_is_contradicted_with_the_same_size():
    comparison = compared(WORSE, BETTER)
    assert comparison.verdict.kind == "contradicted"
    assert comparison.gain["accuracy"].mean == -compared(BETTER, WORSE).gain["accuracy"].mean


def test_a_student_as_good_as_its_baseline_on_400_examples_is_equivalent_within_points_and_not_within_tenths():
    same = [350 + seed for seed in range(5)]
    assert compared(same, same, margin=0.02).verdict.kind == "practically equivalent"
    narrow = compared(same, same).verdict
    assert narrow.kind == "undecided"
    assert narrow.needed.examples is not None
    assert narrow.needed.examples > 2000


def test_everything_right_on_few_examples_is_no_certainty():
    few = slice(0, 36)
    values = logits(M, 0)[few]
    metrics = {("test", name): value for name, value in all_metrics(values, LABELS[few], values).items()}
    results = [TrialResult(f"{seed}", seed, 0.5, {}, {}, "t", [], metrics) for seed in range(3)]
    predictions = PredictedTest(values, values, values, [(values, values)] * 2)
    comparison = compare(
        results, results, predictions, LABELS[few], task=TASKS["categorical"], metric="accuracy", margin=0.001
    )
    gain, student = comparison.over_both["gain"], comparison.over_both["student"]
    assert comparison.verdict.kind == "undecided"
    assert gain.low < -0.05 < 0.05 < gain.high
    assert student.low < 0.95
    assert student.high == 1


def test_other_metrics_are_judged_by_pseudovalues_and_shares_stay_shares():
    comparison = compared([360, 200], [350, 380], metric="f1_macro")
    assert comparison.over_both["gain"].mean == pytest.approx(comparison.gain["f1_macro"].mean, abs=0.002)
    assert comparison.over_both["gain"].cases == M
    for who in ("student", "baseline"):
        assert 0 <= comparison.over_both[who].low < comparison.over_both[who].high <= 1


def test_two_seeds_far_apart_have_intervals_within_0_and_100_percent():
    """The interval of two seeds ran from -64 to 181 %."""
    comparison = compared([380, 200], [100, 320])
    for who in (comparison.student, comparison.baseline):
        assert who["accuracy"].low == 0
        assert who["accuracy"].high == 1
    gain = comparison.gain["accuracy"]
    assert (gain.low, gain.high) == (-1, 1)
    assert -1 <= comparison.over_both["gain"].low < comparison.over_both["gain"].high <= 1


def test_less_is_better_of_a_loss():
    comparison = compared(BETTER, WORSE, metric="nll", margin=0.0001)
    assert comparison.verdict.kind == "supported"
    assert comparison.over_both["gain"].high < 0
    assert comparison.over_both["gain"].mean == pytest.approx(comparison.gain["nll"].mean, rel=1e-3)


def test_a_difference_that_varies_from_seed_to_seed_is_undecided_with_the_seeds_that_would_decide():
    comparison = compared([300, 380, 350], [345, 345, 345])
    assert comparison.verdict.kind == "undecided"
    assert comparison.verdict.needed.seeds is None or comparison.verdict.needed.seeds > 3


def test_all_seeds_are_compared_with_the_teacher():
    comparison = compared([360, 350], [350, 380])
    assert comparison.over_both["against_teacher"].mean == pytest.approx(-35 / M)


def test_a_teacher_much_better_on_validation_examples_has_memorised_them():
    right, half = np.ones(200, bool), np.arange(200) % 2 == 0
    assert memorised(right, half) == (1.0, 0.5)
    assert memorised(half, half) is None
    assert memorised(half, right) is None
