"""Metrics of which less is better, and how each metric's numbers are written."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from distillab.analysis import alpha_curves, answer, asked_by, in_words
from distillab.metrics.metric import METRICS
from distillab.study.settings import MetricName, Settings
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
    assert set(METRICS) == set(get_args(MetricName))


def test_a_loss_is_judged_as_the_accuracy_it_mirrors(rows) -> None:
    spec = rows.spec(seeds=8)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    more = answer(spec, trials, {}).findings[0]
    less = answer(asked_by(spec, "nll", trials), trials, {}).findings[0]
    assert less.kind == more.kind == "supported"
    assert less.best.alpha == more.best.alpha == 0.5
    assert less.optimal_range == more.optimal_range == (0.5,)
    for ours, theirs in zip(less.rows, more.rows, strict=True):
        assert ours.mean == pytest.approx(1 - theirs.mean)
        assert (ours.low, ours.high) == pytest.approx((1 - theirs.high, 1 - theirs.low))
        if ours.over_labels and theirs.over_labels:
            assert ours.over_labels.difference == pytest.approx(-theirs.over_labels.difference)
            assert ours.over_labels.low == pytest.approx(-theirs.over_labels.high)
            assert ours.over_labels.p_holm == pytest.approx(theirs.over_labels.p_holm)


def test_a_loss_is_written_in_its_own_unit(rows) -> None:
    spec = rows.spec(seeds=8)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    told = " ".join(in_words(answer(asked_by(spec, "nll", trials), trials, {})).split())
    assert "alpha = 0.5 beats hard labels alone (alpha = 1) by 0.1250 nats (95 % interval +0.12" in told
    assert "reaches a test negative log-likelihood of 0.1250 nats" in told
    assert "0.1250 nats below labels alone" in told
    assert "%" not in told.partition("test nats")[2].partition("valid. nats")[0].replace("95 %", "")


def test_curves_keep_the_metrics_own_numbers(rows) -> None:
    spec = rows.spec(seeds=2)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    (curve,) = alpha_curves(asked_by(spec, "nll", trials), trials, {})
    assert curve.test[1, 2] == pytest.approx(1 - hump(1.0, 1))


def test_a_gain_in_a_metric_of_which_less_is_better_is_told_as_a_gain(rows) -> None:
    """Along an axis the gain is positive where the loss falls, in the sentence and in its interval."""
    spec = rows.spec(seeds=8, temperature=[1, 3])

    def better_when_warm(settings: Settings, seed: int) -> float:
        warm = 0.02 * settings.temperature * (settings.alpha == 0.5)
        return 0.8 + warm + 0.001 * ((seed * 7 + round(10 * settings.alpha * settings.temperature)) % 5)

    better_when_warm.of_settings = True  # type: ignore[attr-defined]
    trials = [loss(trial) for trial in rows.trials(spec, better_when_warm)]
    told = " ".join(in_words(answer(asked_by(spec, "nll", trials), trials, {})).split())
    sentence = told.partition("What the chosen alpha gains on labels alone changes with the temperature: ")[2]
    assert sentence.startswith("from +0.0")
    assert "-" not in sentence.partition(", p ")[0]
