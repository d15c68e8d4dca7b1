"""A user's data: parts found or drawn, missing labels kept apart, and every fault in one line."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import ReadOptions, load, read_data
from distillab.errors import RequestError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (200, 6, 6), dtype=np.uint8)
Y = np.arange(200) % 4


def test_without_parts_validation_and_test_are_drawn_from_every_class():
    data = read_data((X, Y), ReadOptions(validation=0.1, test=0.2))
    assert len(data.y_test) == 40
    assert len(data.validation) == 16
    assert np.bincount(data.y_test).tolist() == [10] * 4
    assert np.bincount(data.y_train[data.validation]).tolist() == [4] * 4
    assert len(np.intersect1d(data.training, data.validation)) == 0
    assert "were kept for it" in data.notes[0]
    again = read_data((X, Y), ReadOptions(validation=0.1, test=0.2))
    assert again.digest == data.digest
    np.testing.assert_array_equal(again.validation, data.validation)


def test_a_label_of_minus_one_is_none():
    labels = np.where(np.arange(200) < 80, Y, -1)
    data = read_data({"x": X, "y": labels, "x_unlabelled": X[:5]})
    assert len(data.unlabelled) == 125
    assert len(data.y_train) + len(data.y_test) == 80
    floats = read_data({"x": X, "y": np.where(labels < 0, np.nan, labels)})
    assert len(floats.unlabelled) == 120


def test_parts_of_their_own_are_kept(tmp_path: Path):
    np.savez(
        tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8], x_validation=X[:12], y_validation=Y[:12]
    )
    data = read_data(str(tmp_path / "d.npz"))
    assert (len(data.y_train), len(data.y_test)) == (212, 8)
    assert data.validation.tolist() == list(range(200, 212))


def test_features_are_standardised_by_the_training_part():
    x = RNG.normal(5, 3, (200, 3)).astype(np.float32)
    x[:, 2] = 7  # a constant tells nothing, and breaks nothing
    data = read_data((x, Y))
    prepared = data.prepared(data.x_train)
    np.testing.assert_allclose(prepared[:, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(prepared[:, :2].std(0), 1, atol=1e-5)
    assert (prepared[:, 2] == 0).all()


def test_a_named_set_keeps_its_scale():
    data = read_data("digits")
    assert data.scale == load("digits").scale
    assert data.name == "digits"


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(50 * index, 50 * index + 50)
        return X[part], Y[part]


def test_a_dataset_of_batches_is_read_whole():
    data, arrays = read_data(Batches()), read_data((X, Y))
    assert data.digest == arrays.digest


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.zeros(200)), "of class 0; there must be at least 2"),
        ((X, np.full(200, -1)), "No example has a label"),
        ((X, Y - 2), "from 0, or -1 for none"),
        ((X, np.where(Y == 1, 9, Y)), "No labelled example is of class 1"),
        ((X, Y + 0.5), "labels are whole numbers"),
        ((X, Y[:9]), r"a class number for each input"),
        ((np.where(X[0, 0, 0] == X, np.nan, X.astype(float)), Y), "finite"),
        ({"x": X}, "expected x and y"),
        ("nothing.here", "There are no data 'nothing.here'"),
        (7, "a path, a name"),
    ],
)
def test_what_cannot_be_used_is_reported_in_one_line(data: object, message: str):
    with pytest.raises(RequestError, match=message) as caught:
        read_data(data)
    assert "\n" not in str(caught.value)


def test_a_pickle_in_an_archive_is_refused(tmp_path: Path):
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object), y=Y)
    with pytest.raises(RequestError, match="Python objects"):
        read_data(str(tmp_path / "d.npz"))
    (tmp_path / "e.npz").write_bytes(b"PK")
    with pytest.raises(RequestError, match=r"no whole \.npz archive"):
        read_data(str(tmp_path / "e.npz"))
