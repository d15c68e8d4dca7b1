"""Which labels are wrong: the noise between clean and given labels, estimated with a prior over the clean ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, logsumexp, ndtri

from distillab.errors import not_allowed
from distillab.stats.intervals import Interval

Floats = NDArray[np.float64]

ROUNDS = 60
"""Of expectation and maximisation: estimates change in the fourth digit after about half of them."""

STRENGTH = 2.0
"""Labels, for each class, that the symmetric matrix counts as in the estimate of the noise."""

BELIEFS = (0.75, 0.5, 0.25)
"""Powers of a prior that is believed less: a certain prior takes hard examples for wrongly labelled ones."""

VOTES = 9
"""Students' votes together count as so many: candidates of a long search agree, and are not independent."""

WEAK_TEACHER = 0.5
"""The weight of a weak teacher's log probabilities beside the votes'."""

POWERS = tuple(2 ** (step / 2) for step in range(-4, 7))
"""Inverse temperatures that a student is judged at."""

_LEAST = 1e-4
"""Probabilities below this say no more: a softmax of large logits would be certain."""


class WrongLabels(NamedTuple):
    """The noise of labels, and what it says of each one."""

    posterior: Floats
    """Probabilities of the clean class given the given label, shape (V, C)."""
    matrix: Floats
    """Probabilities of the given class (column) where the clean one is the row, shape (C, C)."""
    share: Interval
    """Of wrong labels, with a 95 % interval for other draws; the prior is believed as far as the labels bear it out."""
    doubted: Interval
    """The same where the prior is believed as it is: too many where it errs with confidence."""


def wrong_labels(prior: ArrayLike, labels: ArrayLike, trusted: ArrayLike | None = None) -> WrongLabels:
    """Estimate class-conditional label noise, and the clean class of each example.

    The given label depends on the clean class c only, by the matrix M. EM alternates

        q_i(c) ∝ prior_i(c) M[c, y_i],    M[c, k] ∝ sum_i q_i(c) [y_i = k] + s B[c, k],

    where B is the symmetric matrix with the same share of wrong labels: few examples tell little about single classes.

    Args:
        prior: of the clean class without the label, shape (V, C), >= 0; rows are normalised.
        labels: as given, shape (V,), from 0 to C - 1.
        trusted: labels that are known to be right, shape (V,), yes or no; their posterior is the label itself, and M
            is not estimated from them. None: none.

    Returns:
        Of the powers 1, 3/4, 1/2 and 1/4 of the prior, the one that makes the given labels likeliest tells the share.
        With `w_i = 1 - q_i(y_i)`, the logit of the share has the standard error `1 / sqrt(sum_i (w_i - mean w)^2)`:
        that of a binomial count where every label is surely right or wrong, and more where it is not.

    Raises:
        RequestError: fewer than two classes, shapes that do not match, or a label out of range.

    Example:
        >>> prior = np.repeat([[0.99, 0.01], [0.01, 0.99]], 50, axis=0)
        >>> labels = np.repeat([0, 1, 1], [40, 10, 50])  # ten of the first class are given as the second
        >>> found = wrong_labels(prior, labels)
        >>> round(found.share.estimate, 2), found.posterior[45].round(2).tolist(), found.matrix.round(2).tolist()
        (0.1, [0.95, 0.05], [[0.81, 0.19], [0.0, 1.0]])

    Source: Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", 1979, for
    one observer and a prior; Louis, "Finding the observed information matrix when using the EM algorithm", 1982,
    equation 3.2, for the standard error, of a single share of wrong labels.
    """
    chances, given, right = _checked(prior, labels, trusted)
    found = _estimated(chances, given, right)
    tempered = [found, *(_estimated(_normalised(chances**power), given, right) for power in BELIEFS)]
    share = max(tempered, key=lambda one: one.likelihood).share
    return WrongLabels(found.posterior, found.matrix, share, found.share)


class _Estimate(NamedTuple):
    posterior: Floats
    matrix: Floats
    share: Interval
    likelihood: float


def _estimated(chances: Floats, given: NDArray[np.intp], right: NDArray[np.bool_]) -> _Estimate:
    """EM from the symmetric matrix with a fifth of the labels wrong."""
    classes, estimated = chances.shape[1], ~right
    used, seen = chances[estimated], given[estimated]
    matrix, one_hot = _symmetric(0.2, classes), np.eye(classes)
    for _ in range(ROUNDS if len(seen) else 0):
        counts = _posterior(used, matrix, seen).T @ one_hot[seen]
        wrong = (counts.sum() - np.trace(counts) + 0.5) / (counts.sum() + 1)
        matrix = counts + STRENGTH * _symmetric(wrong, classes)
        matrix /= matrix.sum(axis=1, keepdims=True)
    posterior = one_hot[given]
    posterior[estimated] = _posterior(used, matrix, seen)
    likelihood = float(np.log((used * matrix.T[seen]).sum(axis=1)).sum())
    return _Estimate(posterior, matrix, _share(1 - posterior[np.arange(len(given)), given]), likelihood)


