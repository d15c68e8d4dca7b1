"""How the answer moves along an axis: worked on students whose accuracy is a known function."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import alpha_curves, answer, in_words
from distillab.analysis.across import DRAWS, _Drawn
from distillab.analysis.finding import chosen_alpha
from distillab.analysis.movement import cells, headings, in_brief, movement
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


def found(rows, score, **keys):
    spec = rows.spec(seeds=8, alpha=ALPHAS, **keys)
    return answer(spec, rows.trials(spec, score), rows.teachers())


def test_without_another_axis_nothing_is_followed(rows) -> None:
    assert found(rows, still).across == ()


def test_the_longest_axis_is_followed_within_each_setting_of_the_others(rows) -> None:
    told = found(rows, moving, noise={"rate": [0.2, 0.0, 0.4]}, temperature=[1, 3])
    assert [(one.key, one.among) for one in told.across] == [
        ("noise.rate", "temperature 1"),
        ("noise.rate", "temperature 3"),
    ]
    for one in told.across:
        assert one.ordered
        assert [point.value for point in one.points] == ["0 %", "20 %", "40 %"]  # numbers in ascending order
        assert [point.alpha for point in one.points] == [0.75, 0.5, 0.25]


def test_a_best_alpha_that_moves_is_said_to_move_by_as_much(rows) -> None:
    (one,) = found(rows, moving, noise={"rate": [0.0, 0.4]}).across
    (change,) = one.changes
    assert change.alpha == -0.5
    assert change.alpha_high < 0
    assert (
        "The chosen alpha moves with the share of wrong labels: it is 0.75 at 0 % and 0.25 at 40 % (-0.5 from"
        in str(movement(one, found(rows, moving).measure))
    )


def test_the_change_of_the_gain_is_paired_by_seed_and_worked_by_hand(rows) -> None:
    """At 0 % the gain is 0.05, at 40 % it is 0.15, each with the jitter's own slope in alpha."""
    (one,) = found(rows, moving, noise={"rate": [0.0, 0.4]}).across
    gains = [[0.05 - 0.25 * j for j in JITTER], [0.15 - 0.75 * j for j in JITTER]]
    differences = np.subtract(gains[1], gains[0])
    assert one.changes[0].gain == pytest.approx(differences.mean())
    half = one.changes[0].gain_high - one.changes[0].gain
    assert half == pytest.approx(2.3646 * differences.std(ddof=1) / np.sqrt(8), rel=1e-4)  # t at 7 degrees, 97.5 %


def test_what_does_not_move_is_not_said_to_move(rows) -> None:
    (one,) = found(rows, still, temperature=[1, 3]).across
    told = movement(one, found(rows, still).measure)
    assert told[0] == "Some intermediate alpha beats labels alone at every temperature."
    assert told[1] == "The chosen alpha is 0.75 at every temperature."
    assert "is not shown to change from the first temperature to the last" in told[2]


def test_of_values_that_are_no_numbers_the_best_is_named_and_who_is_as_good(rows) -> None:
    told = found(rows, by_loss, loss=["kl", "dist", "logit_mse"])
    (one,) = told.across
    assert not one.ordered
    assert [point.value for point in one.points] == ["kl", "dist", "logit_mse"]  # in the study's order
    assert [point.as_good_as_the_best for point in one.points] == [False, True, False]
    assert movement(one, told.measure)[-1] == (
        "Once alpha is tuned, dist is best with 93.00 %, and kl last with 92.00 %; every other is shown to be worse "
        "than the best at 95 %."
    )


def test_one_line_tells_the_ends_of_an_axis_and_what_is_shown_to_move(rows) -> None:
    told = found(rows, moving, noise={"rate": [0.0, 0.4]})
    (one,) = told.across
    assert in_brief(one, told.measure) == (
        "Some intermediate alpha beats labels alone at every share of wrong labels. The chosen alpha is 0.75 at 0 % "
        "and 0.25 at 40 % (shown to move); what it gains is +5.00 and +15.00 percentage points (shown to move)."
    )
    told = found(rows, still, temperature=[1, 3])
    (one,) = told.across
    assert in_brief(one, told.measure).endswith(
        "0.75 at 1 and 0.75 at 3 (not shown to move between these); what it gains is +2.00 and +2.00 percentage points "
        "(not shown to move between these)."
    )


