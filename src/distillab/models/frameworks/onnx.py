"""Models from ONNX files, by ONNX Runtime."""

from __future__ import annotations

import ast
import glob
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError, reason
from distillab.models.class_names import names_from
from distillab.models.foreign import Array, ForeignInput, ForeignModel, Gives
from distillab.models.frameworks.needed import needed
from distillab.models.input_names import in_order

TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
"""Types of inputs that can be fed."""

NAME_KEYS = ("names", "classes", "class_names", "labels", "id2label")
"""Keys of a model's metadata under which exporters keep the names of its classes."""


def onnx_model(path: Path) -> ForeignModel:
    """Read an ONNX model of one or more inputs.

    Of several outputs, that of probabilities is taken, as converters of scikit-learn write it beside the labels; data
    of several outputs take all of them.

    Args:
        path: the file.

    Raises:
        RequestError: ONNX Runtime is missing or refuses the graph, or its inputs cannot be fed.
    """
    onnxruntime = needed("onnxruntime", path, "an ONNX model and needs ONNX Runtime", "onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors come as exceptions as well
    try:
        session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many kinds
        raise RequestError(f"ONNX Runtime cannot load {path}: {reason(error)}.") from error
    inputs = [_input(one, path) for one in session.get_inputs()]
    output, outputs = _output(session), session.get_outputs()
    last = output.shape[-1] if output is not None and output.shape else None
    model = ForeignModel(
        name=path.name,
        kind="ONNX model",
        call=_ambiguous(path, outputs) if output is None else _of_several(session, inputs, output),
        digest=_digest(path),
        several=tuple(one._replace(shape=one.shape[1:]) for one in inputs),
        channels_first=session.get_modelmeta().producer_name.lower() in ("pytorch", "torch"),
        gives="" if output is None else _gives(output),
        outputs=last if isinstance(last, int) and len(output.shape) > 1 else None,
        class_names=_class_names(session.get_modelmeta().custom_metadata_map),
        every=_every(session, inputs) if len(outputs) > 1 else None,
        named_by_graph=True,
    )
    if len(inputs) > 1:
        return model
    ((_, shape, dtype),) = inputs
    model = replace(model, several=(), shape=shape[1:], dtype=dtype)
    if output is None:
        return model
    names = model.class_names or _mapped_names(session, session.get_inputs()[0], output)
    call = _in_batches(_runner(session, inputs[0].name, output), shape[0] if shape else None)
    return replace(model, call=call, class_names=names)


def _input(read: Any, path: Path) -> ForeignInput:
    """An input of a graph; the first side of its shape is the batch's."""
    if read.type not in TYPES:
        raise RequestError(f"{path} reads {read.type}, and distillab feeds {', '.join(TYPES)}. Convert it.")
    sides = (side if isinstance(side, int) and side > 0 else None for side in read.shape)
    return ForeignInput(read.name, tuple(sides), TYPES[read.type])


def _of_several(session: Any, inputs: Sequence[ForeignInput], output: Any) -> Callable[[Mapping[str, Array]], Array]:
    """A function of several inputs, which are matched by name where all names are the graph's, otherwise in order."""

    return lambda batch: np.asarray(session.run([output.name], _feeds(inputs, batch))[0])


def _feeds(inputs: Sequence[ForeignInput], batch: Mapping[str, Array]) -> dict[str, Array]:
    given = in_order([one.name for one in inputs], batch)
    return {one.name: part.astype(one.dtype) for one, part in zip(inputs, given, strict=True)}


def _output(session: Any) -> Any:
    """The output that is meant; None where several may be."""
    outputs = session.get_outputs()
    if len(outputs) == 1:
        return outputs[0]
    likely = [one for one in outputs if "prob" in one.name.lower()] or [
        one for one in outputs if "float" in one.type and len(one.shape or ()) > 1
    ]
    return likely[0] if len(likely) == 1 else None


def _ambiguous(path: Path, outputs: Sequence[Any]) -> Callable[[Array], Array]:
    """What takes the place of a call where it is not known which output is meant."""

    def call(batch: Array) -> Array:
        names = ", ".join(f"{one.name} {one.shape}" for one in outputs)
        raise RequestError(
            f"{path} has {len(outputs)} outputs ({names}), and the data have labels of one. Export it with the "
            "probabilities alone, or give the labels of each output."
        )

    return call


def _every(session: Any, inputs: Sequence[ForeignInput]) -> Callable[[Any], dict[str, Array]]:
    """All outputs that are tensors, by name."""
    names = [one.name for one in session.get_outputs() if one.type.startswith("tensor(")]
    fixed = inputs[0].shape[0] if inputs[0].shape else None

    def run(batch: Any) -> list[Array]:
        feeds = _feeds(inputs, batch) if isinstance(batch, Mapping) else {inputs[0].name: batch}
        return [np.asarray(of) for of in session.run(names, feeds)]

    def call(batch: Any) -> dict[str, Array]:
        if fixed is None or isinstance(batch, Mapping):
            return dict(zip(names, run(batch), strict=True))
        step = fixed  # the last batch is filled up with repetitions
        parts = [batch[start : start + step] for start in range(0, len(batch), step)]
        filled = [np.concatenate([part, np.repeat(part[-1:], step - len(part), axis=0)]) for part in parts]
        found = zip(*(run(part) for part in filled), strict=True)
        return {name: np.concatenate(of)[: len(batch)] for name, of in zip(names, found, strict=True)}

    return call


def _gives(output: Any) -> Gives:
    return "probabilities" if "prob" in output.name.lower() or output.type.startswith("seq(map") else ""


def _runner(session: Any, name: str, output: Any) -> Callable[[Array], Array]:
    mapped = output.type.startswith("seq(map")  # a mapping from class to probability for each example

    def run(batch: Array) -> Array:
        (values,) = session.run([output.name], {name: batch})
        return np.array([[row[key] for key in sorted(row)] for row in values]) if mapped else np.asarray(values)

    return run


def _in_batches(run: Callable[[Array], Array], fixed: int | None) -> Callable[[Array], Array]:
    """A function of any number of examples, of one that takes a fixed number."""
    if fixed is None:
        return run

    def call(batch: Array) -> Array:
        outputs = []
        for start in range(0, len(batch), fixed):
            part = batch[start : start + fixed]
            padded = np.concatenate([part, np.repeat(part[-1:], fixed - len(part), axis=0)])
            outputs.append(run(padded)[: len(part)])
        return np.concatenate(outputs)

    return call


def _class_names(metadata: dict[str, str]) -> tuple[str, ...]:
    for key in NAME_KEYS:
        if key in metadata:
            text = metadata[key].strip()
            try:
                return names_from(_literal(text))
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                structured = text.startswith(("[", "{", "("))
                return () if structured else tuple(part.strip() for part in text.split(",") if part.strip())
    return ()


def _literal(text: str) -> Any:
    """JSON, or a literal of Python, as exporters write it with `str`."""
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def _mapped_names(session: Any, read: Any, output: Any) -> tuple[str, ...]:
    """The keys of an output that maps classes to probabilities, in the order of its columns."""
    if not output.type.startswith("seq(map") or not all(isinstance(side, int) for side in read.shape[1:]):
        return ()
    (values,) = session.run([output.name], {read.name: np.zeros((1, *read.shape[1:]), TYPES[read.type])})
    return tuple(map(str, sorted(values[0])))


def _digest(path: Path) -> str:
    """Of the graph and of the files of weights beside it, which bear its name: large models keep them apart."""
    digest = hashlib.sha256()
    for file in sorted(path.parent.glob(f"{glob.escape(path.name)}*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
