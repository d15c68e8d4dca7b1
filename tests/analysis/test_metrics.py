"""Metrics of which less is better, and how each metric's numbers are written."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from distillab.analysis import alpha_curves, analyse, with_metric
from distillab.metrics.metric import METRICS
from distillab.study.settings import MetricName
from distillab.study.storage.records import TrialResult

JITTER = (0.0, 0.001, -0.001, 0.0005, -0.0005, 0.0, 0.001, -0.001)


def hump(alpha: float, seed: int) -> float:
    """Best in the middle, worst with the labels alone."""
    return 0.9 - 0.2 * abs(alpha - 0.5) - 0.05 * alpha + JITTER[seed] * (1 + alpha)


def loss(trial: TrialResult) -> TrialResult:
    """The same student, its accuracy turned into a loss."""
    metrics = {(part, "nll"): 1 - value for (part, _), value in trial.metrics.items()}
    return dataclasses.replace(trial, metrics={**trial.metrics, **metrics})


def test_every_metric_a_study_may_ask_by_has_its_measure() -> None:
    assert set(METRICS) == set(get_args(get_args(MetricName)[0]))


def test_a_loss_is_judged_as_the_accuracy_it_mirrors(rows) -> None:
    spec = rows.spec(seeds=8)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    more = analyse(spec, trials, {}).settings[0]
    less = analyse(with_metric(spec, "nll", trials), trials, {}).settings[0]
    assert less.kind == more.kind == "supported"
    assert less.best.alpha == more.best.alpha == 0.5
    assert less.optimal_range == more.optimal_range == (0.5,)
    for ours, theirs in zip(less.alphas, more.alphas, strict=True):
        assert ours.mean == pytest.approx(1 - theirs.mean)
        assert (ours.low, ours.high) == pytest.approx((1 - theirs.high, 1 - theirs.low))
        if ours.over_labels and theirs.over_labels:
            assert ours.over_labels.difference == pytest.approx(-theirs.over_labels.difference)
            assert ours.over_labels.low == pytest.approx(-theirs.over_labels.high)
            assert ours.over_labels.p_holm == pytest.approx(theirs.over_labels.p_holm)


def test_curves_keep_the_metrics_own_numbers(rows) -> None:
    spec = rows.spec(seeds=2)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    (curve,) = alpha_curves(with_metric(spec, "nll", trials), trials, {})
    assert curve.test[1, 2] == pytest.approx(1 - hump(1.0, 1))
