"""Data larger than memory: mapped from files, and the same to the bit."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data import ReadOptions, read_data
from distillab.data.array_store import ArrayStore, SelectedRows, is_mapped, pieces
from distillab.io import release_pages

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


def test_selected_rows_are_the_rows_of_a_copy(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    first, change = np.array([40, 3, 3, 7]), lambda rows: np.asarray(2 * rows, np.float32)
    copy = 2 * np.concatenate([x[first], x])
    store = ArrayStore(limit=10)
    selected = store.selected([(mapped, first), (mapped, None)], change)
    assert isinstance(selected, SelectedRows)
    assert is_mapped(selected)
    assert (selected.shape, selected.nbytes, len(selected)) == (copy.shape, copy.nbytes, len(copy))
    np.testing.assert_array_equal(np.asarray(selected), copy)
    np.testing.assert_array_equal(selected[2:9], copy[2:9])
    rows = np.array([53, 0, 4, 3])
    np.testing.assert_array_equal(selected[rows], copy[rows])
    found = np.concatenate([part for _, part in pieces(selected, 3 * 12)])
    np.testing.assert_array_equal(found, copy)
    # Small ones, and those of arrays in memory, are arrays as `gather` makes them.
    assert type(ArrayStore(limit=10**6).selected([(mapped, first)])) is np.ndarray
    assert ArrayStore(limit=10**6).selected([(x, None)]) is x


def test_pages_that_are_given_back_are_read_again() -> None:
    written = ArrayStore(limit=0).empty((1000,), np.int64)
    written[:] = np.arange(1000)
    release_pages(written)
    np.testing.assert_array_equal(written, np.arange(1000))
    release_pages(np.arange(3))
