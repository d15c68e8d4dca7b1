"""Weights of examples: read in every form, checked row by row, multiplied by those of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.data import Dataset
from distillab.data.reading import ReadOptions, read_data
from distillab.data.weights import checked_weights, class_weights, example_weights, weights_of_column
from distillab.errors import RequestError
from distillab.tasks import TASKS

X = np.arange(80, dtype=np.float32).reshape(40, 2)
Y = np.arange(40) % 4 // 3  # 30 of class 0, 10 of class 1
W = np.arange(1.0, 41.0)  # an example's own weight names its row
OPTIONS = ReadOptions(validation=0.25, test=0.2)


def own_weights(dataset: Dataset) -> np.ndarray:
    """The weights that the rows of a data set made of X should have."""
    return dataset.x_train[:, 0] / 2 + 1


@pytest.mark.parametrize(
    "data",
    [(X, Y, W), {"x": X, "y": Y, "weights": W}, {"x": X, "y": Y, "w_train": W[:, None]}],
    ids=["triple", "mapping", "one column"],
)
def test_weights_follow_their_examples(data: Any) -> None:
    dataset = read_data(data, OPTIONS)
    assert dataset.weights is not None
    np.testing.assert_array_equal(dataset.weights, own_weights(dataset))
    assert len(dataset.weights) == len(dataset.y_train) == 32
    rows = np.array([3, 1])
    given = dataset.training_weights(rows, unlabelled=2)
    assert given is not None
    np.testing.assert_array_equal(given, [*own_weights(dataset)[rows], 1, 1])


def test_weights_in_a_file_with_unlabelled_examples_and_parts_of_their_own(tmp_path: Path) -> None:
    y = np.where(np.arange(40) < 5, -1, Y)
    parts = {"x_test": X[:8], "y_test": Y[:8], "x_validation": X[:8], "y_validation": Y[:8]}
    np.savez(tmp_path / "data.npz", x_train=X, y_train=y, w_train=W, **parts)
    dataset = read_data(tmp_path / "data.npz")
    assert dataset.weights is not None
    np.testing.assert_array_equal(dataset.weights, [*W[5:], *np.ones(8)])


def test_weights_change_the_digest_and_nothing_else_does() -> None:
    plain, weighted = read_data((X, Y), OPTIONS), read_data((X, Y, W), OPTIONS)
    assert plain.weights is None
    assert plain.training_weights(np.arange(3)) is None
    assert plain.digest != weighted.digest
    np.testing.assert_array_equal(plain.x_train, weighted.x_train)


def test_balanced_classes_by_hand_times_own_weights() -> None:
    # 3 of class 0 and 1 of class 1: 4 / (2 * 3) = 2/3 and 4 / (2 * 1) = 2.
    labels, names = np.array([0, 0, 1, 0]), ("no", "yes")
    balanced = class_weights(labels, TASKS["categorical"], names, "balanced")
    np.testing.assert_allclose(balanced, [2 / 3, 2 / 3, 2, 2 / 3], rtol=1e-6)
    arrays = {"y_train": np.zeros(5), "w_train": [9, 1, 2, 3, 9]}
    both = example_weights(arrays, np.array([1, 2, 3]), 1, labels, TASKS["binary"], names, {"yes": 0.5})
    assert both is not None
    np.testing.assert_array_equal(both, [1, 2, 1.5, 1])  # the last is of a validation part, and of class no


def test_every_class_weighs_the_same_when_balanced() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 100)
    weights = class_weights(labels, TASKS["categorical"], ("a", "b", "c"), "balanced")
    np.testing.assert_allclose(np.bincount(labels, weights), np.full(3, 100 / 3), rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], r"weights.shape=\(2,\) is not allowed: it must be \(3,\)"),
        ([1, np.nan, 1], r"weights\[1\]=nan is not allowed: it must be a finite number >= 0"),
        ([1, 1, -2], r"weights\[2\]=-2.0 is not allowed"),
        ([0, 0, 0], "0 everywhere"),
        (["a", "b", "c"], "weights.dtype"),
    ],
)
def test_weights_that_are_none_are_refused_by_row(values: list[Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        checked_weights(values, 3)


@pytest.mark.parametrize("bad", ["many", None, "", "-1", "inf"])
def test_a_bad_entry_of_a_column_is_named_by_its_place(bad: str | None) -> None:
    where = ["data.csv: row 2", "data.csv: row 3"]
    with pytest.raises(RequestError, match=r"data.csv: row 3: the weight in column 'w'"):
        weights_of_column(["1", bad], "w", where)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"class_weight": "even"}, (X, Y), "class_weight='even' is not allowed: it must be 'balanced'"),
        ({"class_weight": {"0": -1}}, (X, Y), r"class_weight\['0'\]=-1"),
        ({"class_weight": {"2": 1}}, (X, Y), "There is no class in class_weight '2'"),
        ({"class_weight": "balanced"}, (X, np.linspace(0, 1, 40)), "no classes of whole examples"),
        ({}, (X, Y, W[:-1]), r"weights.shape=\(39,\)"),
    ],
)
def test_weights_that_do_not_fit_the_data_are_refused(options: dict[str, Any], data: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_data(data, ReadOptions(**options))


def test_a_column_is_refused_where_there_is_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    with pytest.raises(RequestError, match=r"sample_weight='w' names a column of a table"):
        read_data(tmp_path / "data.npz", ReadOptions(sample_weight="w"))
