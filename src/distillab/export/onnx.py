"""A Keras model as ONNX: converted, checked, compared with Keras and timed before its file is written."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distillab.backend import need_jax
from distillab.data.columns import Columns
from distillab.data.inputs import INPUT, parts_of
from distillab.errors import RequestError, WorkError, not_allowed, reason
from distillab.export.columns import check_columns, column_feeds, with_columns
from distillab.export.exported import (
    Array,
    Exported,
    Predict,
    contiguous_parts,
    keras_predictions,
    measured_latency,
    predict_in_batches,
    quiet,
    read_rows,
)
from distillab.export.outputs import Judged, check_compared, compared, graph_order, outputs_of_model, worst
from distillab.export.pools import with_plain_pools
from distillab.io import replace_file
from distillab.models.input_names import given_by_name

if TYPE_CHECKING:
    import keras

NEEDS = ("jax2onnx", "onnx", "onnxruntime")
APART = "distillab output "


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    examples: Any,
    *,
    task: str | Mapping[str, str] | None = None,
    columns: Columns | None = None,
) -> Exported:
    """Write a model as ONNX for any batch size.

    The file is written only if the model passes ONNX's checker and ONNX Runtime predicts the examples as Keras does;
    otherwise an earlier file stays as it is.

    Args:
        model: one or more inputs, (B, ...), and one output, (B, ..., C), or several, (B, C); on Keras's JAX backend.
        path: of the file; ends in .onnx.
        examples: inputs for the comparison, scaled as the model reads them, shape (N, ...), N >= 1; of several inputs
            a mapping by name, a list in the model's order, or structured rows.
        task: what the outputs mean, as in `outputs_of_model`; None: as the last activations say.
        columns: of the table that the model reads; the graph then has an input for each (`with_columns`).

    Returns:
        `Exported`. Without columns the graph's only input is called "inputs", several have the model's names; its
        output is called "probabilities" if the model ends in a softmax or sigmoid, "predictions" if it predicts real
        numbers, "logits" otherwise; several outputs have the model's names.

    Raises:
        RequestError: a package is missing, another backend is in use, or the model does not fit the examples.
        WorkError: a layer has no counterpart in ONNX, or the predictions differ.
    """
    path = Path(path)
    check_tools(path)
    examples = read_rows(model, examples)
    ours, outputs = keras_predictions(model, examples), outputs_of_model(model, task)
    names = [output.graph_name for output in outputs]
    if columns is not None:
        check_columns(columns, model.input_shape[1:], *names)
    content = convert(model, examples, [output.graph_name for output in graph_order(model, outputs)], columns)
    run, feeds = onnx_run(content, columns, names)

    def predict(inputs: Array) -> NDArray[np.float32]:
        return run(feeds(inputs))

    theirs = predict_in_batches(predict, examples)
    found = compared(ours, theirs, outputs)
    check_compared(found, outputs, "ONNX")
    alone = compared(ours[:1], predict(examples[:1]), outputs)  # any batch size: one example alone is the same
    scaled = [one._replace(scale=of.scale) for one, of in zip(alone, found, strict=True)]
    check_compared(scaled, outputs, "ONNX")
    several = {output.name: Judged(of) for output, of in zip(outputs, found, strict=True) if output.name}
    latency = measured_latency(run, examples, feeds)
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return Exported(
        path=path, bytes=len(content), agreement=worst(found), predictions=theirs, latency=latency, outputs=several
    )


def check_tools(path: Path) -> None:
    """Check that an ONNX export can run.

    Args:
        path: the file to write.

    Raises:
        RequestError: a wrong suffix, a missing package, or another backend than JAX.
    """

    if path.suffix != ".onnx":
        raise not_allowed("out", str(path), "a file that ends in .onnx")
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"ONNX export needs {', '.join(missing)}. Install it: pip install 'distillab[onnx]'.")
    need_jax("ONNX export")


Feeds = Mapping[str, Array]
"""The inputs of a graph by name."""


def onnx_predict(content: bytes, columns: Columns | None = None) -> Predict:
    """Load an ONNX model as a function from rows of inputs to (B, ..., C), run by ONNX Runtime on one thread.

    Args:
        content: the model's file.
        columns: as in `export_onnx`.

    Raises:
        WorkError: ONNX Runtime refuses the model, or, when called, the inputs.
    """
    run, feeds = onnx_run(content, columns)
    return lambda inputs: run(feeds(inputs))


def onnx_run(
    content: bytes, columns: Columns | None = None, outputs: Sequence[str] | None = None
) -> tuple[Callable[[Feeds], NDArray[np.float32]], Callable[[NDArray[np.float32]], Feeds]]:
    """Load an ONNX model for ONNX Runtime on one thread.

    Args:
        content, columns: as in `onnx_predict`.
        outputs: the names of several, which are put side by side; None: the only one.

    Returns:
        (from the graph's inputs to its outputs, from (B, ...) to the graph's inputs).

    Raises:
        WorkError: as `onnx_predict`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised as well as printed
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        running = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base but Exception
        raise _rejected(error) from error
    only = running.get_inputs()[0].name

    def run(feeds: Feeds) -> NDArray[np.float32]:
        try:
            found = running.run(outputs, feeds)
            return np.asarray(found[0] if len(found) == 1 else np.concatenate(found, axis=-1))
        except Exception as error:
            raise _rejected(error) from error

    if columns is not None:
        return run, partial(column_feeds, columns)
    return run, lambda rows: {only: rows} if rows.dtype.names is None else contiguous_parts(rows)


