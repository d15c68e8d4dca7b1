"""The answer's numbers are those of the statistics, and it says what it lacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import answer, in_words, needed_metrics, three_sentences
from distillab.analysis.sentences import sentences

GAIN = {0.0: 0.01, 0.5: 0.03, 1.0: 0.0}


def noise(alpha: float, seed: int) -> float:
    return float(np.random.default_rng([round(alpha * 100), seed]).normal(0, 0.002))


def hump(alpha: float, seed: int) -> float:
    return 0.9 + GAIN[alpha] + 0.005 * (seed % 3) + noise(alpha, seed)


def level(alpha: float, seed: int) -> float:
    return 0.9 + (0.006 if alpha == 0.5 else 0.0) + 5 * noise(alpha, seed)


def test_a_hump_is_supported_chosen_and_alone_in_the_range(rows):
    spec = rows.spec(seeds=8)
    (found,) = answer(spec, rows.trials(spec, hump), rows.teachers()).findings
    assert found.kind == "supported"
    assert found.best is not None
    assert found.best.alpha == 0.5
    assert found.optimal_range == (0.5,)
    assert [row.in_range for row in found.rows] == [False, True, False]


def test_gains_are_paired_differences_worked_by_hand(rows):
    # alpha 0.5 minus alpha 1, seed by seed: 0.01, 0.02, 0.03. Mean 0.02, sd 0.01, t = 0.02 / (0.01 / sqrt 3) = 3.464,
    # p = 0.0742 with 2 degrees of freedom; half width 4.303 * 0.00577 = 0.02484. Alpha 0 minus alpha 1 is 0 throughout:
    # p = 1, so Holm doubles the smaller p. Sign flips: 2 of 8 patterns reach the mean, p = 0.25.
    def score(alpha: float, seed: int) -> float:
        return 0.8 + (0.01 * (seed + 1) if alpha == 0.5 else 0.0) + 0.05 * seed

    spec = rows.spec()
    (found,) = answer(spec, rows.trials(spec, score), {}).findings
    gain = found.rows[1].over_labels
    assert gain is not None
    assert (gain.difference, gain.low, gain.high) == pytest.approx((0.02, -0.00484, 0.04484), abs=1e-5)
    assert (gain.n, gain.p, gain.p_holm, gain.p_sign_flip) == pytest.approx((3, 0.0742, 0.1484, 0.25), abs=1e-4)
    assert found.rows[2].over_labels is None
    assert found.rows[2].over_teacher is not None


def test_alpha_is_chosen_on_validation_whatever_the_test_says(rows):
    spec = rows.spec(seeds=8)
    trials = rows.trials(spec, hump, validation=lambda alpha, seed: 0.7 + 0.1 * (1 - alpha))
    (found,) = answer(spec, trials, {}).findings
    assert found.best is not None
    assert found.best.alpha == 0.0
    assert found.best.validation == pytest.approx(0.8)
    assert found.best.over_teacher is None


def test_of_equal_validation_means_the_larger_alpha_is_chosen(rows):
    spec = rows.spec(seeds=3)
    # The same three counts in another order: their sums may differ in the last bit.
    trials = rows.trials(spec, hump, validation=lambda alpha, seed: [0.1, 0.7, 0.3][int(seed + 2 * alpha) % 3])
    (found,) = answer(spec, trials, {}).findings
    assert found.best is not None
    assert found.best.alpha == 1.0


def test_an_alpha_with_a_diverged_student_is_neither_chosen_nor_evidence(rows):
    spec = rows.spec(seeds=8)
    full = answer(spec, rows.trials(spec, hump, diverged=[(0.5, 7)]), {})
    (found,) = full.findings
    assert found.kind == "undecided"
    assert found.best is not None
    assert found.best.alpha == 0.0
    assert found.rows[1].over_labels is None
    assert (found.rows[1].n, found.rows[1].diverged) == (7, 1)
    told = in_words(full)
    assert "a student diverged" in told
    assert "1 at alpha = 0.5" in told


def test_diverged_labels_alone_leave_nothing_to_compare_with(rows):
    spec = rows.spec(seeds=8)
    full = answer(spec, rows.trials(spec, hump, diverged=[(1.0, 0)]), {})
    assert full.findings[0].kind == "undecided"
    assert "diverged, so there is nothing sound to compare with" in sentences(full, full.findings[0])[0]


def test_fewer_than_six_seeds_exclude_no_alpha_and_it_is_said(rows):
    spec = rows.spec(seeds=5)
    full = answer(spec, rows.trials(spec, hump), {})
    assert full.findings[0].optimal_range is None
    assert "ruling any out takes six" in in_words(full).replace("\n", " ")


def test_an_undecided_study_names_the_seeds_that_would_decide(rows):
    spec = rows.spec(seeds=8)
    full = answer(spec, rows.trials(spec, level), {})
    (found,) = full.findings
    assert found.kind == "undecided"
    assert found.verdict is not None
    assert f"--set seeds={found.verdict.seeds_needed}:" in in_words(full)


def test_a_half_finished_study_pairs_whole_seeds_and_says_how_much_is_missing(rows):
    spec = rows.spec(seeds=8)
    trials = rows.trials(spec, hump, without=[(0.5, 7), (1.0, 6)])
    full = answer(spec, trials, {})
    (found,) = full.findings
    assert (found.complete, found.missing) == (6, 2)
    assert all(row.n == 6 for row in found.rows)
    told = in_words(full).replace("\n", " ")
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
    full = answer(spec, rows.trials(spec, hump), {})
    assert said in sentences(full, full.findings[0])[0]
    assert in_words(full)


def test_without_the_teacher_alone_everything_else_is_told(rows):
    spec = rows.spec(alpha=[0.5, 1], seeds=8)
    full = answer(spec, rows.trials(spec, hump), {})
    assert full.findings[0].kind == "supported"
    assert "teacher alone" not in three_sentences(full)


def test_nothing_finished_and_all_diverged_are_answers_too(rows):
    spec = rows.spec()
    every = [(alpha, seed) for alpha in (0, 0.5, 1) for seed in range(3)]
    assert "none of 9 students is trained yet" in in_words(answer(spec, [], {}))
    assert "all 9 students diverged" in in_words(answer(spec, rows.trials(spec, hump, diverged=every), {}))


def test_a_seed_diverged_everywhere_and_the_rest_missing_still_answers(rows):
    spec = rows.spec()
    trials = rows.trials(spec, hump, diverged=[(0, 0), (0.5, 0), (1, 0)])[:3]
    assert "No verdict" in in_words(answer(spec, trials, {}))


def test_the_terminal_gets_three_sentences_first_in_percent(rows):
    spec = rows.spec(seeds=8)
    full = answer(spec, rows.trials(spec, hump), rows.teachers(0.98765))
    told = sentences(full, full.findings[0])
    assert len(told) == 3
    assert told[0].startswith("Supported: alpha = 0.5 beats hard labels alone (alpha = 1) by ")
    assert "95 % interval" in told[1]
    assert told[2] == "The optimal range is alpha = 0.5 alone: every other alpha is worse than the best at 95 %."
    assert " ".join(three_sentences(full).split()) == " ".join(told)
    assert "98.77 %" in in_words(full)
    assert max(map(len, in_words(full).splitlines())) <= 125


def test_draws_and_what_the_intervals_cover_follow_the_teacher(rows):
    spec = rows.spec(teacher=[{"labels": "noisy"}, {"labels": "clean"}])
    told = in_words(answer(spec, rows.trials(spec, hump), {})).replace("\n", " ")
    assert "one draw and one teacher serve all seeds" in told
    assert "drawn anew for each seed" in told
    assert "Each of the 2 settings is judged on its own." in told


def test_the_answer_is_plain_json_without_nan_and_always_the_same(rows):
    spec = rows.spec(seeds=12)
    trials = rows.trials(spec, hump, without=[(0.5, 3)], diverged=[(0.0, 2)])
    texts = [json.dumps(answer(spec, order, {}).to_json(), allow_nan=False) for order in (trials, trials[::-1])]
    assert texts[0] == texts[1]
    tree = json.loads(texts[0])
    (setting,) = tree["settings"]
    assert setting["kind"] == "supported"
    assert setting["rows"][0]["over_labels"] is None
    assert tree["students"] == {"planned": 36, "missing": 1, "diverged": 1}
    alone = rows.spec(seeds=1)
    one = json.loads(json.dumps(answer(alone, rows.trials(alone, hump), {}).to_json(), allow_nan=False))
    assert one["settings"][0]["rows"][0]["low"] is None


def test_rows_of_further_seeds_are_counted_as_unused(rows):
    full = answer(rows.spec(seeds=2), rows.trials(rows.spec(seeds=3), hump), {})
    assert full.unused == 3
    assert "3 recorded students of further seeds left aside" in in_words(full)


def test_the_needed_metrics_are_all_that_an_answer_reads(rows):
    import dataclasses

    spec = rows.spec(seeds=7)
    trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.01 * alpha * (seed % 3), shares=lambda settings, seed: 0.5)
    for trial in trials:
        trial.metrics.update({("test", "nll"): 0.1, ("validation", "brier"): 0.2})
    wanted = needed_metrics(spec)
    fewer = [
        dataclasses.replace(t, epochs=[], metrics={k: v for k, v in t.metrics.items() if k in wanted}) for t in trials
    ]
    assert answer(spec, fewer, rows.teachers()).to_json() == answer(spec, trials, rows.teachers()).to_json()


def test_shuffled_rows_of_many_settings_give_the_same_answer_to_the_bit(rows):
    spec = rows.spec(seeds=7, temperature=[1, 3], noise={"rate": [0, 0.1]})

    def shares(settings, seed):
        return 0.5 + 0.1 * hump(settings.alpha, seed)

    shares.of_settings = True
    trials = rows.trials(spec, hump, without=[(0.5, 6)], diverged=[(0.0, 2)], shares=shares)
    for trial in trials:
        if trial.metrics:
            trial.metrics["train", "teacher_recovered"] = 0.1 + 0.7 * hump(trial.alpha, trial.seed)
    order = np.random.default_rng(0).permutation(len(trials))
    told = [answer(spec, some, rows.teachers()).to_json() for some in (trials, [trials[place] for place in order])]
    assert json.dumps(told[0]) == json.dumps(told[1])
