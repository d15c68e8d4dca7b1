"""Rows and labels: what students see, and what nobody may see."""

from __future__ import annotations

import numpy as np
import pytest

from distillab.data import Dataset, load
from distillab.errors import RequestError
from distillab.study.settings import Settings
from distillab.study.spec import read_spec
from distillab.study.splits import draw_labels, split, teacher_rows


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def settings(**keys: object) -> Settings:
    return read_spec({"dataset": "digits", "noise": {"kind": "shift", "rate": 0.1}} | keys).base


def test_training_and_validation_rows_share_nothing_and_make_up_the_whole(digits: Dataset) -> None:
    rows = split(digits, settings(train_size=1000))
    assert len(rows.used) == 1000
    assert len(rows.validation) == 100
    np.testing.assert_array_equal(np.sort([*rows.train, *rows.validation]), rows.used)


def test_exactly_the_asked_share_of_labels_is_wrong(digits: Dataset) -> None:
    cell = settings(train_size=1000)
    rows = split(digits, cell)
    labels = draw_labels(digits, cell, rows, seed=0)
    wrong_validation = labels.validation != digits.y_train[rows.validation]
    assert labels.changed.sum() + wrong_validation.sum() == 100
    np.testing.assert_array_equal(labels.changed, labels.train != digits.y_train[rows.train])
    np.testing.assert_array_equal(labels.train[labels.changed], (digits.y_train[rows.train] - 1)[labels.changed] % 10)


def test_each_seed_draws_its_labels_anew_when_the_teacher_has_not_seen_them(digits: Dataset) -> None:
    cell = settings()
    rows = split(digits, cell)
    first, second = (draw_labels(digits, cell, rows, seed).train for seed in (0, 1))
    assert (first != second).any()
    np.testing.assert_array_equal(first, draw_labels(digits, cell, rows, 0).train)


def test_one_draw_serves_all_seeds_when_the_teacher_trained_on_it(digits: Dataset) -> None:
    cell = settings(teacher={"labels": "noisy"})
    rows = split(digits, cell)
    first, second = (draw_labels(digits, cell, rows, seed).train for seed in (0, 1))
    np.testing.assert_array_equal(first, second)
    chosen, seen = teacher_rows(digits, cell, rows)
    np.testing.assert_array_equal(chosen, rows.train)
    np.testing.assert_array_equal(seen, first)


def test_validation_labels_are_perturbed_unless_asked_otherwise(digits: Dataset) -> None:
    for which, wrong in (("noisy", True), ("clean", False)):
        cell = settings(validation={"labels": which})
        rows = split(digits, cell)
        labels = draw_labels(digits, cell, rows, 0)
        assert (labels.validation != digits.y_train[rows.validation]).any() == wrong


def test_noise_reaches_no_trusted_label_and_changes_no_other(digits: Dataset) -> None:
    plain, trusted = settings(noise={"rate": 0.4}), settings(noise={"rate": 0.4}, validation={"trusted": 50})
    rows = split(digits, trusted)
    assert len(rows.trusted) == 50
    assert np.isin(rows.trusted, rows.validation).all()
    known = np.isin(rows.validation, rows.trusted)
    labels, before = (
        draw_labels(digits, trusted, rows, seed=0),
        draw_labels(digits, plain, split(digits, plain), seed=0),
    )
    np.testing.assert_array_equal(labels.validation[known], digits.y_train[rows.validation[known]])
    np.testing.assert_array_equal(labels.validation[~known], before.validation[~known])
    np.testing.assert_array_equal(labels.train, before.train)


@pytest.mark.parametrize("size", [None, 700, 1347])
def test_a_clean_teacher_sees_true_labels_and_no_validation_row(digits: Dataset, size: int | None) -> None:
    cell = settings(train_size=600, teacher={"train_size": size})
    rows = split(digits, cell)
    chosen, labels = teacher_rows(digits, cell, rows)
    assert not np.isin(chosen, rows.validation).any()
    np.testing.assert_array_equal(labels, digits.y_train[chosen])
    assert len(chosen) == 540 if size is None else 540 <= len(chosen) <= size


