"""Label noise and settings in words, by task."""

from __future__ import annotations

from typing import Any

import pytest

from distillab.analysis import analyse
from distillab.report.charts.learning_curves import curve_titles
from distillab.report.view import study_view
from distillab.report.view.study import NOISY_NUMBERS, WRONG_LABELS, wrong_labels
from distillab.study.spec import read_spec


def finding_of(dataset: str, **noise: Any) -> Any:
    return analyse(read_spec({"dataset": dataset, "alpha": [0, 0.5, 1], "seeds": 2, "noise": noise}), [], {})


@pytest.mark.parametrize(
    ("dataset", "noise", "words"),
    [
        ("digits", {"rate": 0.1}, "10 % of the training labels are perturbed (shift); temperature 3."),
        ("breast_cancer", {"rate": 0.2}, "20 % of the training labels flipped; temperature 3."),
        ("breast_cancer", {"kind": "one_sided", "rate": 0.2}, "20 % of the positive training labels given as negative"),
        ("digits-multilabel", {"rate": 0.2}, "20 % of the entries of the training labels flipped"),
        ("diabetes", {"rate": 0.5}, "Gaussian noise of 0.5 standard deviations on the training labels. The labels"),
        ("diabetes", {"kind": "heavy_tailed", "rate": 0.5}, "Heavy-tailed noise of 0.5 standard deviations"),
    ],
)
def test_the_noise_of_a_task_is_told_in_its_own_words(dataset: str, noise: dict[str, Any], words: str) -> None:
    (setting,) = study_view(finding_of(dataset, **noise)).settings
    assert words in setting.circumstances


def test_real_numbers_have_no_temperature_and_a_noise_that_is_followed() -> None:
    finding = finding_of("diabetes", rate=0.5)
    assert "temperature" not in study_view(finding).settings[0].circumstances
    assert wrong_labels(finding) == NOISY_NUMBERS
    assert wrong_labels(finding_of("digits", rate=0.1)) == WRONG_LABELS
    assert curve_titles("regression")["validation_accuracy"] == "validation variance explained (%)"
    assert curve_titles("binary")["validation_accuracy"] == "validation accuracy (%)"
