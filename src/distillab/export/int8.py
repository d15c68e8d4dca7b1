"""An ONNX model of 8-bit integers, calibrated on training examples."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from distillab.data.columns import Columns
from distillab.errors import RequestError, WorkError, reason
from distillab.export.agreement import agreement
from distillab.export.columns import check_columns, with_columns
from distillab.export.exported import (
    Array,
    Exported,
    contiguous_parts,
    keras_predictions,
    measured_latency,
    predict_in_batches,
    quiet,
    read_rows,
)
from distillab.export.meaning import Quality
from distillab.export.onnx import check_tools, convert, onnx_run
from distillab.export.outputs import only, outputs_of_model
from distillab.io import replace_file
from distillab.metrics import METRICS

if TYPE_CHECKING:
    import keras

LOSS = 0.01
"""Largest loss of a metric that is a proportion, such as accuracy: one point."""

RELATIVE_LOSS = 0.02
"""Largest loss of a metric in the data's own unit, such as the mean absolute error, as a fraction of its value."""

BATCH = 64

PRODUCTS = ["Conv", "Gemm", "MatMul"]
"""The quantised operations: they hold the weights and the work. Others, such as normalisation, need their precision.
An embedding holds weights, too: a Gather is quantised where it looks them up."""

FLOAT = 1
"""The number of float32 in ONNX's TensorProto."""


def export_int8(
    model: keras.Model,
    path: str | os.PathLike[str],
    examples: Any,
    labels: ArrayLike,
    calibration: Any,
    *,
    task: str | None = None,
    columns: Columns | None = None,
) -> Exported:
    """Write a model as ONNX with weights and activations of 8 bits.

    Weights have one scale per channel; activations one per tensor, from their range over the calibration examples.
    The file is written only if the task's default metric loses at most one point, or 2 % of an error in the data's own
    unit.

    Args:
        model: as for `export_onnx`.
        path: of the file; ends in .onnx.
        examples: inputs for the metric, scaled as the model reads them, shape (N, ...).
        labels: their labels, as `distillab.tasks.canonical_labels` takes them: for one of several classes (N,).
        calibration: training inputs, (M, ...); a few hundred are enough.
        task, columns: what outputs and labels mean, and the table's columns, as in `export_onnx`.

    Raises:
        RequestError: a package is missing, another backend is in use, or arrays do not fit the model.
        WorkError: a layer has no counterpart, or too much is lost; no file is written.
    """
    path = Path(path)
    check_tools(path)
    examples = read_rows(model, examples)
    calibration = read_rows(model, calibration, "calibration")
    meaning = only(outputs_of_model(model, task), "ONNX of 8 bits")
    ours = keras_predictions(model, examples)
    truth = meaning.checked(labels, ours.shape)
    before = meaning.quality(ours, truth)
    if np.isnan(before.value):
        raise RequestError(
            f"The {before.label} is not defined on these {len(truth):,} examples: all labels are the same. Give other "
            "examples, or export without --int8."
        )
    content = _quantised(convert(model, examples, [meaning.output_name]), calibration)
    if columns is not None:
        check_columns(columns, model.input_shape[1:], meaning.output_name)
        content = with_columns(content, columns)
    run, feeds = onnx_run(content, columns)
    theirs = predict_in_batches(lambda inputs: run(feeds(inputs)), examples)
    after = meaning.quality(theirs, truth)
    _check_loss(before, after, len(truth))
    latency = measured_latency(run, examples, feeds)
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return Exported(
        path=path,
        bytes=len(content),
        agreement=agreement(ours, theirs, meaning),
        predictions=theirs,
        latency=latency,
        quality=after,
        keras_quality=before,
        calibration=len(calibration),
    )


def _check_loss(before: Quality, after: Quality, examples: int) -> None:
    metric = METRICS[before.metric]
    relative = metric.unit != "%"
    allowed = RELATIVE_LOSS * abs(before.value) if relative else LOSS
    if metric.sign * (before.value - after.value) > allowed:
        moves = "rises" if metric.lower_is_better else "falls"
        most = f"{100 * RELATIVE_LOSS:g} %" if relative else f"{100 * LOSS:g} point"
        raise WorkError(
            f"In 8 bits the {before.label} {moves} from {before.text.removesuffix(' %')} to {after.text} on "
            f"{examples:,} examples, by more than {most}. No file was written. Export without --int8."
        )


def _quantised(content: bytes, calibration: Array) -> bytes:
    """An ONNX model with QuantizeLinear and DequantizeLinear around its operations, which ONNX Runtime fuses."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = onnx.load_from_string(content).graph.input[0].name

    def fed(rows: Array) -> dict[str, Array]:
        return {name: rows} if rows.dtype.names is None else contiguous_parts(rows)

    batches = (fed(calibration[start : start + BATCH]) for start in range(0, len(calibration), BATCH))

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, Array] | None:
            return next(batches, None)

    onnxruntime.set_default_logger_severity(4)  # errors are raised as well as logged
    try:
        with tempfile.TemporaryDirectory(prefix="distillab-") as folder, quiet(logging.ERROR):
            whole, plain, out = (Path(folder) / f"{stage}.onnx" for stage in ("whole", "plain", "int8"))
            whole.write_bytes(content)
            quant_pre_process(whole, plain, skip_symbolic_shape=True)
            operations, others = _operations(onnx.load(plain).graph)
            quantize_static(
                plain,
                out,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=operations,
                nodes_to_exclude=others,
                activation_type=QuantType.QUInt8,
            )
            return out.read_bytes()
    except Exception as error:  # the quantiser raises many kinds for an unknown operation
        raise WorkError(f"The model cannot be quantised ({reason(error)}). Export without --int8.") from error
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default: warnings


def _operations(graph: Any) -> tuple[list[str], list[str]]:
    """The operations to quantise, and the nodes among them to leave: a Gather counts where it looks up weights."""
    weights = {tensor.name for tensor in graph.initializer if tensor.data_type == FLOAT}
    gathers = [node for node in graph.node if node.op_type == "Gather"]
    others = [node.name for node in gathers if node.input[0] not in weights]
    embeds = len(others) < len(gathers) and all(others)
    return [*PRODUCTS, *["Gather"] * embeds], others if embeds else []
