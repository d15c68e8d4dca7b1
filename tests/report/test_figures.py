"""Charts: the data behind them are checked, and that each is valid Vega-Lite and becomes PNG and SVG; not pixels."""

from __future__ import annotations

import doctest
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.analysis import alpha_curves, analyse
from distillab.analysis.calibration import Reliability
from distillab.metrics.metric import METRICS
from distillab.report import figures
from distillab.report.charts import accuracy_vs_alpha as module
from distillab.report.charts import spread
from distillab.report.charts.accuracy_vs_alpha import accuracy_reach, accuracy_vs_alpha_data, mean_chart
from distillab.report.charts.axis_trend import axis_trend_data, chosen_chart, gain_chart
from distillab.report.charts.comparison import comparison_chart, comparison_data
from distillab.report.charts.confusion import confusion_chart, confusion_data
from distillab.report.charts.denoising import denoising_data
from distillab.report.charts.differences import differences_chart, differences_data
from distillab.report.charts.distillation import search_chart, search_data, seeds_chart, seeds_data
from distillab.report.charts.learning_curves import focus, learning_curves_chart, learning_curves_data
from distillab.report.charts.metric_numbers import metric_numbers
from distillab.report.charts.ranking import ranking_chart, ranking_data
from distillab.report.charts.reliability import reliability_chart, reliability_data
from distillab.report.charts.render import render
from distillab.report.charts.residuals import pairs_chart, residuals_chart, residuals_data
from distillab.report.charts.spread import spread_out
from distillab.report.charts.theme import COLOURS
from distillab.report.figures import caption_of, figure_names, study_charts

GAIN = {0.0: 0.01, 0.5: 0.03, 1.0: 0.0}

RESIDUALS = {
    "pairs": [[1.0, 2.0, 0], [3.0, 2.5, 0], [9.0, 9.0, 1]],
    "residuals": {"edges": [-1, 0, 1], "counts": [1, 2]},
}


def hump(alpha: float, seed: int) -> float:
    return 0.9 + GAIN.get(alpha, 0.02) + 0.001 * ((seed * 7 + round(alpha * 10)) % 5)


def both(rows, spec, trials, teachers):
    return alpha_curves(spec, trials, teachers), analyse(spec, trials, teachers)


def accuracy_of(curve, finding=None, **how):
    optimal = module.spans(curve.alphas, np.array([row.in_range is True for row in finding.alphas])) if finding else ()
    return accuracy_vs_alpha_data(curve, metric_numbers(curve), optimal=optimal, **how)


def text_of(chart) -> str:
    """The caption below a figure."""
    return " ".join(chart.to_dict()["title"]["text"])


def test_the_accuracy_chart_shows_what_the_finding_says(rows):
    spec = rows.spec(seeds=8)
    (curve,), finding = both(rows, spec, rows.trials(spec, hump, diverged=[(0.0, 3)]), rows.teachers(0.97))
    (setting,) = finding.settings
    tables = accuracy_of(curve, setting)
    assert [row["alpha"] for row in tables["rows"]] == [0, 0.5, 1]
    for shown, row in zip(tables["rows"], setting.alphas, strict=True):
        assert (shown["n"], shown["value"], shown["low"], shown["high"]) == pytest.approx(
            (row.n, 100 * row.mean, 100 * row.low, 100 * row.high)
        )
    assert len(tables["dots"]) == 23
    assert tables["diverged"] == [{"alpha": 0.0, "text": "× 1"}]
    assert [row["diverged"] for row in tables["rows"]] == [1, 0, 0]
    levels = {row["name"]: row["value"] for row in tables["labels"]}
    assert levels == pytest.approx(
        {
            "teacher itself": 97,
            "labels alone": 100 * setting.alphas[2].mean,
            "teacher alone": 100 * setting.alphas[0].mean,
        }
    )
    assert tables["choice"][0]["text"] == "chosen on validation: alpha = 0.5"
    assert tables["ranges"] == [{"from": 0.25, "to": 0.75}]
    assert tables["range_name"][0]["text"] == "optimal range"


def test_levels_that_a_study_lacks_are_not_drawn(rows):
    spec = rows.spec(alpha=0.5)
    (curve,), finding = both(rows, spec, rows.trials(spec, hump), {})
    tables = accuracy_of(curve, finding.settings[0])
    assert tables["levels"] == tables["labels"] == []
    assert tables["single"] == tables["intervals"] != []


