"""Splits: exact sizes, every class in its share, no class lost."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.data import stratified_split, stratified_subset
from distillab.data.splits import strata
from distillab.errors import RequestError
from distillab.tasks import TASKS

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(np.array)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(labels=LABELS, share=SHARES)
def test_a_split_takes_exactly_its_share_and_keeps_every_class_within_one_example(
    labels: np.ndarray, share: float
) -> None:
    try:
        train, held_out = stratified_split(labels, share=share, rng=rng())
    except RequestError:
        return  # when it may refuse is tested below
    assert len(held_out) == round(share * len(labels))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    for number in np.unique(labels):
        exact = Fraction(share) * int((labels == number).sum())
        assert abs((labels[held_out] == number).sum() - exact) < 1
        assert number in labels[train]


@given(labels=LABELS, share=SHARES)
def test_a_split_is_refused_only_when_it_must_be(labels: np.ndarray, share: float) -> None:
    sizes = np.unique(labels, return_counts=True)[1].tolist()
    total = round(share * len(labels))
    most = sum(min(-int(-Fraction(share) * size // 1), size - 1) for size in sizes)  # each rounded up, but for one
    if total == 0 or total > most:
        with pytest.raises(RequestError, match="share="):
            stratified_split(labels, share=share, rng=rng())
    else:
        stratified_split(labels, share=share, rng=rng())


@given(labels=LABELS, data=st.data())
def test_a_subset_has_exactly_its_size_and_keeps_every_class_within_one_example(
    labels: np.ndarray, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(labels)))
    try:
        rows = stratified_subset(labels, size=size, rng=rng())
    except RequestError:
        assert size < len(labels)
        return
    assert len(rows) == size
    assert (np.diff(rows) > 0).all()
    for number, count in zip(*np.unique(labels, return_counts=True), strict=True):
        kept = (labels[rows] == number).sum()
        assert abs(kept - Fraction(size * int(count), len(labels))) < 1
        assert kept >= 1


def test_a_subset_of_full_size_is_everything() -> None:
    labels = np.array([2, 0, 1, 1, 0])
    np.testing.assert_array_equal(stratified_subset(labels, size=5, rng=rng()), np.arange(5))


def test_a_rare_class_keeps_its_one_example_in_a_subset() -> None:
    labels = np.array([0] * 50 + [1] * 49 + [2])
    assert np.bincount(labels[stratified_subset(labels, size=10, rng=rng())]).tolist() == [5, 4, 1]


def test_a_class_of_one_example_is_not_held_out_where_others_can_give() -> None:
    labels = np.array([0] * 11 + [1])  # shares at 0.75: 8.25 and 0.75, nine in all; the larger remainder gives way
    train, held_out = stratified_split(labels, share=0.75, rng=rng())
    assert np.bincount(labels[held_out]).tolist() == [9]
    assert 11 in train


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    labels = np.arange(100) % 4
    one, again, other = (stratified_split(labels, share=0.2, rng=rng(seed))[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), True])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(RequestError, match=f"share={share} is not allowed: it must be a number between 0 and 1"):
        stratified_split([0, 1, 0, 1], share=share, rng=rng())


def test_a_share_that_holds_out_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="large enough to hold out at least one of the 4 examples"):
        stratified_split([0, 1, 0, 1], share=0.1, rng=rng())


def test_a_split_that_would_empty_a_class_is_refused() -> None:
    with pytest.raises(RequestError, match="leave every class a training example; class 7 has 1 in all"):
        stratified_split([0, 0, 0, 0, 7], share=0.8, rng=rng())  # 3.2 and 0.8: one of them is rounded up to all it has


@pytest.mark.parametrize("size", [0, -1, 5, 2.0, True])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(RequestError, match=f"size={size} is not allowed: it must be a whole number from 1 to 4"):
        stratified_subset([0, 1, 0, 1], size=size, rng=rng())


def test_a_subset_too_small_for_all_classes_is_refused() -> None:
    with pytest.raises(RequestError, match="large enough to keep an example of every class; class 2 has none"):
        stratified_subset([0, 1, 2], size=2, rng=rng())


@pytest.mark.parametrize(
    ("task", "shape", "groups"),
    [
        ("categorical", (60,), [30, 30]),
        ("binary", (60,), [30, 30]),
        ("categorical", (60, 2, 2), [60]),
        ("binary", (60, 4), [60]),
        ("multilabel", (60, 3), [60]),
        ("regression", (60, 1), [60]),
    ],
)
def test_a_split_of_any_task_takes_its_share_and_repeats(task: str, shape: tuple[int, ...], groups: list[int]) -> None:
    labels = (np.arange(60 * np.prod(shape[1:], dtype=int)) % 2).reshape(shape)
    numbers = strata(TASKS[task], labels)
    assert np.bincount(numbers).tolist() == groups
    train, held_out = stratified_split(numbers, share=0.25, rng=rng())
    assert (len(train), len(held_out)) == (45, 15)
    np.testing.assert_array_equal(held_out, stratified_split(numbers, share=0.25, rng=rng())[1])
    assert len(stratified_subset(numbers, size=7, rng=rng())) == 7
