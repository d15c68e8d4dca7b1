"""Wrong labels in words."""

from __future__ import annotations

from tests.analysis.test_denoising import ALPHAS, finding_of, level, recovered
from tests.report.wording import words

from distillab.analysis import analyse


def test_the_alphas_that_recover_more_than_labels_alone_are_found(rows) -> None:
    (shares,) = finding_of(rows).denoising
    assert shares.denoises == (0.0, 0.25, 0.5)
    text = " ".join(words(finding_of(rows)).split())
    assert "all settings: students correct 90.1 % at alpha = 0" in text
    assert "more than labels alone at alpha = 0 to 0.5 (ideal threshold 0.75)." in text


def test_without_wrong_labels_nothing_is_reported(rows) -> None:
    spec = rows.spec(noise={"rate": 0})
    assert analyse(spec, rows.trials(spec, level), {}).denoising == ()
    assert "wrong labels" not in words(analyse(spec, rows.trials(spec, level), {}))


def test_a_setting_without_students_at_either_end_is_reported_whole(rows) -> None:
    spec = rows.spec(alpha=ALPHAS)
    some = [trial for trial in rows.trials(spec, level, shares=recovered) if trial.alpha == 0.5]
    text = " ".join(words(analyse(spec, some, {})).split())
    assert "all settings: there is no student at either end of the grid yet." in text


def test_noise_by_a_matrix_is_reported_as_noise(rows) -> None:
    spec = rows.spec(noise={"kind": "matrix", "matrix": [[0.7, 0.3], [0.0, 1.0]]})
    text = " ".join(words(analyse(spec, rows.trials(spec, level), {})).split())
    assert "The training labels are perturbed (matrix); temperature 3." in text
    assert "No labels are perturbed" not in text


def test_a_teacher_of_its_own_draw_leaves_each_seed_its_own(rows) -> None:
    spec = rows.spec(teacher={"labels": "own"})
    text = " ".join(words(analyse(spec, rows.trials(spec, level), {})).split())
    assert "The labels are drawn anew for each seed" in text
