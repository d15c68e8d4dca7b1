"""Tables of features: columns found, classes numbered, and every fault named by its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillab.data.table import read_table
from distillab.errors import RequestError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_are_numbered_in_order_and_an_empty_label_is_none(tmp_path: Path):
    table = read_table(write(tmp_path / "a.csv", "size,label,age\n1.5,dog,2\n-1,cat,3\n0,,4\n"))
    assert table.class_names == ("cat", "dog")
    assert table.features == ("size", "age")
    assert table.y.tolist() == [1, 0, -1]
    np.testing.assert_array_equal(table.x, np.float32([[1.5, 2], [-1, 3], [0, 4]]))


def test_whole_numbers_are_ordered_as_numbers(tmp_path: Path):
    table = read_table(write(tmp_path / "a.csv", "f,kind\n1,10\n2,9\n"))
    assert table.class_names == ("9", "10")
    assert table.y.tolist() == [1, 0]


def test_the_label_is_a_named_column_or_the_last(tmp_path: Path):
    path = write(tmp_path / "a.csv", "target,f,g\n0,1,5\n1,2,6\n")
    assert read_table(path).features == ("f", "g")
    assert read_table(path, label="g").class_names == ("5", "6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table"),
        ("a,label\n", "no table"),
        ("a,label\n1,x\n2\n", "row 3 has 1 fields"),
        ("a,label\n1,x\nred,y\n", r"row 3, column 'a' holds 'red'"),
        ("a,label\n1,x\ninf,y\n", r"row 3, column 'a' holds 'inf'"),
        ("a,label\n1,x\n1e39,y\n", r"'1e39'"),
        ("a,label\n1,x\n2,x\n", "holds 1 classes"),
    ],
)
def test_a_fault_is_reported_with_its_position(tmp_path: Path, text: str, message: str):
    with pytest.raises(RequestError, match=message):
        read_table(write(tmp_path / "a.csv", text))


def test_a_column_that_is_not_there_is_reported_with_the_nearest(tmp_path: Path):
    with pytest.raises(RequestError, match="Did you mean 'kind'"):
        read_table(write(tmp_path / "a.csv", "f,kind\n1,0\n2,1\n"), label="knd")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RequestError, match="cannot be read as CSV"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [("1.5,2", [1.5, 2.0]), ("1,", [1.0, None]), ("1,two", None), ("1,nan", None), ("1,inf", None)],
)
def test_labels_that_are_all_numbers_are_kept_as_numbers(tmp_path: Path, labels: str, numbers: list | None):
    rows = "".join(f"0,{label}\n" for label in [*labels.split(","), "7" if numbers else "x"])
    table = read_table(write(tmp_path / "a.csv", f"f,label\n{rows}"))
    assert table.label == "label"
    if numbers is None:
        assert table.numbers is None
    else:
        expected = [np.nan if number is None else number for number in [*numbers, 7.0]]
        np.testing.assert_array_equal(table.numbers, expected)
