"""A distillation from a stream that is kept in files is the one from memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from distillab.api.distill import distill
from distillab.data import ReadOptions
from distillab.errors import RequestError
from distillab.study.run import RunOptions

N, C = 300, 3
RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(C, 6))
Y = RNG.integers(0, C, N)
X = (CENTRES[Y] + RNG.normal(size=(N, 6))).astype(np.float32)
W = RNG.uniform(0.5, 2, N)
QUICK: dict[str, Any] = {
    "epochs": 2, "alpha": 0.5, "temperature": 2.0, "learning_rate": 0.01, "seeds": 2, "search_seeds": 1, "rounds": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def rule() -> keras.Model:
    """The product with the centres, a good teacher that nobody trained."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(C)])
    model.layers[0].set_weights([CENTRES.T, -0.5 * (CENTRES**2).sum(1)])
    return model


def batches() -> Iterator[Any]:
    for start in range(0, N, 70):
        rows = slice(start, start + 70)
        yield X[rows], Y[rows], W[rows]


def test_a_stream_in_files_gives_the_student_of_the_same_data_in_memory(rule: keras.Model) -> None:
    mapped = distill(rule, "mlp-4", batches, read=ReadOptions(memory=0), **QUICK)
    memory = distill(rule, "mlp-4", (X, Y, W), **QUICK)
    for one, other in zip(mapped.student.get_weights(), memory.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert mapped.verdict == memory.verdict
    unweighted = distill(rule, "mlp-4", (X, Y), **QUICK)
    assert any(
        (one != other).any()
        for one, other in zip(unweighted.student.get_weights(), memory.student.get_weights(), strict=True)
    )


def test_a_broken_stream_leaves_nothing_behind(rule: keras.Model, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def breaks() -> Iterator[Any]:
        yield from list(batches())[:2]
        yield X[:3, :2], Y[:3], W[:3]

    with pytest.raises(RequestError, match=r"Batch 2 of the stream.*\(2,\).*\(6,\)"):
        distill(rule, "mlp-4", breaks, tmp_path / "out", options=RunOptions(memory=4), **QUICK)
    assert not (tmp_path / "out").exists()
    assert [name for name in os.listdir(tmp_path) if name.startswith("distillab-data")] == []
