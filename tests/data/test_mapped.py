"""Data larger than memory: mapped from files, and the same to the bit."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data.mapped import Room, is_mapped
from distillab.data.own import read_own

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (120, 6, 5, 1), dtype=np.uint8)
Y = np.where(np.arange(120) % 4 == 3, -1, np.arange(120) % 3)


def test_rows_are_joined_in_memory_or_in_a_file_alike():
    parts = [(X, np.array([5, 2, 9])), (X[:2], None)]
    small, large = Room().gather(parts), Room(limit=10).gather(parts)
    assert not is_mapped(small)
    assert is_mapped(large)
    np.testing.assert_array_equal(small, np.concatenate([X[[5, 2, 9]], X[:2]]))
    np.testing.assert_array_equal(large, small)
    halved = Room(limit=10).gather(parts, lambda x: x.astype(np.float32) / 2)
    np.testing.assert_array_equal(halved, small / np.float32(2))


def test_a_file_goes_when_nobody_uses_it():
    room = Room(limit=10)
    path = Path(room.gather([(X, np.arange(9))]).filename)
    assert path.is_file()
    del room
    gc.collect()
    assert not path.parent.exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_mapped_and_means_the_same(tmp_path: Path, save):
    save(tmp_path / "d.npz", x=X, y=Y)
    small, large = read_own(str(tmp_path / "d.npz")), read_own(str(tmp_path / "d.npz"), memory=100)
    assert is_mapped(large.dataset.x_train)
    assert is_mapped(large.unlabelled)
    assert not is_mapped(small.dataset.x_train)
    assert small.dataset.digest == large.dataset.digest
    np.testing.assert_array_equal(small.unlabelled, large.unlabelled)
    together = large.prepared((large.dataset.x_train, large.training), large.unlabelled)
    assert is_mapped(together)
    np.testing.assert_array_equal(together, small.prepared((small.dataset.x_train, small.training), small.unlabelled))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_is_decoded_into_a_file(tmp_path: Path, mode: str):
    for place in range(24):
        folder = tmp_path / ("train", "test")[place % 2] / "ab"[place // 2 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[place, ..., 0]).convert(mode).save(folder / f"{place}.png")
    small, large = read_own(tmp_path), read_own(tmp_path, memory=100)
    assert is_mapped(large.dataset.x_train)
    assert large.dataset.input_shape == (6, 5, 1 if mode == "L" else 3)
    assert small.dataset.digest == large.dataset.digest
