"""A study's finding in words: sentences, advice and caveats say what the numbers support."""

from __future__ import annotations

import numpy as np
import pytest
from tests.report.wording import words

from distillab.analysis import analyse
from distillab.report.text import short_text
from distillab.report.view import study_view

GAIN = {0.0: 0.01, 0.5: 0.03, 1.0: 0.0}


def noise(alpha: float, seed: int) -> float:
    return float(np.random.default_rng([round(alpha * 100), seed]).normal(0, 0.002))


def hump(alpha: float, seed: int) -> float:
    return 0.9 + GAIN[alpha] + 0.005 * (seed % 3) + noise(alpha, seed)


def level(alpha: float, seed: int) -> float:
    return 0.9 + (0.006 if alpha == 0.5 else 0.0) + 5 * noise(alpha, seed)


def test_an_alpha_with_a_diverged_student_is_neither_chosen_nor_evidence(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, hump, diverged=[(0.5, 7)]), {})
    (setting,) = full.settings
    assert setting.kind == "undecided"
    assert setting.best is not None
    assert setting.best.alpha == 0.0
    assert setting.alphas[1].over_labels is None
    assert (setting.alphas[1].n, setting.alphas[1].diverged) == (7, 1)
    text = words(full)
    assert "a student diverged" in text
    assert "1 at alpha = 0.5" in text


def test_diverged_labels_alone_leave_nothing_to_compare_with(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, hump, diverged=[(1.0, 0)]), {})
    assert full.settings[0].kind == "undecided"
    assert "diverged, so there is no sound reference" in study_view(full).settings[0].sentences[0]


def test_fewer_than_six_seeds_exclude_no_alpha_and_the_text_says_so(rows):
    spec = rows.spec(seeds=5)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert full.settings[0].optimal_range is None
    assert "The optimal range needs 6 complete seeds (got 5)." in words(full).replace("\n", " ")


def test_an_undecided_study_names_the_seeds_that_would_decide(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, level), {})
    (setting,) = full.settings
    assert setting.kind == "undecided"
    assert setting.verdict is not None
    assert f"--set seeds={setting.verdict.seeds_needed}:" in words(full)


def test_a_half_finished_study_pairs_whole_seeds_and_says_how_much_is_missing(rows):
    spec = rows.spec(seeds=8)
    trials = rows.trials(spec, hump, without=[(0.5, 7), (1.0, 6)])
    full = analyse(spec, trials, {})
    (setting,) = full.settings
    assert (setting.complete, setting.missing) == (6, 2)
    assert all(row.n == 6 for row in setting.alphas)
    text = words(full).replace("\n", " ")
    assert "22 of 24 students are recorded, 2 missing" in text
    assert "6 complete of 8 seeds" in text
    assert "--set seeds=" not in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"alpha": 0.5}, "no alpha = 1"),
        ({"alpha": [0, 0.5]}, "no alpha = 1"),
        ({"alpha": [0, 1]}, "no alpha strictly between 0 and 1"),
        ({"seeds": 1}, "one seed shows no spread"),
    ],
)
def test_what_a_study_lacks_is_stated_plainly(rows, changes, expected):
    spec = rows.spec(**changes)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert expected in study_view(full).settings[0].sentences[0]
    assert words(full)


def test_without_the_teacher_alone_everything_else_is_reported(rows):
    spec = rows.spec(alpha=[0.5, 1], seeds=8)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert full.settings[0].kind == "supported"
    assert "teacher alone" not in short_text(study_view(full))


def test_nothing_finished_and_all_diverged_have_findings_too(rows):
    spec = rows.spec()
    every = [(alpha, seed) for alpha in (0, 0.5, 1) for seed in range(3)]
    assert "none of 9 students is trained yet" in words(analyse(spec, [], {}))
    assert "all 9 students diverged" in words(analyse(spec, rows.trials(spec, hump, diverged=every), {}))


def test_a_seed_diverged_everywhere_and_the_rest_missing_still_has_a_finding(rows):
    spec = rows.spec()
    trials = rows.trials(spec, hump, diverged=[(0, 0), (0.5, 0), (1, 0)])[:3]
    assert "No verdict" in words(analyse(spec, trials, {}))


def test_the_terminal_gets_three_sentences_first_in_percent(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, hump), rows.teachers(0.98765))
    sentences = study_view(full).settings[0].sentences
    assert len(sentences) == 3
    assert sentences[0].startswith("Supported: alpha = 0.5 beats labels alone (alpha = 1) by ")
    assert "95 % interval" in sentences[1]
    assert sentences[2] == "The optimal range is alpha = 0.5 alone: every other alpha is worse than the best at 95 %."
    assert " ".join(short_text(study_view(full)).split()) == " ".join(sentences)
    assert "98.77 %" in words(full)
    assert max(map(len, words(full).splitlines())) <= 125


def test_draws_and_what_the_intervals_cover_follow_the_teacher(rows):
    spec = rows.spec(teacher=[{"labels": "noisy"}, {"labels": "clean"}])
    text = words(analyse(spec, rows.trials(spec, hump), {})).replace("\n", " ")
    assert "all seeds share one draw and one teacher" in text
    assert "drawn anew for each seed" in text
    assert "Each of the 2 settings is judged on its own." in text


def test_rows_of_further_seeds_are_counted_as_unused(rows):
    full = analyse(rows.spec(seeds=2), rows.trials(rows.spec(seeds=3), hump), {})
    assert full.unused == 3
    assert "3 recorded students of further seeds ignored" in words(full)


@pytest.mark.parametrize("seeds", [2, 3])
def test_two_or_three_seeds_give_the_range_seen_and_no_interval(rows, seeds):
    spec = rows.spec(seeds=seeds)
    text = " ".join(words(analyse(spec, rows.trials(spec, hump), {})).split())
    assert "95 % interval" not in text
    assert f"seen; {seeds} seeds cannot tell more" in text


def test_four_seeds_give_an_interval(rows):
    spec = rows.spec(seeds=4)
    text = " ".join(words(analyse(spec, rows.trials(spec, hump), {})).split())
    assert "95 % interval" in text
    assert "cannot tell more" not in text


def test_alphas_beyond_0_and_1_are_chosen_and_ranked_and_the_verdict_stays_about_those_between(rows):
    spec = rows.spec(alpha=[-0.5, 0, 0.5, 1, 1.5], extend=True, loss="logit_mse", label_loss="squared", seeds=8)
    finding = analyse(spec, rows.trials(spec, lambda alpha, seed: 0.9 - 0.02 * alpha + 1e-4 * (seed % 3)), {})
    (setting,) = finding.settings
    assert setting.best.alpha == -0.5
    assert setting.optimal_range == (-0.5,)
    assert [evidence.alpha for evidence in setting.verdict.evidence] == [0.5]
    assert "alpha = -0.5" in words(finding)


def test_of_equal_alphas_the_one_nearest_to_labels_alone_is_chosen(rows):
    spec = rows.spec(alpha=[0, 0.75, 1.5], extend=True, loss="logit_mse", label_loss="squared")
    assert analyse(spec, rows.trials(spec, lambda alpha, seed: 0.9), {}).settings[0].best.alpha == 0.75
