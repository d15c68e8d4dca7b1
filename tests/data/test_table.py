"""Tables of features: columns found, classes numbered, and every fault named by its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distillab.data import ReadOptions, read_data
from distillab.data.columns import Columns
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


def test_labels_that_are_missing_are_told_and_none_may_be_a_class(tmp_path: Path):
    table = read_table(write(tmp_path / "a.csv", "size,label\n1,dog\n2,none\n3,NA\n4,?\n"))
    assert table.class_names == ("dog", "none")
    assert table.y.tolist() == [0, 1, -1, -1]
    assert "2 rows have no label and are unlabelled examples." in table.notes


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
    [("1.5,2", [1.5, 2.0]), ("1,", [1.0, None]), ("1,two", None), ("1,NA", [1.0, None]), ("1,inf", None)],
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


@pytest.mark.parametrize(
    ("header", "label"),
    [
        ("class,a,b", "class"),
        ("a,Target,b", "Target"),
        ("a,b,c", "c"),  # all hold numbers
    ],
)
def test_a_label_that_no_other_column_can_be_is_found(tmp_path: Path, header: str, label: str):
    table = read_table(write(tmp_path / "a.csv", f"{header}\n1,2,3\n4,5,6\n"))
    assert table.label == label
    assert not table.stated


def test_the_last_column_is_the_label_where_it_alone_holds_words(tmp_path: Path):
    assert read_table(write(tmp_path / "a.csv", "a,b,kind\n1,,x\n4,5,y\n")).label == "kind"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "class,y,b\n1,2,3\n4,5,6\n",
            r"a\.csv: several columns may be the label. State it with --label: .*'class', 'y'",
        ),
        ("job,kind\nbaker,x\ncook,y\n", "no column is called label, target, class or y. State it with --label"),
        ("job,age,income\nbaker,3,1\ncook,4,0\n", "one of 'job', 'age', 'income'"),
    ],
)
def test_a_label_that_several_columns_can_be_must_be_stated(tmp_path: Path, text: str, message: str):
    with pytest.raises(RequestError, match=message):
        read_table(write(tmp_path / "a.csv", text))


def rows_of_jobs(rows: int = 200) -> str:
    """A table of numbers, words and booleans with gaps; one word is in its last row alone."""
    rng = np.random.default_rng(0)
    lines = []
    for row in range(rows):
        age = "" if rng.random() < 0.1 else f"{rng.integers(18, 80)}"
        job = "?" if rng.random() < 0.1 else ("baker", "cook", "nurse")[rng.integers(3)]
        income = "high" if rng.random() < 0.5 else "low"
        lines.append(f"r{row},{age},{job if row < rows - 1 else 'clown'},{'yes' if row % 3 else 'no'},1,{income}")
    return "\n".join(["id,age,job,owner,planet,income", *lines])


def test_a_table_of_words_and_gaps_is_read_encoded_and_split(tmp_path: Path):
    path = write(tmp_path / "jobs.csv", rows_of_jobs())
    data = read_data(path, ReadOptions(label="income", seed=2))
    assert data.columns is not None
    assert [column.kind for column in data.columns.columns] == ["number", "category", "boolean", "number"]
    assert (data.input_shape, data.student_shape, data.class_names) == ((4,), (data.columns.width,), ("high", "low"))
    x = data.x_train[data.training]
    assert data.columns.column("age").median == np.nanmedian(x[:, 0])
    assert data.columns.column("age").mean == pytest.approx(np.nanmean(x[:, 0], dtype=np.float64))
    np.testing.assert_array_equal(data.prepared(data.x_test), data.columns.encoded(data.x_test))
    assert np.isfinite(data.prepared(data.x_train)).all()
    assert data.notes[0] == "The label is the column 'income' (2 classes: high, low)."
    missing = [line.split(",") for line in rows_of_jobs().split("\n")[1:]]
    ages, jobs = sum(row[1] == "" for row in missing), sum(row[2] == "?" for row in missing)
    assert f"Missing values: 'age' {ages} (empty), 'job' {jobs} (?)." in data.notes
    assert "All training rows are equal in 'planet': students do not read that." in data.notes
    ids = [name for (name, *_) in data.example_ids.of("test")]
    raw = {row[0]: row for row in missing}
    decoded = data.columns.decoded(data.x_test)
    assert [str(word) for word in decoded["job"]] == [raw[one][2].replace("?", "nan") for one in ids]


def test_a_word_that_training_rows_lack_is_told_with_its_row(tmp_path: Path):
    path = write(tmp_path / "jobs.csv", rows_of_jobs())
    told = 0
    for seed in range(6):
        data = read_data(path, ReadOptions(label="income", seed=seed))
        in_training = (data.x_train[data.training, 1] == 1).any()
        notes = [note for note in data.notes if "'clown'" in note]
        assert data.columns is not None
        assert ("clown" in data.columns.column("job").unseen) == (not in_training) == bool(notes)
        told += len(notes)
        assert all(f"first 'clown' in {path}: row 201" in note for note in notes)
    assert 0 < told < 6


def test_the_encoding_is_part_of_the_digest(tmp_path: Path):
    path = write(tmp_path / "jobs.csv", rows_of_jobs())
    data = read_data(path, ReadOptions(label="income"))
    assert data.columns is not None
    other = Columns(tuple(replace(column, spread=2.0) for column in data.columns.columns))
    assert replace(data, columns=other).digest != data.digest
    with pytest.raises(RequestError, match="finite in float32 everywhere"):
        replace(data, columns=None)


def test_numbers_without_gaps_are_the_features_they_always_were(tmp_path: Path):
    rng = np.random.default_rng(8)
    rows = "".join(
        f"p{n},{a:.4f},{b:.3e},{int(c)},{'xyz'[n % 3] if n % 7 else ''}\n"
        for n, (a, b, c) in enumerate(rng.normal(size=(90, 3)) * [1, 1e5, 9])
    )
    data = read_data(write(tmp_path / "plain.csv", "id,a,b,c,label\n" + rows), ReadOptions(seed=3))
    assert data.columns is None
    assert data.student_shape == data.input_shape == (3,)
    # The digest of version 0.1.0.
    assert data.digest == "9331e8665fa5805b1823185f507e594485d255bda96bf22df843cc3295d203e8"


@pytest.mark.parametrize("name", ["t.tsv", "t.jsonl", "t.parquet"])
def test_the_same_table_gives_the_same_data_from_every_kind_of_file(tmp_path: Path, name: str):
    lines = [line.split(",") for line in rows_of_jobs().split("\n")]
    expected = read_data(write(tmp_path / "t.csv", rows_of_jobs()), ReadOptions(label="income"))
    values = {key: [None if row[at] in ("", "?") else row[at] for row in lines[1:]] for at, key in enumerate(lines[0])}
    values["age"] = [None if value is None else int(value) for value in values["age"]]
    values["planet"] = [int(value) for value in values["planet"]]
    values["owner"] = [value == "yes" for value in values["owner"]]
    if name == "t.tsv":
        write(tmp_path / name, rows_of_jobs().replace(",", "\t"))
    elif name == "t.jsonl":
        records = [{key: values[key][row] for key in values} for row in range(len(lines) - 1)]
        write(tmp_path / name, "\n".join(map(json.dumps, records)))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(values), tmp_path / name)
    data = read_data(tmp_path / name, ReadOptions(label="income"))
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.y_train, expected.y_train)
    np.testing.assert_array_equal(data.prepared(data.x_test), expected.prepared(expected.x_test))


def test_a_column_of_weights_weighs_and_is_neither_feature_nor_label(tmp_path: Path):
    rows = "".join(f"{row},{'xy'[row % 2]},{row % 3 + 1}\n" for row in range(60))
    path = write(tmp_path / "w.csv", "a,kind,w\n" + rows)
    data = read_data(path, ReadOptions(sample_weight="w"))
    assert data.input_shape == (1,)
    np.testing.assert_array_equal(data.weights, data.x_train[:, 0] % 3 + 1)
    assert data.notes[0].startswith("The label is the column 'kind'")
    with pytest.raises(RequestError, match="sample_weight='kind' is not allowed: it must be another column"):
        read_data(write(tmp_path / "k.csv", "a,kind\n1,2\n3,4\n"), ReadOptions(sample_weight="kind", label="kind"))
    with pytest.raises(RequestError, match=r"w\.csv: row 3: the weight in column 'w'"):
        read_data(write(tmp_path / "w.csv", "a,label,w\n1,2,1\n3,4,-4\n"), ReadOptions(sample_weight="w"))
