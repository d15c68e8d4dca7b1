"""Figures: the data behind them are checked, and that they can be drawn; not their pixels."""

from __future__ import annotations

import doctest
import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.analysis import alpha_curves, analyse
from distillab.report import accuracy_figure, accuracy_vs_alpha_data, learning_curves_data, learning_figure, render
from distillab.report import accuracy_vs_alpha as module
from distillab.report.figures import across_figure, caption_of, denoising_figure, house_style, shared_limits
from distillab.report.learning_curves import focus
from distillab.report.spread import spread_out

GAIN = {0.0: 0.01, 0.5: 0.03, 1.0: 0.0}


def hump(alpha: float, seed: int) -> float:
    return 0.9 + GAIN.get(alpha, 0.02) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def both(rows, spec, trials, teachers):
    return alpha_curves(spec, trials, teachers), analyse(spec, trials, teachers)


def test_the_accuracy_figure_shows_what_the_answer_says(rows):
    spec = rows.spec(seeds=8)
    (curve,), found = both(rows, spec, rows.trials(spec, hump, diverged=[(0.0, 3)]), rows.teachers(0.97))
    data = accuracy_vs_alpha_data(curve, found.settings[0])
    assert data.alphas.tolist() == [0, 0.5, 1]
    assert data.points.shape == (8, 3)
    assert (data.n, data.diverged) == ((7, 8, 8), (1, 0, 0))
    assert (data.teacher, data.best) == (0.97, 0.5)
    assert data.labels_alone == data.mean[2] == pytest.approx(np.mean([hump(1.0, seed) for seed in range(8)]))
    assert data.teacher_alone == data.mean[0]
    assert data.optimal.tolist() == [False, True, False]
    assert (data.low < data.mean).all()


def test_levels_that_a_study_lacks_are_not_drawn(rows):
    spec = rows.spec(alpha=0.5)
    (curve,), found = both(rows, spec, rows.trials(spec, hump), {})
    data = accuracy_vs_alpha_data(curve, found.settings[0])
    assert (data.teacher, data.labels_alone, data.teacher_alone) == (None, None, None)


def test_an_optimal_range_need_not_hang_together():
    alphas = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    found = module.spans(alphas, np.array([True, True, False, False, True]))
    assert found == [(0.0, 0.375), (0.875, 1.0)]
    assert module.spans(alphas, np.zeros(5, dtype=bool)) == []


def test_a_teacher_far_away_does_not_squash_the_curve(rows):
    spec = rows.spec(seeds=8)

    def height(teacher: float) -> float:
        (curve,), found = both(rows, spec, rows.trials(spec, hump), rows.teachers(teacher))
        limits = shared_limits([accuracy_vs_alpha_data(curve, found.settings[0])])
        assert limits is not None
        return limits[1] - limits[0]

    assert height(0.999) == height(0.5) < height(0.94)


def test_settings_that_lie_far_apart_have_their_own_axes(rows):
    spec = rows.spec(temperature=[1, 5], seeds=2)

    def panels(gap: float):
        trials = rows.trials(spec, hump)
        moved = [
            trial
            if trial.settings["temperature"] == 1
            else type(trial)(**{**vars(trial), "metrics": {key: value - gap for key, value in trial.metrics.items()}})
            for trial in trials
        ]
        curves, found = both(rows, spec, moved, {})
        return [accuracy_vs_alpha_data(*pair) for pair in zip(curves, found.settings, strict=True)]

    assert shared_limits(panels(0.01)) is not None
    assert shared_limits(panels(0.5)) is None


def test_learning_curves_hold_a_line_for_each_alpha(rows):
    spec = rows.spec(epochs=3)
    (curve,), _ = both(rows, spec, rows.trials(spec, hump), {})
    data = learning_curves_data(curve)
    assert data.epochs.tolist() == [1, 2, 3]
    assert data.validation_accuracy.shape == (3, 3)
    low, high = focus(data.validation_accuracy)
    assert low < high


def test_the_caption_names_noise_temperature_n_and_what_is_missing(rows):
    spec = rows.spec(temperature=[1, 5])
    _, found = both(rows, spec, rows.trials(spec, hump, without=[(0.5, 2)]), {})
    told = caption_of(found)
    for part in (
        "digits",
        "10 % of training labels perturbed (shift)",
        "temperature 1, 5",
        "2 seeds",
        "2 of 18 students",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("changes", "empty"),
    [
        ({}, False),
        ({}, True),
        ({"alpha": 0.5}, False),
        ({"seeds": 1, "epochs": 1}, False),
        ({"temperature": [1, 5]}, False),
    ],
)
def test_figures_can_be_saved_and_are_the_same_each_time(rows, changes, empty):
    spec = rows.spec(**changes)
    curves, found = both(rows, spec, [] if empty else rows.trials(spec, hump, diverged=[(0.0, 0)]), rows.teachers())
    before = dict(mpl.rcParams)
    with house_style():
        for draw in (accuracy_figure, learning_figure):
            once, again = (render(draw(curves, found), "svg") for _ in range(2))
            assert once == again
            assert b"<dc:date>" not in once
        assert render(accuracy_figure(curves, found), "png").startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before


