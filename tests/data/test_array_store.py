"""Data larger than memory: mapped from files, and the same to the bit."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data import ReadOptions, read_data
from distillab.data.array_store import ArrayStore, is_mapped

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (120, 6, 5, 1), dtype=np.uint8)
Y = np.where(np.arange(120) % 4 == 3, -1, np.arange(120) % 3)


def test_rows_are_joined_in_memory_or_in_a_file_alike():
    parts = [(X, np.array([5, 2, 9])), (X[:2], None)]
    small, large = ArrayStore().gather(parts), ArrayStore(limit=10).gather(parts)
    assert not is_mapped(small)
    assert is_mapped(large)
    np.testing.assert_array_equal(small, np.concatenate([X[[5, 2, 9]], X[:2]]))
    np.testing.assert_array_equal(large, small)
    halved = ArrayStore(limit=10).gather(parts, lambda x: x.astype(np.float32) / 2)
    np.testing.assert_array_equal(halved, small / np.float32(2))


def test_a_file_goes_when_nobody_uses_it():
    store = ArrayStore(limit=10)
    path = Path(store.gather([(X, np.arange(9))]).filename)
    assert path.is_file()
    del store
    gc.collect()
    assert not path.parent.exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_mapped_and_means_the_same(tmp_path: Path, save):
    save(tmp_path / "d.npz", x=X, y=Y)
    small, large = read_data(str(tmp_path / "d.npz")), read_data(str(tmp_path / "d.npz"), ReadOptions(memory=100))
    assert is_mapped(large.x_train)
    assert is_mapped(large.unlabelled)
    assert not is_mapped(small.x_train)
    assert small.digest == large.digest
    np.testing.assert_array_equal(small.unlabelled, large.unlabelled)
    together = large.prepared((large.x_train, large.training), large.unlabelled)
    assert is_mapped(together)
    np.testing.assert_array_equal(together, small.prepared((small.x_train, small.training), small.unlabelled))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_is_decoded_into_a_file(tmp_path: Path, mode: str):
    for row in range(24):
        folder = tmp_path / ("train", "test")[row % 2] / "ab"[row // 2 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[row, ..., 0]).convert(mode).save(folder / f"{row}.png")
    small, large = read_data(tmp_path), read_data(tmp_path, ReadOptions(memory=100))
    assert is_mapped(large.x_train)
    assert large.input_shape == (6, 5, 1 if mode == "L" else 3)
    assert small.digest == large.digest