def test_a_level_beyond_the_axis_is_named_at_its_edge(rows):
    spec = rows.spec(seeds=8)
    (curve,), _ = both(rows, spec, rows.trials(spec, hump), rows.teachers(0.5))
    tables = accuracy_of(curve)
    teacher = next(row for row in tables["labels"] if row["name"] == "teacher itself")
    assert teacher["text"] == "teacher itself 50.00 % ▼"
    assert teacher["edge"] == min(row["value"] for row in tables["frame"])
    assert "teacher itself" not in {row["name"] for row in tables["levels"]}


def test_an_optimal_range_may_have_gaps():
    alphas = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    stretches = module.spans(alphas, np.array([True, True, False, False, True]))
    assert stretches == [(0.0, 0.375), (0.875, 1.0)]
    assert module.spans(alphas, np.zeros(5, dtype=bool)) == []


def test_a_teacher_far_away_does_not_squash_the_curve(rows):
    spec = rows.spec(seeds=8)

    def height(teacher: float) -> float:
        (curve,), _ = both(rows, spec, rows.trials(spec, hump), rows.teachers(teacher))
        reach = accuracy_reach([(curve, metric_numbers(curve))])
        assert reach is not None
        return reach[1] - reach[0]

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
        curves, _ = both(rows, spec, moved, {})
        return [(curve, metric_numbers(curve)) for curve in curves]

    assert accuracy_reach(panels(0.01)) is not None
    assert accuracy_reach(panels(0.5)) is None


def test_learning_curves_hold_a_row_for_each_alpha_and_epoch(rows):
    spec = rows.spec(epochs=3)
    (curve,), _ = both(rows, spec, rows.trials(spec, hump), {})
    tables = learning_curves_data(curve)
    assert {(row["alpha"], row["epoch"]) for row in tables["rows"]} == {
        (alpha, epoch) for alpha in (0, 0.5, 1) for epoch in (1, 2, 3)
    }
    last = {row["alpha"]: row["value"] for row in tables["rows"] if row["epoch"] == 3}
    assert last == pytest.approx(
        dict(zip(curve.alphas.tolist(), 100 * curve.learning.validation_accuracy[2], strict=True))
    )
    assert tables["single"] == []
    loss = learning_curves_data(curve, "loss")["rows"]
    assert {row["value"] for row in loss if row["epoch"] == 2} == {0.5}


def test_the_learning_axis_shows_the_later_half():
    values = np.array([[10.0], [80.0], [88.0], [90.0]])
    low, high = focus(values)
    assert 80 < low < 88 < 90 < high


def test_the_caption_names_noise_temperature_n_and_missing_students(rows):
    spec = rows.spec(temperature=[1, 5])
    _, finding = both(rows, spec, rows.trials(spec, hump, without=[(0.5, 2)]), {})
    caption = caption_of(finding)
    for part in (
        "digits",
        "10 % of training labels perturbed (shift)",
        "temperature 1, 5",
        "2 seeds",
        "2 of 18 students",
    ):
        assert part in caption


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
def test_figures_are_valid_and_the_same_each_time(rows, changes, empty):
    spec = rows.spec(**changes)
    curves, finding = both(rows, spec, [] if empty else rows.trials(spec, hump, diverged=[(0.0, 0)]), rows.teachers())
    charts = study_charts(curves, finding)
    assert tuple(charts) == figure_names(finding)
    for chart in charts.values():
        chart.to_dict(validate=True)
        once, again = (render(chart, "svg") for _ in range(2))
        assert once == again
        assert once.startswith(b"<svg")
        assert ("no finished student" in once.decode()) == empty
    assert render(charts["accuracy_vs_alpha"], "png").startswith(b"\x89PNG")


