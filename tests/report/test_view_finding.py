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
    (found,) = full.settings
    assert found.kind == "undecided"
    assert found.best is not None
    assert found.best.alpha == 0.0
    assert found.alphas[1].over_labels is None
    assert (found.alphas[1].n, found.alphas[1].diverged) == (7, 1)
    told = words(full)
    assert "a student diverged" in told
    assert "1 at alpha = 0.5" in told


def test_diverged_labels_alone_leave_nothing_to_compare_with(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, hump, diverged=[(1.0, 0)]), {})
    assert full.settings[0].kind == "undecided"
    assert "diverged, so there is no sound reference" in study_view(full).settings[0].sentences[0]


def test_fewer_than_six_seeds_exclude_no_alpha_and_it_is_said(rows):
    spec = rows.spec(seeds=5)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert full.settings[0].optimal_range is None
    assert "The optimal range needs 6 complete seeds (got 5)." in words(full).replace("\n", " ")


def test_an_undecided_study_names_the_seeds_that_would_decide(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, level), {})
    (found,) = full.settings
    assert found.kind == "undecided"
    assert found.verdict is not None
    assert f"--set seeds={found.verdict.seeds_needed}:" in words(full)


def test_a_half_finished_study_pairs_whole_seeds_and_says_how_much_is_missing(rows):
    spec = rows.spec(seeds=8)
    trials = rows.trials(spec, hump, without=[(0.5, 7), (1.0, 6)])
    full = analyse(spec, trials, {})
    (found,) = full.settings
    assert (found.complete, found.missing) == (6, 2)
    assert all(row.n == 6 for row in found.alphas)
    told = words(full).replace("\n", " ")
    assert "22 of 24 students are recorded, 2 missing" in told
    assert "6 complete of 8 seeds" in told
    assert "--set seeds=" not in told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": 0.5}, "no alpha = 1"),
        ({"alpha": [0, 0.5]}, "no alpha = 1"),
        ({"alpha": [0, 1]}, "no alpha strictly between 0 and 1"),
        ({"seeds": 1}, "one seed shows no spread"),
    ],
)
def test_what_a_study_lacks_is_said_plainly(rows, changes, said):
    spec = rows.spec(**changes)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert said in study_view(full).settings[0].sentences[0]
    assert words(full)


def test_without_the_teacher_alone_everything_else_is_told(rows):
    spec = rows.spec(alpha=[0.5, 1], seeds=8)
    full = analyse(spec, rows.trials(spec, hump), {})
    assert full.settings[0].kind == "supported"
    assert "teacher alone" not in short_text(study_view(full))


def test_nothing_finished_and_all_diverged_are_answers_too(rows):
    spec = rows.spec()
    every = [(alpha, seed) for alpha in (0, 0.5, 1) for seed in range(3)]
    assert "none of 9 students is trained yet" in words(analyse(spec, [], {}))
    assert "all 9 students diverged" in words(analyse(spec, rows.trials(spec, hump, diverged=every), {}))


def test_a_seed_diverged_everywhere_and_the_rest_missing_still_answers(rows):
    spec = rows.spec()
    trials = rows.trials(spec, hump, diverged=[(0, 0), (0.5, 0), (1, 0)])[:3]
    assert "No verdict" in words(analyse(spec, trials, {}))


def test_the_terminal_gets_three_sentences_first_in_percent(rows):
    spec = rows.spec(seeds=8)
    full = analyse(spec, rows.trials(spec, hump), rows.teachers(0.98765))
    told = study_view(full).settings[0].sentences
    assert len(told) == 3
    assert told[0].startswith("Supported: alpha = 0.5 beats labels alone (alpha = 1) by ")
    assert "95 % interval" in told[1]
    assert told[2] == "The optimal range is alpha = 0.5 alone: every other alpha is worse than the best at 95 %."
    assert " ".join(short_text(study_view(full)).split()) == " ".join(told)
    assert "98.77 %" in words(full)
    assert max(map(len, words(full).splitlines())) <= 125


def test_draws_and_what_the_intervals_cover_follow_the_teacher(rows):
    spec = rows.spec(teacher=[{"labels": "noisy"}, {"labels": "clean"}])
    told = words(analyse(spec, rows.trials(spec, hump), {})).replace("\n", " ")
    assert "all seeds share one draw and one teacher" in told
    assert "drawn anew for each seed" in told
    assert "Each of the 2 settings is judged on its own." in told


def test_rows_of_further_seeds_are_counted_as_unused(rows):
    full = analyse(rows.spec(seeds=2), rows.trials(rows.spec(seeds=3), hump), {})
    assert full.unused == 3
    assert "3 recorded students of further seeds ignored" in words(full)
