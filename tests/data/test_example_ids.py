"""Ids follow the examples of every source through the splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distillab.data import ReadOptions, load, read_data
from distillab.data.dataset import Dataset
from distillab.data.table import read_table


def ids(data: Dataset, part: str) -> list[str]:
    return [names[0] for names in data.example_ids.of(part)]


def rows(data: Dataset, part: str) -> list[int]:
    """Row numbers, which the tests' features repeat."""
    x = {"train": data.x_train, "test": data.x_test, "unlabelled": data.unlabelled}[part]
    return [int(value) for value in x[:, 0]]


def test_ids_are_row_numbers_as_read_whatever_was_split_off():
    x, y = np.arange(60, dtype=np.float32)[:, None], np.arange(60) % 3
    y[[4, 9]] = -1
    data = read_data({"x": x, "y": y, "x_unlabelled": x[:3]})
    for part in ("train", "test"):
        assert ids(data, part) == [f"train/{row}" for row in rows(data, part)]
    assert ids(data, "unlabelled") == ["train/4", "train/9", "unlabelled/0", "unlabelled/1", "unlabelled/2"]
    assert {names[1] for names in data.example_ids.of("test")} == {str(row) for row in rows(data, "test")}


def test_ids_carry_the_part_where_data_have_parts(tmp_path: Path):
    arrays = {}
    for part, count in (("train", 30), ("test", 9), ("validation", 6)):
        arrays |= {f"x_{part}": np.arange(count, dtype=np.float32)[:, None], f"y_{part}": np.arange(count) % 3}
    arrays["y_test"][4] = -1
    np.savez(tmp_path / "d.npz", **arrays)
    data = read_data(tmp_path / "d.npz")
    assert ids(data, "train") == [f"train/{n}" for n in range(30)] + [f"validation/{n}" for n in range(6)]
    assert ids(data, "test") == [f"test/{row}" for row in rows(data, "test")]
    assert next(iter(data.example_ids.of("test"))) == ("test/0",)


def test_a_data_set_that_was_not_read_has_the_numbers_of_its_rows():
    digits = load("digits")
    assert ids(digits, "test")[:2] == ["test/0", "test/1"]
    assert digits.example_ids.unlabelled[0][1].tolist() == []


def test_ids_are_not_part_of_the_digest():
    x, y = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32), np.arange(60) % 3
    data = read_data((x, y))
    plain = Dataset(
        "n", data.x_train, data.y_train, data.x_test, data.y_test, data.class_names, 1.0, validation=data.validation
    )
    assert plain.digest == data.digest


def test_images_are_named_by_their_paths_with_and_without_suffix(tmp_path: Path):
    for part, count in (("train", 12), ("test", 4)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                pixel = Image.fromarray(np.full((2, 2), number, np.uint8))
                pixel.save(tmp_path / part / name / f"{number:02}.png")
    data = read_data(tmp_path)
    for part, x in (("train", data.x_train), ("test", data.x_test)):
        numbers = [f"{int(image[0, 0, 0]):02}" for image in x]
        names = [data.class_names[label] for label in (data.y_train if part == "train" else data.y_test)]
        expected = [f"{part}/{name}/{number}.png" for name, number in zip(names, numbers, strict=True)]
        assert ids(data, part) == expected
    assert next(iter(data.example_ids.of("test"))) == ("test/cat/00.png", "test/cat/00")


def test_a_tables_id_column_names_the_examples_and_is_no_feature(tmp_path: Path):
    lines = ["id,size,label", *(f"p{row},{row},{'ab'[row % 2]}" for row in range(40))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = read_data(tmp_path / "t.csv", ReadOptions(test=0.25))
    assert data.input_shape == (1,)
    assert ids(data, "test") == [f"p{row}" for row in rows(data, "test")]
    assert "The column 'id' names the examples and is no feature." in data.notes


@pytest.mark.parametrize("text", ["id,label\n1,a\n2,b\n", "size,ident,id\n1,2,a\n2,3,b\n"])
def test_an_id_that_is_the_label_or_the_only_feature_stays(tmp_path: Path, text: str):
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert table.ids is None
    assert table.x.shape[1] == text.split("\n")[0].count(",")
