"""The corrected logit of one class: by hand, beside a plain search, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.tasks.correction import best_correction, corrected, prior_correction


def drawn(seed: int, n: int = 60, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know their labels, but for class 1, which is far too low."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 3 * np.eye(classes)[labels]
    logits[:, 1] -= 4
    return logits.astype(np.float32), labels


def right(logits: np.ndarray, labels: np.ndarray, amount: float) -> int:
    return int((corrected(logits, 1, amount).argmax(1) == labels).sum())


def test_one_column_is_raised_in_a_copy() -> None:
    logits = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(corrected(logits, 1, -2.5), [[0, -2.5, 0]] * 2)
    assert not logits.any()


@pytest.mark.parametrize("seed", range(5))
def test_the_prior_correction_predicts_the_class_for_the_share_and_looks_at_no_label(seed: int) -> None:
    logits, _ = drawn(seed)
    for share, count in ((0.25, 15), (0.1, 6), (0.5, 30)):
        amount = prior_correction(logits, 1, share)
        assert (corrected(logits, 1, amount).argmax(1) == 1).sum() == count


@pytest.mark.parametrize("seed", range(5))
def test_the_best_correction_is_as_good_as_the_best_of_a_fine_scan(seed: int) -> None:
    logits, labels = drawn(seed)
    best = right(logits, labels, best_correction(logits, labels, 1))
    assert best == max(right(logits, labels, amount) for amount in np.linspace(-12, 12, 4001))
    assert best > right(logits, labels, 0.0)


def test_where_nothing_is_gained_the_best_correction_is_none_at_all() -> None:
    logits = np.array([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]], np.float32)
    assert best_correction(logits, np.array([0, 1, 2]), 1) == 0.0


def test_inputs_of_equal_margin_get_the_class_together() -> None:
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]], np.float32)
    labels = np.array([1, 0, 0])  # the first two cannot be told apart: one right and one wrong either way
    amount = best_correction(logits, labels, 1)
    assert right(logits, labels, amount) == 2
    assert amount == 0.0


def test_a_constant_in_all_logits_and_the_order_of_the_inputs_change_neither() -> None:
    logits, labels = drawn(9)
    order = np.random.default_rng(0).permutation(len(labels))
    for again, truth in ((logits + np.float32(7), labels), (logits[order], labels[order])):
        # float32 logits of size 10, moved by 7: rounded at 1e-6.
        assert prior_correction(again, 1, 0.25) == pytest.approx(prior_correction(logits, 1, 0.25), abs=4e-6)
        assert best_correction(again, truth, 1) == pytest.approx(best_correction(logits, labels, 1), abs=4e-6)


def test_a_single_input_gets_the_class_at_its_margin() -> None:
    assert prior_correction(np.array([[2.0, 0.5]]), 1, 0.3) == 1.5
