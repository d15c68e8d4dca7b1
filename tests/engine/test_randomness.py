"""Randomness by name: the same name and seed give the same stream, and any other name gives another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillab.engine.randomness import PURPOSES, epoch_order, stream

SEEDS = st.integers(0, 2**32 - 1)
purposes = pytest.mark.parametrize("purpose", sorted(PURPOSES))


def numbers(*name: object) -> list[int]:
    return stream(*name).integers(2**63, size=4).tolist()  # type: ignore[arg-type]


@purposes
@given(seed=SEEDS, step=st.integers(0, 1000))
def test_the_same_name_gives_the_same_stream_each_time(purpose: str, seed: int, step: int) -> None:
    assert numbers(purpose, seed, step) == numbers(purpose, seed, step)


@given(
    one=st.tuples(st.sampled_from(sorted(PURPOSES)), SEEDS, st.integers(0, 1000)),
    other=st.tuples(st.sampled_from(sorted(PURPOSES)), SEEDS, st.integers(0, 1000)),
)
def test_another_purpose_seed_or_step_gives_another_stream(
    one: tuple[str, int, int], other: tuple[str, int, int]
) -> None:
    assert (numbers(*one) == numbers(*other)) == (one == other)


def test_drawing_from_one_stream_moves_no_other() -> None:
    expected = numbers("order", 1)
    first, second = stream("label noise", 1), stream("order", 1)
    first.random(1000)
    assert second.integers(2**63, size=4).tolist() == expected


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is the one that must not move
    stream("order", 1).random(5)
    epoch_order(1, 0, 5, 8)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_numbers_of_purposes_are_settled() -> None:
    """They decide results: a purpose may be added, and none may change its number or give it to another."""
    settled = {
        "initial weights": 0,
        "order": 1,
        "label noise": 2,
        "validation split": 3,
        "training subset": 4,
        "augmentation": 5,
        "layers": 6,
    }
    assert settled.items() <= PURPOSES.items()
    assert len(set(PURPOSES.values())) == len(PURPOSES)


def test_a_purpose_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="no such purpose"):
        stream("no such purpose", 0)


@given(seed=SEEDS, epoch=st.integers(0, 100), examples=st.integers(1, 200), more=st.integers(0, 31))
def test_an_epoch_visits_every_example_once_and_fills_up_with_the_first(
    seed: int, epoch: int, examples: int, more: int
) -> None:
    rows = epoch_order(seed, epoch, examples, examples + more)
    assert rows.dtype == np.int32
    assert rows.shape == (examples + more,)
    assert sorted(rows[:examples]) == list(range(examples))
    assert not rows[examples:].any()


def test_the_order_is_another_each_epoch_and_seed_and_does_not_depend_on_the_padding() -> None:
    orders = [tuple(epoch_order(seed, epoch, 50, 50)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == len(orders)
    assert tuple(epoch_order(2, 1, 50, 64)[:50]) == tuple(epoch_order(2, 1, 50, 50))
