"""A trend in words: sentences say what the numbers support."""

from __future__ import annotations

import numpy as np
import pytest
from tests.analysis.test_trend import ALPHAS, by_loss, finding_of, moving, still
from tests.report.wording import words

from distillab.analysis import analyse
from distillab.report.view.trends import trend_view


def test_a_best_alpha_that_moves_is_reported_to_move_by_as_much(rows) -> None:
    (trend,) = finding_of(rows, moving, noise={"rate": [0.0, 0.4]}).trends
    (change,) = trend.changes
    assert change.alpha == -0.5
    assert change.alpha_high < 0
    assert (
        "The chosen alpha changes with the share of wrong labels: it is 0.75 at 0 % and 0.25 at 40 % (-0.5 from"
        in str(trend_view(trend, finding_of(rows, moving).metric).sentences)
    )


def test_what_does_not_move_is_not_reported_to_move(rows) -> None:
    (trend,) = finding_of(rows, still, temperature=[1, 3]).trends
    sentences = trend_view(trend, finding_of(rows, still).metric).sentences
    assert sentences[0] == "Some intermediate alpha beats labels alone at every temperature."
    assert sentences[1] == "The chosen alpha is 0.75 at every temperature."
    assert "is not shown to change from the first temperature to the last" in sentences[2]


def test_of_values_that_are_no_numbers_the_best_is_named_and_who_is_as_good(rows) -> None:
    finding = finding_of(rows, by_loss, loss=["kl", "dist", "logit_mse"])
    (trend,) = finding.trends
    assert not trend.ordered
    assert [point.value for point in trend.points] == ["kl", "dist", "logit_mse"]  # in the study's order
    assert [point.in_best_set for point in trend.points] == [False, True, False]
    assert trend_view(trend, finding.metric).sentences[-1] == (
        "Once alpha is tuned, dist is best with 93.00 %, and kl last with 92.00 %; every other is shown to be worse "
        "than the best at 95 %."
    )


def test_one_line_tells_the_ends_of_an_axis_and_what_is_shown_to_move(rows) -> None:
    finding = finding_of(rows, moving, noise={"rate": [0.0, 0.4]})
    (trend,) = finding.trends
    assert trend_view(trend, finding.metric).brief == (
        "Some intermediate alpha beats labels alone at every share of wrong labels. The chosen alpha is 0.75 at 0 % "
        "and 0.25 at 40 % (shown to change); its gain is +5.00 and +15.00 percentage points (shown to change)."
    )
    finding = finding_of(rows, still, temperature=[1, 3])
    (trend,) = finding.trends
    assert trend_view(trend, finding.metric).brief.endswith(
        "0.75 at 1 and 0.75 at 3 (not shown to change); its gain is +2.00 and +2.00 percentage points "
        "(not shown to change)."
    )


@pytest.mark.parametrize("values", [[1, None], [None, 2]])
def test_the_end_of_training_is_a_value_like_others(rows, values) -> None:
    finding = finding_of(rows, still, snapshot=values)
    assert [point.value for point in finding.trends[0].points][-1] in ("all", "2 epochs", "2.0 epochs")
    assert "snapshot all" in words(finding)


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_are_followed_as_far_as_they_go(rows, seeds: int) -> None:
    spec = rows.spec(seeds=seeds, alpha=ALPHAS, noise={"rate": [0.0, 0.4]})
    finding = analyse(spec, rows.trials(spec, moving), {})
    (trend,) = finding.trends
    assert [point.alpha for point in trend.points] == [0.75, 0.25]
    assert all(np.isnan(point.alpha_low) for point in trend.points)
    assert (trend.changes == ()) == (seeds == 1)
    assert "is 0.75 at 0 % and 0.25 at 40 %" in words(finding)


def test_a_study_without_a_student_is_followed_without_a_word(rows) -> None:
    spec = rows.spec(temperature=[1, 3])
    finding = analyse(spec, [], {})
    (trend,) = finding.trends
    assert trend_view(trend, finding.metric).sentences == ()
    assert trend_view(trend, finding.metric).brief == ""
    assert len(trend_view(trend, finding.metric).table.rows) == 2
    assert len(trend_view(trend, finding.metric).table.head) == len(trend_view(trend, finding.metric).table.rows[0])
