"""Stored predictions: found by the contents of their inputs, in any order, and refused for other inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from distillab.errors import RequestError
from distillab.models.digests import row_digests
from distillab.models.predictions import LEAST, Predictions, as_logits
from distillab.models.storing import store_predictions
from distillab.tasks import TASKS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
P = RNG.dirichlet(np.ones(3), 30)


def test_rows_are_found_by_their_contents_in_any_order(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X, P)
    stored = Predictions.read(tmp_path / "p.npy")
    order = RNG.permutation(30)
    np.testing.assert_allclose(np.exp(stored.of(X[order])), P[order], rtol=1e-6)
    assert stored.shape == (30, 3)
    assert stored.of(X[:0]).shape == (0, 3)


def test_precision_and_a_channel_of_one_change_no_digest():
    np.testing.assert_array_equal(row_digests(X), row_digests(X.astype(np.float32)))
    images = RNG.integers(0, 256, (5, 3, 3), dtype=np.uint8)
    np.testing.assert_array_equal(row_digests(images), row_digests(images[..., None]))
    assert len(np.unique(row_digests(images))) == 5


def test_a_digest_depends_on_values_and_shapes_of_every_input() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    distinct = [[x], [x + 1], [x.reshape(2, 3, 1)], [x, x], [x, 2 * x], [x.astype(np.uint8)], [x.astype("U8")]]
    assert len({int(row_digests(*inputs)[0]) for inputs in distinct}) == len(distinct)
    np.testing.assert_array_equal(row_digests(np.asfortranarray(x)), row_digests(x.copy()))
    np.testing.assert_array_equal(row_digests(x.astype(np.int64)), row_digests(x))


def test_whole_numbers_that_float32_rounds_to_the_same_have_other_digests() -> None:
    large = np.array([[2**24], [2**24 + 1]])
    assert len(set(row_digests(large).tolist())) == 2


def test_an_example_without_prediction_is_counted(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X[:20], P[:20])
    with pytest.raises(RequestError, match="10 of 30 examples have no stored prediction, the first is number 20"):
        Predictions.read(tmp_path / "p.npy").of(X)


def test_probabilities_become_logarithms_and_logits_stay():
    sure = np.array([[1.0, 0.0]])
    np.testing.assert_allclose(as_logits(sure), [[0.0, np.log(LEAST)]], rtol=1e-6)
    logits = np.array([[3.0, -1.0]], np.float32)
    np.testing.assert_array_equal(as_logits(logits), logits)


@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_one_output_may_be_stored_with_or_without_a_last_axis(tmp_path: Path, shape: tuple[int, ...]):
    chances = RNG.random(30)
    store_predictions(tmp_path / "p.npy", X, chances.reshape(shape))
    stored = Predictions.read(tmp_path / "p.npy", TASKS["binary"])
    assert stored.shape == (30, 1)
    np.testing.assert_allclose(stored.of(X[::-1])[:, 0], logit(chances[::-1]), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(
        Predictions.read(tmp_path / "p.npy", TASKS["regression"]).of(X)[:, 0], np.float32(chances)
    )


def test_maps_are_found_by_their_images(tmp_path: Path):
    images, maps = RNG.random((9, 4, 5, 1)), RNG.dirichlet(np.ones(3), (9, 4, 5))
    store_predictions(tmp_path / "p.npy", images, maps)
    stored = Predictions.read(tmp_path / "p.npy")
    np.testing.assert_allclose(np.exp(stored.of(images[[7, 2]])), maps[[7, 2]], rtol=1e-5)
    maps[6, 1, 2, 0] = np.inf
    with pytest.raises(RequestError, match="the prediction in row 6 is not finite"):
        store_predictions(tmp_path / "p.npy", images, maps)


def test_probabilities_of_independent_labels_become_logits_and_logits_stay():
    both = TASKS["binary"], TASKS["multilabel"]
    for task in both:
        # log(0.75 / 0.25) = 1.0986; rows of independent labels need not sum to 1
        np.testing.assert_allclose(as_logits(np.array([[0.75, 0.75, 0.5]]), task), [[1.0986, 1.0986, 0]], atol=5e-5)
        sure = np.array([[0.0, 1.0]], np.float32)
        np.testing.assert_allclose(as_logits(sure, task), [[logit(LEAST), -logit(LEAST)]], rtol=1e-6)
        logits = np.array([[0.5, 1.01]], np.float32)
        np.testing.assert_array_equal(as_logits(logits, task), logits)


@pytest.mark.parametrize("numbers", [[[0.25, 0.75]], [[0.5, 0.1]], [[-3.0, 7.0]]])
def test_real_numbers_are_never_taken_for_probabilities(numbers: list[list[float]]):
    np.testing.assert_array_equal(as_logits(np.array(numbers), TASKS["regression"]), np.float32(numbers))


@pytest.mark.parametrize(
    ("inputs", "predictions", "message"),
    [
        (X, P[:9], "one for each input"),
        (X, np.where(P > 0.9, np.nan, P), "row .* is not finite"),
        (X, P[:, :0], "no axis of length 0"),
        (X, P[0, 0], "no axis of length 0"),
    ],
)
def test_useless_predictions_are_not_stored(tmp_path: Path, inputs: object, predictions: object, message: str):
    with pytest.raises(RequestError, match=message):
        store_predictions(tmp_path / "p.npy", inputs, predictions)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_digests_or_with_others_is_refused(tmp_path: Path):
    np.save(tmp_path / "bare.npy", P)
    with pytest.raises(RequestError, match=r"needs bare\.rows\.npy next to it"):
        Predictions.read(tmp_path / "bare.npy")
    np.save(tmp_path / "bare.rows.npy", np.arange(3, dtype=np.uint64))
    with pytest.raises(RequestError, match="do not belong together"):
        Predictions.read(tmp_path / "bare.npy")
    np.save(tmp_path / "bare.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RequestError, match="Python objects"):
        Predictions.read(tmp_path / "bare.npy")
