"""The parabola: by hand, along two routes, at its limits, and what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.errors import RequestError
from distillab.theory import (
    LinearTeacher,
    RiskCoefficients,
    alpha_star,
    fixed,
    in_words,
    independent_labels,
    memorising,
    noise_law,
    pooled,
    pooled_labels,
    ridge,
    ridge_weights,
    risk_coefficients,
    risk_split,
    same_labels,
)
from distillab.theory.problems import Problem, regression

EXACT = 1e-10


def test_two_examples_by_hand() -> None:
    """S = I, truth (1, 0), noise 1; the teacher says (0, 0) and remembers nothing.

    Predictions alpha (1 + e1, e2): squared bias (1 - alpha)^2 / 2, variance alpha^2; least at 1/3.
    """
    split = risk_split(np.eye(2), fixed([0.0, 0.0]), [1.0, 0.0], 1.0)
    np.testing.assert_allclose(split.bias.at([0, 0.5, 1]), [0.5, 0.125, 0])
    np.testing.assert_allclose(split.variance.at([0, 0.5, 1]), [0, 0.25, 1])
    assert alpha_star(split.risk) == pytest.approx((1 / 3, 1 / 3))


@given(st.floats(-3, 3), st.integers(0, 2**32 - 1))
def test_the_parabola_is_the_expectation_of_the_quadratic(alpha: float, seed: int) -> None:
    """A second route: the covariance of the predictions as a whole, from the joint noise of labels and teacher."""
    rng = np.random.default_rng(seed)
    n = 5
    student, memory = rng.standard_normal((2, n, n))
    own, f, mean = rng.standard_normal((n, 3)), rng.standard_normal(n), rng.standard_normal(n)
    sigma = np.cov(rng.standard_normal((n, 9)))
    risk = risk_coefficients(student, LinearTeacher(mean, memory, own), f, sigma)
    from_labels = student @ (alpha * np.eye(n) + (1 - alpha) * memory)
    from_teacher = (1 - alpha) * student @ own
    center = student @ (alpha * f + (1 - alpha) * mean) - f
    spread = np.trace(from_labels @ sigma @ from_labels.T) + np.trace(from_teacher @ from_teacher.T)
    assert float(risk.at(alpha)) == pytest.approx((center @ center + spread) / n, rel=1e-9, abs=1e-9)


def test_another_alpha_costs_the_square_of_its_distance(problem: Problem) -> None:
    risk = risk_coefficients(ridge(problem.x, 2.0), fixed(problem.truth + 0.3), problem.truth, 1.0)
    best = alpha_star(risk).free
    for alpha in (-1.0, 0.0, 0.7, 2.0):
        assert float(risk.at(alpha) - risk.at(best)) == pytest.approx(risk.q * (alpha - best) ** 2, abs=EXACT)


def test_a_perfect_teacher_needs_no_labels(problem: Problem) -> None:
    for penalty in (0.0, 3.0, 100.0):
        risk = risk_coefficients(ridge(problem.x, penalty), fixed(problem.truth), problem.truth, 1.0)
        assert alpha_star(risk).free == pytest.approx(0, abs=EXACT)


def test_an_interpolating_teacher_changes_nothing(problem: Problem) -> None:
    for teacher in (memorising(problem.truth, 1.0), same_labels(problem.truth, np.eye(40))):
        risk = risk_coefficients(ridge(problem.x, 3.0), teacher, problem.truth, 1.0)
        assert not risk.matters
        assert np.isnan(alpha_star(risk)).all()
        assert in_words(risk).startswith("Alpha has no effect")


def test_least_squares_on_the_same_labels_changes_nothing(problem: Problem) -> None:
    hat = ridge(problem.x, 0.0)
    assert not risk_coefficients(hat, same_labels(problem.truth, hat), problem.truth, 1.0).matters
    wide = ridge(np.hstack([problem.x, np.random.default_rng(0).standard_normal((40, 3))]), 0.0)
    assert not risk_coefficients(hat, same_labels(problem.truth, wide), problem.truth, 1.0).matters


def test_pooled_least_squares_needs_no_labels(linear: Problem) -> None:
    more = regression(examples=90, features=7, seed=5).x
    further = more @ (ridge_weights(linear.x, 0.0) @ linear.truth)
    teacher = pooled_labels(linear.truth, further, pooled(linear.x, more, 0.0), 1.0)
    risk = risk_coefficients(ridge(linear.x, 0.0), teacher, linear.truth, 1.0)
    assert alpha_star(risk).free == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_independent_least_squares_counts_by_its_data(linear: Problem, k: int) -> None:
    """alpha* = 1 / (1 + k), and k times the information divides the risk by 1 + k."""
    to_student = linear.x @ ridge_weights(np.vstack([linear.x] * k), 0.0)
    teacher = independent_labels(np.tile(linear.truth, k), to_student, 1.0)
    risk = risk_coefficients(ridge(linear.x, 0.0), teacher, linear.truth, 1.0)
    assert alpha_star(risk).free == pytest.approx(1 / (1 + k), abs=EXACT)
    assert float(risk.at(1 / (1 + k))) == pytest.approx(7 / 40 / (1 + k), abs=EXACT)


def test_a_biased_teacher_of_least_squares_by_its_bias_alone(linear: Problem) -> None:
    """alpha* = |b|^2 / (|b|^2 + d sigma^2), for a bias in the features' reach."""
    bias = linear.x @ np.full(7, 0.2)
    risk = risk_coefficients(ridge(linear.x, 0.0), fixed(linear.truth + bias), linear.truth, 0.5)
    square = float(bias @ bias)
    assert alpha_star(risk).free == pytest.approx(square / (square + 7 * 0.5), abs=EXACT)


