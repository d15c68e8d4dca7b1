"""Wrong labels: the estimated noise, the posterior of the clean class, and what scores by it are worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from distillab.errors import RequestError
from distillab.stats import calibrated_brier, smoothed, vote_prior, wrong_labels

C = 4


def problem(rng, count, matrix, certainty=4.0):
    """Clean classes, labels drawn by a matrix, and a prior that is right in distribution."""
    prior = softmax(certainty * rng.normal(size=(count, C)), axis=1)
    clean = np.array([rng.choice(C, p=row) for row in prior])
    given = np.array([rng.choice(C, p=matrix[label]) for label in clean])
    return prior, clean, given


SHIFTED = 0.7 * np.eye(C) + 0.3 * np.roll(np.eye(C), -1, axis=1)


def test_two_classes_by_hand():
    """One round by hand: with prior (0.9, 0.1) and M = ((0.8, 0.2), (0.2, 0.8)) a label 1 leaves 0.18 : 0.08."""
    found = wrong_labels(np.full((2000, 2), [0.9, 0.1]), np.repeat([0, 1], [1480, 520]))
    # 0.74 of label 0 is expected of 0.9 * 0.8 + 0.1 * 0.2 = 0.74: the symmetric noise of 0.2 is the likeliest
    by_hand = np.array([0.9 * 0.2, 0.1 * 0.8]) / (0.9 * 0.2 + 0.1 * 0.8)
    joint = np.array([0.9, 0.1]) * found.matrix[:, 1]
    np.testing.assert_allclose(found.posterior[-1], joint / joint.sum(), atol=2e-3)
    np.testing.assert_allclose(found.posterior[-1], by_hand, atol=0.02)


def test_em_finds_the_maximum_that_a_numerical_optimiser_finds():
    prior, _, given = problem(np.random.default_rng(3), 3000, SHIFTED)

    def minus_log_likelihood(logits):
        return -np.log((prior * softmax(logits.reshape(C, C), axis=1).T[given]).sum(axis=1)).sum()

    start = np.log(0.2 / 3 + (0.8 - 0.2 / 3) * np.eye(C)).ravel()
    best = softmax(minimize(minus_log_likelihood, start, method="L-BFGS-B").x.reshape(C, C), axis=1)
    found = wrong_labels(prior, given)
    # two labels a class of 750 are the symmetric matrix's: a shift of at most 2/750 of the distance between them
    np.testing.assert_allclose(found.matrix, best, atol=4e-3)


def test_a_known_noise_is_found_and_its_wrong_labels_get_the_higher_probabilities():
    rng = np.random.default_rng(0)
    prior, clean, given = problem(rng, 4000, SHIFTED, certainty=8.0)
    found = wrong_labels(prior, given)
    np.testing.assert_allclose(found.matrix, SHIFTED, atol=0.05)
    doubt = 1 - found.posterior[np.arange(4000), given]
    assert doubt[given != clean].mean() > 0.9 > 0.1 > doubt[given == clean].mean()


def test_the_interval_of_the_share_covers_the_true_one():
    rng, covered, widths = np.random.default_rng(1), 0, []
    for _ in range(200):
        prior, _, given = problem(rng, 200, SHIFTED, certainty=8.0)
        share = wrong_labels(prior, given).share
        covered += share.low <= 0.3 <= share.high
        widths.append(share.high - share.low)
    assert covered >= 180  # 95 % of 200, less four standard errors
    binomial = 2 * 1.96 * np.sqrt(0.3 * 0.7 / 200)
    assert binomial < np.mean(widths) < 1.5 * binomial  # never better than counting, and not much worse


def test_right_labels_and_a_certain_prior_leave_next_to_nothing_wrong():
    labels = np.arange(400) % C
    found = wrong_labels(0.997 * np.eye(C)[labels] + 0.001, labels)
    assert found.share.estimate < 0.001
    assert found.share.low < 0.001


def test_a_prior_that_errs_with_confidence_on_hard_examples_makes_right_labels_doubted_and_not_wrong():
    rng = np.random.default_rng(4)
    prior, clean, _ = problem(rng, 2000, np.eye(C), certainty=1.5)  # right in distribution: a third is hard
    sure = prior**4 / (prior**4).sum(axis=1, keepdims=True)
    found = wrong_labels(sure, clean)
    assert found.doubted.low > 0.1
    assert found.share.estimate < found.doubted.estimate / 3
    assert wrong_labels(prior, clean).share.low < 0.02


def test_renaming_the_classes_renames_the_results():
    prior, _, given = problem(np.random.default_rng(2), 300, SHIFTED)
    order = np.array([2, 0, 3, 1])  # new name of each class
    found, renamed = wrong_labels(prior, given), wrong_labels(prior[:, np.argsort(order)], order[given])
    np.testing.assert_allclose(renamed.posterior[:, order], found.posterior, atol=1e-9)
    np.testing.assert_allclose(renamed.matrix[np.ix_(order, order)], found.matrix, atol=1e-9)


def test_the_order_of_examples_changes_nothing():
    prior, _, given = problem(np.random.default_rng(2), 300, SHIFTED)
    order = np.random.default_rng(0).permutation(300)
    shuffled = wrong_labels(prior[order], given[order])
    np.testing.assert_allclose(shuffled.posterior, wrong_labels(prior, given).posterior[order], atol=1e-9)


def test_trusted_labels_are_their_own_posterior_and_tell_nothing_of_the_noise():
    prior, _, given = problem(np.random.default_rng(2), 300, SHIFTED)
    trusted = np.arange(300) < 40
    found, without = wrong_labels(prior, given, trusted), wrong_labels(prior[40:], given[40:])
    np.testing.assert_array_equal(found.posterior[:40], np.eye(C)[given[:40]])
    np.testing.assert_allclose(found.matrix, without.matrix)
    np.testing.assert_allclose(found.posterior[40:], without.posterior)


def test_trusting_every_label_scores_by_the_labels_themselves():
    prior, _, given = problem(np.random.default_rng(2), 50, SHIFTED)
    found = wrong_labels(prior, given, np.ones(50, bool))
    one_hot = np.eye(C)[given]
    np.testing.assert_array_equal(found.posterior, one_hot)
    assert calibrated_brier([one_hot], found.posterior)[0] < 1e-6


def test_the_distance_by_hand():
    """A student of (0.8, 0.2) sharpens to (16, 1) / 17 at the power 2; the likeliest power of the list is 8."""
    sharp = 0.8**8 / (0.8**8 + 0.2**8)
    got = calibrated_brier([[[0.8, 0.2], [0.8, 0.2]]], [[1.0, 0.0], [1.0, 0.0]])
    assert got[0] == pytest.approx(2 * (1 - sharp) ** 2)
    unsure = calibrated_brier([[[0.8, 0.2], [0.8, 0.2]]], [[1.0, 0.0], [0.0, 1.0]])  # power 1/4 is the least wrong
    p = 0.8**0.25 / (0.8**0.25 + 0.2**0.25)
    assert unsure[0] == pytest.approx(((1 - p) ** 2 * 2 + p**2 * 2) / 2)


def test_a_student_s_temperature_does_not_count():
    rng = np.random.default_rng(0)
    logits = 1.2 * rng.normal(size=(500, C))
    posterior = np.eye(C)[[rng.choice(C, p=row) for row in softmax(logits, axis=1)]]
    by_temperature = calibrated_brier([softmax(logits, axis=1), softmax(2 * logits, axis=1)], posterior)
    assert by_temperature[0] == pytest.approx(by_temperature[1], rel=1e-3)


def test_the_student_that_tells_the_classes_apart_wins_though_it_is_unsure():
    rng = np.random.default_rng(0)
    clean = rng.integers(0, C, 500)
    good, sure = 0.7 * np.eye(C)[clean] + 0.075, 0.97 * np.eye(C)[np.where(rng.random(500) < 0.1, 0, clean)] + 0.0075
    assert np.diff(calibrated_brier([good, sure], np.eye(C)[clean]))[0] > 0


def test_a_prior_by_votes_by_hand():
    """Nine votes in all: two of three students for class 0 are six, and one more each by the rule of succession."""
    sound = vote_prior([[0], [0], [1]], [[0.2, 0.8]], [1])[0]  # the teacher is right by the label, the students seldom
    weak = vote_prior([[0], [0], [1]], [[0.2, 0.8]], [0])[0]
    for got, power in ((sound, 1.0), (weak, 0.5)):
        expected = np.array([(1 + 6) * 0.2**power, (1 + 3) * 0.8**power])
        np.testing.assert_allclose(got, expected / expected.sum())


def test_doubling_every_vote_changes_no_prior():
    decisions, teacher, given = np.array([[0, 1], [2, 1], [0, 0]]), np.full((2, 3), [0.5, 0.3, 0.2]), [0, 1]
    doubled = vote_prior(np.concatenate([decisions] * 2), teacher, given)
    np.testing.assert_allclose(doubled, vote_prior(decisions, teacher, given))


def test_smoothing_keeps_a_constant_and_mirrors():
    scores = np.array([0.3, 0.9, 0.1, 0.4])
    np.testing.assert_allclose(smoothed([0.7] * 5), 0.7)
    np.testing.assert_allclose(smoothed(scores[::-1]), smoothed(scores)[::-1])
    np.testing.assert_allclose(smoothed([2.0]), [2.0])


@pytest.mark.parametrize(
    ("prior", "labels", "trusted", "message"),
    [
        (np.ones((3, 1)), [0, 0, 0], None, "at least two classes"),
        (np.ones((3, 2)), [0, 1], None, "one label for each row"),
        (np.ones((2, 2)), [0, 2], None, "from 0 to 1"),
        (np.zeros((2, 2)), [0, 1], None, "positive sum"),
        (np.ones((2, 2)), [0, 1], [True], "one for each label"),
    ],
)
def test_bad_input_is_refused(prior, labels, trusted, message):
    with pytest.raises(RequestError, match=message):
        wrong_labels(prior, labels, trusted)
