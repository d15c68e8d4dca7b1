"""A teacher of k times the data: against the general parabola, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory import (
    alpha_star,
    independent_labels,
    independent_teacher_risk,
    least_squares_alpha,
    least_squares_risk,
    ridge,
    ridge_weights,
    risk_coefficients,
)
from distillab.theory.problems import Problem
from distillab.theory.self_distillation import Spectrum, ridge_filter, spectrum


@pytest.mark.parametrize("k", [1, 3])
def test_it_is_the_general_parabola(linear: Problem, k: int) -> None:
    parts = spectrum(linear.x, linear.truth)
    risk = independent_teacher_risk(
        parts, ridge_filter(parts.strengths, 2.0), k=k, penalty=6.0, variance=0.8, teacher_variance=0.5
    )
    to_student = linear.x @ ridge_weights(np.vstack([linear.x] * k), 6.0)
    teacher = independent_labels(np.tile(linear.truth, k), to_student, np.sqrt(0.5))
    general = risk_coefficients(ridge(linear.x, 2.0), teacher, linear.truth, 0.8)
    np.testing.assert_allclose(risk, general, atol=1e-10)


def test_least_squares_is_its_limit(linear: Problem) -> None:
    parts = spectrum(linear.x, linear.truth)
    risk = independent_teacher_risk(parts, np.ones(7), k=3, penalty=0.0, variance=0.8, teacher_variance=0.5)
    alpha = least_squares_alpha(3, variance=0.8, teacher_variance=0.5)
    assert alpha_star(risk).free == pytest.approx(alpha, abs=1e-10)
    expected = least_squares_risk(3, directions=7, examples=40, variance=0.8, teacher_variance=0.5)
    assert float(risk.at(alpha)) == pytest.approx(expected, abs=1e-10)


def test_by_hand() -> None:
    """Four times the data, the same noise: a fifth, and a fifth of the risk 6/30."""
    assert least_squares_alpha(4) == pytest.approx(0.2)
    assert least_squares_risk(4, directions=6, examples=30) == pytest.approx(0.04)


def test_more_data_and_cleaner_labels_make_the_labels_count_less(linear: Problem) -> None:
    parts = spectrum(linear.x, linear.truth)
    h = ridge_filter(parts.strengths, 2.0)

    def best(k: float, variance: float = 1.0, teacher_variance: float = 1.0) -> float:
        keys = {"k": k, "penalty": 6.0, "variance": variance, "teacher_variance": teacher_variance}
        return alpha_star(independent_teacher_risk(parts, h, **keys)).free

    along = [best(k) for k in (1, 4, 16, 64, 1e9)]
    assert (np.diff(along) < 0).all()
    assert min(along) > 0
    assert along[-1] == pytest.approx(0, abs=1e-6)
    assert best(4, variance=1e9, teacher_variance=1.0) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("change", [{"k": 0}, {"variance": -1.0}, {"teacher_variance": -1.0}, {"penalty": -1.0}])
def test_what_makes_no_sense_is_refused(linear: Problem, change: dict) -> None:
    keys = {"k": 1, "penalty": 1.0, "variance": 1.0, "teacher_variance": 1.0} | change
    with pytest.raises(RequestError, match=next(iter(change))):
        independent_teacher_risk(spectrum(linear.x, linear.truth), np.ones(7), **keys)


def alphas_of_ridge(k: float) -> float:
    """One direction of strength 0.1 and signal 1; student filter 0.2, teacher penalty 1, both variances 0.1."""
    one = Spectrum(np.array([0.1]), np.ones(1), np.ones(1))
    risk = independent_teacher_risk(one, [0.2], k=k, penalty=1.0, variance=0.1, teacher_variance=0.1)
    return alpha_star(risk).free


def test_with_a_ridge_teacher_more_data_can_raise_the_best_alpha() -> None:
    # The student shrinks far too much, so alpha* is above 1, and further above the nearer the teacher is to the labels.
    assert alphas_of_ridge(1) < alphas_of_ridge(4) < alphas_of_ridge(16)


def test_with_least_squares_more_data_lowers_the_best_alpha() -> None:
    assert np.all(np.diff([least_squares_alpha(k, variance=0.3, teacher_variance=2.0) for k in (1, 4, 16)]) < 0)
