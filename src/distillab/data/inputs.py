"""The inputs of examples: one array of N rows, with a field for each input where a model has several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from distillab.data.array_store import is_mapped, pieces
from distillab.data.labels import Array
from distillab.errors import not_allowed

INPUT = "inputs"
"""The name of an only input."""

Kind = Literal["images", "features", "series", "tokens"]

PerInput = Mapping[str, Any]
"""A value for each of several inputs, by name."""

Scale = float | Mapping[str, float]
"""What stored inputs are multiplied by: a factor, or one for each of several inputs."""

KINDS: Mapping[Kind, str] = {
    "images": "(N, H, W, C)",
    "features": "(N, F)",
    "series": "(N, T, F)",
    "tokens": "(N, T), whole numbers",
}
"""The shapes of inputs by their kind."""


def parts_of(x: Array) -> dict[str, Array]:
    """The inputs of examples by name.

    Args:
        x: shape (N, ...) of one input; structured, shape (N,), of several.

    Example:
        >>> list(parts_of(joined({"image": np.zeros((2, 4, 4, 1)), "age": np.zeros((2, 1))})))
        ['image', 'age']
    """
    names = x.dtype.names
    return {INPUT: x} if names is None else {name: x[name] for name in names}


def joined(parts: Mapping[str, Array]) -> Array:
    """Several inputs as one structured array, shape (N,), with a field for each.

    Args:
        parts: at least one array (N, ...) by name, all of the same N.

    Raises:
        RequestError: their numbers of rows differ, or a name is empty.
    """
    counts = {name: len(part) for name, part in parts.items()}
    if len(set(counts.values())) != 1 or "" in parts:
        shown = ", ".join(f"{name!r}: {count}" for name, count in counts.items())
        raise not_allowed("inputs", shown, "named inputs with the same number of examples")
    x = np.empty(next(iter(counts.values())), joined_type(parts))
    for name, part in parts.items():
        x[name] = part
    return x


def joined_type(parts: Mapping[str, Array]) -> np.dtype[Any]:
    """The type of several inputs as one structured array.

    Args:
        parts: arrays (N, ...) by name.
    """
    fields: list[tuple[str, DTypeLike, tuple[int, ...]]] = [
        (name, part.dtype, tuple(part.shape[1:])) for name, part in parts.items()
    ]
    return np.dtype(fields)


def input_kind(part: Array) -> Kind:
    """What one input is, by its type and number of axes.

    Args:
        part: shape (N, ...), uint8, int32 or floats.

    Example:
        >>> input_kind(np.zeros((5, 12), np.int32)), input_kind(np.zeros((5, 12))), input_kind(np.zeros((5, 9, 3)))
        ('tokens', 'features', 'series')
    """
    if part.dtype == np.int32:
        return "tokens"
    kinds: dict[int, Kind] = {2: "features", 3: "series"}
    return kinds.get(part.ndim, "images")


def shapes_of(x: Array) -> dict[str, tuple[int, ...]]:
    """The shape of one example of each input, by name.

    Args:
        x: as in `parts_of`.
    """
    return {name: tuple(part.shape[1:]) for name, part in parts_of(x).items()}


def for_input(value: Any, name: str) -> Any:
    """The value of one input: of a mapping the one by its name, otherwise the value itself.

    Args:
        value: of an only input, or a mapping by name.
        name: of the input.
    """
    return value.get(name) if isinstance(value, Mapping) else value


def changed(x: Array, change: Callable[[str, Array], Array]) -> Array:
    """Apply a function to each input.

    Args:
        x: as in `parts_of`.
        change: from an input's name and rows (N, ...) to other rows (N, ...).
    """
    parts = {name: change(name, part) for name, part in parts_of(x).items()}
    return parts[INPUT] if x.dtype.names is None else joined(parts)


def scaling(scale: Scale) -> Callable[[str, Array], Array]:
    """The function for `changed` that multiplies inputs by their scale, as float32; token ids stay as they are.

    Args:
        scale: a factor, or one by name.
    """

    def one(name: str, part: Array) -> Array:
        if input_kind(part) == "tokens":
            return part
        return np.multiply(part, np.float32(for_input(scale, name)), dtype=np.float32)

    return one


def scaled(x: Array, scale: Scale) -> Any:
    """What models read: stored inputs times their scale, float32; token ids as they are.

    Args:
        x: as in `parts_of`.
        scale: a factor, or one by name.

    Returns:
        An array of one input, a dictionary by name of several.
    """
    read = changed(x, scaling(scale))
    return read if x.dtype.names is None else parts_of(read)


def checked_inputs(values: Array, name: str, *, gaps: bool = False) -> Array:
    """Check inputs and return them read-only, contiguous and in native byte order.

    Args:
        values: as in `parts_of`.
        name: for messages.
        gaps: whether features may be NaN, which a table's missing values are.

    Raises:
        RequestError: a shape, type or value that no kind of input has; the message names it.
    """
    array = np.asarray(values)
    if array.dtype.names is not None and array.ndim == 1 and len(array):
        for part, held in parts_of(array).items():
            _check_part(held, f"{name}[{part!r}]", gaps)
    else:
        _check_part(array, name, gaps)
    integer = array.dtype.names is None and array.dtype.kind in "iu" and array.dtype != np.uint8
    native = np.dtype(np.int32) if integer else array.dtype.newbyteorder("=")
    array = np.ascontiguousarray(array, dtype=native)
    if array.flags.writeable:
        array = array.view() if is_mapped(array) else array.copy()
        array.setflags(write=False)
    return array


def extremes(part: Array, *, gaps: bool = False) -> tuple[Any, Any]:
    """The smallest and the largest number, a piece of a mapped array at a time; NaN where one is NaN.

    Args:
        part: any shape, not empty.
        gaps: whether NaN is passed over, except where there is nothing else.

    Example:
        >>> [float(value) for value in extremes(np.array([3.0, 1.0, 2.0]))]
        [1.0, 3.0]
    """
    low, high = (np.nanmin, np.nanmax) if gaps else (np.min, np.max)
    found = [(low(rows), high(rows)) for _, rows in pieces(part)]
    return low([one for one, _ in found]), high([other for _, other in found])


def _check_part(part: Array, name: str, gaps: bool) -> None:
    tokens = part.dtype.kind in "iu" and part.dtype != np.uint8 and part.ndim == 2
    if part.size == 0 or part.ndim not in ((2, 4) if part.dtype == np.uint8 else (2, 3, 4)):
        do = "Grey images take a last axis of length 1." if part.ndim == 3 else ""
        raise not_allowed(f"{name}.shape", part.shape, "(N, H, W, C), (N, T, F) or (N, F), no axis of length 0", do)
    if tokens:
        low, high = (int(value) for value in extremes(part))
        if low < 0 or high >= 2**31:
            raise not_allowed(name, f"from {low} to {high}", "token ids from 0 to 2147483647")
        return
    if part.dtype != np.uint8 and part.dtype.kind != "f":
        do = "Convert with .astype('float32')."
        raise not_allowed(f"{name}.dtype", str(part.dtype), "uint8, floating, or (N, T) token ids", do)
    _check_finite(part, name, gaps)


def _check_finite(part: Array, name: str, gaps: bool) -> None:
    # A NaN passes through min() and max() and fails both comparisons; float32 is what every model computes in.
    limit = float(np.finfo(np.float32).max)
    low, high = (float(value) for value in extremes(part, gaps=gaps))
    if low >= -limit and high <= limit:
        return

    def is_bad(row: NDArray[Any]) -> bool:
        fine = np.abs(row) <= limit
        return not (fine | np.isnan(row) if gaps else fine).all()

    row = next(number for number, row in enumerate(part) if is_bad(row))
    raise not_allowed(name, f"from {low} to {high}", "finite in float32 everywhere", f"Row {row} is not.")
