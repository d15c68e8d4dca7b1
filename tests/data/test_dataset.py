"""Dataset: what it refuses, what it freezes, and what its digest sees."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.tasks import TASKS


def make(**changes: object) -> Dataset:
    parts: dict[str, object] = {
        "name": "tiny",
        "x_train": np.arange(24, dtype=np.uint8).reshape(6, 4),
        "y_train": [0, 1, 2, 0, 1, 2],
        "x_test": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "y_test": [0, 1, 2],
        "class_names": ("a", "b", "c"),
        "scale": 1 / 255,
    }
    return Dataset(**(parts | changes))


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64).reshape(len(values), 1)


def test_it_knows_its_classes_and_the_shape_of_one_input() -> None:
    data = make(x_train=np.zeros((6, 5, 4, 1), np.uint8), x_test=np.zeros((3, 5, 4, 1), np.uint8))
    assert data.classes == 3
    assert data.input_shape == (5, 4, 1)


def test_inputs_keep_their_type_and_labels_become_int32() -> None:
    data = make()
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == np.int32


def test_inputs_are_scaled_in_float32_as_on_the_device() -> None:
    data = make()
    scaled = data.inputs(data.x_train)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, data.x_train.astype(np.float32) * np.float32(1 / 255))


@pytest.mark.parametrize("array", ["x_train", "y_train", "x_test", "y_test"])
def test_no_array_can_be_written(array: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(make(), array)[0] = 1


def test_no_field_can_be_replaced() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().scale = 2.0


def test_changing_the_array_given_changes_nothing_and_leaves_it_writeable() -> None:
    x = np.zeros((6, 4), np.uint8)
    data = make(x_train=x)
    x[0] = 9
    assert data.x_train[0, 0] == 0


def test_arrays_of_the_other_byte_order_and_layout_are_stored_alike() -> None:
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    odd = make(x_train=np.asfortranarray(x.astype(">f4")), x_test=x[:3], scale=1.0)
    assert odd.x_train.dtype.isnative
    assert odd.digest == make(x_train=x, x_test=x[:3], scale=1.0).digest


def test_the_digest_is_the_same_in_every_run_and_under_every_name() -> None:
    pinned = "3863816b695b00c9d8007d2bf856beade759e0e824adbafb3acbb73df40f3d68"
    assert make().digest == make(name="other", class_names=("x", "y", "z")).digest
    assert make().digest == pinned


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": np.ones((6, 4), np.uint8)},
        {"y_train": [0, 1, 2, 0, 2, 1]},
        {"x_test": np.ones((3, 4), np.uint8)},
        {"y_test": [0, 1, 1]},
        {"scale": 1 / 16},
        {"x_train": np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1), "x_test": np.zeros((3, 2, 2, 1), np.uint8)},
    ],
)
def test_the_digest_sees_every_array_and_the_scale(changes: dict[str, object]) -> None:
    assert make(**changes).digest != make().digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("a",)}, r"class_names=\('a',\) is not allowed: it must be at least 2 names, all different"),
        ({"class_names": ("a", "b", "a")}, "class_names=.* all different"),
        ({"class_names": ("a", "b")}, r"y_train\[2\]=2 is not allowed: it must be a class number from 0 to 1"),
        ({"scale": 0.0}, r"scale=0.0 is not allowed: it must be a finite number > 0"),
        ({"scale": float("nan")}, "scale=nan is not allowed"),
        ({"x_train": np.zeros((6, 4, 4), np.uint8)}, r"x_train.shape=\(6, 4, 4\) .* Grey images take a last axis"),
        ({"x_train": np.zeros((0, 4), np.uint8)}, r"x_train.shape=\(0, 4\) is not allowed"),
        ({"x_test": np.zeros((0, 4), np.uint8)}, r"x_test.shape=\(0, 4\) is not allowed"),
        ({"x_train": np.full((6, 4), -1)}, "x_train='from -1 to -1' is not allowed: it must be token ids from 0"),
        (
            {"x_train": np.zeros((6, 4, 2), np.int64)},
            r"x_train.dtype='int64' .* uint8, floating, or \(N, T\) token ids",
        ),
        ({"x_train": np.zeros((6, 4), complex)}, "x_train.dtype='complex128' is not allowed"),
        (
            {"x_test": np.zeros((3, 4), np.float32)},
            "x_test.dtype='float32' is not allowed: it must be uint8, as in x_train",
        ),
        ({"x_test": np.zeros((3, 5), np.uint8)}, r"x_test.shape\[1:\]=\(5,\) is not allowed: it must be \(4,\)"),
        (
            {"x_train": floats(0, 1, 2, np.nan, 4, 5)},
            "x_train='from nan to nan' .* finite in float32 everywhere. Row 3 is not",
        ),
        ({"x_train": floats(0, 1, 2, np.inf, 4, 5)}, "x_train='from 0.0 to inf' .* finite in float32 everywhere"),
        ({"x_train": floats(0, 1, 2, 1e39, 4, 5)}, r"x_train='from 0.0 to 1e\+39' .* finite in float32 everywhere"),
        (
            {"y_train": [0, 1, 2]},
            r"len\(y_train\)=3 is not allowed: it must be 6: one label for each example of x_train",
        ),
        ({"y_test": [0, 1, -1]}, r"y_test\[2\]=-1 is not allowed: it must be a class number from 0 to 2"),
        ({"y_test": [0.0, 1.0, 2.0]}, "y_test.dtype='float64' is not allowed: it must be an integer type"),
        ({"y_test": np.eye(3, dtype=int)}, r"y_test.shape=\(3, 3\) .* One-hot labels become class numbers"),
    ],
)
def test_a_bad_part_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make(**changes)


def test_validation_rows_and_unlabelled_inputs_change_the_digest_and_their_absence_does_not() -> None:
    tiny = make()
    assert tiny.training.tolist() == list(range(6))
    held_out = make(validation=np.array([1, 0]))
    unlabelled = make(unlabelled=tiny.x_test)
    assert (
        len({tiny.digest, held_out.digest, unlabelled.digest, make(validation=[1, 0], unlabelled=tiny.x_test).digest})
        == 4
    )
    assert held_out.validation is not None
    assert held_out.validation.tolist() == [0, 1]
    assert held_out.training.tolist() == list(range(2, 6))


@pytest.mark.parametrize("rows", [[0, 0], [-1], [10_000], [0.5], []])
def test_validation_rows_that_do_not_exist_are_refused(rows: list[float]) -> None:
    with pytest.raises(RequestError, match=r"validation=.* is not allowed: it must be different row numbers"):
        make(validation=np.array(rows))


def test_unlabelled_inputs_of_another_kind_are_refused() -> None:
    with pytest.raises(RequestError, match=r"unlabelled\.dtype='float64' is not allowed"):
        make(unlabelled=make().x_test.astype(np.float64))
    with pytest.raises(RequestError, match=r"unlabelled\.shape\[1:\]=.* as in x_train"):
        make(unlabelled=make().x_test[:, :1])


BINARY = {"task": TASKS["binary"], "class_names": ("no", "yes"), "y_train": [0, 1, 1, 0, 1, 0]}
TESTED = {"x_test": np.arange(16, dtype=np.uint8).reshape(4, 4), "y_test": [0, 1, 1, 0]}


def of_task(name: str, **changes: object) -> Dataset:
    """The tiny inputs with labels of another task; six training and four test examples."""
    six, four = np.array([[0, 1], [1, 0]] * 3), np.array([[0, 1], [1, 0]] * 2)
    numbers = {"y_train": [[1.0], [3.0], [2.0], [1.0], [3.0], [2.0]], "y_test": [[0.0], [9.0], [2.0], [2.0]]}
    labels: dict[str, dict[str, object]] = {
        "binary": BINARY | TESTED,
        "multilabel": TESTED | {"class_names": ("a", "b"), "y_train": six, "y_test": four},
        "regression": TESTED | {"class_names": ("price",)} | numbers,
        "maps": TESTED
        | {"class_names": ("a", "b"), "y_train": six[:, None] * [[1], [0]], "y_test": four[:, None] * [[1], [1]]},
    }
    task = TASKS[name] if name in TASKS else TASKS["categorical"]
    return make(**({"task": task} | labels[name] | changes))


def test_it_knows_the_outputs_of_a_model_of_its_task() -> None:
    assert (make().task.name, make().outputs, make().positions, make().output_shape) == ("categorical", 3, (), (3,))
    assert (of_task("binary").classes, of_task("binary").output_shape) == (2, (1,))
    assert of_task("multilabel").output_shape == (2,)
    one = np.array([[0], [1]] * 2)
    assert of_task("multilabel", class_names=("a",), y_train=np.tile(one, (2, 1))[:6], y_test=one).output_shape == (1,)
    maps = make(
        class_names=("a", "b"), y_train=np.arange(36).reshape(6, 2, 3) % 2, y_test=np.tile([0, 1, -1], (3, 2, 1))
    )
    assert (maps.positions, maps.output_shape, maps.y_test.dtype) == ((2, 3), (2, 3, 2), np.int32)


def test_numbers_are_standardised_by_the_known_training_labels() -> None:
    """Training labels 1, 3, 1, 3, validation labels 2 and 40: mean 2, standard deviation 1."""
    numbers = [[1.0], [3.0], [2.0], [1.0], [3.0], [40.0]]
    data = of_task("regression", y_train=numbers, validation=[5, 2])
    assert (data.target_mean.tolist(), data.target_spread.tolist()) == ([2.0], [1.0])
    assert data.targets(data.y_train).tolist() == [[-1.0], [1.0], [0.0], [-1.0], [1.0], [38.0]]
    assert data.in_units(data.standardised(data.y_train)).tolist() == numbers
    assert data.targets(data.y_train).dtype == data.in_units(data.y_train).dtype == np.float32
    for other in (make(), of_task("binary"), of_task("multilabel")):
        assert (other.target_mean, other.target_spread) == (None, None)
        assert other.targets(other.y_train) is other.y_train
        assert other.in_units(other.y_train) is other.y_train


def test_the_digest_sees_the_task_but_for_one_of_several_classes() -> None:
    labels = {"class_names": ("a", "b"), "y_train": BINARY["y_train"]} | TESTED
    assert make(**labels).digest != make(task=TASKS["binary"], **labels).digest
    assert of_task("maps").digest != of_task("maps", task=TASKS["binary"]).digest


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("binary", {"class_names": ("a", "b", "c")}, "it must be 2 names with task=binary"),
        (
            "binary",
            {"y_train": [0, 1, 2, 0, 1, 0]},
            r"y_train\[2\]=2 is not allowed: it must be a class number from 0 to 1",
        ),
        ("binary", {"y_train": np.zeros((6, 3), int)}, r"y_test.shape\[1:\]=\(\) is not allowed: it must be \(3,\)"),
        ("binary", {"y_train": [0, 0, 0, 0, 0, 1]}, "The training part has 1 positive label of 'yes', and at least 2"),
        ("binary", {"y_train": [1, 1, 1, 1, 1, 1]}, "The training part has 0 negative labels of 'yes'"),
        ("binary", {"y_test": [0, 1, 1, 1]}, "The test part has 1 negative label of 'yes'"),
        ("binary", {"validation": [0, 3]}, "The training part has 1 negative label of 'yes'"),
        (
            "binary",
            {"validation": [0, 3], "y_train": [0, 1, 1, 0, 0, 0]},
            "The validation part has 0 positive labels of 'yes'.* split them in another way",
        ),
        ("multilabel", {"class_names": ()}, "it must be at least 1 name, all different"),
        ("multilabel", {"y_test": np.zeros((4, 3), int)}, r"y_test.shape=\(4, 3\) .* \(N, 2\) .* 0 or 1 for each name"),
        ("multilabel", {"y_test": [[0, 1], [1, 1], [1, 0], [1, 0]]}, "The test part has 1 negative label of 'a'"),
        ("multilabel", {"y_test": [[0, 1], [-1, -1], [1, 0], [0, 1]]}, r"y_test\[1\] has no known label"),
        (
            "multilabel",
            {"y_test": [[0, 1], [3, 0], [1, 0], [0, 1]]},
            "label in y_test=3 is not allowed: it must be 0 or 1",
        ),
        ("regression", {"y_test": [1.0, 2.0, 3.0, 4.0]}, r"y_test.shape=\(4,\) .* \(N, 1\) .* a number for each name"),
        ("regression", {"y_test": [[1.0], [np.inf], [2.0], [3.0]]}, r"y_test\[1\] is infinite"),
        ("regression", {"y_test": [[1.0], [2.0], [np.nan], [3.0]]}, r"y_test\[2\] has no known label"),
        (
            "regression",
            {"y_train": [[0.1]] * 6},
            "The training labels of 'price' are all 0.1: there is nothing to learn",
        ),
        ("maps", {"y_train": np.ones((6, 2, 2), int)}, "Every known label of the training part is 'b'"),
        (
            "maps",
            {"y_train": np.full((6, 2, 2), 2)},
            "label in y_train=2 is not allowed: it must be a class number from 0 to 1",
        ),
        (
            "maps",
            {"y_test": np.zeros((4, 3, 2), int)},
            r"y_test.shape\[1:\]=\(3, 2\) is not allowed: it must be \(2, 2\)",
        ),
        ("maps", {"y_test": np.full((4, 2, 2), -1)}, r"y_test\[0\] has no known label"),
    ],
)
def test_labels_that_a_task_cannot_use_are_refused(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        of_task(name, **changes)
    assert "\n" not in str(caught.value)
