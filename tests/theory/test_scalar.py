"""Two noisy estimates of one number: by hand, and the rules of sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.errors import RequestError
from distillab.theory import alpha_star, memorising_teacher_alpha, scalar_risk


def test_by_hand() -> None:
    """b = 1, sigma = 1, tau = 2, rho = 0: (1 + 4) / (1 + 1 + 4) = 5/6, and there a risk of 5/6."""
    risk = scalar_risk(bias=1.0, sigma=1.0, tau=2.0)
    assert alpha_star(risk).free == pytest.approx(5 / 6)
    assert float(risk.at(5 / 6)) == pytest.approx(5 / 6)
    assert float(risk.at(0)) == 5.0
    assert float(risk.at(1)) == pytest.approx(1.0)


@given(st.floats(-2, 2), st.floats(0.1, 2), st.floats(0.1, 2), st.floats(-0.99, 0.99))
def test_the_rules_of_sign(bias: float, sigma: float, tau: float, rho: float) -> None:
    """Above 1 exactly where rho tau > sigma, below 0 exactly where b^2 + tau^2 < rho sigma tau."""
    free = alpha_star(scalar_risk(bias=bias, sigma=sigma, tau=tau, correlation=rho)).free
    if abs(rho * tau - sigma) > 1e-6:
        assert (free > 1) == (rho * tau > sigma)
    if abs(bias**2 + tau**2 - rho * sigma * tau) > 1e-6:
        assert (free < 0) == (bias**2 + tau**2 < rho * sigma * tau)


@given(st.floats(-2, 2), st.floats(0.1, 2), st.floats(0.0, 2), st.floats(-1, 1), st.floats(-1, 2))
def test_it_is_the_covariance_of_a_mixture(bias: float, sigma: float, tau: float, rho: float, alpha: float) -> None:
    weights = np.array([alpha, 1 - alpha])
    covariance = np.array([[sigma**2, rho * sigma * tau], [rho * sigma * tau, tau**2]])
    expected = ((1 - alpha) * bias) ** 2 + weights @ covariance @ weights
    risk = scalar_risk(bias=bias, sigma=sigma, tau=tau, correlation=rho)
    assert float(risk.at(alpha)) == pytest.approx(expected, abs=1e-9)


def test_label_and_teacher_change_places() -> None:
    """Without bias the two are alike: swapping them turns alpha into 1 - alpha."""
    alpha = alpha_star(scalar_risk(bias=0.0, sigma=1.0, tau=0.6, correlation=0.3)).free
    other = alpha_star(scalar_risk(bias=0.0, sigma=0.6, tau=1.0, correlation=0.3)).free
    assert alpha == pytest.approx(1 - other)


@given(st.floats(0.1, 2), st.floats(0.0, 0.95), st.floats(-1, 1))
def test_a_memorising_teacher_is_one_of_full_correlation(sigma: float, share: float, bias: float) -> None:
    expected = memorising_teacher_alpha(bias=bias, sigma=sigma, share=share)
    general = alpha_star(scalar_risk(bias=bias, sigma=sigma, tau=share * sigma, correlation=1.0)).free
    assert expected == pytest.approx(general, rel=1e-6, abs=1e-9)


def test_what_is_the_label_itself_has_no_alpha() -> None:
    assert np.isnan(memorising_teacher_alpha(bias=0.0, sigma=1.0, share=1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correlation": 1.01}, "correlation=1.01 is not allowed: it must be from -1 to 1"),
        ({"sigma": -1.0}, "sigma=-1.0"),
        ({"tau": float("nan")}, "tau=nan is not allowed: it must be a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        scalar_risk(**({"bias": 0.0, "sigma": 1.0, "tau": 1.0} | change))