def test_only_images_can_be_shifted() -> None:
    x, y = np.zeros((40, 3), np.float32), np.arange(40) % 2
    table = Dataset("table", x, y, x, y, ("no", "yes"), 1.0)
    cell = settings(teacher={"shift": 1, "batch_size": 4}, batch_size=4)
    with pytest.raises(RequestError, match=r"Augmentation needs images .* have shape .3,."):
        teacher_rows(table, cell, split(table, cell))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"train_size": 5000}, "train_size=5000 is not allowed: it must be at most 1347"),
        ({"batch_size": 1300}, "batch_size=1300 is not allowed: it must be at most 1212"),
        ({"validation": {"trusted": 136}}, "validation.trusted=136 is not allowed: it must be at most 135"),
        ({"teacher": {"train_size": 5000}}, "teacher.train_size=5000 is not allowed: it must be at most 1347"),
        ({"teacher": {"batch_size": 1300}}, "teacher.batch_size=1300 is not allowed: it must be at most 1212"),
        ({"teacher": {"labels": "noisy", "train_size": 9}}, "Leave teacher.train_size out"),
    ],
)
def test_settings_that_the_data_cannot_carry_are_refused(
    digits: Dataset, keys: dict[str, object], message: str
) -> None:
    cell = settings(**keys)
    with pytest.raises(RequestError, match=message):
        teacher_rows(digits, cell, split(digits, cell))


def test_students_of_a_transfer_set_learn_from_part_of_the_rows_and_their_teacher_from_all(digits: Dataset) -> None:
    whole, part = split(digits, settings(train_size=1000)), settings(train_size=1000, transfer={"size": 500})
    rows = split(digits, part)
    np.testing.assert_array_equal(rows.validation, whole.validation)
    assert set(rows.train) < set(whole.train)
    assert 0 < len(rows.train) < 500
    chosen, _ = teacher_rows(digits, part, rows)
    np.testing.assert_array_equal(chosen, whole.train)
    labels = draw_labels(digits, part, rows, 0)
    assert len(labels.train) == len(rows.train)
    assert len(labels.validation) == len(rows.validation)


def test_a_transfer_set_of_the_teachers_size_is_the_teachers_own_and_larger_ones_hold_it(digits: Dataset) -> None:
    own, _ = teacher_rows(digits, same := settings(teacher={"train_size": 200}), split(digits, same))
    for size in (200, 400, 1000):
        cell = settings(teacher={"train_size": 200}, transfer={"size": size})
        rows = split(digits, cell)
        chosen, _ = teacher_rows(digits, cell, rows)
        np.testing.assert_array_equal(chosen, own)
        assert set(own) <= set(rows.train)
        assert (len(own) == len(rows.train)) == (size == 200)


def test_no_student_sees_a_withheld_class_and_everybody_else_does(digits: Dataset) -> None:
    cell = settings(transfer={"withheld": 3})
    rows = split(digits, cell)
    whole = split(digits, settings())
    assert set(whole.train) - set(rows.train) == set(whole.train[digits.y_train[whole.train] == 3])
    assert (digits.y_train[rows.validation] == 3).any()
    assert (teacher_rows(digits, cell, rows)[1] == 3).any()


def test_label_noise_is_exact_within_what_students_see(digits: Dataset) -> None:
    cell = settings(transfer={"withheld": 3, "size": 1000})
    rows = split(digits, cell)
    labels = draw_labels(digits, cell, rows, seed=1)
    wrong = labels.changed.sum() + (labels.validation != digits.y_train[rows.validation]).sum()
    assert wrong == round(0.1 * len(rows.used))
    np.testing.assert_array_equal(np.sort([*rows.train, *rows.validation]), rows.used)


def test_another_draw_has_other_rows_of_the_same_classes(digits: Dataset) -> None:
    first, second = (split(digits, settings(train_size=300, draw=draw)) for draw in (0, 1))
    assert set(first.used) != set(second.used)
    for a, b in ((first.train, second.train), (first.validation, second.validation)):
        assert len(a) == len(b)
    np.testing.assert_array_equal(*(np.bincount(digits.y_train[rows.used]) for rows in (first, second)))


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        (
            {"withheld": 10},
            "transfer.withheld=10 is not allowed: it must be the number of a class of digits, from 0 to 9",
        ),
        ({"size": 9999}, "transfer.size=9999 is not allowed: it must be at most 1347, the training examples"),
        ({"size": 10}, "batch_size=32 is not allowed"),
    ],
)
def test_a_transfer_set_that_the_data_do_not_have_is_refused(
    digits: Dataset, transfer: dict[str, int], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        split(digits, settings(transfer=transfer))
