"""Streams of examples, read once from start to end: of generators, of data sets of frameworks, of shards of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from distillab.data.array_store import ArrayStore, is_mapped
from distillab.data.inputs import INPUT, joined
from distillab.data.labels import Array
from distillab.data.shards import is_shards, shard_items
from distillab.data.spool import Spool
from distillab.errors import RequestError, not_allowed, reason

KINDS = "a path, a name, (x, y), a mapping, a Dataset, a tf.data.Dataset, a PyDataset, a DataLoader or a generator"


class Stream(NamedTuple):
    """A stream before it is read.

    Args:
        name: in reports.
        items: the pairs (x, y) or triples (x, y, weight), of single examples or of batches.
        declared: how many items it says that it has; None: it does not say.
    """

    name: str
    items: Iterable[Any]
    declared: int | None = None


class StreamArrays(NamedTuple):
    """What a stream held.

    Args:
        x: inputs (N, ...), floats as float32; a structured array of several inputs; mapped where they are large.
        y: labels, (N, ...), in memory, or such by name.
        weights: (N,); None where the stream has none.
        note: how much was read and where it is kept, a sentence.
    """

    x: Array
    y: Any
    weights: Array | None
    note: str


def opened_stream(data: Any) -> Stream:
    """Open a stream.

    Args:
        data: a tf.data.Dataset, a keras PyDataset, a torch DataLoader or Dataset, a function without parameters that
            gives an iterator, an iterator, or names of tar shards.

    Raises:
        RequestError: it is none of these, or it has no end.
    """
    name = getattr(data, "__name__", None) or type(data).__name__
    if is_shards(data):
        return Stream(Path(data if isinstance(data, str) else data[0]).name.partition(".")[0], shard_items(data))
    if hasattr(data, "as_numpy_iterator"):
        cardinality = int(data.cardinality())
        if cardinality == -1:
            raise RequestError("The tf.data.Dataset has no end. Call take(n) on it, or leave repeat() out.")
        return Stream(name, data.as_numpy_iterator(), cardinality if cardinality >= 0 else None)
    length = _length(data)
    if hasattr(data, "__getitem__") and length is not None:
        return Stream(name, _indexed(data, length), length)
    if hasattr(data, "__getitem__") and getattr(data, "num_batches", 0) is None:
        raise RequestError(f"The {name} has no end: its length is not known. Define __len__.")
    if hasattr(data, "__iter__") or hasattr(data, "__next__"):
        return Stream(name, data, length)
    if callable(data) and not isinstance(data, type):
        return Stream(name, _called(data), None)
    raise not_allowed("data", type(data).__name__, KINDS)


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except (TypeError, NotImplementedError, AttributeError):  # what data sets of frameworks without a length raise
        return None


def _indexed(data: Any, length: int) -> Iterator[Any]:
    for number in range(length):
        try:
            item = data[number]
        except IndexError:
            return
        yield item


def _called(function: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    given = function()
    if not hasattr(given, "__iter__"):
        found = type(given).__name__
        raise not_allowed("data()", found, "an iterator", "Write a generator function, which yields pairs (x, y).")
    yield from given


def read_stream(stream: Stream, store: ArrayStore) -> StreamArrays:
    """Read a stream once; memory holds one item, the labels, and inputs up to the store's limit.

    Args:
        stream: made by `opened_stream`.
        store: keeps large inputs in a file.

    Raises:
        RequestError: it gives no pairs, is empty, ends early, fails, or its shapes or types change on the way.
        WorkError: the disk is full.

    Example:
        >>> pairs = (([float(number), 1.0], number % 2) for number in range(6))
        >>> read = read_stream(opened_stream(pairs), ArrayStore())
        >>> read.x.shape, read.x.dtype.name, read.y.tolist()
        ((6, 2), 'float32', [0, 1, 0, 1, 0, 1])
    """
    inputs = Spool(store)
    try:
        return _read(stream, inputs)
    finally:
        inputs.close()


def _read(stream: Stream, inputs: Spool) -> StreamArrays:
    labels, weights = dict[str, list[Array]](), list[Array]()
    single, first, read = False, None, 0
    for item in _guarded(stream):
        pair = _pair(item, read)
        if first is None:
            single = _is_single(pair)
        pair = _batch(pair) if single else pair
        what = "example" if single else "batch"
        first = _checked(pair, first, f"{what.capitalize()} {read}", what)
        inputs.add(joined(pair.x) if len(pair.x) > 1 else next(iter(pair.x.values())))
        for key, part in pair.y.items():
            labels.setdefault(key, []).append(np.array(part))
        if pair.weights is not None:
            weights.append(np.array(pair.weights))
        read += 1
    if stream.declared is not None and read < stream.declared:
        raise RequestError(f"The stream ended after {read} of {stream.declared} items that it declares. Repair it.")
    if not inputs.rows:
        raise RequestError(f"The stream {stream.name!r} is empty: it gives no examples. A used-up iterator gives none.")
    y = {key: np.concatenate(pieces) for key, pieces in labels.items()}
    x = inputs.finished()
    kept = f" and kept in a file of {x.nbytes / 2**20:,.0f} MiB" if is_mapped(x) else ""
    return StreamArrays(
        x,
        y[INPUT] if list(y) == [INPUT] else y,
        np.concatenate(weights) if weights else None,
        f"{len(x):,} examples were read from a stream{kept}.",
    )


class _Pair(NamedTuple):
    """An item's arrays; an only input or label has the name `INPUT`."""

    x: dict[str, Array]
    y: dict[str, Array]
    weights: Array | None


