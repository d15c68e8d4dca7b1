"""Scikit-learn's tables: their split, their task, and features that a student reads standardised."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from distillab.data import load


@pytest.mark.parametrize(
    ("name", "task", "sizes", "features", "names"),
    [
        ("breast_cancer", "binary", (400, 169), 30, ("malignant", "benign")),
        ("diabetes", "regression", (332, 110), 10, ("progression",)),
    ],
)
def test_a_table_is_split_once_and_for_all(name, task, sizes, features, names) -> None:
    data, again = load(name), load(name)
    assert (data.task.name, data.class_names) == (task, names)
    assert (len(data.x_train), len(data.x_test)) == sizes
    assert data.input_shape == (features,)
    assert data.digest == again.digest
    prepared = data.prepared(data.x_train)
    np.testing.assert_allclose(prepared.mean(0), 0, atol=1e-5)  # float32 means of up to 400 standard values
    np.testing.assert_allclose(prepared.std(0), 1, atol=1e-5)


def test_every_tumour_is_in_one_part_with_its_label() -> None:
    data, bunch = load("breast_cancer"), load_breast_cancer()
    rows = [tuple(row) for row in np.concatenate([data.x_train, data.x_test]).tolist()]
    label_of = dict(zip(map(tuple, bunch.data.astype(np.float32).tolist()), bunch.target.tolist(), strict=True))
    assert len(set(rows)) == len(rows) == 569
    assert [label_of[row] for row in rows] == np.concatenate([data.y_train, data.y_test]).tolist()
    assert abs(data.y_test.mean() - data.y_train.mean()) < 1 / 169  # stratified to within an example


def test_the_progression_is_in_its_own_unit() -> None:
    data, bunch = load("diabetes"), load_diabetes()
    both = np.concatenate([data.y_train, data.y_test])
    assert np.sort(both[:, 0]).tolist() == np.sort(bunch.target).tolist()
    assert (both.min(), both.max()) == (25.0, 346.0)
    assert data.target_mean == pytest.approx([data.y_train.mean(dtype=np.float64)])
    assert data.target_spread == pytest.approx([data.y_train.std(dtype=np.float64)])
