"""The predicted alpha in words."""

from __future__ import annotations

import dataclasses

from tests.analysis.test_prediction import ALPHAS, kept, score
from tests.report.wording import words

from distillab.analysis import analyse
from distillab.report.view import study_view
from distillab.study.storage.records import ValidationResults


def test_it_is_in_the_text_and_in_a_table(rows) -> None:
    spec = rows.spec(seeds=6, alpha=ALPHAS)
    trials = rows.trials(spec, score)
    finding = analyse(spec, trials, {}, validation=ValidationResults(kept(trials)))
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
        finding = analyse(spec, trials, {}, validation=ValidationResults(kept(trials)))
        assert finding.predictions
        assert (warning in " ".join(words(finding).split())) == warned
