"""The Brier score of a mixture: by hand, by listing labels, and what its best alpha depends on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory import alpha_star, label_energy, noisy_posterior
from distillab.theory.brier import brier_risk, label_bias


def test_every_draw_of_two_labels_counted() -> None:
    q, bias = np.array([0.7, 0.2, 0.1]), np.array([0.05, -0.02, -0.03])
    noisy = noisy_posterior(q, 0.3)
    risk = brier_risk(q, 0.3, labels=2, teacher_bias=bias, teacher_variance=0.04)
    for alpha in (0.0, 0.4, 1.0):
        error = (1 - alpha) ** 2 * 0.04  # the teacher's own spread is independent of the labels
        for pair in itertools.product(range(3), repeat=2):
            mixed = alpha * np.eye(3)[list(pair)].mean(axis=0) + (1 - alpha) * (q + bias)
            error += noisy[list(pair)].prod() * np.sum((mixed - q) ** 2)
        assert float(risk.at(alpha)) == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.6])
def test_a_teacher_of_the_same_noise_counts_by_its_labels(rate: float) -> None:
    """Averaging removes variance and never the noise's bias: alpha* = m / (m + M) at every rate."""
    q = np.array([0.5, 0.3, 0.2])
    risk = brier_risk(
        q, rate, labels=2, teacher_bias=label_bias(q, rate), teacher_variance=float(label_energy(q, rate)) / 6
    )
    assert alpha_star(risk).free == pytest.approx(2 / 8)


def test_a_cleaner_and_steady_teacher_needs_no_labels() -> None:
    """b_t = e (u - q) with e < c: alpha* is not above 0 once tau^2 is at most e (c - e) |u - q|^2."""
    q, c, e = np.eye(4)[0], 0.4 * 4 / 3, 0.2
    away = 1 / 4 - q
    bound = e * (c - e) * float(away @ away)
    keys = {"labels": 3, "teacher_bias": e * away}
    assert alpha_star(brier_risk(q, 0.4, teacher_variance=bound, **keys)).free == pytest.approx(0, abs=1e-12)
    assert alpha_star(brier_risk(q, 0.4, teacher_variance=1.1 * bound, **keys)).free > 0


@pytest.mark.parametrize("change", [{"labels": 0}, {"teacher_variance": -1.0}, {"teacher_bias": [0.0]}, {"rate": 0.5}])
def test_what_makes_no_sense_is_refused(change: dict) -> None:
    keys = {"rate": 0.2, "labels": 1, "teacher_bias": [0.0, 0.0], "teacher_variance": 0.1} | change
    with pytest.raises(RequestError):
        brier_risk([0.5, 0.5], **keys)
