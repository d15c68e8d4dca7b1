"""How a user's inputs are stored: as images, features, series or token ids, by what the models read."""

import numpy as np
import pytest

from distillab.data import ReadOptions, read_data
from distillab.data.forms import ModelInput, input_forms, named_inputs, stored_inputs
from distillab.data.inputs import parts_of
from distillab.errors import RequestError

IDS = np.array([[3, 1, 0], [2, 0, 0]])
SERIES = np.arange(24.0).reshape(2, 4, 3)
WORDS = [[ModelInput("ids", (3,), tokens=True, vocabulary=9)]]


def test_whole_numbers_are_token_ids_only_where_a_model_reads_such() -> None:
    assert input_forms(IDS) == {"inputs": "features"}
    assert input_forms(IDS, WORDS) == {"inputs": "tokens"}
    assert input_forms(IDS, WORDS, stated="features") == {"inputs": "features"}


def test_three_axes_are_series_where_the_models_read_two() -> None:
    assert input_forms(SERIES, [[ModelInput("x", (4, 3))], [ModelInput("y", (None, 3))]]) == {"inputs": "series"}
    assert input_forms(SERIES, [[ModelInput("x", (4, 3, 1))]]) == {"inputs": "images"}
    assert input_forms(SERIES) == {"inputs": "images"}


def test_a_list_of_arrays_takes_the_names_of_a_model_of_as_many_inputs() -> None:
    a, b = np.zeros((2, 4)), np.ones((2, 4))
    reader = [ModelInput("left", (4,)), ModelInput("right", (4,))]
    named = named_inputs([a, b], [reader], "x")
    assert list(named) == ["left", "right"]
    np.testing.assert_array_equal(named["right"], b)


def test_a_list_of_different_arrays_is_several_inputs_without_a_model() -> None:
    assert list(named_inputs([np.zeros((2, 4)), np.zeros((2, 3))], (), "x")) == ["input_1", "input_2"]
    assert list(named_inputs([np.zeros((4, 4)), np.zeros((4, 4))], (), "x")) == ["inputs"]  # two images


def test_each_of_several_inputs_has_its_own_form() -> None:
    reader = [[ModelInput("ids", (3,), tokens=True), ModelInput("series", (4, 3))]]
    values = {"ids": IDS, "series": SERIES}
    forms = input_forms(values, reader)
    assert forms == {"ids": "tokens", "series": "series"}
    stored = parts_of(stored_inputs(values, "x_train", forms, reader))
    assert stored["ids"].dtype == np.int32
    assert stored["series"].dtype == np.float32
    np.testing.assert_array_equal(stored["series"], SERIES)


def test_the_test_part_must_have_the_same_inputs() -> None:
    with pytest.raises(RequestError, match=r"x_test='inputs a, c' .* the inputs a, b, as in x_train"):
        stored_inputs({"a": IDS, "c": IDS}, "x_test", {"a": "features", "b": "features"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0.0, 1.5]]), r"x is read as token ids, and row 0 holds a number that is not whole"),
        (np.array([[0, -2]]), r"x='from -2 to 0' .* token ids from 0 to 2147483647"),
        (np.array([[0, 2**40]]), r"token ids from 0 to 2147483647"),
        (np.zeros((2, 3, 4), int), r"x.shape=\(2, 3, 4\) .* \(N, T\) for token ids"),
        (np.array([["a"]]), r"x.dtype='<U1' .* bytes or numbers"),
    ],
)
def test_what_are_no_token_ids_is_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        stored_inputs(values, "x", {"inputs": "tokens"})


def test_data_of_several_inputs_are_read_split_and_standardised_each_in_its_way() -> None:
    rng = np.random.default_rng(0)
    x = {"ids": rng.integers(0, 9, (40, 3)), "numbers": rng.normal(5, 3, (40, 2))}
    reader = [[ModelInput("ids", (3,), tokens=True), ModelInput("numbers", (2,))]]
    data = read_data((x, np.arange(40) % 2), readers=reader)
    assert data.input_kinds == {"ids": "tokens", "numbers": "features"}
    prepared = parts_of(data.prepared(data.x_train))
    assert abs(prepared["numbers"].mean()) < 1e-6
    assert set(map(tuple, parts_of(data.x_test)["ids"])) <= set(map(tuple, x["ids"]))


def test_an_npz_names_its_inputs_after_x(tmp_path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"x_words": rng.integers(0, 9, (40, 3)), "x_numbers": rng.normal(size=(40, 2)), "y": np.arange(40) % 2}
    np.savez(tmp_path / "both.npz", **arrays)
    assert set(read_data(tmp_path / "both.npz").input_shapes) == {"words", "numbers"}


def test_a_kind_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match="inputs 'pictures'"):
        ReadOptions(inputs="pictures")  # type: ignore[arg-type]
