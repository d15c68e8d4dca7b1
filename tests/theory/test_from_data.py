"""Alpha without a sweep: the statistic on one training set, and the parabola through the ends."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory import alpha_cp, alpha_from_endpoints, alpha_star, ridge, risk_coefficients, same_labels
from distillab.theory.problems import Problem


def test_the_statistic_by_hand() -> None:
    """One example, S = 1/2: y = 2, t = 1. [(2 - 1/2)(1/2) - 1/4 * 1/2] / (1/4) = (3/4 - 1/8) * 4 = 2.5."""
    estimate = alpha_cp([2.0], [1.0], [[0.5]], 0.25)
    assert estimate.free == pytest.approx(2.5)
    assert estimate.clipped == 1.0


def test_without_noise_it_is_the_best_alpha_itself(problem: Problem) -> None:
    """With y = f the statistic's numerator and denominator are -n c and n q."""
    student, teacher = ridge(problem.x, 2.0), ridge(problem.x, 9.0)
    risk = risk_coefficients(student, same_labels(problem.truth, teacher), problem.truth, 0.0)
    estimate = alpha_cp(problem.truth, teacher @ problem.truth, student, 0.0, memory=teacher)
    assert estimate.free == pytest.approx(alpha_star(risk).free, abs=1e-10)


def test_both_parts_are_unbiased_along_exact_moments(problem: Problem) -> None:
    """Expectations of quadratic forms need no draws: E y'My = f'Mf + sigma^2 tr M."""
    s, t, f = ridge(problem.x, 2.0), ridge(problem.x, 9.0), problem.truth
    gap = s @ (np.eye(40) - t)
    over = (np.eye(40) - s @ t).T @ gap
    under = gap.T @ gap
    noise = 0.7
    expected = [f @ m @ f + noise * np.trace(m) for m in (over, under)]
    risk = risk_coefficients(s, same_labels(f, t), f, noise)
    assert expected[0] - noise * np.trace(gap) == pytest.approx(-40 * risk.c, abs=1e-9)
    assert expected[1] == pytest.approx(40 * risk.q, abs=1e-9)


def test_a_teacher_that_repeats_the_labels_tells_nothing() -> None:
    assert np.isnan(alpha_cp([1.0, 2.0], [1.0, 2.0], np.eye(2), 1.0)).all()


def test_the_ends_of_a_linear_student_tell_all_of_it(problem: Problem) -> None:
    rng = np.random.default_rng(0)
    y, t = rng.standard_normal((2, 40))
    student = ridge(problem.x, 2.0)
    estimate = alpha_from_endpoints(
        student @ t, student @ y, problem.truth, between=(0.3, student @ (0.3 * y + 0.7 * t))
    )
    grid = np.linspace(-3, 4, 7001)
    risks = [np.mean((student @ (a * y + (1 - a) * t) - problem.truth) ** 2) for a in grid]
    assert estimate.alpha.free == pytest.approx(grid[np.argmin(risks)], abs=1e-3)
    assert estimate.departure == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(estimate.risk.at(grid), risks, atol=1e-12)


def test_the_departure_by_hand() -> None:
    """Ends 0 and 4, half way 3 where the line is at 2: a quarter of the way off."""
    estimate = alpha_from_endpoints([0.0], [4.0], [1.0], between=(0.5, [3.0]))
    assert estimate.alpha.free == 0.25
    assert estimate.departure == 0.25


def test_turned_round_it_is_one_less_alpha() -> None:
    rng = np.random.default_rng(1)
    p0, p1, target = rng.dirichlet(np.ones(3), size=(3, 20))
    alpha, turned = alpha_from_endpoints(p0, p1, target).alpha.free, alpha_from_endpoints(p1, p0, target).alpha.free
    assert alpha == pytest.approx(1 - turned)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alpha_from_endpoints([0.0], [1.0, 2.0], [1.0]), "p1.shape"),
        (lambda: alpha_from_endpoints([[[0.0]]], [1.0], [1.0]), "p0.shape"),
        (lambda: alpha_from_endpoints([0.0], [1.0], [np.nan]), "target"),
        (lambda: alpha_from_endpoints([0.0], [1.0], [1.0], between=(1.0, [0.5])), "strictly between 0 and 1"),
        (lambda: alpha_cp([1.0], [1.0, 2.0], [[1.0]], 1.0), "teacher.shape"),
        (lambda: alpha_cp([1.0], [1.0], [[1.0]], -1.0), "variance=-1.0"),
    ],
)
def test_what_does_not_fit_is_refused(call, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call()
