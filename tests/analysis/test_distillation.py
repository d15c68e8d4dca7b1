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
    predictions = PredictedTest(several[0][0], several[1][0], TEACHER)
    options = {"task": TASKS["categorical"], "metric": "accuracy", "margin": 0.001, **options}
    return compare(*results, predictions, LABELS, **options)


BETTER, WORSE = [360 + seed for seed in range(5)], [340 + 2 * seed for seed in range(5)]


def test_a_gain_that_every_seed_shows_is_supported():
    comparison = compared(BETTER, WORSE)
    assert comparison.verdict.kind == "supported"
    differences = (np.array(BETTER) - np.array(WORSE)) / M
    assert comparison.gain["accuracy"].mean == pytest.approx(differences.mean())
    assert comparison.gain["accuracy"].p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert comparison.examples.only_first == 20
    assert comparison.teacher["accuracy"] == 390 / M
    assert comparison.teacher["agreement"] == 1
    likelihoods = [nll(logits(right, seed), LABELS) for seed, right in enumerate(BETTER)]
    assert comparison.student["nll"].mean == pytest.approx(np.mean(likelihoods))


def test_the_mirror_image_is_contradicted_with_the_same_size():
    comparison = compared(WORSE, BETTER)
    assert comparison.verdict.kind == "contradicted"
    assert comparison.gain["accuracy"].mean == -compared(BETTER, WORSE).gain["accuracy"].mean


def test_a_student_as_good_as_its_baseline_is_practically_equivalent():
    same = [350 + seed for seed in range(5)]
    assert compared(same, same).verdict.kind == "practically equivalent"


def test_a_difference_that_varies_from_seed_to_seed_is_undecided_with_the_seeds_that_would_decide():
    comparison = compared([300, 380, 350], [345, 345, 345])
    assert comparison.verdict.kind == "undecided"
    assert comparison.verdict.seeds_needed is None or comparison.verdict.seeds_needed > 3


def test_a_wider_margin_makes_a_small_gain_equivalent():
    assert compared([352, 353, 354, 353], [351, 351, 353, 353], margin=0.01).verdict.kind == "practically equivalent"


def test_the_shipped_pair_is_that_of_the_first_seed():
    comparison = compared([360, 200], [350, 380])
    assert comparison.examples.difference == 10 / M
    assert comparison.against_teacher.difference == -30 / M


def test_a_teacher_much_better_on_validation_examples_has_memorised_them():
    right, half = np.ones(200, bool), np.arange(200) % 2 == 0
    assert memorised(right, half) == (1.0, 0.5)
    assert memorised(half, half) is None
    assert memorised(half, right) is None
