"""What all formats share: checking a Keras model, its predictions, and the result of an export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distillab.engine.latency import Latency, latency
from distillab.errors import RequestError, not_allowed
from distillab.export.agreement import Agreement
from distillab.export.meaning import Quality

if TYPE_CHECKING:
    import keras

BATCHES = (1, 64)
"""Batch sizes whose latency is measured."""

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From inputs (B, ...) to predictions (B, ..., C)."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported model.

    Args:
        path: its file, or a SavedModel's folder.
        bytes: its size.
        agreement: its predictions compared with Keras's.
        predictions: the exported model's predictions for the examples, shape (N, ..., C).
        latency: by batch size, on one thread.
        examples: the kind of examples, for a report ("test examples of mnist"); empty if the caller chose them.
        quality: of the exported model on the examples, by the task's default metric; None without labels.
        keras_quality: of the Keras model on the same examples; None if it was not measured.
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


def keras_predictions(model: keras.Model, examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Check a model and its inputs, and return its predictions (N, ..., C).

    Args:
        model, examples: as for `check_model`.

    Raises:
        RequestError: as `check_model` raises.
    """
    check_model(model, examples)
    return np.asarray(model.predict(examples, batch_size=256, verbose=0), np.float32)


def check_model(model: keras.Model, examples: NDArray[np.float32]) -> None:
    """Check that a model computes in float32 and reads these examples.

    Args:
        model: one input (B, ...), one output (B, ..., C).
        examples: inputs, shape (N, ...), N >= 1.

    Raises:
        RequestError: the model has several inputs or outputs, computes in half precision, or reads another shape.
    """
    inputs, outputs = (getattr(model, name, None) or () for name in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1 or len(model.output_shape) < 2:
        raise RequestError(
            f"The model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; export "
            "takes a Sequential or functional model, one input to one output (batch, ..., outputs)."
        )
    half = next((layer for layer in model.layers if layer.compute_dtype in ("float16", "bfloat16")), None)
    if half is not None:
        raise RequestError(
            f"The model {model.name!r} computes in {half.compute_dtype} (layer {half.name!r}), and export needs "
            "float32. Rebuild it with the dtype policy float32 and set these weights."
        )
    shape = model.input_shape[1:]
    sides = examples.shape[1:]
    fits = len(shape) == len(sides) and all(a in (None, b) for a, b in zip(shape, sides, strict=True))
    if len(examples) == 0 or not fits:
        raise not_allowed("examples.shape", examples.shape, f"(N, *{shape}), the model's input shape")


def predict_in_batches(predict: Predict, examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predictions for all examples, 256 at once: shape (N, ..., C).

    Args:
        predict: the model.
        examples: inputs, shape (N, ...).
    """
    return np.concatenate([predict(examples[start : start + 256]) for start in range(0, len(examples), 256)])


def measured_latency(
    predict: Callable[[Any], Any],
    examples: NDArray[np.float32],
    given: Callable[[NDArray[np.float32]], Any] | None = None,
) -> dict[int, Latency]:
    """Latency for each of `BATCHES`.

    Args:
        predict: the model.
        examples: inputs, shape (N, ...); repeated if N is smaller than the batch.
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
