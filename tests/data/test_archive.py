"""A user's own .npz file: what it may hold, and how a bad one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillab.data import load
from distillab.errors import RequestError


def test_bytes_are_scaled_and_grey_images_get_their_channel(save) -> None:
    data = load(str(save()))
    assert (data.name, data.input_shape, data.scale) == ("mine", (4, 4, 1), 1 / 255)
    assert data.class_names == ("0", "1", "2")


def test_floats_are_taken_as_they_are(save) -> None:
    x = np.linspace(-1, 1, 9 * 5, dtype=np.float32).reshape(9, 5)
    data = load(save(x_train=x, x_test=x[:6]))
    assert data.scale == 1.0
    np.testing.assert_array_equal(data.inputs(data.x_train), x)


def test_a_path_is_taken_from_the_current_folder(save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(save().parent)
    assert load("mine.npz").name == "mine"


@pytest.mark.parametrize("array", ["x_train", "y_train", "x_test", "y_test"])
def test_a_missing_array_is_named(save, array: str) -> None:
    with pytest.raises(RequestError, match=rf"mine\.npz: {array} is missing; found .*; expected x_train, y_train, "):
        load(save(**{array: None}))


def test_pickled_objects_are_never_loaded(save) -> None:
    with pytest.raises(RequestError, match=r"mine\.npz: y_train cannot be read, found damage or Python objects"):
        load(save(y_train=np.array([0, "one", None], dtype=object)))


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(save, kept: float) -> None:
    path = save()
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(RequestError, match=r"mine\.npz: found no whole \.npz archive.* cut short\. Save it again"):
        load(path)


def test_a_flipped_byte_inside_an_array_is_noticed(save) -> None:
    path = save()
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"mine\.npz: x_train cannot be read"):
        load(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(RequestError, match=r"table\.npz: found no whole \.npz archive"):
        load(path)


def test_a_path_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=r"nowhere\.npz: the file cannot be read \(No such file\)\. Correct the path"
    ):
        load(tmp_path / "nowhere.npz")


def test_one_hot_labels_and_a_label_of_each_pixel_are_read(save) -> None:
    one_hot = load(save(y_train=np.eye(3)[np.arange(9) % 3]))
    assert one_hot.y_train.tolist() == [0, 1, 2] * 3
    pixels = np.zeros((9, 4, 4), int)
    pixels[:, 0, 0], pixels[:, 0, 1] = 1, -1
    maps = load(save(y_train=pixels, y_test=pixels[:6, ..., None]))
    assert (maps.task.name, maps.output_shape) == ("categorical", (4, 4, 2))


def test_the_task_of_a_file_can_be_stated_and_real_numbers_need_it(save) -> None:
    values = np.linspace(0, 1, 9)
    path = save(y_train=values, y_test=values[:6])
    with pytest.raises(RequestError, match=r"an integer type.* state task=regression for real numbers"):
        load(path)
    data = load(path, task="regression")
    assert (data.task.name, data.y_train.shape, data.class_names) == ("regression", (9, 1), ("y",))
    with pytest.raises(RequestError, match=r"There is no task 'regresion'\. Did you mean 'regression'"):
        load(path, task="regresion")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((9, 4, 4), np.int64)}, "x_train.dtype='int64' is not allowed"),
        ({"x_test": np.zeros((6, 5, 4), np.uint8)}, r"x_test.shape\[1:\]=\(5, 4, 1\) is not allowed"),
        ({"x_train": np.zeros((9, 4, 4, 1, 1), np.uint8)}, r"x_train.shape=\(9, 4, 4, 1, 1\) is not allowed"),
        ({"y_train": np.arange(8) % 3}, r"len\(y_train\)=8 is not allowed"),
        ({"y_train": np.eye(3)[np.arange(9) % 3] / 2}, r"such as \[0.5, 0, 0\] are real numbers, no distribution"),
        ({"y_train": np.full((9, 4, 4), -1)}, "No example has a label"),
        ({"y_train": np.full((9, 4, 4), 3), "y_test": np.full((6, 4, 4), 3)}, "Every labelled example is of class 3"),
        (
            {"y_train": np.zeros((9, 4, 4), int)},
            r"y_test.shape=\(6,\) is not allowed: it must be \(N, P, P\) or with one",
        ),
        ({"y_train": np.arange(9) % 3 * 1.0}, "y_train.dtype='float64' is not allowed"),
        ({"y_train": np.arange(9) % 3 + 1}, "No training example has label 0; number the classes from 0 without a gap"),
        ({"y_train": np.array([0, 2, 3] * 3)}, "largest label=3 is not allowed: it must be 2. No training .* label 1;"),
        ({"y_train": np.array([-1, 0, 1] * 3)}, r"y_train\[0\]=-1 is not allowed"),
        (
            {"y_train": np.zeros(9, int)},
            "y_train='0 everywhere' is not allowed: it must be labels of at least 2 classes",
        ),
        ({"y_test": np.array([0, 1, 2, 3, 0, 1])}, r"y_test\[3\]=3 is not allowed"),
    ],
)
def test_bad_contents_are_refused_with_the_file_and_the_array(save, changes, message: str) -> None:
    with pytest.raises(RequestError, match=rf"mine\.npz: .*{message}"):
        load(save(**changes))
