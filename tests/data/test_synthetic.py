"""The synthetic images: defined once and for all, and worth learning from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier

from distillab.data import load, synthetic
from distillab.errors import RequestError

SMALL = {"train": 40, "test": 20, "classes": 4, "side": 8, "seed": 7}


def test_the_bytes_are_the_same_in_every_run() -> None:
    assert synthetic(**SMALL).digest == "c524a8bb502e76515fe0525edc76309928d48a4e61d21608e42c5c60822aea6d"
    assert synthetic(**SMALL).digest != synthetic(**(SMALL | {"seed": 8})).digest


def test_classes_are_equal_in_number_and_mixed() -> None:
    data = synthetic(**SMALL)
    assert np.bincount(data.y_train).tolist() == [10] * 4
    assert np.bincount(data.y_test).tolist() == [5] * 4
    assert data.y_train.tolist() != sorted(data.y_train)
    assert data.class_names == ("0 degrees", "45 degrees", "90 degrees", "135 degrees")


def test_the_named_set_is_learnable_but_not_by_single_pixels() -> None:
    data = load("synthetic")
    assert (data.x_train.shape, data.x_test.shape, data.classes) == ((2_000, 12, 12, 1), (1_000, 12, 12, 1), 10)
    x, test = (data.inputs(part).reshape(len(part), -1) for part in (data.x_train, data.x_test))
    linear = LinearDiscriminantAnalysis(solver="lsqr").fit(x, data.y_train).score(test, data.y_test)
    neighbours = KNeighborsClassifier(15).fit(x, data.y_train).score(test, data.y_test)
    assert 0.4 < linear < 0.8  # 0.1 is chance
    assert 0.9 < neighbours < 0.99


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "classes=1 is not allowed: it must be a whole number >= 2"),
        ({"train": 3}, "train=3 is not allowed: it must be a whole number >= 4"),
        ({"test": 0}, "test=0 is not allowed: it must be a whole number >= 4"),
        ({"side": 3}, "side=3 is not allowed: it must be a whole number >= 4"),
        ({"seed": -1}, "seed=-1 is not allowed: it must be a whole number >= 0"),
        ({"side": 8.0}, "side=8.0 is not allowed"),
    ],
)
def test_a_number_below_its_least_value_is_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        synthetic(**(SMALL | changes))
