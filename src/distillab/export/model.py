"""Exporting a model file, checked on a data set, on stored examples, or on random inputs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from distillab.data import Dataset, load
from distillab.data.archive import read_arrays
from distillab.data.dataset import ARRAYS
from distillab.errors import RequestError, not_allowed
from distillab.export.classifier import Exported, accuracy
from distillab.export.int8 import export_int8
from distillab.export.onnx import check_tools, export_onnx
from distillab.export.tensorflow import check_tensorflow, export_tensorflow
from distillab.models.files import read_model
from distillab.models.scaling import reads_raw

if TYPE_CHECKING:
    import keras

Format = Literal["onnx", "litert", "saved_model"]

EXAMPLES = 1_000
"""Number of examples on which predictions are compared."""

MOST_EXAMPLES = 10_000
"""Largest number of test examples on which the accuracy in 8 bits is measured."""

CALIBRATION = 512
"""Largest number of training examples that calibrate a model in 8 bits."""


def export_model(
    model: str | os.PathLike[str],
    *,
    to: Format,
    out: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    data_dir: Path | None = None,
    int8: bool = False,
    trust: bool = False,
) -> Exported:
    """Export a Keras model file, and check the exported model against it.

    The examples are the first test examples of `data`; without it those of `examples.npz` in the model's folder, where
    `distill` writes it; or else random numbers from 0 to 1.

    Args:
        model: path of a `.keras` file.
        to: the format.
        out: the file to write; for "saved_model", the folder.
        data: a data set, by name or path.
        data_dir: the folder of named data sets.
        int8: quantise weights and activations to 8 bits; for "onnx", with data.
        trust: let code in the model file run.

    Raises:
        RequestError: a file, format, package or data set does not fit; nothing is written.
        WorkError: the exported model differs from Keras's, or loses too much accuracy; nothing is written.
    """
    model, out = Path(model), Path(out)
    stored = model.with_name("examples.npz")
    _check_request(to, out, int8, data is not None or stored.is_file())
    student = read_model(model, trust=trust)
    dataset = _dataset(student, stored) if data is None else load(data, data_dir=data_dir)
    if dataset is not None and reads_raw(student):
        dataset = replace(dataset, scale=1.0)
    if dataset is None:
        examples, labels, source = _random_inputs(student), None, "inputs of random numbers"
    else:
        count = MOST_EXAMPLES if int8 else EXAMPLES
        examples, labels = dataset.inputs(dataset.x_test[:count]), dataset.y_test[:count]
        source = f"test examples of {dataset.name}"
    if int8 and dataset is not None and labels is not None:
        rows = np.random.default_rng(0).permutation(len(dataset.x_train))[:CALIBRATION]
        exported = export_int8(student, out, examples, labels, dataset.inputs(dataset.x_train[rows]))
    elif to == "onnx":
        exported = export_onnx(student, out, examples)
    else:
        exported = export_tensorflow(student, out, examples, to)
    measured = None if labels is None else accuracy(exported.predictions, labels)
    return replace(exported, examples=source, accuracy=measured)


def _check_request(to: Format, out: Path, int8: bool, has_data: bool) -> None:
    if int8 and not has_data:
        raise RequestError("--int8 is calibrated on training examples and evaluated on test examples. Give --data.")
    if int8 and to != "onnx":
        raise not_allowed("--int8", to, "used with --to onnx")
    if to == "onnx":
        check_tools(out)
    else:
        check_tensorflow(out, to)


def _dataset(student: keras.Model, stored: Path) -> Dataset | None:
    """The examples that a distillation wrote beside its student, which scales them itself; None if there are none."""
    if not stored.is_file():
        return None
    arrays = read_arrays(stored, "Delete it and give --data.")
    x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
    names = tuple(map(str, range(student.output_shape[-1])))
    return Dataset("the distillation", x_train, y_train, x_test, y_test, names, 1.0)


def _random_inputs(student: keras.Model) -> np.ndarray:
    shape = student.input_shape[1:]
    if any(side is None for side in shape):
        raise RequestError(f"The model reads inputs of any size {shape}. Give --data, whose size is then used.")
    return np.random.default_rng(0).random((EXAMPLES, *shape), np.float32)
