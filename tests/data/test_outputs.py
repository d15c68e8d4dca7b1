"""Labels of several outputs in every form that users have them in: one data set, packed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.data import Dataset, ReadOptions, load, read_data
from distillab.errors import RequestError
from distillab.tasks import Head

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
AGE = (40 + 10 * X[:, 0] + RNG.normal(size=N)).astype(np.float32)
INCOME = np.arange(N) % 2
HEAD = Head(
    2, "", 0, "the model",
    parts=(Head(1, "", 0, "output age", output="age"), Head(1, "sigmoid", 0, "output income", output="income")),
)  # fmt: skip


def test_every_form_gives_the_same_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y_age=AGE, y_income=INCOME)
    forms: list[Any] = [
        (X, {"age": AGE, "income": INCOME}),
        (X, [AGE, INCOME]),
        {"x": X, "y_age": AGE, "y_income": INCOME},
        {"x_train": X, "y_train_age": AGE, "y_train_income": INCOME},
        {"x": X, "y": {"age": AGE, "income": INCOME}},
        tmp_path / "d.npz",
    ]
    digests = {read_data(form, heads=[HEAD]).digest for form in forms}
    assert len(digests) == 1


def test_labels_are_packed_and_numbers_standardised_alone() -> None:
    data = read_data((X, {"age": AGE, "income": INCOME}), heads=[HEAD])
    assert data.class_names == ("age", "income")
    assert data.output_shape == (2,)
    assert data.y_train.dtype == np.float32
    of = data.targets(data.y_train[data.training])
    np.testing.assert_allclose((of[:, 0].mean(), of[:, 0].std()), (0, 1), atol=1e-6)
    assert set(of[:, 1].tolist()) == {0.0, 1.0}
    outputs = np.array([[1.5, -3.0]], np.float32)
    np.testing.assert_allclose(data.standardised(data.in_units(outputs)), outputs, rtol=1e-6)
    assert data.in_units(outputs)[0, 1] == -3


def test_an_example_may_have_one_label_of_two_and_is_unlabelled_without_any() -> None:
    age, income = AGE.copy(), INCOME.astype(float)
    age[:4], income[2:6] = np.nan, -1
    data = read_data((X, {"age": age, "income": income}), heads=[HEAD])
    assert len(data.unlabelled) == 2
    assert data.partly_labelled
    assert len(data.y_train) + len(data.y_test) == N - 2


def test_a_split_keeps_the_combinations_of_classes() -> None:
    first, second = np.repeat([0, 1], 100), np.tile(np.repeat([0, 1], 50), 2)
    data = read_data((np.arange(200.0)[:, None], {"a": first, "b": second}), ReadOptions(test=0.2))
    pairs, counts = np.unique(data.y_test, axis=0, return_counts=True)
    assert len(pairs) == 4
    assert counts.tolist() == [10, 10, 10, 10]


TABLE = "age,size,city,income\n" + "\n".join(
    f"{20 + i % 37}.5,{i},{'Bern' if i % 2 else 'Rome'},{'high' if i % 3 else ''}" + ("low" if i % 3 == 0 else "")
    for i in range(N)
)


def test_several_columns_of_a_table_are_labels_and_no_features(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    data = read_data(path, ReadOptions(label=("age", "income")))
    assert [(part.name, part.task.name, part.class_names) for part in data.task.parts] == [
        ("age", "regression", ("age",)),
        ("income", "categorical", ("high", "low")),
    ]
    assert data.columns is not None
    assert [column.name for column in data.columns.columns] == ["size", "city"]
    assert "The labels are the columns 'age', 'income'." in data.notes


def test_only_rows_without_any_label_of_a_table_are_told_to_be_unlabelled(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = TABLE.splitlines()
    path.write_text("\n".join([lines[0], ",1,Bern,", ",2,Bern,high", *lines[3:]]))
    data = read_data(path, ReadOptions(label=("age", "income")))
    assert len(data.unlabelled) == 1
    assert any(note.startswith("1 rows have no label") for note in data.notes)


def test_amounts_in_a_column_are_no_classes_until_that_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{i},{3 * i},{i % 2}" for i in range(N)]
    path.write_text("\n".join(["size,price,sold", *rows]))
    with pytest.raises(RequestError, match=r"'price' holds 60 different whole numbers .* State price=regression"):
        read_data(path, ReadOptions(label=("price", "sold")))
    data = read_data(path, ReadOptions(label=("price", "sold"), task="price=regression"))
    assert [part.task.name for part in data.task.parts] == ["regression", "categorical"]


def test_a_study_reads_them_from_a_file(tmp_path: Path) -> None:
    parts = {"train": slice(0, 40), "test": slice(40, N)}
    arrays = {f"x_{part}": X[rows] for part, rows in parts.items()}
    arrays |= {f"y_{part}_age": AGE[rows] for part, rows in parts.items()}
    arrays |= {f"y_{part}_income": INCOME[rows] for part, rows in parts.items()}
    np.savez(tmp_path / "d.npz", **arrays)
    data = load(tmp_path / "d.npz", task="several")
    assert [part.task.name for part in data.task.parts] == ["regression", "categorical"]
    assert load(tmp_path / "d.npz", task={"income": "binary"}).output_shape == (2,)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((X, {"age": AGE, "income": INCOME[:-1]}), {}, "different numbers of labels in y_train: age 60, income 59"),
        ((X, {"age": AGE, "old": INCOME}), {"task": "regression"}, "must be stated for each output"),
        ((X, {"age": AGE, "old": INCOME}), {"task": "ages=regression"}, "There is no output 'ages'"),
        ((X, INCOME), {"task": "age=regression"}, "a single task: the data have labels of one output"),
        ((X, {"age": np.zeros(N), "old": INCOME}), {"task": "age=regression"}, "labels of 'age' are all 0"),
        ((X, {"age": AGE, "old": np.eye(N)[0]}), {"task": "old=binary"}, "Output 'old': The .* part has"),
        (
            {"x_train": X, "y_train": {"a": AGE, "b": INCOME}, "x_test": X, "y_test": {"a": AGE}},
            {},
            "the outputs of y_test='a' is not allowed: it must be those of y_train: a, b",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_the_outputs_name(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_data(data, ReadOptions(**options))


def test_the_weights_of_outputs_change_no_digest_but_their_meaning_does() -> None:
    one = read_data((X, {"age": AGE, "old": INCOME}))
    other = read_data((X, {"age": AGE, "new": INCOME}))
    assert one.digest != other.digest
    same = Dataset("again", one.x_train, one.y_train, one.x_test, one.y_test, one.class_names, 1.0, task=one.task)
    assert same.digest != one.digest  # validation rows are part of it
    np.testing.assert_array_equal(same.y_train, one.y_train)
