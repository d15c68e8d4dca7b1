"""Other metrics and classes in words and tables."""

from __future__ import annotations

import dataclasses

from distillab.analysis.other_metrics import compare_metrics
from distillab.report.view.tables import metrics_sentence, metrics_table


def hump(alpha: float, seed: int) -> float:
    return 0.9 - 0.1 * abs(alpha - 0.5) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def with_nll(trial):
    """The likelihood likes the labels alone best."""
    metrics = {(part, "nll"): 1 - trial.alpha + 0.01 * trial.seed for part in ("test", "validation")}
    return dataclasses.replace(trial, metrics={**trial.metrics, **metrics})


def test_every_recorded_metric_is_asked_and_no_other(rows) -> None:
    spec = rows.spec(seeds=6)
    asked = compare_metrics(spec, [with_nll(trial) for trial in rows.trials(spec, hump)], {}, 0)
    assert [entry.metric.name for entry in asked] == ["accuracy", "nll"]
    assert [entry.result.best.alpha for entry in asked] == [0.5, 1.0]
    assert [len(row) for row in metrics_table(asked).rows] == [len(metrics_table(asked).head)] * 2


def test_metrics_that_disagree_are_named_with_what_they_choose_and_why_not_to_trust_them(rows) -> None:
    spec = rows.spec(seeds=6)
    sentence = metrics_sentence(compare_metrics(spec, [with_nll(trial) for trial in rows.trials(spec, hump)], {}, 0))
    assert sentence.startswith("The metrics choose alpha = 0.5 by accuracy; alpha = 1 by negative log-likelihood.")
    assert "favour students that expect wrong labels" in sentence
    clean = rows.spec(seeds=6, validation={"labels": "clean"})
    sentence = metrics_sentence(compare_metrics(clean, [with_nll(trial) for trial in rows.trials(clean, hump)], {}, 0))
    assert "favour" not in sentence


def test_metrics_that_agree_are_named_together(rows) -> None:
    spec = rows.spec(seeds=6)
    trials = [
        dataclasses.replace(
            trial, metrics={**trial.metrics, **{(part, "f1_macro"): v for (part, _), v in trial.metrics.items()}}
        )
        for trial in rows.trials(spec, hump)
    ]
    assert metrics_sentence(compare_metrics(spec, trials, {}, 0)) == "All 2 metrics choose the same alpha, 0.5."