@pytest.mark.parametrize("grows", [True, False])
def test_the_noise_law_is_the_best_alpha_at_every_noise(problem: Problem, grows: bool) -> None:
    student, smoother = ridge(problem.x, 2.0), ridge(problem.x, 9.0)
    law = noise_law(student, independent_labels(problem.truth, smoother, 1.0), problem.truth, own_noise_grows=grows)
    for variance in (0.0, 0.3, 2.0, 50.0):
        teacher = independent_labels(problem.truth, smoother, np.sqrt(variance) if grows else 1.0)
        direct = alpha_star(risk_coefficients(student, teacher, problem.truth, variance)).free
        assert float(law.at(variance)) == pytest.approx(direct, abs=EXACT)
    along = law.at(np.geomspace(1e-3, 1e3, 50))
    assert law.direction in (-1, 1)
    assert (np.sign(np.diff(along)) == law.direction).all()


def test_an_unbiased_teacher_makes_alpha_independent_of_the_noise(linear: Problem) -> None:
    law = noise_law(ridge(linear.x, 0.0), independent_labels(linear.truth, ridge(linear.x, 0.0), 1.0), linear.truth)
    np.testing.assert_allclose(law.at([0.1, 1.0, 10.0]), 0.5, atol=EXACT)


def test_new_examples_that_are_the_old_ones_have_the_risk_of_both(problem: Problem) -> None:
    """With S itself as a map to forty 'new' examples, the sum of squares is forty times the mean."""
    student = ridge(problem.x, 3.0)
    teacher = same_labels(problem.truth, ridge(problem.x, 9.0))
    inside = risk_coefficients(student, teacher, problem.truth, 1.0)
    outside = risk_coefficients(student, teacher, problem.truth, 1.0, target=problem.truth)
    np.testing.assert_allclose(np.array(outside), 40 * np.array(inside), rtol=1e-12)


def test_one_variance_a_vector_and_a_matrix_are_the_same_noise(problem: Problem) -> None:
    teacher = same_labels(problem.truth, ridge(problem.x, 9.0))
    risks = [
        risk_coefficients(ridge(problem.x, 3.0), teacher, problem.truth, noise)
        for noise in (0.4, np.full(40, 0.4), 0.4 * np.eye(40))
    ]
    np.testing.assert_allclose(risks, [risks[0]] * 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("risk", "sentence"),
    [
        (RiskCoefficients(1.0, -1.0, 2.0), "Distillation helps: at alpha = 0.5 the risk is 50.0 % below"),
        (RiskCoefficients(2.0, -1.0, 0.9), "Distillation cannot help"),
        (RiskCoefficients(1.0, 0.5, 1.0), "The teacher alone is best: at alpha = 0 the risk is 66.7 % below"),
    ],
)
def test_the_sentence_says_what_the_parabola_shows(risk: RiskCoefficients, sentence: str) -> None:
    assert in_words(risk).startswith(sentence)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": np.eye(3)}, "student.shape"),
        ({"truth": np.zeros(3)}, "truth.shape"),
        ({"noise": -0.1}, "noise=-0.1 is not allowed: it must be a variance, at least 0"),
        ({"noise": np.zeros(3)}, "noise.shape"),
        ({"noise": np.array([[1.0, 2.0], [2.0, 1.0]])}, "positive semidefinite"),
        ({"noise": np.array([[1.0, 0.0], [0.5, 1.0]])}, "symmetric"),
        ({"truth": np.array([0.0, np.inf])}, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, message: str) -> None:
    arguments = {"student": np.eye(2), "teacher": fixed([0.0, 0.0]), "truth": np.zeros(2), "noise": 1.0} | change
    with pytest.raises(RequestError, match=message):
        risk_coefficients(**arguments)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearTeacher(np.zeros(2), np.zeros((3, 3)), np.zeros((2, 1))),
        lambda: LinearTeacher(np.zeros(2), np.zeros((2, 2)), np.zeros((3, 1))),
        lambda: memorising([0.0], 1.5),
        lambda: independent_labels([0.0], [[1.0]], -1.0),
        lambda: same_labels([0.0, 1.0], [[1.0]]),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(make) -> None:
    with pytest.raises(RequestError):
        make()


def test_a_pooled_teacher_needs_no_labels_only_with_equal_noise_and_a_linear_truth() -> None:
    rng = np.random.default_rng(0)
    x, more, weights = rng.standard_normal((20, 3)), rng.standard_normal((40, 3)), np.array([1.0, -1.0, 0.5])
    student, parts = ridge(x, 0.0), pooled(x, more, 0.0)

    def best(truth: np.ndarray, further: np.ndarray, deviation: float) -> float:
        return alpha_star(risk_coefficients(student, pooled_labels(truth, further, parts, deviation), truth, 1.0)).free

    assert abs(best(x @ weights, more @ weights, 1.0)) < EXACT
    assert best(x @ weights, more @ weights, 2.0) > 0.2  # noisier further labels
    assert best((x @ weights) ** 2, (more @ weights) ** 2, 1.0) > 0.2  # a curved truth


def test_an_unbiased_teacher_keeps_alpha_constant_only_if_its_own_noise_grows_too() -> None:
    rng = np.random.default_rng(0)
    x, z, weights = rng.standard_normal((20, 3)), rng.standard_normal((40, 3)), np.array([1.0, -1.0, 0.5])
    teacher = independent_labels(z @ weights, x @ np.linalg.pinv(z), 1.0)
    same, clean = (noise_law(ridge(x, 0.0), teacher, x @ weights, own_noise_grows=grows) for grows in (True, False))
    assert np.ptp(same.at([0.5, 1.0, 4.0])) < EXACT
    assert np.all(np.diff(clean.at([0.5, 1.0, 4.0])) < -0.05)  # the noisier the labels, the more the teacher is worth
