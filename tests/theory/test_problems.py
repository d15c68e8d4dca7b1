"""Problems made to order have what was ordered."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory.problems import regression
from distillab.theory.self_distillation import spectrum


def test_the_spectrum_decays_as_requested() -> None:
    problem = regression(examples=50, features=5, seed=0, decay=2.0)
    np.testing.assert_allclose(np.linalg.svd(problem.x)[1] ** 2, 50 / np.arange(1, 6) ** 2.0)


def test_the_signal_lies_where_it_was_requested() -> None:
    problem = regression(examples=50, features=5, seed=0, decay=2.0, alignment=1.0, misfit=0.2)
    parts = spectrum(problem.x, problem.truth)
    np.testing.assert_allclose(parts.signal / parts.signal[0], parts.strengths / parts.strengths[0])
    assert parts.outside == pytest.approx(0.2)
    assert np.mean(problem.truth**2) == pytest.approx(1)


def test_noise_is_even_unless_a_spread_is_given() -> None:
    assert (regression(examples=20, features=2, seed=0, noise=0.3).noise == 0.3).all()
    uneven = regression(examples=20_000, features=2, seed=0, noise=0.3, spread=0.8).noise
    assert uneven.mean() == pytest.approx(0.3, abs=4 * uneven.std() / np.sqrt(20_000))
    assert np.log(uneven).std() == pytest.approx(0.8, abs=0.03)


def test_the_same_seed_makes_the_same_problem() -> None:
    first, again, other = (regression(examples=10, features=2, seed=seed) for seed in (1, 1, 2))
    assert (first.x == again.x).all()
    assert not (first.x == other.x).any()


def test_labels_scatter_about_the_truth_by_their_noise() -> None:
    problem = regression(examples=10, features=2, seed=0, noise=0.5, spread=1.0)
    labels = problem.labels(np.random.default_rng(0), 40_000)
    assert labels.shape == (10, 40_000)
    errors = np.sqrt(problem.noise / 40_000)
    assert (np.abs(labels.mean(axis=1) - problem.truth) < 4 * errors).all()
    np.testing.assert_allclose(labels.var(axis=1), problem.noise, rtol=4 * np.sqrt(2 / 40_000))


@pytest.mark.parametrize(
    "change",
    [
        {"examples": 5},
        {"features": 0},
        {"seed": -1},
        {"decay": -1.0},
        {"noise": -0.1},
        {"spread": -1.0},
        {"misfit": 1.0},
        {"alignment": float("nan")},
    ],
)
def test_what_cannot_be_made_is_refused(change: dict) -> None:
    with pytest.raises(RequestError, match=next(iter(change))):
        regression(**({"examples": 20, "features": 5, "seed": 0} | change))
