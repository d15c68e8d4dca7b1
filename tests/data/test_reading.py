"""A user's data: parts found or drawn, missing labels kept apart, and every fault in one line."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from distillab.data import ReadOptions, load, read_data
from distillab.data.reading import dataset_from, read_source
from distillab.errors import RequestError
from distillab.tasks import Head

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (200, 6, 6), dtype=np.uint8)
Y = np.arange(200) % 4


def test_without_parts_validation_and_test_are_drawn_from_every_class():
    data = read_data((X, Y), ReadOptions(validation=0.1, test=0.2))
    assert len(data.y_test) == 40
    assert len(data.validation) == 16
    assert np.bincount(data.y_test).tolist() == [10] * 4
    assert np.bincount(data.y_train[data.validation]).tolist() == [4] * 4
    assert len(np.intersect1d(data.training, data.validation)) == 0
    assert "were kept for it" in data.notes[0]
    again = read_data((X, Y), ReadOptions(validation=0.1, test=0.2))
    assert again.digest == data.digest
    np.testing.assert_array_equal(again.validation, data.validation)


def test_a_label_of_minus_one_is_none():
    labels = np.where(np.arange(200) < 80, Y, -1)
    data = read_data({"x": X, "y": labels, "x_unlabelled": X[:5]})
    assert len(data.unlabelled) == 125
    assert len(data.y_train) + len(data.y_test) == 80
    floats = read_data({"x": X, "y": np.where(labels < 0, np.nan, labels)})
    assert len(floats.unlabelled) == 120


def test_parts_of_their_own_are_kept(tmp_path: Path):
    np.savez(
        tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8], x_validation=X[:12], y_validation=Y[:12]
    )
    data = read_data(str(tmp_path / "d.npz"))
    assert (len(data.y_train), len(data.y_test)) == (212, 8)
    assert data.validation.tolist() == list(range(200, 212))


def test_features_are_standardised_by_the_training_part():
    x = RNG.normal(5, 3, (200, 3)).astype(np.float32)
    x[:, 2] = 7  # a constant tells nothing, and breaks nothing
    data = read_data((x, Y))
    prepared = data.prepared(data.x_train)
    np.testing.assert_allclose(prepared[:, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(prepared[:, :2].std(0), 1, atol=1e-5)
    assert (prepared[:, 2] == 0).all()


def test_a_named_set_keeps_its_scale():
    data = read_data("digits")
    assert data.scale == load("digits").scale
    assert data.name == "digits"


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(50 * index, 50 * index + 50)
        return X[part], Y[part]


def test_a_dataset_of_batches_is_read_whole():
    data, arrays = read_data(Batches()), read_data((X, Y))
    assert data.digest == arrays.digest


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((X, np.zeros(200)), "of class 0; there must be at least 2"),
        ((X, np.full(200, -1)), "No example has a label"),
        ((X, Y - 2), "from 0, or -1 for none"),
        ((X, np.where(Y == 1, 9, Y)), "No labelled example is of class 1"),
        ((X, Y * 10 + 25), "class 0, and the largest is 55.* or state task=regression"),
        ((X, Y[:9]), r"y_train.shape=\(9,\) is not allowed: it must be \(200, ...\), a label for each input"),
        ((X, np.where(Y == 1, np.inf, Y)), r"y_train\[1\] is infinite"),
        ((X, np.eye(4)[Y] * (Y > 0)[:, None]), "several ones a row, or none.* State the task"),
        ((X, np.zeros((200, 3))), "several ones a row, or none"),
        ((X, np.linspace(0, 1, 600).reshape(200, 3)), "are real numbers, no distribution"),
        ((X, np.array(["a", "b"])[Y % 2]), "y_train.dtype='<U1' is not allowed: it must be numbers"),
        ((np.where(X[0, 0, 0] == X, np.nan, X.astype(float)), Y), "finite"),
        ({"x": X}, "expected x and y"),
        ("nothing.here", "There are no data 'nothing.here'"),
        (7, "a path, a name"),
    ],
)
def test_what_cannot_be_used_is_reported_in_one_line(data: object, message: str):
    with pytest.raises(RequestError, match=message) as caught:
        read_data(data)
    assert "\n" not in str(caught.value)


def test_a_pickle_in_an_archive_is_refused(tmp_path: Path):
    np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object), y=Y)
    with pytest.raises(RequestError, match="Python objects"):
        read_data(str(tmp_path / "d.npz"))
    (tmp_path / "e.npz").write_bytes(b"PK")
    with pytest.raises(RequestError, match=r"no whole \.npz archive"):
        read_data(str(tmp_path / "e.npz"))


REAL = RNG.normal(size=200)
TAGS = RNG.integers(0, 2, (200, 3))
MAPS = np.arange(200 * 36).reshape(200, 6, 6) % 3


@pytest.mark.parametrize(
    ("y", "task", "heads", "shape", "names"),
    [
        (np.eye(4)[Y], "categorical", [], (), ("0", "1", "2", "3")),
        (Y[:, None], "categorical", [], (), ("0", "1", "2", "3")),
        (Y % 2, "categorical", [], (), ("0", "1")),
        (Y % 2, "binary", [Head(1, "sigmoid")], (), ("0", "1")),
        (Y[:, None] % 2.0, "binary", [Head(1)], (), ("0", "1")),
        (TAGS, "multilabel", [Head(3, "sigmoid")], (3,), ("0", "1", "2")),
        (REAL, "regression", [], (1,), ("y",)),
        (Y, "regression", [Head(1)], (1,), ("y",)),
        (MAPS, "categorical", [Head(3, "softmax", 2)], (6, 6), ("0", "1", "2")),
        (MAPS[..., None], "categorical", [], (6, 6), ("0", "1", "2")),
        (MAPS % 2, "binary", [Head(1, "sigmoid", 2)], (6, 6), ("0", "1")),
    ],
)
def test_the_task_is_recognised_and_noted(y, task: str, heads: list[Head], shape: tuple[int, ...], names) -> None:
    data = read_data((X, y), heads=heads)
    assert (data.task.name, data.y_train.shape[1:], data.class_names) == (task, shape, names)
    assert (len(data.y_test), len(data.validation)) == (40, 16)
    note = [sentence for sentence in data.notes if "task=" in sentence]
    assert note == ([] if task == "categorical" else [f"The labels are {data.task.meaning}: task={task}."])


def test_a_task_is_stated_where_several_are_possible() -> None:
    with pytest.raises(RequestError, match="State the task: multilabel"):
        read_data((X, TAGS), heads=[Head(3)])
    data = read_data((X, TAGS), ReadOptions(task="multilabel"), heads=[Head(3)])
    assert (data.task.name, data.notes) == ("multilabel", data.notes[-1:])  # that no test part was given
    assert read_data((X, TAGS), ReadOptions(task="regression")).class_names == ("y0", "y1", "y2")
    with pytest.raises(RequestError, match="There is no task 'tags'"):
        ReadOptions(task="tags")
    with pytest.raises(RequestError, match="task=binary needs one output"):
        read_data((X, Y % 2), ReadOptions(task="binary"), heads=[Head(2)])
    with pytest.raises(RequestError, match=r"y_train.shape=\(200, 3\) .* task=multilabel has more"):
        read_data((X, TAGS), ReadOptions(task="binary"))


def test_raw_labels_can_be_looked_at_before_the_models_are_known() -> None:
    source = read_source((X, Y % 2), ReadOptions())
    assert source.arrays["y_train"].tolist() == (Y % 2).tolist()
    two, one = (dataset_from(source, ReadOptions(), [head]) for head in (Head(2), Head(1)))
    assert (two.task.name, one.task.name) == ("categorical", "binary")
    np.testing.assert_array_equal(two.y_train, one.y_train)


def test_examples_whose_labels_are_all_unknown_are_unlabelled() -> None:
    tags = TAGS.astype(float)
    tags[:30], tags[30:60, 0] = np.nan, np.nan
    data = read_data((X, tags), heads=[Head(3, "sigmoid")])
    assert (len(data.unlabelled), len(data.y_train) + len(data.y_test)) == (30, 170)
    assert (np.concatenate([data.y_train, data.y_test]) == -1).sum() == 30
    numbers = read_data((X, np.where(np.arange(200) < 80, np.nan, REAL)))
    assert (numbers.task.name, len(numbers.unlabelled)) == ("regression", 80)
    maps = np.where(np.arange(200)[:, None, None] < 20, 255, MAPS)
    maps[20:, 0] = 255
    read = read_data((X, maps), ReadOptions(ignore_class=255))
    assert (len(read.unlabelled), read.classes) == (20, 3)
    assert (read.y_train[:, 0] == -1).all()
    assert (read.y_train[:, 1:] >= 0).all()


def test_a_named_set_states_its_task_and_a_model_of_two_outputs_makes_it_two_classes() -> None:
    assert read_data("breast_cancer").task.name == "binary"
    assert read_data("breast_cancer", heads=[Head(1)]).task.name == "binary"
    two = read_data("breast_cancer", heads=[Head(2, "softmax")])
    assert (two.task.name, two.class_names) == ("categorical", ("malignant", "benign"))
    assert read_data("diabetes").task.name == "regression"
    assert read_data("digits-multilabel", heads=[Head(10)]).task.name == "multilabel"
    assert read_data("digits-segmentation").output_shape == (16, 24, 11)


def table(path: Path, labels: list[object]) -> str:
    rows = "".join(f"{number},{label}\n" for number, label in enumerate(labels))
    path.write_text(f"f,price\n{rows}", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("labels", "options", "heads", "task", "names"),
    [
        ([9, 10, "", 12] * 20, {}, [], "categorical", ("9", "10", "12")),
        ([-1, 1] * 30, {}, [], "categorical", ("-1", "1")),
        ([-1, 1] * 30, {}, [Head(1, "sigmoid")], "binary", ("-1", "1")),
        ([0, 1, -1] * 30, {}, [Head(1, "sigmoid")], "binary", ("0", "1")),
        ([1, 2] * 30, {"task": "binary"}, [], "binary", ("1", "2")),
        (["no", "yes"] * 30, {}, [Head(1, "sigmoid")], "binary", ("no", "yes")),
        ([0.5, 1.5, ""] * 20, {}, [], "regression", ("price",)),
        ([0.5, 1.5] * 20, {"task": "categorical"}, [], "categorical", ("0.5", "1.5")),
        ([3 * number for number in range(60)], {"task": "regression"}, [], "regression", ("price",)),
        ([0, 1, 2, 99] * 20, {"ignore_class": 0}, [], "categorical", ("1", "2", "99")),
    ],
)
def test_a_column_of_numbers_is_classes_or_amounts(tmp_path: Path, labels, options, heads, task: str, names) -> None:
    data = read_data(table(tmp_path / "a.csv", labels), ReadOptions(**options), heads=heads)
    assert (data.task.name, data.class_names) == (task, names)
    if task == "regression":
        known = [float(label) for label in labels if label != ""]
        assert np.sort(np.concatenate([data.y_train, data.y_test])[:, 0]).tolist() == sorted(known)


def test_many_whole_numbers_with_gaps_are_classes_or_amounts_only_if_stated(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [25 + 3 * (number % 50) for number in range(200)])
    message = r"'price' holds 50 different whole numbers from 25 to 172. State task=regression .* or task=categorical"
    with pytest.raises(RequestError, match=message):
        read_data(path)
    assert read_data(path, ReadOptions(task="categorical", validation=0.25, test=0.25)).classes == 50
    assert read_data(path, heads=[Head(1)]).task.name == "regression"


def test_a_file_that_is_not_there_is_missing_and_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"d\.npz: the file cannot be read \(No such file\)\. Correct the path\."):
        read_data(str(tmp_path / "d.npz"))
