"""Image folders as people have them: parts or none, sizes that differ, an image that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data.folders import read_photographs
from distillab.errors import RequestError


def draw(path: Path, size: tuple[int, int] = (6, 8), value: int = 100, mode: str = "L") -> None:
    """An image of one value; `size` is height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value if mode == "L" else (value, 0, 0)).save(path)


def test_folders_of_classes_alone_are_for_training(tmp_path: Path):
    draw(tmp_path / "rose" / "1.png", value=7)
    draw(tmp_path / "daisy" / "1.png", value=9)
    images = read_photographs(tmp_path)
    assert images.class_names == ("daisy", "rose")
    assert set(images.inputs) == {"train"}
    assert images.inputs["train"].shape == (2, 6, 8, 1)
    assert images.inputs["train"][:, 0, 0, 0].tolist() == [9, 7]
    assert (images.resized, images.skipped) == ("", ())


def test_parts_and_unlabelled_images_are_kept_apart(tmp_path: Path):
    for part, name in (("train", "a"), ("train", "b"), ("val", "a"), ("test", "b")):
        draw(tmp_path / part / name / "1.png")
    draw(tmp_path / "unlabeled" / "1.png")
    images = read_photographs(tmp_path)
    assert {part: labels.tolist() for part, labels in images.labels.items()} == {
        "train": [0, 1], "validation": [0], "test": [1], "unlabelled": [-1],
    }  # fmt: skip


def test_images_are_brought_to_the_commonest_size_and_the_rule_is_reported(tmp_path: Path):
    draw(tmp_path / "a" / "1.png")
    draw(tmp_path / "a" / "2.png")
    draw(tmp_path / "b" / "1.png", size=(12, 16), value=50)
    images = read_photographs(tmp_path)
    assert images.inputs["train"].shape == (3, 6, 8, 1)
    assert images.inputs["train"][2].min() == images.inputs["train"][2].max() == 50
    assert images.resized.startswith("1 of 3 images were resized to 6 x 8 pixels (height x width)")
    assert read_photographs(tmp_path, size=(3, 4)).inputs["train"].shape == (3, 3, 4, 1)


def test_grey_images_among_coloured_ones_take_three_channels(tmp_path: Path):
    draw(tmp_path / "a" / "1.png", value=5)
    draw(tmp_path / "b" / "1.jpg", value=200, mode="RGB")
    assert read_photographs(tmp_path).inputs["train"][0, 0, 0].tolist() == [5, 5, 5]


def test_an_unreadable_image_is_left_out_and_named(tmp_path: Path):
    draw(tmp_path / "a" / "1.png")
    draw(tmp_path / "b" / "1.png")
    (tmp_path / "b" / "2.png").write_bytes(b"no image")
    images = read_photographs(tmp_path)
    assert images.skipped == ("b/2.png",)
    assert len(images.inputs["train"]) == 2


def test_too_many_unreadable_images_are_an_error_that_names_some(tmp_path: Path):
    draw(tmp_path / "a" / "1.png")
    draw(tmp_path / "b" / "1.png")
    for number in (2, 3):
        (tmp_path / "b" / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(RequestError, match=r"2 of 4 images cannot be read \(b/2.png, b/3.png"):
        read_photographs(tmp_path)


def test_one_class_or_a_class_that_training_lacks_is_refused(tmp_path: Path):
    draw(tmp_path / "train" / "a" / "1.png")
    with pytest.raises(RequestError, match="these classes: a; there must be at least 2"):
        read_photographs(tmp_path)
    draw(tmp_path / "train" / "b" / "1.png")
    draw(tmp_path / "test" / "c" / "1.png")
    with pytest.raises(RequestError, match="the class 'c' is in test and not in train"):
        read_photographs(tmp_path)


def test_a_folder_without_training_part_is_refused(tmp_path: Path):
    draw(tmp_path / "test" / "a" / "1.png")
    with pytest.raises(RequestError, match="no train"):
        read_photographs(tmp_path)


def test_only_whole_pixels_come_out_whatever_the_mode(tmp_path: Path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((6, 8, 4), 30, np.uint8), "RGBA").save(tmp_path / "a" / "1.png")
    draw(tmp_path / "b" / "1.png", mode="RGB")
    assert read_photographs(tmp_path).inputs["train"].dtype == np.uint8
