"""Self-distillation: the spectral form against traces, thresholds and rules to rounding, and what cannot be beaten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.errors import RequestError
from distillab.theory import alpha_star, descent, ridge, risk_coefficients, same_labels
from distillab.theory import self_distillation as sd
from distillab.theory.problems import Problem, regression

EXACT = 1e-10


@st.composite
def spectra(draw) -> tuple[sd.Spectrum, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 6))
    parts = sd.Spectrum(rng.uniform(0.1, 5, count), rng.uniform(0.05, 2, count), rng.uniform(0.1, 1, count))
    return parts, rng.uniform(0.1, 0.95, count), rng.uniform(0.1, 0.95, count)


@pytest.mark.parametrize("penalties", [(3.0, 30.0), (0.5, 0.1), (2.0, 2.0)])
def test_the_spectral_form_is_that_of_traces(problem: Problem, penalties: tuple[float, float]) -> None:
    parts = sd.spectrum(problem.x, problem.truth)
    spectral = sd.self_distillation_risk(parts, *(sd.ridge_filter(parts.strengths, lam) for lam in penalties), 0.8)
    student, teacher = (ridge(problem.x, lam) for lam in penalties)
    traces = risk_coefficients(student, same_labels(problem.truth, teacher), problem.truth, 0.8)
    np.testing.assert_allclose(spectral, traces, atol=EXACT)


def test_descent_has_a_spectral_form_too(problem: Problem) -> None:
    parts = sd.spectrum(problem.x, problem.truth)
    rate = 0.9 / parts.strengths.max()
    h, g = (sd.descent_filter(parts.strengths, steps=steps, rate=rate) for steps in (40, 5))
    student, teacher = (descent(problem.x, steps=steps, rate=rate) for steps in (40, 5))
    traces = risk_coefficients(student, same_labels(problem.truth, teacher), problem.truth, 0.8)
    np.testing.assert_allclose(sd.self_distillation_risk(parts, h, g, 0.8), traces, atol=EXACT)


@given(spectra())
def test_at_the_thresholds_alpha_is_one_and_nought(made) -> None:
    parts, h, g = made
    helps, alone = sd.thresholds(parts, h, g)
    assert helps <= alone
    for variance, alpha in ((helps, 1.0), (alone, 0.0)):
        assert alpha_star(sd.self_distillation_risk(parts, h, g, variance)).free == pytest.approx(alpha, abs=EXACT)


@given(spectra())
def test_more_noise_means_less_weight_for_the_labels(made) -> None:
    parts, h, g = made
    variances = np.geomspace(1e-3, 1e3, 30)
    alphas = [alpha_star(sd.self_distillation_risk(parts, h, g, v)).free for v in variances]
    assert (np.diff(alphas) < 0).all()
    assert alphas[0] >= 1 - 1e-9 or sd.thresholds(parts, h, g).helps < variances[0]


@given(spectra(), st.floats(0.05, 20), st.floats(0.05, 5))
def test_the_path_rule_is_the_best_alpha_of_equal_penalties(made, penalty: float, variance: float) -> None:
    parts, _, _ = made
    h = sd.ridge_filter(parts.strengths, penalty)
    direct = alpha_star(sd.self_distillation_risk(parts, h, h, variance)).free
    assert sd.path_rule(parts, penalty, variance) == pytest.approx(direct, rel=1e-9, abs=EXACT)


@given(spectra(), st.floats(0.05, 20), st.floats(0.05, 5))
def test_distillation_helps_exactly_where_more_penalty_would(made, penalty: float, variance: float) -> None:
    parts, _, _ = made

    def risk(lam: float) -> float:
        return sd.filter_risk(parts, sd.ridge_filter(parts.strengths, lam), variance)

    slope = (risk(penalty * (1 + 1e-6)) - risk(penalty * (1 - 1e-6))) / (2e-6 * penalty)
    if abs(slope) > 1e-6:
        assert np.sign(1 - sd.path_rule(parts, penalty, variance)) == -np.sign(slope)


@given(spectra(), st.floats(0.05, 5), st.floats(-2, 3))
def test_nothing_beats_the_filter_that_knows_the_signal(made, variance: float, alpha: float) -> None:
    parts, h, g = made
    oracle = sd.filter_risk(parts, sd.best_filter(parts, variance), variance)
    assert float(sd.self_distillation_risk(parts, h, g, variance).at(alpha)) >= oracle - EXACT


@given(spectra(), st.floats(0.05, 5))
def test_the_closed_share_is_that_of_the_gap(made, variance: float) -> None:
    parts, h, g = made
    risk = sd.self_distillation_risk(parts, h, g, variance)
    oracle = sd.filter_risk(parts, sd.best_filter(parts, variance), variance)
    labels, best = float(risk.at(1.0)), float(risk.at(alpha_star(risk).free))
    assert sd.closed_share(parts, h, g, variance) == pytest.approx((labels - best) / (labels - oracle), abs=1e-6)


def test_a_student_that_is_the_best_filter_has_nothing_to_gain() -> None:
    """theta^2 in proportion to d, lambda = sigma^2 d / theta^2: ridge regression is the oracle."""
    d = np.array([4.0, 2.0, 1.0])
    parts = sd.Spectrum(d, 0.5 * d, np.full(3, 0.1))
    h = sd.ridge_filter(d, 2.0)  # sigma^2 = 1, so 1 / 0.5
    np.testing.assert_allclose(h, sd.best_filter(parts, 1.0), atol=1e-15)
    assert alpha_star(sd.self_distillation_risk(parts, h, h, 1.0)).free == pytest.approx(1, abs=EXACT)


def test_an_orthogonal_design_by_hand() -> None:
    """alpha* = (w - h g) / (h (1 - g)) with w the mean signal's share: (1/2 - 2/5) / (4/5 * 1/2) = 1/4."""
    parts = sd.Spectrum(np.ones(2), np.array([1.5, 0.5]), np.full(2, 0.5))
    risk = sd.self_distillation_risk(parts, np.full(2, 0.8), np.full(2, 0.5), 1.0)
    assert alpha_star(risk).free == pytest.approx(0.25)


