"""The answer's numbers are those of the statistics, and it says what it lacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import analyse, needed_metrics

GAIN = {0.0: 0.01, 0.5: 0.03, 1.0: 0.0}


def noise(alpha: float, seed: int) -> float:
    return float(np.random.default_rng([round(alpha * 100), seed]).normal(0, 0.002))


def hump(alpha: float, seed: int) -> float:
    return 0.9 + GAIN[alpha] + 0.005 * (seed % 3) + noise(alpha, seed)


def test_a_hump_is_supported_chosen_and_alone_in_the_range(rows):
    spec = rows.spec(seeds=8)
    (setting,) = analyse(spec, rows.trials(spec, hump), rows.teachers()).settings
    assert setting.kind == "supported"
    assert setting.best is not None
    assert setting.best.alpha == 0.5
    assert setting.optimal_range == (0.5,)
    assert [row.in_range for row in setting.alphas] == [False, True, False]


def test_gains_are_paired_differences_worked_by_hand(rows):
    # alpha 0.5 minus alpha 1, seed by seed: 0.01, 0.02, 0.03. Mean 0.02, sd 0.01, t = 0.02 / (0.01 / sqrt 3) = 3.464,
    # p = 0.0742 with 2 degrees of freedom. Of three seeds the range is given. Alpha 0 minus alpha 1 is 0 throughout:
    # p = 1, so Holm doubles the smaller p. Sign flips: 2 of 8 patterns reach the mean, p = 0.25.
    def score(alpha: float, seed: int) -> float:
        return 0.8 + (0.01 * (seed + 1) if alpha == 0.5 else 0.0) + 0.05 * seed

    spec = rows.spec()
    (setting,) = analyse(spec, rows.trials(spec, score), {}).settings
    gain = setting.alphas[1].over_labels
    assert gain is not None
    assert (gain.difference, gain.low, gain.high) == pytest.approx((0.02, 0.01, 0.03), abs=1e-5)
    assert (gain.n, gain.p, gain.p_holm, gain.p_sign_flip) == pytest.approx((3, 0.0742, 0.1484, 0.25), abs=1e-4)
    assert setting.alphas[2].over_labels is None
    assert setting.alphas[2].over_teacher is not None


def test_the_interval_of_a_gain_is_worked_by_hand(rows):
    # 0.01 to 0.04: mean 0.025, sd 0.012910, t(0.975; 3) = 3.18245; half width 3.18245 * 0.012910 / 2 = 0.020543.
    spec = rows.spec(seeds=4)
    score = {alpha: 0.01 * (alpha == 0.5) for alpha in (0, 0.5, 1)}
    trials = rows.trials(spec, lambda alpha, seed: 0.8 + score[alpha] * (seed + 1) + 0.05 * seed)
    gain = analyse(spec, trials, {}).settings[0].alphas[1].over_labels
    assert gain is not None
    assert (gain.difference, gain.low, gain.high) == pytest.approx((0.025, 0.004457, 0.045543), abs=1e-5)


def test_alpha_is_chosen_on_validation_whatever_the_test_set_shows(rows):
    spec = rows.spec(seeds=8)
    trials = rows.trials(spec, hump, validation=lambda alpha, seed: 0.7 + 0.1 * (1 - alpha))
    (setting,) = analyse(spec, trials, {}).settings
    assert setting.best is not None
    assert setting.best.alpha == 0.0
    assert setting.best.validation == pytest.approx(0.8)
    assert setting.best.over_teacher is None


def test_of_equal_validation_means_the_larger_alpha_is_chosen(rows):
    spec = rows.spec(seeds=3)
    # The same three counts in another order: their sums may differ in the last bit.
    trials = rows.trials(spec, hump, validation=lambda alpha, seed: [0.1, 0.7, 0.3][int(seed + 2 * alpha) % 3])
    (setting,) = analyse(spec, trials, {}).settings
    assert setting.best is not None
    assert setting.best.alpha == 1.0


def test_the_finding_is_plain_json_without_nan_and_always_the_same(rows):
    spec = rows.spec(seeds=12)
    trials = rows.trials(spec, hump, without=[(0.5, 3)], diverged=[(0.0, 2)])
    texts = [json.dumps(analyse(spec, order, {}).to_json(), allow_nan=False) for order in (trials, trials[::-1])]
    assert texts[0] == texts[1]
    tree = json.loads(texts[0])
    (setting,) = tree["settings"]
    assert setting["kind"] == "supported"
    assert setting["alphas"][0]["over_labels"] is None
    assert tree["students"] == {"planned": 36, "missing": 1, "diverged": 1}
    alone = rows.spec(seeds=1)
    single = json.loads(json.dumps(analyse(alone, rows.trials(alone, hump), {}).to_json(), allow_nan=False))
    assert single["settings"][0]["alphas"][0]["low"] is None


def test_the_needed_metrics_are_all_that_the_analysis_reads(rows):
    import dataclasses

    spec = rows.spec(seeds=7)
    trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.01 * alpha * (seed % 3), shares=lambda settings, seed: 0.5)
    for trial in trials:
        trial.metrics.update({("test", "nll"): 0.1, ("validation", "brier"): 0.2})
    wanted = needed_metrics(spec)
    fewer = [
        dataclasses.replace(t, epochs=[], metrics={k: v for k, v in t.metrics.items() if k in wanted}) for t in trials
    ]
    assert analyse(spec, fewer, rows.teachers()).to_json() == analyse(spec, trials, rows.teachers()).to_json()


def test_shuffled_rows_of_many_settings_give_the_same_finding_to_the_bit(rows):
    spec = rows.spec(seeds=7, temperature=[1, 3], noise={"rate": [0, 0.1]})

    def shares(settings, seed):
        return 0.5 + 0.1 * hump(settings.alpha, seed)

    shares.of_settings = True
    trials = rows.trials(spec, hump, without=[(0.5, 6)], diverged=[(0.0, 2)], shares=shares)
    for trial in trials:
        if trial.metrics:
            trial.metrics["train", "teacher_recovered"] = 0.1 + 0.7 * hump(trial.alpha, trial.seed)
    order = np.random.default_rng(0).permutation(len(trials))
    trees = [analyse(spec, some, rows.teachers()).to_json() for some in (trials, [trials[index] for index in order])]
    assert json.dumps(trees[0]) == json.dumps(trees[1])
