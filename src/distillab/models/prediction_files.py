"""The files of stored predictions: written batch by batch, and memory-mapped when they are read.

`p.npy` holds the predictions and `p.rows.npy` the digests of their inputs. Where only the top k of C classes are
stored, `p.npy` holds their log-probabilities, `p.classes.npy` their numbers, `p.rest.npy` the logarithm of the
remaining mass, and `p.top_k.json` C.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, not_allowed
from distillab.io import DAMAGE, replace_file
from distillab.models.digests import Keys
from distillab.models.top_k import TopK

CHUNK = 64 * 2**20
"""Bytes of a file that are checked or converted at once."""

MASS = 1e-2
"""By how much the stored probabilities of an example may exceed 1, as those of float16 do."""

AGAIN = "Store it again with distillab.store_predictions."


def part_file(path: Path, part: str) -> Path:
    """The file of a part: `rows`, `classes` or `rest`.

    Args:
        path: the `.npy` file.
        part: its name.
    """
    return path.with_suffix(f".{part}.npy")


def classes_file(path: Path) -> Path:
    """The file that holds the number of classes.

    Args:
        path: the `.npy` file.
    """
    return path.with_suffix(".top_k.json")


def is_top_k(path: Path) -> bool:
    """Whether any file of a top k lies next to the predictions.

    Args:
        path: the `.npy` file.
    """
    return any(file.exists() for file in (part_file(path, "classes"), part_file(path, "rest"), classes_file(path)))


def chunks(array: NDArray[Any]) -> Iterator[slice]:
    """The examples of an array in pieces of at most 64 MiB.

    Args:
        array: shape (N, ...).
    """
    step = max(1, CHUNK // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def read_mapped(path: Path) -> NDArray[Any]:
    """Map one array of plain numbers into memory, read-only; archives and pickles are refused.

    Args:
        path: an `.npy` file.

    Raises:
        RequestError: the file is damaged or holds objects.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            if dtype.hasobject or 0 in shape:
                file.seek(0)
                array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
                return array
            order = "F" if fortran else "C"
            mapped: NDArray[Any] = np.memmap(file, dtype, "r", file.tell(), shape, order)  # type: ignore[call-overload]
            return mapped
    except DAMAGE as error:
        raise RequestError(f"{path} cannot be read, found damage or Python objects. Store it again.") from error


def read_keys(path: Path, shape: tuple[int, ...]) -> Keys:
    """The digests of the inputs.

    Args:
        path: the `.npy` file of the predictions.
        shape: (N,), of the predictions that it holds.

    Raises:
        RequestError: they are missing, damaged or of other predictions.
    """
    file = part_file(path, "rows")
    if not file.is_file():
        raise RequestError(
            f"{path} needs {file.name} next to it, with the digests of its inputs. Write both with "
            "distillab.store_predictions(path, inputs, predictions)."
        )
    keys = np.array(read_mapped(file))
    if keys.dtype != np.uint64 or keys.shape != shape:
        raise RequestError(f"{path} and {file.name} do not belong together. Store them again.")
    return keys


def read_top_k(path: Path) -> tuple[TopK, int]:
    """Map the top k of a file and check every example; gives the number of classes too.

    Args:
        path: the `.npy` file.

    Raises:
        RequestError: a part is missing or damaged, or the parts contradict each other.
    """
    for file in (part_file(path, "classes"), part_file(path, "rest"), classes_file(path)):
        if not file.is_file():
            raise RequestError(f"{path} holds the top classes of a teacher, and {file.name} is missing. {AGAIN}")
    try:
        outputs = json.loads(classes_file(path).read_text())["classes"]
        whole = isinstance(outputs, int) and not isinstance(outputs, bool) and outputs > 0
    except DAMAGE:
        whole = False
    if not whole:
        raise RequestError(f"{classes_file(path)} does not hold the number of classes. {AGAIN}")
    top = TopK(*(read_mapped(file) for file in (path, part_file(path, "classes"), part_file(path, "rest"))))
    check_top_k(top, outputs, str(path))
    return top, outputs


