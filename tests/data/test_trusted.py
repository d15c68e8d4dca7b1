"""Trusted examples: validation rows whose labels are known to be right, never training rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillab.data import ReadOptions, read_data
from distillab.errors import RequestError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5)).astype(np.float32)
Y = np.arange(120) % 3
ARRAYS = {"x": X[:100], "y": Y[:100], "x_trusted": X[100:], "y_trusted": Y[100:]}


def test_they_join_the_validation_rows_and_are_known_there():
    data = read_data(ARRAYS)
    assert len(data.trusted) == 20
    assert set(data.trusted) < set(data.validation)
    np.testing.assert_array_equal(data.y_train[data.trusted], Y[100:])
    assert not np.isin(data.training, data.trusted).any()


def test_beside_a_validation_part_both_are_validation_rows():
    more = {
        "x_validation": X[80:100],
        "y_validation": Y[80:100],
        "weights": np.ones(80),
        "w_validation": np.full(20, 2),
    }
    data = read_data({**ARRAYS, "x": X[:80], "y": Y[:80], **more})
    assert len(data.validation) == 40
    np.testing.assert_array_equal(data.trusted, data.validation[20:])
    np.testing.assert_array_equal(data.weights[data.validation], [2] * 20 + [1] * 20)


def test_which_are_trusted_is_part_of_the_data_s_identity():
    data = read_data(ARRAYS)
    validation = {"x_validation": X[100:], "y_validation": Y[100:]}
    assert read_data(ARRAYS).digest == data.digest
    assert read_data({**{k: v for k, v in ARRAYS.items() if "trusted" not in k}, **validation}).digest != data.digest


@pytest.mark.parametrize("stored", [False, True])
def test_a_trusted_input_among_the_training_inputs_is_refused(tmp_path: Path, stored: bool):
    arrays = {**ARRAYS, "x_trusted": np.concatenate([X[100:], X[:40]]), "y_trusted": np.concatenate([Y[100:], Y[:40]])}
    source: object = arrays
    if stored:
        source = str(tmp_path / "data.npz")
        np.savez(source, **arrays)
    with pytest.raises(RequestError, match=r"trusted examples overlap the training examples: \d+ inputs are in both"):
        read_data(source, ReadOptions())


def test_inputs_without_labels_are_refused():
    with pytest.raises(RequestError, match="x_trusted, y_trusted"):
        read_data({"x": X, "y": Y, "x_trusted": X})
