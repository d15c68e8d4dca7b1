"""An ONNX model in 8-bit whole numbers, calibrated on training examples."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distillab.errors import WorkError, not_allowed
from distillab.export.agreement import Agreement, agreement
from distillab.engine.latency import Latency
from distillab.export.onnx import BATCHES, answers_in_batches, converted, prepared, session, timed
from distillab.io import replace_file

if TYPE_CHECKING:
    import keras

LOSS = 0.01
"""The accuracy that may be lost."""

BATCH = 64

PRODUCTS = ["Conv", "Gemm", "MatMul"]
"""The operations that hold the weights and the work; what lies between them, norms above all, needs its precision."""


class Quantised(NamedTuple):
    """An exported model of 8-bit numbers, beside Keras's."""

    path: Path
    bytes: int
    agreement: Agreement
    before: float
    """Accuracy of Keras's model on the examples."""
    after: float
    """Accuracy of the quantised model."""
    latency: dict[int, Latency]
    """By batch size, on one thread."""


def export_int8(
    model: keras.Model,
    path: Path,
    examples: NDArray[np.float32],
    labels: ArrayLike,
    calibration: NDArray[np.float32],
) -> Quantised:
    """Write a classifier as ONNX with weights and activations of 8 bits.

    Weights get a scale a channel; activations one each, from the least and largest value that the calibration examples
    reach. The file is written when no more than one point of accuracy is lost.

    Args:
        model: as for `export_onnx`.
        path: of the file; ends in .onnx.
        examples: on which accuracy is measured, as the model sees them, shape (N, ...).
        labels: their classes, shape (N,).
        calibration: training examples, the same shape but for N; a few hundred are enough.

    Returns:
        `Quantised`.

    Raises:
        RequestError: a package is missing, another backend is in use, or arrays do not fit the model.
        WorkError: a layer has no counterpart, or more than a point of accuracy is lost; no file is left.
    """
    ours = prepared(model, path, examples)
    truth = np.asarray(labels)
    if truth.shape != (len(examples),):
        raise not_allowed("labels.shape", truth.shape, f"({len(examples)},): one for each example")
    if len(calibration) == 0 or calibration.shape[1:] != examples.shape[1:]:
        raise not_allowed("calibration.shape", calibration.shape, f"(N, *{examples.shape[1:]}), as the examples'")
    content = quantised(converted(model, examples.shape[1:]), calibration)
    answer = session(content)
    theirs = answers_in_batches(answer, examples)
    before, after = (float(np.mean(answers.argmax(-1) == truth)) for answers in (ours, theirs))
    if before - after > LOSS:
        raise WorkError(
            f"In 8 bits the accuracy falls from {100 * before:.2f} to {100 * after:.2f} % on {len(truth):,} examples, "
            f"by more than {100 * LOSS:g} point. No file was left. Export without --int8."
        )
    found = agreement(ours, theirs)
    times = {size: timed(answer, examples, size) for size in BATCHES}
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return Quantised(path, len(content), found, before, after, times)


def quantised(content: bytes, calibration: NDArray[np.float32]) -> bytes:
    """An ONNX model with weights and activations of 8 bits.

    Args:
        content: the model.
        calibration: inputs, shape (N, ...).

    Returns:
        The quantised model: QuantizeLinear and DequantizeLinear around its operations, which ONNX Runtime fuses.

    Raises:
        WorkError: the model cannot be quantised.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = onnx.load_from_string(content).graph.input[0].name

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, NDArray[np.float32]]] = (
                {name: calibration[start : start + BATCH]} for start in range(0, len(calibration), BATCH)
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    level = logging.root.manager.disable
    logging.disable(logging.ERROR)  # what it would print, it also raises
    onnxruntime.set_default_logger_severity(4)
    try:
        with tempfile.TemporaryDirectory(prefix="distillab-") as folder:
            whole, plain, out = (Path(folder) / f"{stage}.onnx" for stage in ("whole", "plain", "int8"))
            whole.write_bytes(content)
            quant_pre_process(whole, plain, skip_symbolic_shape=True)
            quantize_static(
                plain,
                out,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=PRODUCTS,
                activation_type=QuantType.QUInt8,
            )
            return out.read_bytes()
    except Exception as error:  # whatever the quantiser raises of an operation that it does not know
        reason = " ".join(str(error).split())[:200].rstrip(". ") or type(error).__name__
        raise WorkError(f"The model cannot be quantised ({reason}). Export without --int8.") from error
    finally:
        onnxruntime.set_default_logger_severity(2)  # its own default: warnings
        logging.disable(level)
