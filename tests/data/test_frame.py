"""Tables as files: their values, the places of their rows, and every fault named by file and row."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import numpy as np
import pytest

from distillab.data.frame import read_frame
from distillab.errors import RequestError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def contents(path: Path) -> dict[str, list[object]]:
    return {name: column.tolist() for name, column in read_frame(path).columns.items()}


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("a.csv", "age,job\n31,baker\n,cook\n", None),
        ("a.tsv", "age\tjob\n31\tbaker\n\tcook\n", None),
        ("a.csv", "age\tjob\n31\tbaker\n\tcook\n", "separated by tabs"),
        ("a.csv", "age;job\n31;baker\n;cook\n", "separated by semicolons"),
        ("a.csv", "\ufeffage,job\r\n31,baker\r\n,cook\r\n", None),
        ("a.csv", ",age,job\n1,31,baker\n2,,cook\n", "Column 1, which has no name, numbers the rows and was left out"),
        ("a.csv", "Unnamed: 0,age,job\n0,31,baker\n1,,cook\n", "The column 'Unnamed: 0' numbers the rows"),
        ("a.csv", "age,job,\n31,baker,\n,cook,\n", "Column 3 has neither name nor values"),
    ],
)
def test_the_same_table_is_read_from_every_kind_of_text(tmp_path: Path, name: str, text: str, note: str | None):
    frame = read_frame(write(tmp_path, name, text))
    assert {name: column.tolist() for name, column in frame.columns.items()} == {
        "age": ["31", None],
        "job": ["baker", "cook"],
    }
    assert note in frame.notes[0] if note else frame.notes == ()


def test_quoted_fields_hold_separators_and_line_breaks(tmp_path: Path):
    path = write(tmp_path, "a.csv", 'text,label\n"one, two;\nthree",x\n"say ""hi""\u2028now",y\n')
    assert contents(path)["text"] == ["one, two;\nthree", 'say "hi"\u2028now']


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b;c\n1,2\n3,4\n", ["a", "b;c"]),
        ("a;b,c\n1;2\n3;4\n", ["a", "b,c"]),
        ("a;b;c\n1,5;2;5\n", ["a", "b", "c"]),
        ("text,label\none; two; three,x\n", ["text", "label"]),
    ],
)
def test_the_separator_is_the_one_by_which_rows_are_even(tmp_path: Path, text: str, names: list[str]):
    assert list(contents(write(tmp_path, "a.csv", text))) == names


def test_rows_are_named_as_the_file_counts_them(tmp_path: Path):
    frame = read_frame(write(tmp_path, "a.csv", "a,b\n1,2\n\n,\n3,4\n"))
    assert [frame.where(row) for row in range(len(frame))] == [f"{tmp_path}/a.csv: row {row}" for row in (2, 5)]
    frame = read_frame(write(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": 2}\n'))
    assert [frame.where(row) for row in range(len(frame))] == [f"{tmp_path}/a.jsonl: row {row}" for row in (1, 3)]


def test_json_lines_keep_types_and_a_missing_key_is_a_missing_value(tmp_path: Path):
    path = write(tmp_path, "a.jsonl", '{"a": 1, "b": "x"}\n{"b": null, "c": [1, 2]}\n{"a": 2.5, "c": true}')
    assert contents(path) == {"a": [1, None, 2.5], "b": ["x", None, None], "c": [None, [1, 2], True]}


def test_ids_are_the_column_called_id(tmp_path: Path):
    assert read_frame(write(tmp_path, "a.csv", "ID,b\n p1,2\np2,3\n")).ids == ("p1", "p2")
    assert read_frame(write(tmp_path, "a.jsonl", '{"id": 7, "b": 2}')).ids == ("7",)
    assert read_frame(write(tmp_path, "a.csv", "a,b\n1,2\n")).ids is None


def test_a_column_that_is_not_there_is_reported_with_the_nearest(tmp_path: Path):
    frame = read_frame(write(tmp_path, "a.csv", "f,kind\n1,0\n2,1\n"))
    assert frame.column("kind").tolist() == ["0", "1"]
    with pytest.raises(RequestError, match="Did you mean 'kind'"):
        frame.column("knd")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv holds no table"),
        ("a.csv", "a,b\n", "holds no table"),
        ("a.csv", "a,b\n1,2\n3\n", r"a\.csv: row 3 has 1 fields, and the header has 2"),
        ("a.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("a.csv", "a,,c\n1,2,3\n", "column 2 has no name"),
        ("a.csv", "a,b\n1,2\na,b\n", "row 3 is the header once more"),
        ("a.csv", "1,2,0\n3,4,1\n", "has no header: its first row, '1,2,0', holds values"),
        ("a.csv", "5.1,3,setosa\n4,3,setosa\n6,2,virginica\n", "has no header"),
        ("a.csv", "good film,pos\nbad film,neg\nfine,pos\n", "has no header"),
        ("a.csv", "a,b\n1,2\n3,\xe9\n".encode("latin-1"), r"a\.csv cannot be read as CSV \(line 3 is not UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), r"cannot be read as CSV \(line 1 is not UTF-8"),
        ("a.csv", 'a,b\n1,2\n"x,2\n', r"cannot be read as CSV \(row 3: unexpected end of data"),
        ("a.csv", 'a,b\n1,2\n"x"y,2\n', "row 3: .* expected after"),
        ("a.jsonl", "", "holds no table"),
        ("a.jsonl", '{"a": 1}\n[1]\n', r"a\.jsonl: row 2 holds \[1\], and must hold an object"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "row 2 is no JSON"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "row 1 is no JSON .the key 'a' twice"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "row 2 is not UTF-8"),
        ("a.jsonl", "[" * 100_000, "row 1 is no JSON"),
    ],
)
def test_a_fault_is_reported_with_its_place(tmp_path: Path, name: str, content: str | bytes, message: str):
    with pytest.raises(RequestError, match=message):
        read_frame(write(tmp_path, name, content))


@pytest.mark.parametrize(
    "text", ["0,1,2\n3,4,1\n", "1,2,3\n3,4,1\n", "2019,2020,kind\n1,2,a\n3,4,b\n", "a,b\na,2\n", "male,x\n1,0\n"]
)
def test_a_header_of_numbers_or_words_is_a_header(tmp_path: Path, text: str):
    assert list(contents(write(tmp_path, "a.csv", text))) == text.split("\n")[0].split(",")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str):
    with pytest.raises(RequestError, match=f"{name} cannot be read"):
        read_frame(tmp_path / name)


def test_text_that_is_called_parquet_is_refused(tmp_path: Path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    with pytest.raises(RequestError, match=r"a\.parquet cannot be read as Parquet"):
        read_frame(write(tmp_path, "a.parquet", "text"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        RequestError, match=r"a\.parquet .* needs pyarrow. Install it: pip install 'distillab\[parquet\]'"
    ):
        read_frame(write(tmp_path, "a.parquet", "text"))


def test_parquet_gives_the_values_of_json(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    day = datetime.date(2020, 1, 2)
    columns = {
        "a": [1, None, 3],
        "b": pyarrow.array(["x", None, "y"]).dictionary_encode(),
        "c": [True, None, False],
        "d": [day, None, day],
        "e": pyarrow.array([1, 2, None], pyarrow.timestamp("ns")),
        "__index_level_0__": [0, 1, 2],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    frame = read_frame(tmp_path / "a.parquet")
    found = contents(tmp_path / "a.parquet")
    assert found["a"] == [1, None, 3]
    assert found["b"] == ["x", None, "y"]
    assert found["c"] == [True, None, False]
    assert found["d"] == ["2020-01-02", None, "2020-01-02"]
    assert found["e"][0].startswith("1970-01-01 00:00:00")
    assert "The column '__index_level_0__' numbers the rows and was left out." in frame.notes
    np.testing.assert_array_equal(frame.numbers, [1, 2, 3])


def test_parquet_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(RequestError, match=r"needs pyarrow. Install it: pip install 'distillab\[parquet\]'"):
        read_frame(write(tmp_path, "a.parquet", "x"))


def test_columns_are_left_out_by_name(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age,label\nann,3,a\nbob,4,b\n")
    frame = read_frame(tmp_path / "people.csv")
    assert frame.without(("name",)).names == ("age", "label")
    assert frame.without(()).names == frame.names
    with pytest.raises(RequestError, match=r"column 'nam'.*name"):
        frame.without(("nam",))
