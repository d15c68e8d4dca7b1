"""The verdict: it says what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from distillab.distillation.verdict import judge
from distillab.metrics import nll

M = 400
LABELS = np.arange(M) % 4


def answers(right: int, seed: int) -> np.ndarray:
    """Logits that are right on the first `right` examples, with some noise."""
    said = np.where(np.arange(M) < right, LABELS, (LABELS + 1) % 4)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(M, 4))
    return (3 * np.eye(4)[said] + noise).astype(np.float32)


TEACHER = answers(390, 99)


def test_a_gain_that_every_seed_shows_helped():
    verdict = judge(
        [answers(360 + s, s) for s in range(5)], [answers(340 + 2 * s, s) for s in range(5)], TEACHER, LABELS
    )
    assert verdict.kind == "supported"
    differences = np.array([(360 + s) - (340 + 2 * s) for s in range(5)]) / M
    assert verdict.gain["accuracy"].mean == pytest.approx(differences.mean())
    assert verdict.gain["accuracy"].p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert verdict.examples.only_first == 20
    assert verdict.teacher["accuracy"] == 390 / M
    assert verdict.teacher["agreement"] == 1
    assert verdict.student["nll"].mean == pytest.approx(np.mean([nll(answers(360 + s, s), LABELS) for s in range(5)]))


def test_the_mirror_image_did_harm():
    better, worse = [answers(360 + s, s) for s in range(5)], [answers(340 + 2 * s, s) for s in range(5)]
    verdict = judge(worse, better, TEACHER, LABELS)
    assert verdict.kind == "contradicted"
    assert verdict.gain["accuracy"].mean == -judge(better, worse, TEACHER, LABELS).gain["accuracy"].mean


def test_a_student_as_good_as_its_baseline_gained_nothing():
    same = [answers(350 + s, s) for s in range(5)]
    verdict = judge(same, same, TEACHER, LABELS)
    assert verdict.kind == "practically equivalent"


def test_what_differs_from_seed_to_seed_is_not_shown():
    verdict = judge(
        [answers(n, s) for s, n in enumerate((300, 380, 350))], [answers(345, s) for s in range(3)], TEACHER, LABELS
    )
    assert verdict.kind == "undecided"


def test_the_shipped_pair_is_that_of_the_first_seed():
    verdict = judge([answers(360, 0), answers(200, 1)], [answers(350, 0), answers(380, 1)], TEACHER, LABELS)
    assert verdict.examples.difference == 10 / M
    assert verdict.against_teacher.difference == -30 / M