def convert(model: keras.Model, examples: Array, output_names: Sequence[str], columns: Columns | None = None) -> bytes:
    """Convert a model to the content of an ONNX file, and run ONNX's checker.

    Args:
        model: one or more inputs to one or more outputs.
        examples: as from `read_rows`; their shapes and types are the inputs'.
        output_names: what the graph calls its outputs, in its order.
        columns: as in `export_onnx`.

    Raises:
        WorkError: a layer has no counterpart.
    """
    import keras
    import onnx

    specs = {
        name: keras.InputSpec(shape=(None, *part.shape[1:]), dtype=part.dtype.name, name=name)
        for name, part in parts_of(examples).items()
    }
    signature = [specs[INPUT] if examples.dtype.names is None else given_by_name(model, specs)]
    with tempfile.TemporaryDirectory(prefix="distillab-") as folder, warnings.catch_warnings(), quiet(logging.WARNING):
        warnings.simplefilter("ignore")  # from the converter's imports
        file = Path(folder) / "model.onnx"
        try:
            model.export(os.fspath(file), format="onnx", verbose=False, input_signature=signature)
        except Exception as error:  # the converter raises many kinds for an unknown layer
            what = f"The model {model.name!r} cannot be written as ONNX"
            raise WorkError(f"{what} ({reason(error)}). No file was written.") from error
        written = with_plain_pools(onnx.load(file))
    for place, tensor in enumerate(written.graph.output):  # first apart: a new name may be another's old one
        _rename(written.graph, tensor, f"{APART}{place}")
    for tensor, name in zip(written.graph.output, output_names, strict=True):
        _rename(written.graph, tensor, name)
    for tensor, name in zip(written.graph.input, specs, strict=True):
        _rename(written.graph, tensor, name)
    try:
        onnx.checker.check_model(written, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _rejected(error) from error
    content = bytes(written.SerializeToString())
    return content if columns is None else with_columns(content, columns)


def _rename(graph: Any, tensor: Any, name: str) -> None:
    """Give an input or output of a graph another name."""
    old, tensor.name = tensor.name, name
    for node in graph.node:
        node.input[:] = [name if label == old else label for label in node.input]
        node.output[:] = [name if label == old else label for label in node.output]


def _rejected(error: Exception) -> WorkError:
    return WorkError(f"ONNX rejects the model ({reason(error)}). No file was written.")
