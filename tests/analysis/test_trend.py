"""How the answer moves along an axis: worked on students whose accuracy is a known function."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import alpha_curves, analyse
from distillab.analysis.curves import chosen_alpha
from distillab.analysis.trend import RESAMPLES, _resampled_alphas
from distillab.study.settings import Settings

JITTER = (0.0, 0.002, -0.002, 0.001, -0.001, 0.0, 0.002, -0.002)


ALPHAS = [0, 0.25, 0.5, 0.75, 1]


def moving(settings: Settings, seed: int) -> float:
    """The best alpha is 0.75 without wrong labels and 0.25 with many; labels alone lose more, the more are wrong."""
    best = 0.75 - 1.25 * settings.noise.rate
    return 0.9 - 0.2 * abs(settings.alpha - best) + JITTER[seed] * (0.5 + settings.alpha)


def still(settings: Settings, seed: int) -> float:
    """Nothing depends on anything but the seed and whether there is a teacher at all."""
    return 0.9 + 0.02 * (settings.alpha < 1) + JITTER[seed]


def by_loss(settings: Settings, seed: int) -> float:
    """One loss is a point better than the others."""
    return 0.9 + 0.01 * (settings.loss == "dist") + 0.02 * (settings.alpha == 0.5) + JITTER[seed] * (1 + settings.alpha)


for score in (moving, still, by_loss):
    score.of_settings = True  # type: ignore[attr-defined]


def finding_of(rows, score, **keys):
    spec = rows.spec(seeds=8, alpha=ALPHAS, **keys)
    return analyse(spec, rows.trials(spec, score), rows.teachers())


def test_without_another_axis_nothing_is_followed(rows) -> None:
    assert finding_of(rows, still).trends == ()


def test_the_longest_axis_is_followed_within_each_setting_of_the_others(rows) -> None:
    finding = finding_of(rows, moving, noise={"rate": [0.2, 0.0, 0.4]}, temperature=[1, 3])
    assert [(trend.key, trend.others) for trend in finding.trends] == [
        ("noise.rate", "temperature 1"),
        ("noise.rate", "temperature 3"),
    ]
    for trend in finding.trends:
        assert trend.ordered
        assert [point.value for point in trend.points] == ["0 %", "20 %", "40 %"]  # numbers in ascending order
        assert [point.alpha for point in trend.points] == [0.75, 0.5, 0.25]


def test_the_change_of_the_gain_is_paired_by_seed_and_worked_by_hand(rows) -> None:
    """At 0 % the gain is 0.05, at 40 % it is 0.15, each with the jitter's own slope in alpha."""
    (trend,) = finding_of(rows, moving, noise={"rate": [0.0, 0.4]}).trends
    gains = [[0.05 - 0.25 * j for j in JITTER], [0.15 - 0.75 * j for j in JITTER]]
    differences = np.subtract(gains[1], gains[0])
    assert trend.changes[0].gain == pytest.approx(differences.mean())
    half = trend.changes[0].gain_high - trend.changes[0].gain
    assert half == pytest.approx(2.3646 * differences.std(ddof=1) / np.sqrt(8), rel=1e-4)  # t at 7 degrees, 97.5 %


def test_redrawn_alphas_are_the_bootstrap_of_the_chosen_one(rows) -> None:
    """An independent bootstrap, seed by seed in plain Python, has the same middle 95 %."""
    spec = rows.spec(seeds=8, alpha=ALPHAS, temperature=[1, 3])

    def noisy(settings: Settings, seed: int) -> float:
        return 0.9 - 0.02 * abs(settings.alpha - 0.5) + 0.02 * np.sin(7 * seed + 11 * settings.alpha)

    noisy.of_settings = True  # type: ignore[attr-defined]
    (trend,) = analyse(spec, rows.trials(spec, noisy), {}).trends
    rng = np.random.default_rng(5)
    chosen = []
    for _ in range(4000):
        drawn = rng.integers(0, 8, 8)
        means = [np.mean([0.9 - 0.02 * abs(a - 0.5) + 0.02 * np.sin(7 * s + 11 * a) for s in drawn]) for a in ALPHAS]
        chosen.append(ALPHAS[int(np.argmax(means))])
    low, high = np.quantile(chosen, [0.025, 0.975], method="nearest")
    assert (trend.points[0].alpha_low, trend.points[0].alpha_high) == (low, high)


def test_alphas_of_two_settings_are_compared_over_the_seeds_that_both_have(rows) -> None:
    """A seed that one setting lacks is left aside in both: the rest is the study of seven seeds."""
    keys = {"alpha": ALPHAS, "temperature": [1, 3]}

    def drifting(settings: Settings, seed: int) -> float:
        best = 0.5 if (seed + settings.temperature) % 4 else 0.75
        return 0.9 - 0.02 * abs(settings.alpha - best)

    drifting.of_settings = True  # type: ignore[attr-defined]
    spec = rows.spec(seeds=8, **keys)
    whole = rows.trials(spec, drifting)
    torn = [t for t in whole if not (t.settings["temperature"] == 3 and t.seed == 7)]
    torn_otherwise = [t for t in torn if not (t.settings["temperature"] == 1 and t.seed == 0)]
    seven = rows.spec(seeds=7, **keys)
    (trend,) = analyse(spec, torn, {}).trends
    (same,) = analyse(seven, [t for t in whole if t.seed < 7], {}).trends
    assert trend.changes[0][1:4] == same.changes[0][1:4]
    (other,) = analyse(spec, torn_otherwise, {}).trends  # as many seeds in both, but not the same
    (six,) = analyse(spec, [t for t in whole if 0 < t.seed < 7], {}).trends
    assert other.changes[0][1:4] == six.changes[0][1:4]


def test_all_the_examples_come_after_every_number_of_them(rows) -> None:
    (trend,) = finding_of(rows, still, train_size=[None, 500, 5000]).trends
    assert trend.ordered
    assert [point.value for point in trend.points] == ["500", "5,000", "all"]


def test_a_switch_is_no_number(rows) -> None:
    (trend,) = finding_of(rows, still, augmentation={"flip": [False, True]}).trends
    assert not trend.ordered
    assert [point.value for point in trend.points] == ["no", "yes"]


def test_the_axis_is_plain_json_without_nan(rows) -> None:
    tree = finding_of(rows, moving, noise={"rate": [0.0, 0.4]}).to_json()
    (trend,) = json.loads(json.dumps(tree, allow_nan=False))["trends"]
    assert trend["axis"] == "noise.rate"
    assert [value["alpha"] for value in trend["values"]] == [0.75, 0.25]
    assert trend["changes"][0]["alpha"] == -0.5


def test_the_alphas_of_drawn_seeds_equal_a_plain_loop(rows) -> None:
    spec = rows.spec(seeds=7, alpha=[0, 0.25, 0.5, 0.75, 1])

    def counted(alpha: float, seed: int) -> float:  # ties are common
        return round(0.9 + 0.02 * np.random.default_rng([round(4 * alpha), seed]).random(), 2)

    (curve,) = alpha_curves(spec, rows.trials(spec, counted), {})
    drawn = np.random.default_rng(0).integers(0, 7, size=(RESAMPLES, 7))
    plain = [chosen_alpha(curve.alphas, curve.validation[seeds].mean(axis=0)) for seeds in drawn]
    assert _resampled_alphas(curve, curve.complete).tolist() == plain
