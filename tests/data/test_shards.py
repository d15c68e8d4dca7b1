"""Tar shards and folders of array files are read as the examples in them, safely."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from distillab.data.array_store import ArrayStore
from distillab.data.reading import ReadOptions, read_data
from distillab.data.shards import folder_items, is_shards, shard_items, shard_names
from distillab.data.streams import Stream, read_stream
from distillab.errors import RequestError

X = np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3)).astype(np.uint8)
Y = np.arange(12) % 3


def npy(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def shards(folder: Path, kind: str = "npy") -> list[Path]:
    """Three shards of four samples."""
    made = []
    for number in range(3):
        files = {}
        for row in range(4 * number, 4 * number + 4):
            key = f"sample/{row:04d}"
            files |= {f"{key}.npy": npy(X[row])} if kind == "npy" else {f"{key}.png": png(X[row])}
            files |= {f"{key}.cls": str(Y[row]).encode(), f"{key}.txt": b"ignored"}
        made.append(tar(folder / f"train-{number:02d}.tar", files))
    return made


@pytest.mark.parametrize("kind", ["npy", "png"])
def test_samples_of_tar_shards_are_read_in_order(tmp_path: Path, kind: str) -> None:
    names = shards(tmp_path, kind)
    for data in (names, str(tmp_path / "train-{00..02}.tar")):
        assert is_shards(data)
        read = read_stream(Stream("shards", shard_items(data)), ArrayStore())
        np.testing.assert_array_equal(read.x, X)
        np.testing.assert_array_equal(read.y, Y)


def test_read_data_finds_out_which_shards_it_is_given(tmp_path: Path) -> None:
    options = ReadOptions(test=0.25, validation=0.34)
    names = shards(tmp_path)
    expected = read_data((X, Y), options).digest
    assert read_data(str(tmp_path / "train-{00..02}.tar"), options).digest == expected
    whole = read_data(tar(tmp_path / "all.tar", _members(names)), options)
    assert whole.digest == expected
    assert whole.name == "all"
    (tmp_path / "arrays").mkdir()
    for start in (0, 6):
        np.savez(tmp_path / "arrays" / f"{start}.npz", x=X[start : start + 6], y=Y[start : start + 6])
    assert read_data(tmp_path / "arrays", options).digest == expected


def _members(names: list[Path]) -> dict[str, bytes]:
    files = {}
    for name in names:
        with tarfile.open(name) as archive:
            files |= {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    return files


def test_labels_and_weights_in_json(tmp_path: Path) -> None:
    values = [{"label": 2, "weight": 0.5}, {"label": 1, "weight": 3}]
    files = {}
    for row, value in enumerate(values):
        files |= {f"{row}.npy": npy(X[row]), f"{row}.json": json.dumps(value).encode()}
    read = read_stream(Stream("json", shard_items([tar(tmp_path / "a.tar", files)])), ArrayStore())
    assert read.y.tolist() == [2, 1]
    assert read.weights is not None
    assert read.weights.tolist() == [0.5, 3]
    numbers = {"0.npy": npy(X[0]), "0.json": b"[1, 0.5]", "1.npy": npy(X[1]), "1.json": b"[0, 2]"}
    read = read_stream(Stream("json", shard_items([tar(tmp_path / "b.tar", numbers)])), ArrayStore())
    assert read.y.tolist() == [[1, 0.5], [0, 2]]


def test_a_folder_of_arrays_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillab.data.shards.PIECE", 2 * X[0].nbytes)
    np.save(tmp_path / "x_0.npy", X[:7])
    np.save(tmp_path / "y_0.npy", Y[:7])
    np.save(tmp_path / "x_1.npy", X[7:])
    np.save(tmp_path / "y_1.npy", Y[7:])
    items = list(folder_items(tmp_path))
    assert [len(item[0]) for item in items] == [2, 2, 2, 1, 2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([item[0] for item in items]), X)


def test_ranges_in_braces() -> None:
    assert [path.name for path in shard_names("{0..1}-{09..10}.tar")] == [
        "0-09.tar",
        "0-10.tar",
        "1-09.tar",
        "1-10.tar",
    ]
    with pytest.raises(RequestError, match=r"the range {3..1} is not one of"):
        shard_names("a-{3..1}.tar")


PICKLED = np.array([{"a": 1}], dtype=object)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0.npy": npy(X[0])}, "the sample 0 has the files .npy, and needs one input"),
        ({"0.cls": b"1"}, "the sample 0 has the files .cls, and needs one input"),
        ({"0.npy": npy(X[0]), "0.png": png(X[0]), "0.cls": b"1"}, "needs one input"),
        ({"0.npy": npy(X[0]), "0.cls": b"cat"}, "0.cls is not a class number"),
        ({"0.npy": npy(X[0]), "0.json": b"{}"}, "0.json is not a number, a list of numbers or an object"),
        ({"0.npy": b"junk", "0.cls": b"1"}, "0.npy is no array of numbers"),
        ({"0.npy": npy(PICKLED, allow_pickle=True), "0.cls": b"1"}, "0.npy is no array of numbers"),
        ({"0.png": b"junk", "0.cls": b"1"}, "0.png cannot be read as an image"),
    ],
)
def test_a_broken_sample_is_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    path = tar(tmp_path / "a.tar", files)
    with pytest.raises(RequestError, match=message) as caught:
        list(shard_items([path]))
    assert "a.tar" in str(caught.value)


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none.tar: the shard cannot be read .No such file"):
        list(shard_items([tmp_path / "none.tar"]))
    cut = shards(tmp_path)[0]
    cut.write_bytes(cut.read_bytes()[:700])
    with pytest.raises(RequestError, match=r"train-00.tar: the shard cannot be read"):
        list(shard_items([cut]))
    np.savez(tmp_path / "a.npz", x=X)
    with pytest.raises(RequestError, match=r"a.npz: found x; expected x and y"):
        list(folder_items(tmp_path))