def test_a_users_own_style_changes_nothing(rows):
    spec = rows.spec()
    curves, found = both(rows, spec, rows.trials(spec, hump), {})
    with house_style():
        plain = render(learning_figure(curves, found), "svg")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 20.0}), house_style():
        assert render(learning_figure(curves, found), "svg") == plain


@given(st.lists(st.floats(0, 1), min_size=0, max_size=8))
def test_labels_pushed_apart_keep_their_order_and_distance(places):
    moved = spread_out(places, gap=0.1)
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    steps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(step >= 0.1 - 1e-9 for step in steps)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in moved)


def test_labels_that_do_not_touch_stay():
    assert spread_out([0.9, 0.1, 0.5], gap=0.1) == [0.9, 0.1, 0.5]
    assert math.isclose(spread_out([0.5, 0.5], gap=0.1)[0], 0.45)


def test_the_examples_are_true():
    from distillab.report import spread

    assert doctest.testmod(module).failed == doctest.testmod(spread).failed == 0


def test_an_axis_and_wrong_labels_are_drawn_with_what_was_found(rows):
    spec = rows.spec(seeds=6, temperature=[1, 3, 9], noise={"rate": [0.1, 0.2]})
    found = analyse(spec, rows.trials(spec, hump, shares=lambda settings, seed: 0.4 + 0.01 * seed), rows.teachers())
    with house_style():
        figure = across_figure(found.trends, found.metric)
        titles = [text.get_text() for part in figure.subfigs for text in part.texts]
        assert [part._suptitle.get_text() for part in figure.subfigs] == ["noise rate 0.1", "noise rate 0.2"], titles
        surface, chosen, gain = figure.subfigs[0].axes
        assert [label.get_text() for label in surface.get_yticklabels()] == ["1", "3", "9"]
        means = [f"{100 * row.mean:.2f}" for point in found.trends[0].points for row in point.result.alphas]
        assert [text.get_text() for text in surface.texts] == means
        dots = [line.get_xdata()[0] for line in chosen.lines if line.get_marker() == "o"]
        assert dots == [point.alpha for point in found.trends[0].points]
        gains = [line.get_xdata()[0] for line in gain.lines if line.get_marker() == "o"]
        assert gains == pytest.approx([100 * point.gain.difference for point in found.trends[0].points])
        wrong = denoising_figure(found.denoising)
        assert [ax.get_title(loc="left") for ax in wrong.axes] == [one.label for one in found.denoising]
        line = next(line for line in wrong.axes[0].lines if line.get_label() == "recovered by students")
        np.testing.assert_allclose(line.get_ydata(), 42.5)
        for drawn in (figure, wrong):
            assert render(drawn, "png").startswith(b"\x89PNG")


def test_a_list_reads_downwards_and_numbers_upwards(rows):
    for keys, down in (({"loss": ["kl", "dist"]}, True), ({"temperature": [1, 3]}, False)):
        spec = rows.spec(**keys)
        found = analyse(spec, rows.trials(spec, hump), {})
        with house_style():
            for ax in across_figure(found.trends, found.metric).subfigs[0].axes:
                low, high = ax.get_ylim()
                assert (low > high) == down


def test_settings_without_room_are_said_to_be_left_out(rows):
    """More settings than panels: the caption says of how many the first are drawn."""
    spec = rows.spec(seeds=2, temperature=[1, 2, 3], noise={"rate": [0.01 * step for step in range(1, 10)]})
    trials = rows.trials(spec, lambda alpha, seed: 0.9, shares=lambda settings, seed: 0.5)
    found = analyse(spec, trials, {})
    with house_style():
        assert "The first 24 of 27 settings." in denoising_figure(found.denoising).texts[0].get_text()
    spec = rows.spec(
        seeds=2, temperature=[1, 2, 3], noise={"rate": [0.1, 0.2, 0.3]}, learning_rate=[0.1, 0.2, 0.3, 0.4]
    )
    found = analyse(spec, rows.trials(spec, lambda alpha, seed: 0.9), {})
    with house_style():
        caption = across_figure(found.trends, found.metric).texts[0].get_text()
    assert "The first 8 of 9 settings of the other axes." in " ".join(caption.split())
