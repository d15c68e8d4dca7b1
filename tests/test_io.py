"""A file is there in full or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distillab.io import replace_file


def test_the_file_holds_what_was_written_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    replace_file(path, lambda place: place.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "answer.json"
    replace_file(path, lambda place: place.write_text("new"))
    assert path.read_text() == "new"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text("old")

    def write(place: Path) -> None:
        place.write_text("new")
        assert path.read_text() == "old"

    replace_file(path, write)
    assert path.read_text() == "new"


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text("old")

    def write(place: Path) -> None:
        place.write_text("ne")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        replace_file(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_writes_nothing_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "answer.json", lambda place: None)
    assert not list(tmp_path.iterdir())


def test_the_writer_is_given_a_path_of_the_same_kind_in_the_same_folder(tmp_path: Path) -> None:
    path = tmp_path / "logits.npy"

    def write(place: Path) -> None:
        assert (place.parent, place.suffix) == (path.parent, ".npy")
        np.save(place, np.arange(3))  # would add .npy to any other ending, and miss the file

    replace_file(path, write)
    np.testing.assert_array_equal(np.load(path), np.arange(3))
