"""Curves hold what the rows hold, and say what is not there."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from distillab.analysis import alpha_curves
from distillab.analysis.curves import finite_intervals
from distillab.errors import RequestError
from distillab.stats import t_interval


def flat(alpha: float, seed: int) -> float:
    return 0.9 - 0.1 * alpha + 0.01 * seed


def test_a_curve_is_a_matrix_of_seeds_by_ascending_alphas(rows):
    spec = rows.spec(alpha=[1, 0, 0.5], seeds=2)
    (curve,) = alpha_curves(spec, rows.trials(spec, flat), rows.teachers(0.97))
    assert curve.alphas.tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(curve.test, [[0.9, 0.85, 0.8], [0.91, 0.86, 0.81]])
    assert (curve.label, curve.missing, curve.teacher) == ("", 0, 0.97)


def test_the_order_of_the_rows_changes_nothing(rows):
    spec = rows.spec()
    trials = rows.trials(spec, flat)
    (curve,), (other,) = (alpha_curves(spec, order, {}) for order in (trials, trials[::-1]))
    np.testing.assert_array_equal(curve.test, other.test)


def test_an_interval_is_worked_by_hand(rows):
    # Seeds 0.90 to 0.93: mean 0.915, sd 0.012910, t(0.975; 3) = 3.18245, so 0.915 +- 3.18245 * 0.012910 / 2 = 0.020543.
    spec = rows.spec(seeds=4)
    (curve,) = alpha_curves(spec, rows.trials(spec, flat), {})
    n, mean, low, high = curve.intervals[0]
    assert n == 4
    assert (mean, low, high) == pytest.approx((0.915, 0.915 - 0.020543, 0.915 + 0.020543), abs=1e-5)


def test_three_seeds_have_the_range_seen(rows):
    spec = rows.spec()
    (curve,) = alpha_curves(spec, rows.trials(spec, flat), {})
    assert curve.intervals[0] == pytest.approx((3, 0.91, 0.90, 0.92))


def test_a_seed_that_lacks_an_alpha_is_shown_but_not_paired(rows):
    spec = rows.spec()
    (curve,) = alpha_curves(spec, rows.trials(spec, flat, without=[(0.5, 2)]), {})
    assert curve.missing == 1
    assert curve.complete.tolist() == [True, True, False]
    assert math.isfinite(curve.test[2, 0])
    assert curve.intervals[0][:2] == (2, pytest.approx(0.905))


def test_a_diverged_student_is_recorded_and_its_alpha_unsound(rows):
    spec = rows.spec()
    (curve,) = alpha_curves(spec, rows.trials(spec, flat, diverged=[(0.5, 1)]), {})
    assert curve.diverged == ((0.5, 1, 2, 7.5),)  # epoch 1 counted from 0 is the second
    assert curve.diverged_count.tolist() == [0, 1, 0]
    assert curve.missing == 0
    assert curve.complete.all()
    assert curve.intervals[1][0] == 2


def test_learning_curves_are_means_over_the_students_that_did_not_diverge(rows):
    spec = rows.spec(seeds=2)
    (curve,) = alpha_curves(spec, rows.trials(spec, flat, diverged=[(1.0, 0)]), {})
    # Validation at the last epoch is the student's own; one epoch before it is 0.05 lower.
    np.testing.assert_allclose(curve.learning.validation_accuracy, [[0.855, 0.805, 0.76], [0.905, 0.855, 0.81]])
    np.testing.assert_allclose(curve.learning.loss, [[1, 1, 1], [0.5, 0.5, 0.5]])


def test_every_setting_but_alpha_has_its_own_curve_and_name(rows):
    groups = [{"labels": "noisy", "epochs": 5}, {"labels": "clean", "train_size": 1000}]
    spec = rows.spec(teacher=groups, temperature=[1, 5])
    curves = alpha_curves(spec, rows.trials(spec, flat), {})
    assert [curve.label for curve in curves] == [
        "teacher: noisy labels, temperature 1",
        "teacher: noisy labels, temperature 5",
        "teacher: clean labels, temperature 1",
        "teacher: clean labels, temperature 5",
    ]
    assert [curve.settings.temperature for curve in curves] == [1, 5, 1, 5]


def test_rows_read_back_from_json_find_their_setting(rows):
    import json

    spec = rows.spec(teacher=[{"labels": "noisy"}, {"labels": "clean"}])
    trials = [
        dataclasses.replace(trial, coordinates=json.loads(json.dumps(dict(trial.coordinates), sort_keys=True)))
        for trial in rows.trials(spec, flat)
    ]
    assert [curve.missing for curve in alpha_curves(spec, trials, {})] == [0, 0]


def test_groups_that_differ_in_one_number_are_named_by_it(rows):
    spec = rows.spec(teacher=[{"epochs": 2}, {"epochs": 5}])
    assert [curve.label for curve in alpha_curves(spec, [], {})] == ["teacher: epochs 2", "teacher: epochs 5"]


def test_seeds_beyond_the_study_are_left_aside(rows):
    trials = rows.trials(rows.spec(seeds=5), flat)
    (curve,) = alpha_curves(rows.spec(seeds=2), trials, {})
    assert curve.test.shape == (2, 3)
    assert curve.missing == 0


def test_a_study_without_rows_has_empty_curves(rows):
    (curve,) = alpha_curves(rows.spec(), [], {})
    assert (curve.missing, curve.teacher, curve.complete.any()) == (9, None, False)
    assert math.isnan(curve.intervals[0][1])


def test_groups_recorded_before_a_key_joined_them_find_their_setting(rows):
    """An older version knew no `members`: such a teacher is the one with the default."""
    spec = rows.spec(teacher=[{"model": "mlp-8"}, {"model": "mlp-16"}])
    trials = rows.trials(spec, lambda alpha, seed: 0.5)
    older = [
        dataclasses.replace(
            trial,
            coordinates={
                **trial.coordinates,
                "teacher": {k: v for k, v in trial.coordinates["teacher"].items() if k != "members"},
            },
        )
        for trial in trials
    ]
    assert [curve.missing for curve in alpha_curves(spec, older, {})] == [0, 0]


def test_a_row_without_a_place_is_refused(rows):
    spec = rows.spec(temperature=[1, 3])
    stranger = dataclasses.replace(rows.trials(spec, lambda alpha, seed: 0.5)[0], coordinates={"temperature": 7.0})
    with pytest.raises(RequestError, match="belongs to no setting of this study: it was recorded at"):
        alpha_curves(spec, [stranger], {})


def test_two_rows_at_one_place_are_refused(rows):
    """They are students of two data sets or of two versions: no mean of them would mean anything."""
    spec = rows.spec()
    (first, *rest) = rows.trials(spec, lambda alpha, seed: 0.5)
    twin = dataclasses.replace(first, id="another")
    with pytest.raises(RequestError, match="Student another is a second with seed 0"):
        alpha_curves(spec, [first, *rest, twin], {})


def test_intervals_of_columns_with_different_seeds_are_those_of_each_alone():
    values = np.random.default_rng(0).normal(0.9, 0.01, size=(6, 5))
    values[[0, 3, 3], [1, 1, 4]] = np.nan
    values[:, 2] = np.nan
    for column, interval in zip(values.T, finite_intervals(values), strict=True):
        there = column[np.isfinite(column)]
        alone = t_interval(there) if len(there) else None
        assert interval[0] == len(there)
        np.testing.assert_equal(interval[1:], (np.nan,) * 3 if alone is None else alone[:3])