def test_alpha_two_with_equal_filters_is_twicing() -> None:
    """Tukey's twicing fits the residuals once more: 2 h - h^2."""
    h = np.array([0.9, 0.4])
    np.testing.assert_allclose(sd.repeated(h, h, [2.0]), 2 * h - h**2)


def test_rounds_without_labels_are_powers() -> None:
    h = np.array([0.9, 0.4])
    np.testing.assert_allclose(sd.repeated(h, h, [0.0, 0.0, 0.0]), h**4)
    np.testing.assert_allclose(sd.repeated(h, h, [1.0]), h)


def test_rounds_are_trained_one_after_another(problem: Problem) -> None:
    parts = sd.spectrum(problem.x, problem.truth)
    h, g = (sd.ridge_filter(parts.strengths, lam) for lam in (2.0, 9.0))
    student, predictions = ridge(problem.x, 2.0), ridge(problem.x, 9.0)
    for alpha in (0.3, 0.8):
        predictions = student @ (alpha * np.eye(40) + (1 - alpha) * predictions)
    left = np.linalg.svd(problem.x, full_matrices=False)[0]
    np.testing.assert_allclose(left @ np.diag(sd.repeated(h, g, [0.3, 0.8])) @ left.T, predictions, atol=EXACT)


def test_the_truth_outside_the_features_stays_in_every_risk() -> None:
    problem = regression(examples=20, features=3, seed=0, misfit=0.25)
    assert sd.spectrum(problem.x, problem.truth).outside == pytest.approx(0.25, abs=EXACT)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sd.Spectrum([1.0, 0.0], [1.0, 1.0], [1.0, 1.0]), "strengths=0.0 is not allowed: it must be above 0"),
        (lambda: sd.Spectrum([1.0], [-1.0], [1.0]), "signal=-1.0"),
        (lambda: sd.Spectrum([1.0], [1.0, 2.0], [1.0]), "signal.shape"),
        (lambda: sd.ridge_filter([1.0], -1.0), "penalty=-1.0"),
        (lambda: sd.descent_filter([4.0], steps=1, rate=0.3), "rate=0.3 is not allowed: it must be at most 0.25"),
        (lambda: sd.thresholds(sd.Spectrum([1.0], [1.0], [1.0]), [1.2], [0.5]), "student's filter=1.2"),
        (lambda: sd.path_rule(sd.Spectrum([1.0], [1.0], [1.0]), 0.0, 1.0), "penalty=0.0"),
        (lambda: sd.best_filter(sd.Spectrum([1.0], [1.0], [1.0]), 0.0), "variance=0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call()