def vote_prior(decisions: ArrayLike, teacher: ArrayLike, labels: ArrayLike) -> Floats:
    """A prior over the clean class from students' decisions and their teacher's probabilities.

        prior_i(c) ∝ (1 + 9/K sum_k [decision_ki = c]) t_i(c)^w

    Rule of succession for the votes. The weight w is 1 for a teacher that agrees with the given labels at least as
    often as its students do on average, and else 1/2: a weak teacher is outvoted, and where students of noisy labels
    disagree, a good one decides.

    Args:
        decisions: predicted classes of K >= 1 students, shape (K, V).
        teacher: the teacher's probabilities at T = 1, shape (V, C).
        labels: as given, shape (V,); they weigh the teacher, and are no part of the prior.

    Returns:
        Shape (V, C), rows sum to 1.

    Example:
        >>> vote_prior([[0, 1], [0, 1], [1, 1]], [[0.5, 0.5], [0.9, 0.1]], [0, 0]).round(2).tolist()
        [[0.64, 0.36], [0.47, 0.53]]
    """
    chances, chosen, given = np.asarray(teacher, np.float64), np.asarray(decisions), np.asarray(labels)
    votes, rows = np.ones_like(chances), np.arange(len(chances))
    for decision in chosen:
        votes[rows, decision] += VOTES / len(chosen)
    sound = (chances.argmax(axis=1) == given).mean() >= (chosen == given).mean()
    weight = 1.0 if sound else WEAK_TEACHER
    logs = np.log(votes) + weight * np.log(np.clip(chances, _LEAST, 1))
    return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))


def calibrated_brier(probabilities: ArrayLike, posterior: ArrayLike) -> Floats:
    """The Brier distance between students and the clean classes, each student at its own best temperature.

        min_b mean_i sum_c (q_i(c) - p_ki(c)^b / sum_d p_ki(d)^b)^2,    b from 1/4 to 8

    A student of noisy labels is unsure of everything, and one of a soft teacher too: b takes that away, and leaves how
    well the student tells the classes apart.

    Args:
        probabilities: of K students, shape (K, V, C).
        posterior: of the clean class, shape (V, C).

    Returns:
        Shape (K,), in [0, 2]; less is better.

    Example:
        >>> posterior = [[1.0, 0.0], [0.0, 1.0]]
        >>> calibrated_brier([[[0.6, 0.4], [0.4, 0.6]], [[0.4, 0.6], [0.4, 0.6]]], posterior).round(2).tolist()
        [0.0, 0.5]

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950; Guo et al., "On calibration of
    modern neural networks", 2017, for one temperature a model.
    """
    chances, students = np.asarray(posterior, np.float64), np.asarray(probabilities, np.float64)
    best = np.full(len(students), np.inf)
    for number, student in enumerate(students):
        logs = np.log(np.clip(student, _LEAST, 1))
        for power in POWERS:
            sharp = np.exp(power * logs)
            sharp /= sharp.sum(axis=1, keepdims=True)
            best[number] = min(best[number], np.square(chances - sharp).sum(axis=1).mean())
    return best


def smoothed(scores: ArrayLike) -> Floats:
    """Each score averaged with its neighbours', 1 : 2 : 1; at the ends the score itself stands for the missing one.

    Neighbouring alphas are nearly the same student; what distinguishes their scores is mostly chance.

    Args:
        scores: by ascending alpha, shape (A,).

    Example:
        >>> smoothed([0.0, 1.0, 0.0, 0.0]).tolist()
        [0.25, 0.5, 0.25, 0.0]
    """
    values = np.asarray(scores, np.float64)
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.asarray((padded[:-2] + 2 * values + padded[2:]) / 4)


def _symmetric(wrong: float, classes: int) -> Floats:
    """The noise matrix with equal shares of all wrong classes."""
    return np.full((classes, classes), wrong / (classes - 1)) + np.eye(classes) * (1 - wrong - wrong / (classes - 1))


def _normalised(chances: Floats) -> Floats:
    return np.asarray(np.maximum(chances / chances.sum(axis=1, keepdims=True), 1e-12))


def _posterior(prior: Floats, matrix: Floats, labels: NDArray[np.intp]) -> Floats:
    joint = prior * matrix.T[labels]
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def _share(wrong: Floats) -> Interval:
    """The share of wrong labels, its interval on the logit scale."""
    estimate, information = float(wrong.mean()), float(np.square(wrong - wrong.mean()).sum())
    if not 0 < estimate < 1 or information == 0:
        return Interval(estimate, 0.0, 1.0, len(wrong), "EM")
    half = ndtri(0.975) / np.sqrt(information)
    low, high = expit(logit(estimate) - half), expit(logit(estimate) + half)
    return Interval(estimate, float(low), float(high), len(wrong), "EM")


def _checked(
    prior: ArrayLike, labels: ArrayLike, trusted: ArrayLike | None
) -> tuple[Floats, NDArray[np.intp], NDArray[np.bool_]]:
    chances, given = np.asarray(prior, np.float64), np.asarray(labels)
    if chances.ndim != 2 or chances.shape[1] < 2:
        raise not_allowed("prior.shape", chances.shape, "(examples, classes), with at least two classes")
    if given.shape != (len(chances),) or not len(given):
        raise not_allowed("labels.shape", given.shape, f"({len(chances)},), one label for each row of the prior")
    if not np.isfinite(chances).all() or (chances < 0).any() or (chances.sum(axis=1) <= 0).any():
        raise not_allowed("prior", "a row without a positive sum", "finite probabilities >= 0, some in each row > 0")
    if given.min() < 0 or given.max() >= chances.shape[1]:
        worst = int(given.min() if given.min() < 0 else given.max())
        raise not_allowed("labels", worst, f"class numbers from 0 to {chances.shape[1] - 1}")
    right = np.zeros(len(given), np.bool_) if trusted is None else np.asarray(trusted, np.bool_)
    if right.shape != given.shape:
        raise not_allowed("trusted.shape", right.shape, f"{given.shape}, one for each label")
    return _normalised(chances), given.astype(np.intp), right
