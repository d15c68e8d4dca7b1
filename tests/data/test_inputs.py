"""The inputs of examples: one array, with a field for each input where there are several."""

import numpy as np
import pytest

from distillab.data import Dataset
from distillab.data.inputs import checked_inputs, for_input, input_kind, joined, parts_of, scaled, shapes_of
from distillab.errors import RequestError

IMAGE = np.arange(2 * 2 * 2, dtype=np.uint8).reshape(2, 2, 2, 1)
IDS = np.array([[3, 1, 0], [2, 0, 0]], np.int32)


def test_several_inputs_are_one_array_whose_rows_keep_together() -> None:
    x = joined({"image": IMAGE, "ids": IDS})
    assert x.shape == (2,)
    parts = parts_of(x[[1, 0, 1]])
    np.testing.assert_array_equal(parts["image"], IMAGE[[1, 0, 1]])
    np.testing.assert_array_equal(parts["ids"], IDS[[1, 0, 1]])
    assert shapes_of(x) == {"image": (2, 2, 1), "ids": (3,)}


def test_an_only_input_stays_the_array_that_it_is() -> None:
    assert parts_of(IDS)["inputs"] is IDS
    assert scaled(IDS, 0.5) is IDS


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (IMAGE, "images"),
        (IDS, "tokens"),
        (np.zeros((2, 3), np.float32), "features"),
        (np.zeros((2, 3), np.uint8), "features"),
        (np.zeros((2, 3, 4), np.float32), "series"),
    ],
)
def test_type_and_axes_say_what_an_input_is(part: np.ndarray, kind: str) -> None:
    assert input_kind(part) == kind


def test_scaling_multiplies_each_input_by_its_own_factor_and_leaves_token_ids() -> None:
    read = scaled(joined({"image": IMAGE, "ids": IDS}), {"image": 0.5, "ids": 1.0})
    np.testing.assert_array_equal(read["image"], IMAGE.astype(np.float32) / 2)
    assert read["image"].dtype == np.float32
    np.testing.assert_array_equal(read["ids"], IDS)
    assert read["ids"].dtype == np.int32
    assert for_input({"image": 0.5}, "ids") is None


def test_inputs_of_different_lengths_are_refused() -> None:
    with pytest.raises(RequestError, match=r"'a': 2, 'b': 1.*the same number of examples"):
        joined({"a": IDS, "b": IDS[:1]})


def test_a_bad_input_of_several_is_named() -> None:
    bad = joined({"image": IMAGE, "table": np.array([[1.0], [np.nan]])})
    with pytest.raises(RequestError, match=r"x_train\['table'\].*finite in float32 everywhere. Row 1 is not"):
        checked_inputs(bad, "x_train")


def test_whole_numbers_become_token_ids_of_32_bits() -> None:
    assert checked_inputs(np.array([[1, 2]], np.int64), "x").dtype == np.int32


def test_a_gap_is_allowed_only_where_it_is_expected() -> None:
    gap = np.array([[1.0, np.nan]])
    assert np.isnan(checked_inputs(gap, "x", gaps=True)).sum() == 1
    with pytest.raises(RequestError, match="finite"):
        checked_inputs(gap, "x")


def test_a_data_set_standardises_only_the_features_of_several_inputs() -> None:
    table = np.array([[1.0], [3.0]], np.float32)
    x = joined({"table": table, "ids": IDS})
    mean, spread = {"table": np.array([2.0], np.float32)}, {"table": np.array([1.0], np.float32)}
    data = Dataset("both", x, [0, 1], x, [0, 1], ("no", "yes"), {"table": 1.0, "ids": 1.0}, mean=mean, spread=spread)
    read = parts_of(data.prepared(data.x_train))
    np.testing.assert_array_equal(read["table"], [[-1.0], [1.0]])
    np.testing.assert_array_equal(read["ids"], IDS)
    assert data.input_kinds == {"table": "features", "ids": "tokens"}
    assert data.input_shape == ()


def test_the_names_of_several_inputs_change_the_digest() -> None:
    def made(name: str) -> Dataset:
        x = joined({name: np.eye(2, 3, dtype=np.float32), "ids": IDS})
        return Dataset("both", x, [0, 1], x, [0, 1], ("no", "yes"), {name: 1.0, "ids": 1.0})

    assert made("a").digest == made("a").digest
    assert made("a").digest != made("b").digest
