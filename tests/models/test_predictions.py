"""Stored predictions: found by the contents of their inputs, in any order, and refused for other inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillab.errors import RequestError
from distillab.models.digests import row_digests
from distillab.models.predictions import LEAST, Predictions, as_logits, store_predictions

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
P = RNG.dirichlet(np.ones(3), 30)


def test_rows_are_found_by_their_contents_in_any_order(tmp_path: Path):
    store_predictions(tmp_path / "p.npy", X, P)
    stored = Predictions.read(tmp_path / "p.npy")
    order = RNG.permutation(30)
    np.testing.assert_allclose(np.exp(stored.of(X[order])), P[order], rtol=1e-6)
    assert stored.classes == 3
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


@pytest.mark.parametrize(
    ("inputs", "predictions", "message"),
    [
        (X, P[:9], "one for each input"),
        (X, np.where(P > 0.9, np.nan, P), "row .* is not finite"),
        (X, P[:, :1], "C at least 2"),
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
