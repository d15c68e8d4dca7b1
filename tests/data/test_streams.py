"""Streams of every kind become the arrays that they stand for; a broken one is refused in one line."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillab.data.array_store import ArrayStore, is_mapped
from distillab.data.reading import ReadOptions, read_data
from distillab.data.spool import Spool
from distillab.data.streams import opened_stream, read_stream
from distillab.errors import RequestError, WorkError

X = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
Y = np.arange(40) % 4


def batches(size: int = 16, weights: bool = False) -> Iterator[tuple[np.ndarray, ...]]:
    for start in range(0, 40, size):
        rows = slice(start, start + size)
        yield (X[rows], Y[rows], np.arange(40.0)[rows]) if weights else (X[rows], Y[rows])


class Indexed:
    """Like a keras PyDataset: batches by number."""

    def __init__(self, declared: int = 3) -> None:
        self.declared = declared

    def __len__(self) -> int:
        return self.declared

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        return list(batches())[number]


class Loader:
    """Like a torch DataLoader: iterable, with a length."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        return batches()


class TfData:
    """Like a tf.data.Dataset."""

    def __init__(self, cardinality: int) -> None:
        self._cardinality = cardinality

    def cardinality(self) -> int:
        return self._cardinality

    def as_numpy_iterator(self) -> Iterator[Any]:
        return batches()


class Tensor:
    """Like a torch tensor that requires a gradient."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> np.ndarray:
        return self.values

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("call detach first")


STREAMS: dict[str, Callable[[], Any]] = {
    "a generator function": lambda: batches,
    "a generator": batches,
    "single examples": lambda: zip(X, Y, strict=True),
    "an indexed data set": Indexed,
    "a loader": Loader,
    "tf.data": lambda: TfData(3),
    "tf.data of unknown length": lambda: TfData(-2),
    "tensors": lambda: ((Tensor(x), Tensor(y)) for x, y in batches()),
    "batches of one example": lambda: batches(1),
}


@pytest.mark.parametrize("limit", [None, 0], ids=["in memory", "in a file"])
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_read_as_its_arrays(kind: str, limit: int | None) -> None:
    read = read_stream(opened_stream(STREAMS[kind]()), ArrayStore(limit))
    np.testing.assert_array_equal(read.x, X)
    np.testing.assert_array_equal(read.y, Y)
    assert read.x.dtype == np.uint8
    assert read.weights is None
    assert is_mapped(read.x) == (limit == 0)


def test_a_stream_makes_the_data_set_that_its_arrays_make() -> None:
    options = ReadOptions(memory=0)
    one, other = read_data(batches, options), read_data((X, Y))
    assert one.digest == other.digest
    assert is_mapped(one.x_train)
    assert one.name == "batches"
    assert "40 examples were read from a stream" in one.notes[0]


def test_weights_and_several_inputs_come_along() -> None:
    def triples() -> Iterator[Any]:
        for x, y, w in batches(weights=True):
            yield {"image": x, "mean": x.mean(axis=(1, 2), dtype=np.float64)}, y, w

    read = read_stream(opened_stream(triples), ArrayStore(0))
    assert read.x.dtype.names == ("image", "mean")
    assert read.x.dtype["mean"].base == np.float32
    np.testing.assert_array_equal(read.x["image"], X)
    assert read.weights is not None
    np.testing.assert_array_equal(read.weights, np.arange(40))


def test_whole_numbers_become_int32_and_a_reused_buffer_is_copied() -> None:
    buffer = np.zeros((2, 5), np.int64)

    def ids() -> Iterator[Any]:
        for number in range(3):
            buffer[:] = number
            yield buffer, np.array([number, number])

    read = read_stream(opened_stream(ids), ArrayStore())
    assert read.x.dtype == np.int32
    np.testing.assert_array_equal(read.x[:, 0], [0, 0, 1, 1, 2, 2])


def test_an_image_with_a_map_of_labels_is_one_example() -> None:
    maps = ((np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), int)) for _ in range(6))
    assert read_stream(opened_stream(maps), ArrayStore()).x.shape == (6, 4, 5, 3)
    one_hot = ((np.zeros(7, np.float32), np.eye(3)[0]) for _ in range(6))
    assert read_stream(opened_stream(one_hot), ArrayStore()).y.shape == (6, 3)


def broken(bad: Any, after: int = 1) -> Callable[[], Iterator[Any]]:
    def stream() -> Iterator[Any]:
        yield from list(batches())[:after]
        if isinstance(bad, Exception):
            raise bad
        yield bad

    return stream


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (lambda: iter(()), "is empty: it gives no examples"),
        (lambda: iter([X]), "gives no pairs of inputs and labels.*item 0 is a ndarray"),
        (lambda: iter([(X,)]), "item 0 is a tuple of 1"),
        (lambda: Indexed(5), "ended after 3 of 5 items that it declares"),
        (lambda: TfData(7), "ended after 3 of 7 items"),
        (lambda: TfData(-1), "has no end"),
        (
            lambda: broken((X[:3, :, :2], Y[:3])),
            r"Batch 1 of the stream, counted from 0, has inputs of shape \(4, 2, 3\) and type uint8 an example; in "
            r"batch 0 they are of shape \(4, 4, 3\) and type uint8",
        ),
        (lambda: broken((X[:3].astype(float), Y[:3]), 2), r"Batch 2 .* type float32 an example"),
        (lambda: broken((X[:3], Y[:2])), "Batch 1 .* parts of different lengths: inputs 3, labels 2"),
        (lambda: broken((X[:3], Y[:3], np.ones(3))), "Batch 1 .* has weight, unlike batch 0"),
        (lambda: broken((np.array(["a", "b"]), Y[:2])), "Item 1 of the stream: its input has type <U1"),
        (lambda: broken((X[:2], np.array([object(), None]))), "Item 1 .*label 'inputs' has type object"),
        (lambda: broken(KeyError("gone")), "failed at item 1 .KeyError: .*gone"),
        (lambda: lambda: 3, r"data\(\)='int' is not allowed: it must be an iterator"),
        (lambda: 3, "data='int' is not allowed: it must be a path, a name, "),
    ],
)
def test_a_broken_stream_is_refused_in_one_line(stream: Callable[[], Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_stream(opened_stream(stream()), ArrayStore())
    assert "\n" not in str(caught.value)


def test_a_spool_is_a_concatenation_wherever_it_is_kept() -> None:
    pieces = [np.full((size, 2), size, np.int32) for size in (3, 0, 5)]
    for limit in (0, 30, 10**6):
        spool = Spool(ArrayStore(limit))
        for piece in pieces:
            spool.add(piece)
        np.testing.assert_array_equal(spool.finished(), np.concatenate(pieces))


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, _: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with pytest.raises(WorkError, match=r"cannot be kept in .*No space left"):
        Spool(ArrayStore(0)).add(np.zeros(3))
