"""A Keras classifier as ONNX: written, checked, compared with Keras on inputs, and timed, before its file is left."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, WorkError, not_allowed
from distillab.export.agreement import Agreement, agreement, check_agreement
from distillab.engine.latency import Latency, latency
from distillab.export.pools import with_plain_pools
from distillab.io import replace_file

if TYPE_CHECKING:
    import keras

NEEDS = ("jax2onnx", "onnx", "onnxruntime")
INPUT = "inputs"
BATCHES = (1, 64)
"""Batch sizes whose latency is measured."""


class Exported(NamedTuple):
    """An exported model: its file, how it compares with Keras, and how fast it is."""

    path: Path
    bytes: int
    agreement: Agreement
    answers: NDArray[np.float32]
    """Of the exported model to the examples, shape (N, C)."""
    latency: Mapping[int, Latency]
    """By batch size, on one thread."""


def export_onnx(model: keras.Model, path: Path, examples: NDArray[np.float32]) -> Exported:
    """Write a classifier as ONNX, with any number of examples a batch.

    The file is written when the model has passed ONNX's checker and ONNX Runtime has answered the examples as Keras
    does; otherwise none is left, and one that was there before stays.

    Args:
        model: one input, (B, ...), and one output, (B, C); on Keras's JAX backend.
        path: of the file; ends in .onnx.
        examples: what the model is compared on, as it sees them, shape (N, ...), N >= 1.

    Returns:
        `Exported`. The graph's input is called "inputs"; its output "probabilities" where the model ends in a softmax
        or sigmoid, "logits" otherwise.

    Raises:
        RequestError: a package is missing, another backend is in use, or the model does not fit the examples.
        WorkError: a layer has no counterpart in ONNX, or the answers differ.
    """
    ours = prepared(model, path, examples)
    content = converted(model, examples.shape[1:])
    answer = session(content)
    theirs = answers_in_batches(answer, examples)
    found = agreement(ours, theirs)
    check_agreement(found, "ONNX")
    alone = agreement(ours[:1], answer(examples[:1]))  # the batch is free: one example alone answers as among others
    check_agreement(alone, "ONNX")
    times = {size: timed(answer, examples, size) for size in BATCHES}
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return Exported(path, len(content), found, theirs, times)


def prepared(model: keras.Model, path: Path, examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Check that an export can begin, and give Keras's answers to the examples, shape (N, C).

    Raises:
        RequestError: as `check_tools`, or the model does not fit the examples.
    """
    check_tools(path)
    return check_model(model, examples)


def check_model(model: keras.Model, examples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Refuse what is no classifier of these examples, and give Keras's answers to them, shape (N, C).

    Raises:
        RequestError: it names what does not fit.
    """
    _check_model(model)
    reads = model.input_shape[1:]
    fits = len(reads) == examples.ndim - 1 and all(
        a in (None, b) for a, b in zip(reads, examples.shape[1:], strict=True)
    )
    if len(examples) == 0 or not fits:
        raise not_allowed("examples.shape", examples.shape, f"(N, *{reads}), what the model reads")
    return np.asarray(model.predict(examples, batch_size=256, verbose=0), np.float32)


def _check_model(model: keras.Model) -> None:
    """Refuse what is no classifier of one input, or does not compute in float32."""
    inputs, outputs = (getattr(model, name, None) or () for name in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1 or len(model.output_shape) != 2:
        raise RequestError(
            f"The model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; export "
            "takes a Sequential or functional classifier, one input to one output (batch, classes)."
        )
    half = next((layer for layer in model.layers if layer.compute_dtype in ("float16", "bfloat16")), None)
    if half is not None:
        raise RequestError(
            f"The model {model.name!r} computes in {half.compute_dtype} (layer {half.name!r}), and export in "
            "float32. Build it anew with the dtype policy float32 and give it these weights."
        )


def check_tools(path: Path) -> None:
    """Refuse to begin what cannot be finished: a wrong suffix, a missing package, another backend.

    Raises:
        RequestError: it says what to do.
    """
    import keras

    if path.suffix != ".onnx":
        raise not_allowed("out", str(path), "a file that ends in .onnx")
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"ONNX export needs {', '.join(missing)}. Install it: pip install 'distillab[onnx]'.")
    if keras.backend.backend() != "jax":
        raise RequestError(
            f"ONNX export works from Keras's JAX backend, and this is {keras.backend.backend()}. Set KERAS_BACKEND=jax."
        )


def session(content: bytes) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """An ONNX model as a function from inputs to answers, run by ONNX Runtime on one thread.

    Raises:
        WorkError: ONNX Runtime refuses the model, or, when called, the inputs.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it would print, it also raises
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        running = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base but Exception
        raise _refused(error) from error
    name = running.get_inputs()[0].name

    def answer(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return np.asarray(running.run(None, {name: inputs})[0])
        except Exception as error:
            raise _refused(error) from error

    return answer


def converted(model: keras.Model, shape: tuple[int, ...]) -> bytes:
    """A model as ONNX for inputs of a shape, (B, *shape), checked by ONNX itself.

    Raises:
        WorkError: a layer has no counterpart.
    """
    import onnx

    import keras
    from distillab.models.ending import ending

    signature = [keras.InputSpec(shape=(None, *shape), dtype="float32", name=INPUT)]
    with tempfile.TemporaryDirectory(prefix="distillab-") as folder, warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # of the converter's own imports
        file = Path(folder) / "model.onnx"
        try:
            model.export(os.fspath(file), format="onnx", verbose=False, input_signature=signature)
        except Exception as error:  # whatever the converter raises of a layer it does not know
            reason = " ".join(str(error).split())[:200].rstrip(". ") or type(error).__name__
            raise WorkError(
                f"The model {model.name!r} cannot be written as ONNX ({reason}). No file was left."
            ) from error
        written = with_plain_pools(onnx.load(file))
    _rename_output(written.graph, "probabilities" if ending(model) in ("softmax", "sigmoid") else "logits")
    try:
        onnx.checker.check_model(written, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _refused(error) from error
    return bytes(written.SerializeToString())


class _quiet:  # noqa: N801  a context, named as contexts are
    """Keeps the converter's log from what this program prints."""

    def __enter__(self) -> None:
        self.level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self.level)


def _rename_output(graph: Any, name: str) -> None:
    old = graph.output[0].name
    for node in graph.node:
        node.input[:] = [name if one == old else one for one in node.input]
        node.output[:] = [name if one == old else one for one in node.output]
    graph.output[0].name = name


def answers_in_batches(
    answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], examples: NDArray[np.float32]
) -> NDArray[np.float32]:
    """All answers, shape (N, C), a batch after the other."""
    return np.concatenate([answer(examples[start : start + 256]) for start in range(0, len(examples), 256)])


def timed(answer: Callable[[NDArray[np.float32]], object], examples: NDArray[np.float32], size: int) -> Latency:
    """The latency of a batch."""
    batch = np.resize(examples, (size, *examples.shape[1:]))
    return latency(lambda: answer(batch))


def _refused(error: Exception) -> WorkError:
    reason = " ".join(str(error).split())[:200].rstrip(". ")
    return WorkError(f"ONNX's tools refuse the model ({reason}). No file was left.")
