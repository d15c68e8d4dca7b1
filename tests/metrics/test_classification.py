"""The metrics: scikit-learn's numbers where it has them, numbers worked by hand where it has not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from distillab.metrics import (
    CALIBRATION_BINS,
    accuracy,
    agreement,
    all_metrics,
    brier,
    confusion_matrix,
    denoising,
    expected_calibration_error,
    nll,
    precision_recall_f1,
    reliability,
)

EXACT = 1e-12  # float64 on both sides, sums of at most 60 terms


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a few examples, in which classes may be missing on either side."""
    classes, examples = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    used = draw(st.integers(1, classes))
    return 3 * rng.standard_normal((examples, classes)), rng.integers(0, used, examples)


def with_confidence(confidences: list[float]) -> np.ndarray:
    """Logits of two classes that answer class 0 with the given probabilities, each above one half."""
    return np.array([[np.log(p / (1 - p)), 0.0] for p in confidences])


@settings(deadline=None)
@given(case=answers())
def test_counts_and_shares_agree_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    every, answered = range(logits.shape[1]), logits.argmax(-1)
    confusion = confusion_matrix(logits, labels)
    np.testing.assert_array_equal(confusion, sklearn.metrics.confusion_matrix(labels, answered, labels=every))
    assert accuracy(logits, labels) == pytest.approx(sklearn.metrics.accuracy_score(labels, answered), abs=EXACT)
    expected = sklearn.metrics.precision_recall_fscore_support(labels, answered, labels=every, zero_division=0)
    np.testing.assert_allclose(precision_recall_f1(confusion), expected[:3], rtol=0, atol=EXACT)
    values = all_metrics(logits, labels)
    weighted = sklearn.metrics.precision_recall_fscore_support(labels, answered, average="weighted", zero_division=0)
    for name, per_class, mean in zip(("precision", "recall", "f1"), expected, weighted, strict=False):
        assert values[f"{name}_macro"] == pytest.approx(per_class.mean(), abs=EXACT)
        assert values[f"{name}_weighted"] == pytest.approx(mean, abs=EXACT)
    recalls = sklearn.metrics.recall_score(labels, answered, labels=np.unique(labels), average="macro", zero_division=0)
    assert values["balanced_accuracy"] == pytest.approx(recalls, abs=EXACT)  # balanced_accuracy_score warns


@settings(deadline=None)
@given(case=answers())
def test_probabilities_are_scored_as_scikit_learn_scores_them(case: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = case
    probabilities, every = softmax(logits, axis=-1), range(logits.shape[1])
    assert nll(logits, labels) == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities, labels=every), rel=EXACT, abs=EXACT
    )
    # scikit-learn's Brier score knows several classes only since 1.7; the mean squared error over all cells is it / C.
    squares = sklearn.metrics.mean_squared_error(np.eye(logits.shape[1])[labels], probabilities)
    assert brier(logits, labels) == pytest.approx(logits.shape[1] * squares, abs=EXACT)


def test_a_class_that_is_never_predicted_or_never_labelled_counts_as_zero() -> None:
    # Labels 0, 0, 1; answers 0, 0, 2: class 1 is never answered, class 2 never labelled.
    confusion = confusion_matrix(np.eye(3)[[0, 0, 2]], np.array([0, 0, 1]))
    precision, recall, f1 = precision_recall_f1(confusion)
    np.testing.assert_array_equal([precision, recall, f1], [[1, 0, 0], [1, 0, 0], [1, 0, 0]])


def test_calibration_error_is_the_one_worked_by_hand() -> None:
    # Six examples that answer class 0 with confidence .6 .7 .8 .9 .95 .99 and are right, wrong, right, right, wrong,
    # right. Three bins of two: accuracy 1/2, 1, 1/2; mean confidence .65, .85, .97; gaps .15, .15, .47.
    # Each bin holds a third: (.15 + .15 + .47) / 3 = .77 / 3 = .256667.
    logits, labels = with_confidence([0.6, 0.7, 0.8, 0.9, 0.95, 0.99]), np.array([0, 1, 0, 0, 1, 0])
    assert expected_calibration_error(logits, labels, bins=3) == pytest.approx(0.77 / 3, abs=EXACT)


