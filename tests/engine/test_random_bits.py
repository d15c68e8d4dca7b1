"""Random bits in one pass: the bits of JAX, to the last one."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillab.engine.lowering import lower
from distillab.engine.random_bits import draw


def test_the_hash_is_the_published_one() -> None:
    """Random123's known answer for Threefry-2x32-20: key 0, counter 0 gives 6b200159 and 99ba4efe."""
    key = jax.random.wrap_key_data(np.zeros(2, np.uint32))
    assert int(draw(key, shape=(1,))[0]) == 0x6B200159 ^ 0x99BA4EFE


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(1, 5), max_size=3).map(tuple),
)
def test_the_bits_are_jaxs(seed: int, shape: tuple[int, ...]) -> None:
    key = jax.random.key(np.uint32(seed))
    np.testing.assert_array_equal(draw(key, shape=shape), jax.random.bits(key, shape))


def primitives_of(function: Any, *arguments: Any) -> str:
    return str(jax.make_jaxpr(lower(function))(*arguments))


def test_dropout_drops_the_same_units_without_jaxs_loop() -> None:
    def dropped(key: Any, x: Any) -> Any:
        return jax.numpy.where(jax.random.bernoulli(key, 0.9, x.shape), x / 0.9, 0)

    x = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    ours, theirs = (np.asarray(drop(jax.random.key(3), x)) for drop in (lower(dropped), dropped))
    np.testing.assert_array_equal(ours == 0, theirs == 0)
    assert "random_bits" not in primitives_of(dropped, jax.random.key(3), x)


@pytest.mark.parametrize(
    ("key", "width"), [(jax.random.key(1, impl="rbg"), np.uint32), (jax.random.key(1), np.uint8)], ids=["rbg", "bytes"]
)
def test_other_generators_and_widths_stay_as_they_are(key: Any, width: Any) -> None:
    def bits(key: Any) -> Any:
        return jax.random.bits(key, (5,), width)

    assert "random_bits" in primitives_of(bits, key)
    np.testing.assert_array_equal(lower(bits)(key), bits(key))


def test_many_keys_stay_as_they_are() -> None:
    keys = jax.random.split(jax.random.key(1), 3)
    bits = jax.vmap(lambda key: jax.random.bits(key, (5,)))
    np.testing.assert_array_equal(lower(bits)(keys), bits(keys))
    one_by_one = jax.vmap(lower(lambda key: jax.random.bits(key, (5,))))
    np.testing.assert_array_equal(one_by_one(keys), bits(keys))


def test_the_earlier_numbering_of_draws_stays_as_it_is() -> None:
    key = jax.random.key(1)
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(lower(lambda key: jax.random.bits(key, (5,)))(key), jax.random.bits(key, (5,)))
