"""The predicted alpha in words."""

from __future__ import annotations

import dataclasses

import numpy as np
from tests.report.wording import words

from distillab.analysis import analyse
from distillab.report.view import study_view
from distillab.study.storage.records import KEPT_ALPHAS, ValidationPredictions

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


def test_it_is_in_the_text_and_in_a_table(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score)
    finding = analyse(spec, trials, {}, predictions=kept(trials))
    (prediction,) = finding.predictions
    view = study_view(finding)
    assert "Alpha predicted from both ends" in words(finding)
    assert f"predict alpha = {prediction.alpha:.2f}, the sweep chose 0.25" in view.predictions[0]
    assert len(view.predicted_table.rows[0]) == len(view.predicted_table.head)
    same = dataclasses.replace(finding, predictions=(dataclasses.replace(prediction, nearest=0.25),))
    assert study_view(same).predictions[0].endswith("the prediction costs nothing.")


def test_wrong_validation_labels_are_named_as_what_misleads_a_prediction(rows) -> None:
    warning = "The predicted alpha has the least squared error to the validation labels"
    for labels, warned in (("noisy", True), ("clean", False)):
        spec = rows.spec(seeds=2, validation={"labels": labels})
        trials = rows.trials(spec, score)
        finding = analyse(spec, trials, {}, predictions=kept(trials))
        assert finding.predictions
        assert (warning in " ".join(words(finding).split())) == warned
