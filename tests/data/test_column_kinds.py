"""What columns hold is recognised from their values; what they must not hold is named by its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.data.column_kinds import MANY_WORDS, read_columns
from distillab.data.frame import Frame, read_frame
from distillab.errors import RequestError


def frame_of(tmp_path: Path, values: list[Any], typed: bool = False) -> Frame:
    if typed:
        (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"a": value}) for value in values))
        return read_frame(tmp_path / "t.jsonl")
    lines = [f'"{value}",0' if value else ",0" for value in values]
    (tmp_path / "t.csv").write_text("\n".join(["a,z", *lines]))
    return read_frame(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("values", "kind", "categories", "x"),
    [
        (["1", "-2.5", "1e3"], "number", (), [1, -2.5, 1000]),
        (["1", "", "NA", "?", "null", "None", "n/a", "NaN", "2"], "number", (), [1, *[np.nan] * 7, 2]),
        (["true", "False", ""], "boolean", ("False", "true"), [1, 0, np.nan]),
        (["No", "Yes"], "boolean", ("No", "Yes"), [0, 1]),
        (["yes", "true"], "category", ("true", "yes"), [1, 0]),
        (["red", " blue", "?", "red"], "category", ("blue", "red"), [1, 0, np.nan, 1]),
        (["10th", "11th", "5"], "category", ("10th", "11th", "5"), [0, 1, 2]),
        (["<=50K", ">50K"], "category", ("<=50K", ">50K"), [0, 1]),
        (["25-34", "35-44"], "category", ("25-34", "35-44"), [0, 1]),
    ],
)
def test_text_is_numbers_booleans_or_words(tmp_path: Path, values, kind, categories, x):
    read = read_columns(frame_of(tmp_path, values), ["a"])
    assert [(column.kind, column.categories) for column in read.kinds] == [(kind, categories)]
    np.testing.assert_array_equal(read.x, np.float32(x)[:, None])
    assert read.plain == (kind == "number" and not np.isnan(x).any())


@pytest.mark.parametrize(
    ("values", "kind", "x"),
    [
        ([1, 2.5, None], "number", [1, 2.5, np.nan]),
        ([True, False, None], "boolean", [1, 0, np.nan]),
        (["1", "2", ""], "category", [0, 1, np.nan]),
        (["2", "1"], "category", [1, 0]),
    ],
)
def test_values_with_a_type_keep_it(tmp_path: Path, values, kind, x):
    read = read_columns(frame_of(tmp_path, values, typed=True), ["a"])
    assert read.kinds[0].kind == kind
    np.testing.assert_array_equal(read.x[:, 0], np.float32(x))


@pytest.mark.parametrize(
    ("values", "row", "message"),
    [
        (["1", "2", "1,234"], 4, "holds '1,234', which is no plain number. Write it without separators of thousands"),
        (["12 kg", "13 kg"], 2, "holds '12 kg', which is no plain number"),
        (["$5", "$1,000.50"], 2, r"holds '\$5'"),
        (["5%", "7%"], 2, "holds '5%'"),
        (["1,5", "2,5"], 2, "holds '1,5'.* with a point for decimals"),
        (["1", "tall"], 3, "holds 'tall'.* The other values are numbers: correct it"),
        (["1", "1_000"], 3, "holds '1_000', which is no plain number"),
        (["1", "inf"], 3, "holds 'inf'.* must be finite"),
        (["1", "1e39"], 3, "holds '1e39', and features must be finite numbers in float32"),
        (["2020-01-02", "2021-03-04 10:00"], 2, "holds '2020-01-02': dates are no features.* year, month"),
        (["31.12.1999", "1/2/98", "x"], 2, "dates are no features"),
        (["10:30", "11:45"], 2, "dates are no features"),
        ([f"n{number}" for number in range(MANY_WORDS + 1)], 2, "one of 51 different words in 51 rows: they name"),
    ],
)
def test_what_is_no_feature_is_refused_with_its_row(tmp_path: Path, values, row: int, message: str):
    with pytest.raises(
        RequestError, match=rf"t\.csv: row {row}, column 'a' .*{message}|row {row}, column 'a' {message}"
    ):
        read_columns(frame_of(tmp_path, values), ["a"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "x"], "row 2, column 'a' holds 'x', and the column has numbers and words"),
        ([1, True], "row 2, column 'a' holds True, and the column has booleans and numbers"),
        ([1, [2]], r"row 2, column 'a' holds \[2\], and must hold a number, a word or a boolean"),
        ([1, 10**40], "must be finite numbers in float32"),
    ],
)
def test_mixed_types_are_refused_with_their_row(tmp_path: Path, values, message: str):
    with pytest.raises(RequestError, match=message):
        read_columns(frame_of(tmp_path, values, typed=True), ["a"])


def test_many_words_describe_examples_where_they_come_again(tmp_path: Path):
    words = [f"n{number}" for number in range(MANY_WORDS + 1)] * 2
    assert len(read_columns(frame_of(tmp_path, words), ["a"]).kinds[0].categories) == MANY_WORDS + 1


def test_missing_values_are_said_with_their_words_and_an_empty_column_is_left_out(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,,x\n?,,NA\n,,y\n")
    read = read_columns(read_frame(tmp_path / "t.csv"), ["a", "b", "c"])
    assert [column.name for column in read.kinds] == ["a", "c"]
    assert read.notes == (
        "The column 'b' has no value and was left out.",
        "Missing values: 'a' 2 (?, empty), 'c' 1 (NA).",
    )
    with pytest.raises(RequestError, match="holds no features beside the label"):
        read_columns(read_frame(tmp_path / "t.csv"), ["b"])