def test_every_chart_of_a_page_can_be_drawn_alone(rows):
    spec = rows.spec(seeds=6)
    (curve,), _ = both(rows, spec, rows.trials(spec, hump), rows.teachers())
    numbers = metric_numbers(curve)
    bins = Reliability(*(np.full((3, 2), value) for value in (5.0, 0.6, 0.7)))
    search = {
        "distilled": [
            {"alpha": 0.5, "temperature": t, "learning_rate": 0.1, "loss": "", "score": 0.9 + t / 100, "trainings": 1}
            for t in (1.0, 4.0)
        ],
        "alone": 0.9,
        "chosen": {"alpha": 0.5, "temperature": 4.0, "learning_rate": 0.1},
        "factor": 100,
    }
    charts = (
        differences_chart(differences_data(curve, numbers, "labels"), y="difference"),
        mean_chart(accuracy_of(curve), y="agreement"),
        reliability_chart(reliability_data(bins, curve.alphas, 0.5)),
        confusion_chart(confusion_data(np.array([[9, 1], [0, 7]])), ["<b>", "dog"]),
        comparison_chart(comparison_data([("one", curve)], "difference"), names=["one"], y="difference"),
        learning_curves_chart(learning_curves_data(curve), y="validation accuracy"),
        seeds_chart(seeds_data(METRICS["accuracy"], [0.9, 0.92], [0.88, 0.9], 0.95), y="test accuracy (%)"),
        ranking_chart(
            "roc", {"student": "#000"}, ranking_data({"student": {"roc": [[0, 0], [0.2, 1], [1, 1]]}}, "roc")
        ),
        pairs_chart(residuals_data(RESIDUALS)),
        residuals_chart(residuals_data(RESIDUALS)),
        search_chart(search_data(search), y="score"),
    )
    for chart in charts:
        chart.to_dict(validate=True)
        assert render(chart, "png").startswith(b"\x89PNG")


def test_differences_are_filled_where_they_are_significant(rows):
    spec = rows.spec(seeds=8)
    (curve,), finding = both(rows, spec, rows.trials(spec, hump), {})
    shown = differences_data(curve, metric_numbers(curve), "labels")["rows"]
    gains = [row.over_labels for row in finding.settings[0].alphas if row.over_labels]
    assert [row["value"] for row in shown] == pytest.approx([100 * gain.difference for gain in gains])
    assert [row["significant"] for row in shown] == [gain.p_holm <= 0.05 for gain in gains]


def test_the_confusion_chart_holds_the_cells_that_are_not_empty():
    counts = np.array([[3, 0], [1, 5]])
    assert confusion_data(counts)["counts"] == [
        {"label": 0, "prediction": 0, "count": 3},
        {"label": 1, "prediction": 0, "count": 1},
        {"label": 1, "prediction": 1, "count": 5},
    ]


def test_the_page_and_the_charts_have_the_same_colours():
    style = (Path(module.__file__).parents[1] / "assets" / "page.css").read_text()
    light = style[: style.index("@media")]
    for name, colour in COLOURS.items():
        assert f"--{name}: {colour}" in light, name


@given(st.lists(st.floats(0, 1), min_size=0, max_size=8))
def test_labels_pushed_apart_keep_their_order_and_distance(positions):
    moved = spread_out(positions, gap=0.1)
    order = sorted(range(len(positions)), key=lambda index: (positions[index], index))
    steps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(step >= 0.1 - 1e-9 for step in steps)
    assert all(-1e-9 <= position <= 1 + 1e-9 for position in moved)


def test_labels_that_do_not_touch_stay():
    assert spread_out([0.9, 0.1, 0.5], gap=0.1) == [0.9, 0.1, 0.5]
    assert math.isclose(spread_out([0.5, 0.5], gap=0.1)[0], 0.45)


def test_the_examples_are_true():
    assert doctest.testmod(module).failed == doctest.testmod(spread).failed == 0


def test_an_axis_and_wrong_labels_are_drawn_as_found(rows):
    spec = rows.spec(seeds=6, temperature=[1, 3, 9], noise={"rate": [0.1, 0.2]})
    trials = rows.trials(spec, hump, shares=lambda settings, seed: 0.4 + 0.01 * seed)
    curves = alpha_curves(spec, trials, rows.teachers())
    finding = analyse(spec, trials, rows.teachers())
    trend = finding.trends[0]
    tables = axis_trend_data(trend, finding.metric)
    assert list(dict.fromkeys(cell["value"] for cell in tables["cells"])) == ["9", "3", "1"]
    means = {(p.value, row.alpha): f"{100 * row.mean:.2f}" for p in trend.points for row in p.result.alphas}
    assert {(cell["value"], cell["alpha"]): cell["text"] for cell in tables["cells"]} == means
    assert {row["value"]: row["alpha"] for row in tables["points"]} == {p.value: p.alpha for p in trend.points}
    gains = {p.value: 100 * p.gain.difference for p in trend.points}
    assert {row["value"]: row["gain"] for row in tables["gains"]} == pytest.approx(gains)
    framed = {(row["value"], row["alpha"]) for row in tables["chosen_cells"]}
    assert framed == {(p.value, p.alpha) for p in trend.points}
    wrong = denoising_data(finding.denoising[0])
    recovered = [row["value"] for row in wrong["rows"] if row["name"] == "recovered by students"]
    assert recovered == pytest.approx([42.5] * 3)
    charts = study_charts(curves, finding)
    assert [row["title"]["text"] for row in charts["alpha_across"].to_dict()["vconcat"]] == [
        "noise rate 0.1",
        "noise rate 0.2",
    ]
    assert [panel["title"] for panel in charts["denoising"].to_dict()["concat"]] == [
        [shares.label] for shares in finding.denoising
    ]
    for name in ("alpha_across", "denoising"):
        charts[name].to_dict(validate=True)
        assert render(charts[name], "png").startswith(b"\x89PNG")