def test_calibration_error_weighs_bins_by_their_examples() -> None:
    # Three examples in two bins, the first of two: accuracy 1/2 at mean confidence .65, then 0 at .9.
    # 2/3 * .15 + 1/3 * .9 = .4
    logits, labels = with_confidence([0.6, 0.7, 0.9]), np.array([0, 1, 1])
    assert expected_calibration_error(logits, labels, bins=2) == pytest.approx(0.4, abs=EXACT)


def test_calibration_error_of_one_bin_is_the_distance_of_confidence_from_accuracy() -> None:
    logits, labels = with_confidence([0.6, 0.7, 0.9]), np.array([0, 1, 1])
    assert expected_calibration_error(logits, labels, bins=1) == pytest.approx(2.2 / 3 - 1 / 3, abs=EXACT)


def test_calibration_error_needs_no_more_examples_than_there_are() -> None:
    logits, labels = with_confidence([0.75]), np.array([0])
    assert CALIBRATION_BINS > 1
    assert expected_calibration_error(logits, labels) == pytest.approx(0.25, abs=EXACT)


@settings(deadline=None)
@given(case=answers(), seed=st.integers(0, 2**32))
def test_the_order_of_the_examples_changes_nothing(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    logits, labels = case
    order = np.random.default_rng(seed).permutation(len(labels))
    values, permuted = all_metrics(logits, labels), all_metrics(logits[order], labels[order])
    assert permuted == pytest.approx(dict(values), abs=EXACT)


@settings(deadline=None)
@given(case=answers(), constant=st.floats(-50, 50))
def test_adding_a_constant_to_all_logits_changes_nothing(case: tuple[np.ndarray, np.ndarray], constant: float) -> None:
    logits, labels = case
    # Rounding the moved logits may reorder equal confidences, but not by more than their own size.
    assert all_metrics(logits + constant, labels) == pytest.approx(dict(all_metrics(logits, labels)), abs=1e-9)


def test_a_perfect_and_sure_prediction_scores_at_the_ends() -> None:
    labels = np.array([0, 1, 2, 1])
    logits = 1e4 * np.eye(3)[labels]
    shares = ("precision_macro", "recall_macro", "f1_macro", "precision_weighted", "recall_weighted", "f1_weighted")
    expected = dict.fromkeys(("accuracy", "balanced_accuracy", *shares, "agreement"), 1.0)
    expected |= dict.fromkeys(("nll", "brier", "ece", "ece_width", "kl_to_teacher"), 0.0)
    assert dict(all_metrics(logits, labels, logits)) == expected


def test_a_sure_and_wrong_answer_scores_at_the_other_ends() -> None:
    labels = np.array([0, 1])
    logits = 1e4 * np.eye(2)[1 - labels]
    values = all_metrics(logits, labels)
    assert values["accuracy"] == values["f1_macro"] == 0
    assert values["brier"] == 2
    assert values["ece"] == 1
    assert values["nll"] == 1e4  # in log space: clipped probabilities would say about 16


def test_agreement_is_the_share_of_equal_predictions_and_is_left_out_without_a_teacher() -> None:
    student, teacher = np.eye(3)[[0, 1, 2, 2]], np.eye(3)[[0, 2, 2, 2]]
    assert agreement(student, teacher) == agreement(teacher, student) == 0.75
    labels = np.array([0, 0, 0, 0])
    assert all_metrics(student, labels, teacher)["agreement"] == 0.75
    assert "agreement" not in all_metrics(student, labels)


def test_float32_logits_and_labels_of_any_integer_type_give_the_same_numbers_and_stay_untouched() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((20, 4)).astype(np.float32), rng.integers(0, 4, 20)
    before = logits.copy()
    expected = dict(all_metrics(logits.astype(np.float64), labels)) | {"agreement": 1.0, "kl_to_teacher": 0.0}
    for dtype in (np.uint8, np.int32, np.int64):
        assert dict(all_metrics(logits, labels.astype(dtype), logits)) == dict(expected) | {
            "agreement": 1.0,
            "kl_to_teacher": 0.0,
        }
    np.testing.assert_array_equal(logits, before)


def test_calibration_error_of_equal_widths_is_the_one_worked_by_hand() -> None:
    # Confidence .6 .7 .95 .99, right, wrong, right, wrong, four bins of a quarter: (.5, .75] has .6 and .7, accuracy
    # 1/2 at .65; (.75, 1] has .95 and .99, accuracy 1/2 at .97; the lower two are empty. (2 * .15 + 2 * .47) / 4 = .31
    logits, labels = with_confidence([0.6, 0.7, 0.95, 0.99]), np.array([0, 1, 0, 1])
    assert expected_calibration_error(logits, labels, bins=4, equal="width") == pytest.approx(0.31, abs=EXACT)


@settings(deadline=None)
@given(case=answers(), bins=st.integers(1, 20))
def test_calibration_error_of_equal_widths_agrees_with_a_plain_loop(
    case: tuple[np.ndarray, np.ndarray], bins: int
) -> None:
    logits, labels = case
    confidence, hit = softmax(logits, axis=-1).max(-1), logits.argmax(-1) == labels
    total = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    error = expected_calibration_error(logits, labels, bins=bins, equal="width")
    assert error == pytest.approx(total, abs=1e-9) or np.isclose(confidence * bins, np.round(confidence * bins)).any()


def test_the_divergence_from_the_teacher_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    student, teacher = 2 * rng.standard_normal((2, 9, 4))
    expected = scipy.stats.entropy(softmax(teacher, axis=-1), softmax(student, axis=-1), axis=-1).mean()
    assert all_metrics(student, np.zeros(9, int), teacher)["kl_to_teacher"] == pytest.approx(expected, abs=EXACT)


def test_balanced_accuracy_counts_a_rare_class_as_much_as_a_frequent_one() -> None:
    # Nine of class 0, all answered 0; one of class 1, answered 0: accuracy .9, balanced (1 + 0) / 2.
    logits, labels = np.tile([[1.0, 0.0]], (10, 1)), np.array([0] * 9 + [1])
    values = all_metrics(logits, labels)
    assert (values["accuracy"], values["balanced_accuracy"]) == (0.9, 0.5)


def test_denoising_by_hand() -> None:
    # Five wrong labels of eight: answered clean, clean, wrong, third class, third class. The other three do not count.
    clean = np.array([0, 1, 2, 0, 1, 2, 2, 2])
    given_ = np.array([1, 2, 0, 1, 2, 2, 2, 2])
    answered = np.array([0, 1, 0, 2, 0, 0, 1, 2])
    assert denoising(answered, clean, given_) == {"recovered": 0.4, "memorised": 0.2}


def test_reliability_bins_sum_up_to_the_calibration_error_of_equal_width():
    rng = np.random.default_rng(3)
    logits, labels = 3 * rng.normal(size=(500, 4)), rng.integers(0, 4, 500)
    bins = reliability(logits, labels)
    assert sum(count for count, _, _ in bins) == 500
    away = sum(count * abs(right - sure) for count, sure, right in bins) / 500
    # what is stored is rounded to six decimals
    assert away == pytest.approx(expected_calibration_error(logits, labels, equal="width"), abs=2e-6)


def test_a_confidence_at_the_edge_of_two_bins_belongs_to_the_lower():
    logits = np.log(np.array([[0.5, 0.5], [0.75, 0.25]]))
    assert [count for count, _, _ in reliability(logits, np.array([0, 0]), bins=4)] == [0, 1, 1, 0]
