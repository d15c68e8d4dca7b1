"""Several teachers: the two averages, by their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import softmax
from tests.keras.conftest import C, F, classifier

from distillab.keras.teachers import Teachers
from distillab.models.averaging import average_predictions


def as_numpy(array: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(array))


def combined(logits: list[np.ndarray], weights: list[float], average: str = "logits") -> Any:
    return average_predictions([ops.convert_to_tensor(z) for z in logits], weights, average, xp=ops)


def drawn(teachers: int) -> list[np.ndarray]:
    return list((3 * np.random.default_rng(0).standard_normal((teachers, 5, 4))).astype(np.float32))


def test_the_averages_by_hand() -> None:
    # Answers (0.8, 0.2) and (0.5, 0.5), weights 3 and 1: arithmetic (0.725, 0.275);
    # geometric 0.8^.75 0.5^.25 = 0.71131, 0.2^.75 0.5^.25 = 0.25149, over their sum (0.73880, 0.26120)
    logits = [np.log([[0.8, 0.2]]).astype(np.float32), np.log([[0.5, 0.5]]).astype(np.float32)]
    for average, expected in (("probabilities", [0.725, 0.275]), ("logits", [0.7388, 0.2612])):
        got = softmax(as_numpy(combined(logits, [3, 1], average)), axis=-1)
        np.testing.assert_allclose(got[0], expected, atol=5e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_the_averages_agree_with_numpy_in_float64(count: int) -> None:
    logits, weights = drawn(count), np.arange(1.0, count + 1)
    shares = weights / weights.sum()
    arithmetic = sum(w * softmax(z.astype(np.float64), axis=-1) for w, z in zip(shares, logits, strict=True))
    geometric = np.exp(
        sum(w * np.log(softmax(z.astype(np.float64), axis=-1)) for w, z in zip(shares, logits, strict=True))
    )
    geometric /= geometric.sum(-1, keepdims=True)
    for average, expected in (("probabilities", arithmetic), ("logits", geometric)):
        got = softmax(as_numpy(combined(logits, list(weights), average)).astype(np.float64), axis=-1)
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_only_the_proportion_of_the_weights_counts_and_the_order_does_not() -> None:
    logits = drawn(3)
    average = as_numpy(combined(logits, [1, 2, 3]))
    np.testing.assert_allclose(as_numpy(combined(logits, [10, 20, 30])), average, atol=1e-6)
    np.testing.assert_allclose(as_numpy(combined(logits[::-1], [3, 2, 1])), average, atol=1e-6)


def test_a_single_teacher_is_left_as_it_is_and_equal_ones_average_to_themselves() -> None:
    (z,) = drawn(1)
    assert average_predictions([z], [7.0]) is z
    together = softmax(as_numpy(combined([z, z], [1, 1])), axis=-1)
    np.testing.assert_allclose(together, softmax(z, axis=-1), atol=1e-6)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_huge_logits_stay_finite(average: str) -> None:
    logits = [np.array([[1e4, -1e4]], np.float32), np.array([[-1e4, 1e4]], np.float32)]
    assert np.isfinite(as_numpy(combined(logits, [1, 1], average))).all()


def test_equal_weights_and_none_are_the_same_average_in_numpy_and_keras() -> None:
    logits = drawn(3)
    plain = average_predictions(logits)
    np.testing.assert_array_equal(plain, np.mean([z - z.mean(-1, keepdims=True) for z in logits], axis=0))
    np.testing.assert_allclose(as_numpy(combined(logits, [1, 1, 1])), plain, atol=1e-6)


def test_models_predict_and_are_averaged() -> None:
    models = [classifier(seed, hidden=8) for seed in (1, 2)]
    x = np.random.default_rng(1).standard_normal((6, F)).astype(np.float32)
    teachers = Teachers(models, [1, 3], "probabilities")
    own = [softmax(model.predict(x, verbose=0), axis=-1) for model in models]
    got = softmax(teachers.predict(x), axis=-1)
    assert got.shape == (6, C)
    np.testing.assert_allclose(got, 0.25 * own[0] + 0.75 * own[1], atol=1e-6)
