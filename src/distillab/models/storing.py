"""Writing stored predictions: all logits, as float32 or float16, or the k most probable classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import RequestError, not_allowed
from distillab.models.digests import Keys, row_digests
from distillab.models.prediction_files import write_files
from distillab.models.predictions import CATEGORICAL, are_probabilities, check_finite, from_probabilities
from distillab.models.top_k import top_k_rows


def store_predictions(
    path: str | Path,
    inputs: ArrayLike | Iterable[tuple[ArrayLike, ArrayLike]],
    predictions: ArrayLike | None = None,
    *,
    dtype: str = "float32",
    top_k: int | None = None,
) -> None:
    """Store a model's predictions so that they can teach: `distillab distill --teacher FILE.npy`.

    Args:
        path: ends in .npy; a second file, ending in .rows.npy, receives the digests of the inputs.
        inputs: as distillab reads them (`distillab.read_data`), shape (N, ...). Without `predictions`: batches, pairs
            of inputs and predictions, such as a generator gives; memory then holds one batch.
        predictions: probabilities, logits or real numbers for these inputs, finite, shape (N, C), or (N, ..., C) at
            many positions; C = 1, or (N,), for one output. `as_logits` says how they are read.
        dtype: "float32", or "float16" for half the size; numbers then keep three digits, and probabilities below 1e-4
            fewer: store logits.
        top_k: store the k most probable of C classes alone, as log-probabilities of float16, and the remaining mass,
            which is taken to be spread evenly over the others; 4 k + 12 bytes an example. For one of C classes.

    Raises:
        RequestError: another suffix, shapes that do not fit, NaN; batches of logits and of probabilities in one file.

    Example:
        >>> import tempfile
        >>> from distillab.models.predictions import Predictions
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store_predictions(f"{folder}/p.npy", [[1.0], [2.0]], [[0.9, 0.1], [0.2, 0.8]])
        ...     Predictions.read(Path(folder, "p.npy")).of([[2.0]]).argmax()
        np.int64(1)
    """
    target = Path(path)
    if target.suffix != ".npy":
        raise not_allowed("path", str(path), "a file that ends in .npy")
    if dtype not in ("float32", "float16"):
        raise not_allowed("dtype", dtype, "'float32' or 'float16'")
    batches: Any = inputs if predictions is None else [(inputs, predictions)]
    checked = _checked_batches(batches, str(path))
    if top_k is None:
        write_files(target, (({"rows": keys, "": _rounded(array, dtype, str(path))}, None) for keys, array in checked))
    else:
        write_files(target, _top_k_batches(checked, top_k, str(path)))


def _checked_batches(
    batches: Iterable[tuple[ArrayLike, ArrayLike]], name: str
) -> Iterator[tuple[Keys, NDArray[np.float32]]]:
    """The digests of each batch's inputs, and its predictions (N, ..., C)."""
    for inputs, predictions in batches:
        array, count = np.asarray(predictions, np.float32), len(np.asarray(inputs))
        array = array[:, None] if array.ndim == 1 else array
        check_finite(array, name)
        if len(array) != count:
            raise not_allowed("len(predictions)", len(array), f"{count}, one for each input")
        yield row_digests(inputs), array


def _rounded(array: NDArray[np.float32], dtype: str, name: str) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    if dtype != "float32" and not np.isfinite(rounded).all():
        raise RequestError(f"{name}: a prediction is too large for float16, above 65504. Store it as float32.")
    return rounded


def _top_k_batches(
    batches: Iterable[tuple[Keys, NDArray[np.float32]]], top_k: int, name: str
) -> Iterator[tuple[dict[str, NDArray[Any]], int]]:
    kind = None
    for keys, array in batches:
        outputs = array.shape[-1]
        if isinstance(top_k, bool) or not 1 <= top_k < outputs:
            raise not_allowed("top_k", top_k, f"from 1 to {outputs - 1}, less than the number of classes")
        probable = are_probabilities(array, CATEGORICAL)
        if kind not in (None, probable):
            raise RequestError(f"{name}: some batches are probabilities and others logits. Store either.")
        kind = probable
        logits = from_probabilities(array, CATEGORICAL) if probable else array
        top = top_k_rows(logits, top_k)
        classes = top.classes.astype(np.uint16 if outputs <= 2**16 else np.uint32)
        yield {"": top.values.astype(np.float16), "classes": classes, "rest": top.rest, "rows": keys}, outputs