def test_redrawn_alphas_are_the_bootstrap_of_the_chosen_one(rows) -> None:
    """An independent bootstrap, seed by seed in plain Python, has the same middle 95 %."""
    spec = rows.spec(seeds=8, alpha=ALPHAS, temperature=[1, 3])

    def noisy(settings: Settings, seed: int) -> float:
        return 0.9 - 0.02 * abs(settings.alpha - 0.5) + 0.02 * np.sin(7 * seed + 11 * settings.alpha)

    noisy.of_settings = True  # type: ignore[attr-defined]
    (one,) = answer(spec, rows.trials(spec, noisy), {}).across
    rng = np.random.default_rng(5)
    chosen = []
    for _ in range(4000):
        drawn = rng.integers(0, 8, 8)
        means = [np.mean([0.9 - 0.02 * abs(a - 0.5) + 0.02 * np.sin(7 * s + 11 * a) for s in drawn]) for a in ALPHAS]
        chosen.append(ALPHAS[int(np.argmax(means))])
    low, high = np.quantile(chosen, [0.025, 0.975], method="nearest")
    assert (one.points[0].alpha_low, one.points[0].alpha_high) == (low, high)


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
    (one,) = answer(spec, torn, {}).across
    (same,) = answer(seven, [t for t in whole if t.seed < 7], {}).across
    assert one.changes[0][1:4] == same.changes[0][1:4]
    (other,) = answer(spec, torn_otherwise, {}).across  # as many seeds in both, but not the same
    (six,) = answer(spec, [t for t in whole if 0 < t.seed < 7], {}).across
    assert other.changes[0][1:4] == six.changes[0][1:4]


def test_all_the_examples_come_after_every_number_of_them(rows) -> None:
    (one,) = found(rows, still, train_size=[None, 500, 5000]).across
    assert one.ordered
    assert [point.value for point in one.points] == ["500", "5,000", "all"]


@pytest.mark.parametrize("values", [[1, None], [None, 2]])
def test_the_end_of_training_is_a_value_like_others(rows, values) -> None:
    told = found(rows, still, snapshot=values)
    assert [point.value for point in told.across[0].points][-1] in ("all", "2 epochs", "2.0 epochs")
    assert "snapshot all" in in_words(told)


def test_a_switch_is_no_number(rows) -> None:
    (one,) = found(rows, still, augmentation={"flip": [False, True]}).across
    assert not one.ordered
    assert [point.value for point in one.points] == ["no", "yes"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_are_followed_as_far_as_they_go(rows, seeds: int) -> None:
    spec = rows.spec(seeds=seeds, alpha=ALPHAS, noise={"rate": [0.0, 0.4]})
    told = answer(spec, rows.trials(spec, moving), {})
    (one,) = told.across
    assert [point.alpha for point in one.points] == [0.75, 0.25]
    assert all(np.isnan(point.alpha_low) for point in one.points)
    assert (one.changes == ()) == (seeds == 1)
    assert "is 0.75 at 0 % and 0.25 at 40 %" in in_words(told)


def test_a_study_without_a_student_is_followed_without_a_word(rows) -> None:
    spec = rows.spec(temperature=[1, 3])
    told = answer(spec, [], {})
    (one,) = told.across
    assert movement(one, told.measure) == []
    assert in_brief(one, told.measure) == ""
    assert len(cells(one, told.measure)) == 2
    assert len(headings(one, told.measure)) == len(cells(one, told.measure)[0])


def test_the_axis_is_plain_json_without_nan(rows) -> None:
    told = found(rows, moving, noise={"rate": [0.0, 0.4]}).to_json()
    (one,) = json.loads(json.dumps(told, allow_nan=False))["across"]
    assert one["axis"] == "noise.rate"
    assert [value["alpha"] for value in one["values"]] == [0.75, 0.25]
    assert one["changes"][0]["alpha"] == -0.5


def test_the_alphas_of_drawn_seeds_equal_a_plain_loop(rows) -> None:
    spec = rows.spec(seeds=7, alpha=[0, 0.25, 0.5, 0.75, 1])

    def counted(alpha: float, seed: int) -> float:  # ties are common
        return round(0.9 + 0.02 * np.random.default_rng([round(4 * alpha), seed]).random(), 2)

    (curve,) = alpha_curves(spec, rows.trials(spec, counted), {})
    drawn = np.random.default_rng(0).integers(0, 7, size=(DRAWS, 7))
    plain = [chosen_alpha(curve.alphas, curve.validation[seeds].mean(axis=0)) for seeds in drawn]
    assert _Drawn([curve])[0, curve.complete].tolist() == plain
