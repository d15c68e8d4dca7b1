"""Metrics in words: each number in its own unit."""

from __future__ import annotations

from tests.analysis.test_metrics import hump, loss
from tests.report.wording import words

from distillab.analysis import analyse, with_metric
from distillab.study.settings import Settings


def test_a_loss_is_written_in_its_own_unit(rows) -> None:
    spec = rows.spec(seeds=8)
    trials = [loss(trial) for trial in rows.trials(spec, hump)]
    text = " ".join(words(analyse(with_metric(spec, "nll", trials), trials, {})).split())
    assert "alpha = 0.5 beats labels alone (alpha = 1) by 0.1250 nats (95 % interval +0.12" in text
    assert "reaches a test negative log-likelihood of 0.1250 nats" in text
    assert "0.1250 nats below labels alone" in text
    assert "%" not in text.partition("test nats")[2].partition("valid. nats")[0].replace("95 %", "")


def test_a_gain_in_a_metric_of_which_less_is_better_is_reported_as_a_gain(rows) -> None:
    """Along an axis the gain is positive where the loss falls, in the sentence and in its interval."""
    spec = rows.spec(seeds=8, temperature=[1, 3])

    def better_when_warm(settings: Settings, seed: int) -> float:
        warm = 0.02 * settings.temperature * (settings.alpha == 0.5)
        return 0.8 + warm + 0.001 * ((seed * 7 + round(10 * settings.alpha * settings.temperature)) % 5)

    better_when_warm.of_settings = True  # type: ignore[attr-defined]
    trials = [loss(trial) for trial in rows.trials(spec, better_when_warm)]
    text = " ".join(words(analyse(with_metric(spec, "nll", trials), trials, {})).split())
    sentence = text.partition("The gain of the chosen alpha over labels alone changes with the temperature: ")[2]
    assert sentence.startswith("from +0.0")
    assert "-" not in sentence.partition(", p ")[0]