_Kind = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


def _guarded(stream: Stream) -> Iterator[Any]:
    """The items; whatever the user's code raises becomes one clear line."""
    iterator: Iterator[Any] | None = None
    for number in count():
        try:
            iterator = iter(stream.items) if iterator is None else iterator
            item = next(iterator)
        except StopIteration:
            return
        except RequestError:
            raise
        except Exception as error:  # a user's generator can raise anything
            raise RequestError(
                f"The stream {stream.name!r} failed at item {number} ({type(error).__name__}: {reason(error)}). Repair "
                "it; it is read from the start again."
            ) from error
        yield item


def _pair(item: Any, number: int) -> _Pair:
    if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
        found = f"{type(item).__name__}" + (f" of {len(item)}" if isinstance(item, (tuple, list)) else "")
        raise RequestError(
            f"The stream gives no pairs of inputs and labels (x, y), nor triples (x, y, weight): item {number} is a "
            f"{found}."
        )
    x = {name: _input(part, name, number) for name, part in _named(item[0], "input").items()}
    y = {name: _numbers(part, f"label {name!r}", number) for name, part in _named(item[1], "output").items()}
    return _Pair(x, y, None if len(item) == 2 else _numbers(item[2], "weight", number))


def _named(value: Any, word: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {INPUT: next(iter(value.values()))} if len(value) == 1 else dict(value)
    arrays = isinstance(value, (tuple, list)) and len(value) > 1 and all(np.ndim(_host(one)) for one in value)
    if arrays and all(hasattr(one, "shape") for one in value):
        return {f"{word}_{place}": one for place, one in enumerate(value, 1)}
    return {INPUT: value}


def _host(value: Any) -> Any:
    return value.detach().cpu() if hasattr(value, "detach") else value


def _numbers(value: Any, what: str, number: int) -> Array:
    try:
        array = np.asarray(_host(value))
    except Exception as error:  # of lists of unequal lengths, and of foreign types
        raise RequestError(f"Item {number} of the stream: its {what} is no array ({reason(error)}).") from error
    if array.dtype.kind not in "fiub":
        raise RequestError(f"Item {number} of the stream: its {what} has type {array.dtype}, and must be numbers.")
    return array


def _input(value: Any, name: str, number: int) -> Array:
    """Bytes as they are; other whole numbers as int32, everything else as float32."""
    what = "input" if name == INPUT else f"input {name!r}"
    array = _numbers(value, what, number)
    if array.dtype.kind in "fb":
        return array.astype(np.float32, copy=False)
    if array.dtype in (np.uint8, np.int32):
        return array
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        raise RequestError(f"Item {number} of the stream: its {what} holds whole numbers beyond 32 bits.")
    return array.astype(np.int32)


def _is_single(pair: _Pair) -> bool:
    """Whether an item is one example: its label has no axis, or its arrays do not share their first one."""
    parts = [*pair.x.values(), *pair.y.values()]
    if any(not part.ndim for part in parts) or any(part.ndim < 2 for part in pair.x.values()):
        return True
    if len({len(part) for part in parts}) > 1:
        return True
    # A single image (H, W, C) with a map of labels (H, W).
    shapes = [(x.shape, y.shape) for x in pair.x.values() for y in pair.y.values()]
    return any(len(x) == 3 and len(y) > 1 and x[:2] == y[:2] for x, y in shapes)


def _batch(pair: _Pair) -> _Pair:
    def of_one(parts: dict[str, Array]) -> dict[str, Array]:
        return {name: part[None] for name, part in parts.items()}

    return _Pair(of_one(pair.x), of_one(pair.y), None if pair.weights is None else pair.weights.reshape(1))


def _checked(pair: _Pair, first: _Kind | None, where: str, what: str) -> _Kind:
    """Check that a batch is whole and like the first one, and return what the first one is."""
    weights = {} if pair.weights is None else {"weight": pair.weights.reshape(len(pair.weights), -1).astype(np.float64)}
    parts = {f"input {k!r}" if k != INPUT else "inputs": v for k, v in pair.x.items()}
    parts |= {f"label {k!r}" if k != INPUT else "labels": v for k, v in pair.y.items()}
    lengths = {name: len(part) if part.ndim else 0 for name, part in (parts | weights).items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise RequestError(f"{where} of the stream, counted from 0, has parts of different lengths: {shown}.")
    found = {name: (part.shape[1:], part.dtype) for name, part in (parts | weights).items()}
    if first is None:
        return found
    for name in first | found:
        if name not in found or name not in first:
            state = "has no" if name not in found else "has"
            raise RequestError(f"{where} of the stream, counted from 0, {state} {name}, unlike {what} 0.")
        (shape, dtype), (expected, of_first) = found[name], first[name]
        if shape != expected or dtype.kind != of_first.kind or (name.startswith("input") and dtype != of_first):
            raise RequestError(
                f"{where} of the stream, counted from 0, has {name} of shape {shape} and type {dtype} an example; in "
                f"{what} 0 they are of shape {expected} and type {of_first}. Give all examples one shape and type."
            )
    return first
