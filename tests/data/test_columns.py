"""Columns of words and of numbers with gaps: their codes, how students read them, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.data.column_fitting import constant_notes, fitted, unseen_notes
from distillab.data.columns import Column, Columns
from distillab.errors import RequestError

NAN = np.nan
AGE = Column(name="age", kind="number")
JOB = Column(name="job", kind="category", categories=("baker", "cook", "pilot"))
OLD = Column(name="old", kind="boolean", categories=("no", "yes"))
X = np.float32([[20, 0, 1], [30, 1, 0], [NAN, NAN, 1], [70, 1, NAN]])


def test_numbers_words_and_booleans_are_encoded_as_computed_by_hand():
    columns = fitted([AGE, JOB, OLD], X)
    # Known ages 20, 30, 70: median 30, mean 40, spread sqrt((400 + 100 + 900) / 3). Known booleans 1, 0, 1: mostly 1.
    spread = np.sqrt(1400 / 3)
    names = ("age", "old", "age is missing", "old is missing", "job = baker", "job = cook", "job is missing")
    assert columns.names == names
    expected = [
        [-20 / spread, 1, 0, 0, 1, 0, 0],
        [-10 / spread, 0, 0, 0, 0, 1, 0],
        [-10 / spread, 1, 1, 0, 0, 0, 1],
        [30 / spread, 1, 0, 1, 0, 1, 0],
    ]
    np.testing.assert_allclose(columns.encoded(X), expected, rtol=1e-6)
    assert columns.encoded(X).dtype == np.float32
    assert columns.width == 7


def test_a_word_that_training_never_saw_is_read_as_missing():
    columns = fitted([JOB, OLD], X[:, 1:])
    assert columns.column("job").unseen == ("pilot",)
    pilot, missing = columns.encoded(np.float32([[2, 1], [NAN, 1]]))
    np.testing.assert_array_equal(pilot, missing)
    without_gaps = fitted([JOB, OLD], X[:2, 1:])
    assert without_gaps.names == ("old", "job = baker", "job = cook")
    np.testing.assert_array_equal(without_gaps.encoded(np.float32([[2, 1]])), [[1, 0, 0]])


def test_the_rows_that_are_not_for_training_change_nothing():
    other = np.concatenate([X, np.float32([[1e6, 2, 0]])])
    assert fitted([AGE, JOB, OLD], other[:4]) == fitted([AGE, JOB, OLD], X)
    assert fitted([AGE, JOB, OLD], other) != fitted([AGE, JOB, OLD], X)


def test_a_column_of_one_value_is_read_only_where_it_has_gaps():
    x = np.float32([[5, 0, 1], [5, 0, 0]])
    columns = fitted([AGE, JOB, OLD], x)
    assert columns.names == ("old",)
    assert constant_notes(columns) == ("All training rows are equal in 'age', 'job': students do not read that.",)
    gaps = fitted([AGE, JOB], np.float32([[5, 0], [NAN, NAN]]))
    assert gaps.names == ("age is missing", "job = baker", "job is missing")
    assert constant_notes(gaps) == ()
    with pytest.raises(RequestError, match="all equal in 'age', 'job': there is nothing to learn from"):
        fitted([AGE, JOB], x[:, :2])


def test_words_that_only_other_rows_hold_are_counted_with_the_first_place():
    columns = fitted([AGE, JOB], X[:2, :2])
    parts = [(np.float32([[1, 2], [1, 0]]), np.array([9, 3])), (np.float32([[1, 2]]), np.array([4]))]
    (note,) = unseen_notes(columns, parts, lambda row: f"t.csv: row {row}")
    assert note == (
        "In 'job' 2 validation, test or unlabelled rows hold words that no training row has (first 'pilot' in t.csv: "
        "row 4): students read them as missing."
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-999, 999), st.booleans()), min_size=2, max_size=20))
def test_decoding_reverses_the_codes(rows: list[tuple[str, int, bool]]):
    kinds = (
        Column(name="w", kind="category", categories=("a", "b", "c")),
        Column(name="n", kind="number"),
        Column(name="b", kind="boolean", categories=("False", "True")),
    )
    raw = [{"w": word, "n": str(number / 100), "b": str(flag)} for word, number, flag in rows]
    columns = Columns(kinds)
    decoded = columns.decoded(columns.rows(raw))
    assert decoded["w"].tolist() == [word for word, _, _ in rows]
    assert decoded["n"].tolist() == [number / 100 for _, number, _ in rows]  # to the bit, though x is float32
    assert decoded["b"].tolist() == [flag for _, _, flag in rows]


def test_missing_values_decode_to_nan_and_words_of_no_column_are_missing():
    columns = fitted([AGE, JOB, OLD], X)
    raw = [{"age": "?", "job": "clown", "old": None, "more": 1}, {"old": "YES", "age": 7, "job": " cook "}]
    x = columns.rows(raw)
    np.testing.assert_array_equal(x, [[NAN, NAN, NAN], [7, 1, 1]])
    decoded = columns.decoded(x)
    assert np.isnan(decoded["age"][0])
    assert decoded["job"].tolist()[1:] == ["cook"]
    assert decoded["old"].tolist()[1:] == ["yes"]
    assert np.isnan(decoded["job"][0])
    assert np.isnan(decoded["old"][0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"age": "old"}, "column 'age' holds 'old', and must hold numbers"),
        ({"age": "inf"}, "must hold numbers"),
        ({"old": "2"}, "column 'old' holds '2', and must hold true or false"),
        ({"old": "perhaps"}, "must hold true or false"),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_refused(row: dict[str, str], message: str):
    with pytest.raises(RequestError, match=message):
        fitted([AGE, JOB, OLD], X).rows([row])


def test_columns_come_back_from_their_file(tmp_path: Path):
    columns = fitted([AGE, JOB, OLD], X)
    (tmp_path / "columns.json").write_text(columns.to_json())
    assert Columns.load(tmp_path) == columns
    assert Columns.load(str(tmp_path / "columns.json")) == columns


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"number"', '"date"'),
        lambda text: text.replace('"name"', '"nome"', 1),
        lambda text: text.replace('"kind"', '"more": 1, "kind"', 1),
        lambda text: json.dumps({"columns": [{**json.loads(text)["columns"][0], "mean": "high"}]}),
        lambda text: json.dumps({"columns": [{**json.loads(text)["columns"][1], "categories": [1]}]}),
    ],
)
def test_a_damaged_file_of_columns_is_refused(tmp_path: Path, change):
    (tmp_path / "columns.json").write_text(change(fitted([AGE, JOB, OLD], X).to_json()))
    with pytest.raises(RequestError, match=r"columns\.json cannot be read: This is no columns\.json"):
        Columns.load(tmp_path)
    with pytest.raises(RequestError, match=r"nowhere.* cannot be read"):
        Columns.load(tmp_path / "nowhere")