def check_top_k(top: TopK, outputs: int, name: str) -> None:
    """Check the top k of every example.

    Args:
        top: the stored classes, in memory or mapped.
        outputs: C.
        name: of the file.

    Raises:
        RequestError: the message says what is wrong in which row.
    """
    values, classes, rest = top
    kinds = (values.dtype.kind, classes.dtype.kind, rest.dtype.kind)
    if values.ndim < 2 or values.size == 0 or values.shape != classes.shape or values.shape[:-1] != rest.shape:
        shapes = f"{values.shape}, {classes.shape} and {rest.shape}"
        raise RequestError(f"{name}: its parts have the shapes {shapes}, expected (N, k), (N, k) and (N,). {AGAIN}")
    if kinds not in (("f", "u", "f"), ("f", "i", "f")):
        raise RequestError(f"{name}: its parts are not log-probabilities and class numbers. {AGAIN}")
    k = values.shape[-1]
    if k > outputs:
        raise RequestError(f"{name} stores {k} classes an example, and there are {outputs}. {AGAIN}")
    for piece in chunks(values):
        part = TopK(*(column[piece] for column in top))
        for fault, bad in _faults(part, outputs):
            rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=-1))
            if len(rows):
                raise RequestError(f"{name}: {fault} in row {piece.start + rows[0]}. {AGAIN}")


def _faults(top: TopK, outputs: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    numbers = np.sort(top.classes.astype(np.int64), axis=-1)
    values, rest = top.values.astype(np.float32), top.rest.astype(np.float32)
    yield "a class number is out of range", (numbers[..., 0] < 0) | (numbers[..., -1] >= outputs)
    yield "a class is repeated", (numbers[..., 1:] == numbers[..., :-1]).any(axis=-1)
    yield "a log-probability is not finite", ~np.isfinite(values).all(axis=-1)
    yield "the remaining mass is not finite", ~np.isfinite(rest)
    with np.errstate(over="ignore"):  # a sum beyond float32 is above 1 too
        yield "the probabilities sum to more than 1", np.exp(values).sum(axis=-1) + np.exp(rest) > 1 + MASS


class _Growing:
    """An `.npy` file whose number of rows is not known before the last one."""

    def __init__(self, file: BinaryIO, like: NDArray[Any]) -> None:
        self._file, self._rows, self._like = file, 0, like[:0]
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        if rows.shape[1:] != self._like.shape[1:]:
            raise not_allowed("shape of a batch", rows.shape, f"(N, {', '.join(map(str, self._like.shape[1:]))})")
        self._file.write(np.ascontiguousarray(rows, self._like.dtype).data)
        self._rows += len(rows)

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        """NumPy pads a header so that it keeps its length as the first axis grows."""
        header = {
            "descr": np.lib.format.dtype_to_descr(self._like.dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._like.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


def write_files(path: Path, batches: Iterable[tuple[Mapping[str, NDArray[Any]], int | None]]) -> None:
    """Write all files of stored predictions, batch by batch; old ones are replaced after the last batch.

    Args:
        path: the `.npy` file.
        batches: the rows of each part, and the number of classes of a top k (None: all are stored). Parts are "" for
            the predictions, "rows" for the digests, and "classes" and "rest" of a top k.

    Raises:
        RequestError: there is no batch, or one has another shape.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    files, outputs = dict[str, _Growing](), None
    with tempfile.TemporaryDirectory(prefix=".storing-", dir=path.parent) as folder, ExitStack() as stack:
        for parts, number in batches:
            if files and number != outputs:
                raise not_allowed("classes of a batch", number, f"{outputs}, as before")
            outputs = number
            for part, rows in parts.items():
                if part not in files:
                    files[part] = _Growing(stack.enter_context(Path(folder, f"{part}.npy").open("wb+")), rows)
                files[part].append(rows)
        if not files:
            raise RequestError(f"There are no predictions to store in {path}.")
        for file in files.values():
            file.finish()
        stack.close()
        for part in sorted(files, reverse=True):  # the predictions last: the rest is there when they are
            replace_file(part_file(path, part) if part else path, Path(folder, f"{part}.npy").replace)
            if part == "classes":
                text = json.dumps({"classes": outputs}) + "\n"
                replace_file(classes_file(path), lambda temporary: temporary.write_text(text))  # noqa: B023
    if outputs is None:
        for old in (part_file(path, "classes"), part_file(path, "rest"), classes_file(path)):
            old.unlink(missing_ok=True)
