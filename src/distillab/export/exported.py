"""What all formats share: checking a Keras model, its predictions, and the result of an export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.inputs import joined, parts_of
from distillab.engine.latency import Latency, latency
from distillab.errors import RequestError, not_allowed
from distillab.export.agreement import Agreement
from distillab.export.meaning import Quality
from distillab.export.outputs import Judged
from distillab.models.input_names import given_by_name, in_order, input_names

if TYPE_CHECKING:
    import keras

    from distillab.models.several import ModelOutputs

BATCHES = (1, 64)
"""Batch sizes whose latency is measured."""

Array = NDArray[Any]

Predict = Callable[[Array], NDArray[np.float32]]
"""From rows of inputs, (B, ...) or structured (B,), to predictions (B, ..., C)."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported model.

    Args:
        path: its file, or a SavedModel's folder.
        bytes: its size.
        agreement: its predictions compared with Keras's; of several outputs, those of the one that differs most.
        predictions: the exported model's predictions for the examples, shape (N, ..., C); several outputs side by side.
        latency: by batch size, on one thread.
        examples: the kind of examples, for a report ("test examples of mnist"); empty if the caller chose them.
        quality: of the exported model on the examples, by the task's default metric; None without labels.
        keras_quality: of the Keras model on the same examples; None if it was not measured.
        outputs: by name, the same of each of several outputs.
        calibration: number of calibration examples of an 8-bit model; None for other models.
    """

    path: Path
    bytes: int
    agreement: Agreement
    predictions: NDArray[np.float32] = field(repr=False)
    latency: Mapping[int, Latency]
    examples: str = ""
    quality: Quality | None = None
    keras_quality: Quality | None = None
    calibration: int | None = None
    outputs: Mapping[str, Judged] = field(default_factory=dict)


def read_rows(model: keras.Model, examples: Any, name: str = "examples") -> Array:
    """Examples as rows in the types that a model reads: float32, or whole numbers for token ids.

    Args:
        model: as for `check_model`.
        examples: inputs, (N, ...); of several inputs a mapping by name, a list in the model's order, or structured
            rows.
        name: of the examples, for messages.

    Returns:
        Shape (N, ...), or for several inputs structured, (N,), with the model's names in its order.

    Raises:
        RequestError: as `check_model` raises.
    """
    check_model(model)
    types = [tensor.dtype for tensor in model.inputs]
    if len(types) == 1:
        only = next(iter(examples.values())) if isinstance(examples, Mapping) else examples
        rows = np.asarray(only, types[0])
        _check_shapes(model, [rows], name)
        return rows
    names = input_names(model)
    if isinstance(examples, (list, tuple)):
        given = dict(zip(names, map(np.asarray, examples), strict=False))
    else:
        given = dict(examples) if isinstance(examples, Mapping) else parts_of(np.asarray(examples))
    if len(given) != len(names):
        raise not_allowed(name, f"{len(given)} inputs", f"the model's {len(names)}: {', '.join(names)}")
    parts = [np.asarray(part, dtype) for part, dtype in zip(in_order(names, given), types, strict=True)]
    _check_shapes(model, parts, name)
    return joined(dict(zip(names, parts, strict=True)))


def keras_predictions(model: keras.Model, rows: Array) -> NDArray[np.float32]:
    """A model's predictions (N, ..., C), several outputs side by side in the model's own order.

    Args:
        model: as for `check_model`.
        rows: as from `read_rows`.
    """
    inputs = rows if rows.dtype.names is None else given_by_name(model, contiguous_parts(rows))
    given = model.predict(inputs, batch_size=256, verbose=0)
    several = _several_outputs(model)
    if several is not None:
        given = np.concatenate([given[name] for name in several.names] if several.keyed else given, axis=-1)
    return np.asarray(given, np.float32)


def _several_outputs(model: keras.Model) -> ModelOutputs | None:
    from distillab.models.several import several_outputs  # imports Keras

    return several_outputs(model)


def contiguous_parts(rows: Array) -> dict[str, Array]:
    """Rows taken apart by the names of their inputs.

    Args:
        rows: as from `read_rows`.
    """
    return {name: np.ascontiguousarray(part) for name, part in parts_of(rows).items()}


def check_model(model: keras.Model) -> None:
    """Check that a model has known inputs and outputs, and computes in float32.

    Args:
        model: inputs (B, ...), one output (B, ..., C), or several (B, C).

    Raises:
        RequestError: it has not, or computes in half precision.
    """
    inputs, outputs = (getattr(model, name, None) or () for name in ("inputs", "outputs"))
    several = _several_outputs(model) if inputs and len(outputs) > 0 else None
    if not inputs or not outputs or (several is None and len(model.output_shape) < 2):
        raise RequestError(
            f"The model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; export "
            "takes a Sequential or functional model of outputs (batch, ..., outputs)."
        )
    half = next((layer for layer in model.layers if layer.compute_dtype in ("float16", "bfloat16")), None)
    if half is not None:
        raise RequestError(
            f"The model {model.name!r} computes in {half.compute_dtype} (layer {half.name!r}), and export needs "
            "float32. Rebuild it with the dtype policy float32 and set these weights."
        )


def _check_shapes(model: keras.Model, parts: Sequence[Array], name: str) -> None:
    for tensor, part in zip(model.inputs, parts, strict=True):
        shape, sides = tuple(tensor.shape[1:]), part.shape[1:]
        fits = len(shape) == len(sides) and all(a in (None, b) for a, b in zip(shape, sides, strict=True))
        if len(part) == 0 or not fits:
            raise not_allowed(f"{name}.shape", part.shape, f"(N, *{shape}), the model's input shape")


def predict_in_batches(predict: Predict, examples: Array) -> NDArray[np.float32]:
    """Predictions for all examples, 256 at once: shape (N, ..., C).

    Args:
        predict: the model.
        examples: as from `read_rows`.
    """
    return np.concatenate([predict(examples[start : start + 256]) for start in range(0, len(examples), 256)])


def measured_latency(
    predict: Callable[[Any], Any], examples: Array, given: Callable[[Array], Any] | None = None
) -> dict[int, Latency]:
    """Latency for each of `BATCHES`.

    Args:
        predict: the model.
        examples: as from `read_rows`; repeated if N is smaller than the batch.
        given: what the model is given for a batch, made beforehand; None: the batch.
    """
    batches = {size: np.resize(examples, (size, *examples.shape[1:])) for size in BATCHES}
    if given is not None:
        batches = {size: given(batch) for size, batch in batches.items()}
    return {size: latency(lambda batch=batch: predict(batch)) for size, batch in batches.items()}  # type: ignore[misc]


@contextmanager
def quiet(level: int) -> Iterator[None]:
    """Suppress all logs for a while.

    Args:
        level: the highest suppressed level, such as `logging.WARNING`.
    """
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(before)
