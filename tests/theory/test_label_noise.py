"""The flip threshold: by hand, by brute force, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp

from distillab.data import transition_matrix
from distillab.errors import RequestError
from distillab.theory import (
    clean_posterior,
    finite_teacher_accuracy,
    flip_threshold,
    label_energy,
    noisy_posterior,
    smoothing,
)


def test_symmetric_noise_gives_the_closed_form() -> None:
    for classes, rate in ((10, 0.4), (10, 0.05), (3, 0.5), (2, 0.3)):
        c = rate * classes / (classes - 1)
        noise = transition_matrix("symmetric", classes=classes, rate=rate)
        assert flip_threshold(noise) == pytest.approx((1 - c) / (2 - c), abs=1e-12)


def test_the_ten_class_example_is_right_by_hand() -> None:
    """eta = 0.4, C = 10: c = 4/9, so (5/9) / (14/9) = 5/14."""
    assert flip_threshold(transition_matrix("symmetric", classes=10, rate=0.4)) == pytest.approx(5 / 14, abs=1e-12)


def test_noise_with_one_target_is_that_of_two_classes() -> None:
    """d = (1 - eta) - eta: the threshold is (1 - 2 eta) / (2 - 2 eta), whatever the number of classes."""
    for kind in ("shift", "pair"):
        assert flip_threshold(transition_matrix(kind, classes=7, rate=0.2)) == pytest.approx(0.6 / 1.6, abs=1e-12)


def test_a_teacher_of_clean_labels_outvotes_up_to_one_half() -> None:
    assert flip_threshold(transition_matrix("shift", classes=5, rate=0.3), np.eye(5)) == 0.5


def test_a_teacher_that_prefers_the_wrong_class_outvotes_nothing() -> None:
    assert flip_threshold(transition_matrix("pair", classes=4, rate=0.6)) == 0.0


def test_where_nothing_is_wrong_there_is_no_threshold() -> None:
    assert np.isnan(flip_threshold(np.eye(3)))


@given(st.integers(2, 6), st.integers(0, 2**32))
def test_brute_force_finds_the_same_threshold(classes: int, seed: int) -> None:
    """On either side of it, mix targets of every pair of clean and given class and look whether clean wins."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(classes), size=classes) * 0.4 + 0.6 * np.eye(classes)
    threshold = flip_threshold(noise)

    def clean_wins(alpha: float) -> bool:
        wins = []
        for clean in range(classes):
            for given_label in set(range(classes)) - {clean}:
                target = (1 - alpha) * noise[clean] + alpha * np.eye(classes)[given_label]
                wins.append(target[clean] > target[given_label])
        return all(wins)

    assert clean_wins(threshold - 1e-6)
    assert not clean_wins(threshold + 1e-6)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [(np.zeros((2, 3)), r"transition\.shape=\(2, 3\)"), (np.ones((2, 2)), "sums of transition's rows")],
)
def test_what_is_no_transition_is_refused(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        flip_threshold(matrix)


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(RequestError, match=r"teacher\.shape=\(2, 2\) is not allowed"):
        flip_threshold(np.eye(3), np.eye(2))


@given(st.integers(2, 8), st.floats(0, 0.99), st.integers(0, 2**32 - 1))
def test_a_noisy_posterior_is_the_clean_one_through_the_matrix(classes: int, share: float, seed: int) -> None:
    """Symmetric noise as a transition matrix, and back again."""
    rate = share * (classes - 1) / classes
    q = np.random.default_rng(seed).dirichlet(np.ones(classes))
    noisy = noisy_posterior(q, rate)
    np.testing.assert_allclose(noisy, q @ transition_matrix("symmetric", classes=classes, rate=rate), atol=1e-12)
    assert noisy.sum() == pytest.approx(1)
    np.testing.assert_allclose(clean_posterior(noisy, rate), q, atol=1e-9 / (1 - share))


def test_noise_keeps_the_order_of_classes() -> None:
    q = np.array([0.5, 0.3, 0.2])
    assert (np.argsort(noisy_posterior(q, 0.6)) == np.argsort(q)).all()


def test_the_energy_of_a_label_by_hand() -> None:
    """Two classes, certain, a quarter wrong: q~ = (3/4, 1/4), so 1 - 9/16 - 1/16 = 3/8."""
    assert float(label_energy([1.0, 0.0], 0.25)) == pytest.approx(0.375)


def test_energy_and_squared_bias_of_certain_labels_are_twice_the_rate() -> None:
    q = np.eye(10)[3]
    bias = noisy_posterior(q, 0.3) - q
    assert float(label_energy(q, 0.3)) + float(bias @ bias) == pytest.approx(0.6)


def test_votes_counted_one_by_one() -> None:
    """Every outcome of seven votes, the first of them the student's own label."""
    votes, rate = 7, 0.3
    for alpha in (0.0, 0.1, 0.3, 0.45, 0.6, 1.0):
        right = 0.0
        for outcome in range(2**votes):
            wrong = np.array([outcome >> vote & 1 for vote in range(votes)])
            chance = np.prod(np.where(wrong, rate, 1 - rate))
            mixed = alpha * wrong[0] + (1 - alpha) * wrong.mean()
            right += chance * (mixed < 0.5 - 1e-12)
        assert finite_teacher_accuracy(alpha, votes, rate) == pytest.approx(right, abs=1e-12)


def test_a_teacher_of_many_votes_denoises_up_to_the_threshold() -> None:
    threshold = flip_threshold(transition_matrix("symmetric", classes=2, rate=0.3))
    assert finite_teacher_accuracy(threshold - 0.05, 20_001, 0.3) == pytest.approx(1, abs=1e-6)
    assert finite_teacher_accuracy(threshold + 0.05, 20_001, 0.3) == pytest.approx(0.7, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smoothing(0.1, 1), "classes=1 is not allowed: it must be a whole number, at least 2"),
        (lambda: smoothing(0.9, 10), "rate=0.9 is not allowed: it must be below 0.9"),
        (lambda: smoothing(-0.1, 3), "rate=-0.1"),
        (lambda: noisy_posterior([0.5, 0.4], 0.1), "1 in each row"),
        (lambda: noisy_posterior([1.0], 0.1), "at least two classes"),
        (lambda: finite_teacher_accuracy(0.1, 0, 0.1), "votes=0"),
        (lambda: finite_teacher_accuracy(0.1, 3, 0.5), "rate=0.5"),
        (lambda: finite_teacher_accuracy(1.1, 3, 0.1), "alpha=1.1"),
    ],
)
def test_noise_that_makes_no_sense_is_refused(call, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_at_the_threshold_a_softened_student_gives_both_classes_the_same_logit(temperature: float) -> None:
    """The student's loss on one example minimised by SciPy, below and above: the wrong label is outvoted just below."""
    transition = transition_matrix("shift", classes=3, rate=0.3)
    threshold = flip_threshold(transition, temperature=temperature)
    teacher = np.log(np.maximum(transition[0], 1e-300)) / temperature
    soft = np.exp(teacher - logsumexp(teacher))
    wrong = int(np.flatnonzero((transition[0] > 0) & (np.arange(3) != 0))[0])

    def lead(alpha: float) -> float:
        def loss(z: np.ndarray) -> float:
            hard = -(z[wrong] - logsumexp(z))
            log_probabilities = z / temperature - logsumexp(z / temperature)
            ridge = 1e-9 * float(z @ z)  # a class that nobody names has no finite best logit
            return float(alpha * hard - (1 - alpha) * temperature**2 * soft @ log_probabilities) + ridge

        z = minimize(loss, np.zeros(3), tol=1e-12).x
        return float(z[0] - z[wrong])

    assert lead(threshold - 0.02) > 0 > lead(threshold + 0.02)


def test_a_sure_teacher_outvotes_up_to_its_share_of_the_pull() -> None:
    assert flip_threshold(transition_matrix("shift", classes=5, rate=0.3), np.eye(5), temperature=3) == 0.75


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(RequestError, match="a finite number greater than 0"):
        flip_threshold(np.eye(3), temperature=temperature)
