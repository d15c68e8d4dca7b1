"""The same students asked by other metrics, and class by class."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from distillab.analysis.other_metrics import HEADINGS, by_every_metric, cells, in_a_sentence, per_class


def hump(alpha: float, seed: int) -> float:
    return 0.9 - 0.1 * abs(alpha - 0.5) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def with_nll(trial):
    """The likelihood likes the labels alone best."""
    metrics = {(part, "nll"): 1 - trial.alpha + 0.01 * trial.seed for part in ("test", "validation")}
    return dataclasses.replace(trial, metrics={**trial.metrics, **metrics})


def test_every_recorded_metric_is_asked_and_no_other(rows) -> None:
    spec = rows.spec(seeds=6)
    asked = by_every_metric(spec, [with_nll(trial) for trial in rows.trials(spec, hump)], {}, 0)
    assert [one.metric for one in asked] == ["accuracy", "nll"]
    assert [one.finding.best.alpha for one in asked] == [0.5, 1.0]
    assert [len(row) for row in cells(asked)] == [len(HEADINGS)] * 2


def test_metrics_that_disagree_are_named_with_what_they_choose_and_why_not_to_trust_them(rows) -> None:
    spec = rows.spec(seeds=6)
    told = in_a_sentence(by_every_metric(spec, [with_nll(trial) for trial in rows.trials(spec, hump)], {}, 0))
    assert told.startswith("The metrics choose alpha = 0.5 by accuracy; alpha = 1 by negative log-likelihood.")
    assert "favour students that expect wrong labels" in told
    clean = rows.spec(seeds=6, validation={"labels": "clean"})
    told = in_a_sentence(by_every_metric(clean, [with_nll(trial) for trial in rows.trials(clean, hump)], {}, 0))
    assert "favour" not in told


def test_metrics_that_agree_are_told_together(rows) -> None:
    spec = rows.spec(seeds=6)
    trials = [
        dataclasses.replace(
            one, metrics={**one.metrics, **{(part, "f1_macro"): v for (part, _), v in one.metrics.items()}}
        )
        for one in rows.trials(spec, hump)
    ]
    assert in_a_sentence(by_every_metric(spec, trials, {}, 0)) == "All 2 metrics choose the same alpha, 0.5."


def test_classes_are_averaged_over_the_seeds(rows) -> None:
    """Recall of class 0: 8/10 and 6/10 in two seeds; precision 8/9 and 6/6."""
    spec = rows.spec(seeds=2, alpha=[0.5, 1])
    trials = rows.trials(spec, hump)
    counts = {0: [[8, 2], [1, 9]], 1: [[6, 4], [0, 10]]}
    found = per_class(spec, trials, {trial.id: counts[trial.seed] for trial in trials}, 0, [0.5, 1.0])
    assert found.alphas == (0.5, 1.0)
    assert found.recall.shape == (2, 2)
    np.testing.assert_allclose(found.recall[0], [0.7, 0.95])
    assert found.precision[1, 0] == pytest.approx((8 / 9 + 1) / 2)
    assert found.f1[0, 0] == pytest.approx((16 / 19 + 12 / 16) / 2)


def test_students_that_were_not_counted_are_not_told_of(rows) -> None:
    spec = rows.spec(seeds=2)
    assert per_class(spec, rows.trials(spec, hump), {}, 0, [0.5]) is None


def test_classes_are_averaged_over_the_same_seeds_at_every_alpha(rows) -> None:
    spec = rows.spec(seeds=2, alpha=[0.5, 1])
    trials = rows.trials(spec, hump, without=[(1.0, 1)])
    counts = {0: [[8, 2], [1, 9]], 1: [[6, 4], [0, 10]]}
    found = per_class(spec, trials, {trial.id: counts[trial.seed] for trial in trials}, 0, [0.5, 1.0])
    np.testing.assert_allclose(found.recall, [[0.8, 0.9], [0.8, 0.9]])  # seed 1 lacks alpha = 1, so it is left aside
