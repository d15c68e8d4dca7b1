"""A data set of mapped arrays is the data set of the same arrays in memory, to the bit, whatever is computed of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from distillab.data import array_store
from distillab.data.array_store import is_mapped
from distillab.data.reading import ReadOptions, read_data

N = 60
RNG = np.random.default_rng(0)
Y = np.arange(N) % 3
INPUTS: dict[str, Any] = {
    "images": RNG.integers(0, 256, (N, 4, 4, 1)).astype(np.uint8),
    "features": (10 + RNG.normal(size=(N, 5))).astype(np.float32),
    "one feature": RNG.normal(size=(N, 1)).astype(np.float32),
    "series": RNG.normal(size=(N, 6, 2)),
    "whole numbers as features": RNG.integers(-5, 9, (N, 4)),
    "several": {"age": RNG.normal(size=(N, 2)), "picture": RNG.integers(0, 256, (N, 4, 4, 1)).astype(np.uint8)},
}


@pytest.mark.parametrize("name", INPUTS)
def test_what_is_read_from_a_stream_into_files_is_what_is_read_into_memory(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_store, "CHUNK", 200)
    monkeypatch.setattr(array_store.pieces, "__defaults__", (200,))
    x = INPUTS[name]

    def batches() -> Iterator[Any]:
        for start in range(0, N, 7):
            rows = slice(start, start + 7)
            yield {key: part[rows] for key, part in x.items()} if isinstance(x, dict) else x[rows], Y[rows]

    inputs: Any = "series" if name == "series" else None
    large = read_data(batches, ReadOptions(memory=0, inputs=inputs))
    small = read_data((x, Y), ReadOptions(inputs=inputs))
    assert is_mapped(large.x_train)
    assert not is_mapped(small.x_train)
    assert large.digest == small.digest
    for one, other in ((large.mean, small.mean), (large.spread, small.spread)):
        np.testing.assert_equal(one, other)
    rows = large.training[::3]
    ready, expected = (np.asarray(of.prepared((of.x_train, rows), of.x_test, lazily=True)) for of in (large, small))
    np.testing.assert_array_equal(ready, expected)
    np.testing.assert_array_equal(large.prepared((large.x_train, rows), large.x_test), expected)
    assert ready.dtype == expected.dtype