def test_a_list_reads_downwards_and_numbers_upwards(rows):
    for keys, order in (({"loss": ["kl", "dist"]}, ["kl", "dist"]), ({"temperature": [1, 3]}, ["3", "1"])):
        spec = rows.spec(**keys)
        finding = analyse(spec, rows.trials(spec, hump), {})
        tables = axis_trend_data(finding.trends[0], finding.metric)
        assert [row["value"] for row in tables["points"]] == order


def test_rows_of_a_trend_keep_their_order_where_some_have_no_interval_or_range():
    points = [{"value": value, "alpha": alpha, "low": None, "high": None} for value, alpha in (("9", 0.5), ("3", 1.0))]
    points.append({"value": "1", "alpha": 0.0, "low": 0.0, "high": 0.1})
    interval = {"low": 1.0, "high": 3.0, "hollow": False}
    tables = {
        "points": points,
        "optimal": [{"value": "1", "alpha": 0.0}],
        "gains": [
            {"value": "9", "gain": 2.0, **interval},
            {"value": "3", "gain": 0.0, "low": None, "high": None, "hollow": True},
            {"value": "1", "gain": 2.0, **interval},
        ],
    }
    for chart in (chosen_chart(tables), gain_chart(tables, title="gain")):
        svg = render(chart, "svg").decode()
        marks = re.findall(r'<g class="mark-symbol role-mark layer_\d+_marks"[^>]*>(.*?)</g>', svg)
        heights = [float(y) for y in re.findall(r"translate\([^,]+,([^)]+)\)", marks[-1])]
        assert len(heights) == 3
        assert heights == sorted(heights)


def test_the_caption_counts_settings_without_a_panel(rows, monkeypatch):
    monkeypatch.setattr(figures, "MOST_PANELS", 2)
    monkeypatch.setattr(figures, "MOST_ROWS", 3)
    spec = rows.spec(seeds=2, temperature=[1, 2], noise={"rate": [0.1, 0.2]})
    trials = rows.trials(spec, lambda alpha, seed: 0.9, shares=lambda settings, seed: 0.5)
    curves, finding = both(rows, spec, trials, {})
    charts = study_charts(curves, finding)
    assert "The first 2 of 4 settings." in text_of(charts["denoising"])
    assert len(charts["accuracy_vs_alpha"].concat) == 2
    spec = rows.spec(seeds=2, temperature=[1, 2, 3], noise={"rate": [0.1, 0.2]}, learning_rate=[0.1, 0.2])
    curves, finding = both(rows, spec, rows.trials(spec, lambda alpha, seed: 0.9), {})
    assert "The first 3 of 4 settings of the other axes." in text_of(study_charts(curves, finding)["alpha_across"])


def test_residuals_are_drawn_of_the_first_output_between_the_ends_of_a_diagonal() -> None:
    tables = residuals_data(RESIDUALS)
    assert [(row["label"], row["predicted"], row["difference"]) for row in tables["pairs"]] == [
        (1.0, 2.0, "+1"),
        (3.0, 2.5, "-0.5"),
    ]
    low, high = (row["label"] for row in tables["ends"])
    assert low < 1.0 < 3.0 < high
    assert [(row["from"], row["to"], row["count"]) for row in tables["bins"]] == [(-1, 0, 1), (0, 1, 2)]


def test_a_curve_is_drawn_for_each_model_that_has_one() -> None:
    models = {"student": {"roc": [[0.0, 0.5], [1.0, 1.0]]}, "teacher": {}}
    rows = ranking_data(models, "roc")["rows"]
    assert [(row["name"], row["n"], row["x"], row["y"]) for row in rows] == [
        ("student", 0, 0.0, 0.5),
        ("student", 1, 1.0, 1.0),
    ]
