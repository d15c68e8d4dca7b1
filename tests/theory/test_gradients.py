"""Gradients along alpha: exact identities, listed labels, and the chain whose rest is known."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.theory import alpha_star, memorising, noisy_posterior, ridge, risk_coefficients
from distillab.theory.gradients import control_variate_alpha, label_gradient_variance, stationary_risk, target_noise
from distillab.theory.problems import Problem

RNG = np.random.default_rng(0)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_of_a_softmax_model_the_mixture_is_a_control_variate() -> None:
    """g_alpha(w) = g(w) - (1 - alpha) g(w_T), example by example, and the least variance is where it says."""
    x, labels = RNG.standard_normal((200, 3)), np.eye(4)[RNG.integers(0, 4, 200)]
    weights, teacher_weights = RNG.standard_normal((2, 3, 4))

    def gradient(w: np.ndarray, target: np.ndarray) -> np.ndarray:
        return (x[:, :, None] * (softmax(x @ w) - target)[:, None, :]).reshape(200, -1)

    ours, theirs = gradient(weights, labels), gradient(teacher_weights, labels)
    for alpha in (0.0, 0.3, 1.0):
        mixed = gradient(weights, alpha * labels + (1 - alpha) * softmax(x @ teacher_weights))
        np.testing.assert_allclose(mixed, ours - (1 - alpha) * theirs, atol=1e-12)
    best = control_variate_alpha(ours, theirs)

    def variance(alpha: float) -> float:
        return float((ours - (1 - alpha) * theirs).var(axis=0).sum())

    assert variance(best) < min(variance(best - 1e-3), variance(best + 1e-3))


def test_a_teacher_without_spread_has_no_best_alpha() -> None:
    assert np.isnan(control_variate_alpha(RNG.standard_normal((5, 2)), np.ones((5, 2))))


def test_the_labels_part_by_listing_the_labels() -> None:
    q = np.array([0.6, 0.3, 0.1])
    noisy = noisy_posterior(q, 0.2)
    predicted, teacher = softmax(RNG.standard_normal(3)), softmax(RNG.standard_normal(3))
    x = np.array([1.0, -2.0])
    per_label = np.array(
        [np.outer(x, 0.7 * (predicted - np.eye(3)[label]) + 0.3 * (predicted - teacher)).ravel() for label in range(3)]
    )
    mean = noisy @ per_label
    listed = noisy @ np.sum((per_label - mean) ** 2, axis=1)
    assert float(label_gradient_variance(0.7, q, 0.2, square=5.0)) == pytest.approx(listed)


def test_the_noise_in_targets_is_that_of_a_student_who_repeats_them(problem: Problem) -> None:
    """With S = I the variance of the risk is the noise in the targets."""
    smoother = ridge(problem.x, 3.0)
    noise = target_noise(smoother)
    from distillab.theory import risk_split, same_labels

    split = risk_split(np.eye(40), same_labels(problem.truth, smoother), problem.truth, 1.0)
    np.testing.assert_allclose(noise, split.variance, atol=1e-12)


def test_an_interpolating_teacher_leaves_all_noise_in() -> None:
    np.testing.assert_allclose(target_noise(np.eye(4)).at([0.0, 0.3, 1.0]), 1)
    assert not risk_coefficients(np.eye(2), memorising([0.0, 1.0], 1.0), [0.0, 1.0], 1.0).matters


def test_sgd_rests_where_its_second_moments_do() -> None:
    """E|v|^2 for v <- v - gamma x (x'v - e), worked by its recursion: one feature, one example a step.

    With a Gaussian x: E(1 - gamma x^2)^2 = 1 - 2 gamma + 3 gamma^2, so the rest is gamma sigma^2 / (2 - 3 gamma).
    """
    risk = stationary_risk(teacher_offset=0.0, variance=2.0, features=1, batch=1, step=0.1)
    assert float(risk.at(1.0)) == pytest.approx(0.1 * 2 / (2 - 0.3))


def test_smaller_steps_call_for_more_weight_on_the_labels() -> None:
    keys = {"teacher_offset": 0.1, "variance": 1.0, "features": 5, "batch": 2}
    along = [alpha_star(stationary_risk(step=step, **keys)).free for step in (0.2, 0.05, 1e-6)]
    assert (np.diff(along) > 0).all()
    assert along[-1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stationary_risk(teacher_offset=0.1, variance=1.0, features=5, batch=2, step=0.5), "step=0.5"),
        (lambda: stationary_risk(teacher_offset=0.1, variance=-1.0, features=5, batch=2, step=0.1), "variance"),
        (lambda: stationary_risk(teacher_offset=0.1, variance=1.0, features=0, batch=2, step=0.1), "features=0"),
        (lambda: target_noise(np.zeros((2, 3))), "smoother.shape"),
        (lambda: control_variate_alpha(np.zeros((2, 3)), np.zeros((2, 2))), "teachers.shape"),
        (lambda: label_gradient_variance(0.5, [1.0, 0.0], 0.5), "rate=0.5"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call()
