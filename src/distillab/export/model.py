"""Exporting a model file, checked on a data set, on stored examples, or on random inputs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset, load
from distillab.data.archive import read_arrays
from distillab.data.columns import COLUMNS_FILE, Columns
from distillab.data.text_ids import with_tokenizer
from distillab.data.tokenizer import TOKENIZER_FILE, read_tokenizer
from distillab.errors import RequestError, not_allowed
from distillab.export.exported import Exported, check_model, keras_predictions, read_rows
from distillab.export.int8 import export_int8
from distillab.export.meaning import meaning_of
from distillab.export.onnx import check_tools, export_onnx
from distillab.export.outputs import only, outputs_of_model, qualities
from distillab.export.tensorflow import NAMES, check_tensorflow, export_tensorflow
from distillab.io import replace_file
from distillab.models.files import read_model
from distillab.models.input_names import vocabularies
from distillab.models.scaling import reads_raw
from distillab.tasks import Task
from distillab.tasks.several import from_described

if TYPE_CHECKING:
    import keras

Format = Literal["onnx", "litert", "saved_model"]

EXAMPLES = 1_000
"""Number of examples on which predictions are compared."""

MOST_EXAMPLES = 10_000
"""Largest number of test examples on which a model in 8 bits is evaluated."""

CALIBRATION = 512
"""Largest number of training examples that calibrate a model in 8 bits."""


class _Examples(NamedTuple):
    """What an export is checked on.

    Args:
        kind: in words, for reports.
        inputs: as the model reads them, (N, ...), or several, structured or by name.
        labels: their labels; None: there are none.
        calibration: training inputs, (M, ...); None: there are none.
        task: what the labels mean; None: there are none.
        outputs: of several outputs, what each one's labels mean; the labels are then packed.
    """

    kind: str
    inputs: Any
    labels: NDArray[Any] | None = None
    calibration: Any = None
    task: str | None = None
    outputs: Task | None = None


def export_model(
    model: str | os.PathLike[str],
    *,
    to: Format,
    out: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    task: str | None = None,
    int8: bool = False,
    trust: bool = False,
) -> Exported:
    """Export a Keras model file, and check the exported model against it.

    The examples are the first test examples of `data`; without it those of `examples.npz` in the model's folder, where
    `distill` writes it; or else random numbers from 0 to 1. Where `columns.json` lies in the model's folder, the model
    is one of a table's columns: its ONNX graph has an input for each, other formats read them as one, (N, F), words as
    codes and NaN where a value is missing.

    Args:
        model: path of a `.keras` file.
        to: the format.
        out: the file to write; for "saved_model", the folder.
        data: a data set, by name or path.
        data_dir: the folder of named data sets.
        task: what the model's outputs mean, as in `outputs_of_model`; None: the task of the examples, or without
            labels what the model's last activation says.
        int8: quantise weights and activations to 8 bits; for "onnx", with data.
        trust: let code in the model file run.

    The `tokenizer.json` beside a student of texts is copied beside the exported model.

    Raises:
        RequestError: a file, format, package, task or data set does not fit; nothing is written.
        WorkError: the exported model differs from Keras's, or loses too much of its quality; nothing is written.
    """
    model, out = Path(model), Path(out)
    stored = model.with_name("examples.npz")
    _check_request(to, out, int8, data is not None or stored.is_file())
    tokenizer = _tokenizer_of(model, out)
    student = read_model(model, trust=trust)
    columns = Columns.load(beside) if (beside := model.with_name(COLUMNS_FILE)).is_file() else None
    count = MOST_EXAMPLES if int8 else EXAMPLES
    if data is not None:
        dataset = _tokenized(load(data, data_dir=data_dir, task=task), model)
        examples = _of_data(student, dataset, count)
    elif stored.is_file():
        examples = _stored(stored, count)
    else:
        check_model(student)
        examples = _Examples("inputs of random numbers", _only(_random_inputs(student)))
    if examples.outputs is not None:
        exported = _of_several(student, examples, to, out, task, columns, int8=int8)
    else:
        exported = _of_one(student, examples, to, out, task, columns, int8=int8)
    if tokenizer is not None:
        replace_file(out.with_name(TOKENIZER_FILE), lambda temporary: temporary.write_bytes(tokenizer))
    return replace(exported, examples=examples.kind)


def _of_one(
    student: keras.Model, examples: _Examples, to: Format, out: Path, task: str | None, columns: Columns | None,
    *, int8: bool,
) -> Exported:  # fmt: skip
    """Export a model of one output, or one without labels."""
    task = task or examples.task
    labels, meaning = examples.labels, None
    if labels is not None:
        rows = read_rows(student, examples.inputs)
        meaning = meaning_of(student, task)
        labels = meaning.checked(labels, (len(rows), *keras_predictions(student, rows[:1]).shape[1:]))
    if int8 and labels is not None and examples.calibration is not None:
        exported = export_int8(student, out, examples.inputs, labels, examples.calibration, task=task, columns=columns)
    elif to == "onnx":
        exported = export_onnx(student, out, examples.inputs, task=task, columns=columns)
    else:
        exported = export_tensorflow(student, out, examples.inputs, to, task=task)
    if meaning is not None and labels is not None:
        exported = replace(exported, quality=meaning.quality(exported.predictions, labels))
    return exported


def _of_several(
    student: keras.Model, examples: _Examples, to: Format, out: Path, task: str | None, columns: Columns | None,
    *, int8: bool,
) -> Exported:  # fmt: skip
    """Export a model of several outputs, each judged by its own labels."""
    meant, labels = examples.outputs, examples.labels
    if meant is None or labels is None:
        raise ValueError("examples of several outputs have labels")
    tasks = task or {part.name: part.task.name for part in meant.parts}
    outputs = outputs_of_model(student, tasks)
    if to != "onnx" or int8:
        only(outputs, "ONNX of 8 bits" if int8 else NAMES[to])
    exported = export_onnx(student, out, examples.inputs, task=tasks, columns=columns)
    found = qualities(exported.predictions, labels, meant, outputs)
    judged = {name: of._replace(quality=found.get(name)) for name, of in exported.outputs.items()}
    return replace(exported, outputs=judged)


def _tokenizer_of(model: Path, out: Path) -> bytes | None:
    """The contents of the tokenizer beside a student of texts, to be copied beside the exported one."""
    own, copy = model.with_name(TOKENIZER_FILE), out.with_name(TOKENIZER_FILE)
    if not own.is_file():
        return None
    content = own.read_bytes()
    if copy.is_file() and copy.read_bytes() != content:
        raise RequestError(f"{copy} is the tokenizer of another model. Export into another folder, or move it away.")
    return content


def _check_request(to: Format, out: Path, int8: bool, has_data: bool) -> None:
    if int8 and not has_data:
        raise RequestError("--int8 is calibrated on training examples and evaluated on test examples. Give --data.")
    if int8 and to != "onnx":
        raise not_allowed("--int8", to, "used with --to onnx")
    if to == "onnx":
        check_tools(out)
    else:
        check_tensorflow(out, to)


def _tokenized(dataset: Dataset, model: Path) -> Dataset:
    """A data set of texts with the token ids that the model's own tokenizer makes; any other as it is."""
    if dataset.text is None:
        return dataset
    file = model.with_name(TOKENIZER_FILE)
    if not file.is_file():
        raise RequestError(f"{dataset.name} holds texts, and {model} has no {TOKENIZER_FILE} beside it. Put it there.")
    return with_tokenizer(dataset, read_tokenizer(file, ()))


def _of_data(student: keras.Model, dataset: Dataset, count: int) -> _Examples:
    dataset = replace(dataset, scale=1.0) if reads_raw(student) else dataset
    return _Examples(
        f"test examples of {dataset.name}",
        dataset.inputs(dataset.x_test[:count]),
        dataset.y_test[:count],
        dataset.inputs(dataset.x_train[_calibration(len(dataset.x_train))]),
        dataset.task.name,
        dataset.task if dataset.task.parts else None,
    )


def _stored(path: Path, count: int) -> _Examples:
    """The examples that a distillation wrote beside its student, which scales them itself."""
    do = "Delete it and give --data."
    arrays = read_arrays(path, do)
    stored = read_arrays(path, do, None)
    task, outputs = stored.get("task", "categorical"), stored.get("outputs")
    several = None if outputs is None else from_described(json.loads(str(outputs)))
    x_train, x_test = (arrays[f"x_{part}"] for part in ("train", "test"))
    drawn = x_train[_calibration(len(x_train))]
    labels = arrays["y_test"][:count]
    return _Examples("test examples of the distillation", x_test[:count], labels, drawn, str(task), several)


def _calibration(examples: int) -> NDArray[np.intp]:
    return np.random.default_rng(0).permutation(examples)[:CALIBRATION]


def _only(inputs: list[NDArray[Any]]) -> Any:
    return inputs[0] if len(inputs) == 1 else inputs


def _random_inputs(student: keras.Model) -> list[NDArray[Any]]:
    """For each input numbers from 0 to 1, or token ids that it knows."""
    rng, drawn = np.random.default_rng(0), list[NDArray[Any]]()
    for tensor, known in zip(student.inputs, vocabularies(student), strict=True):
        shape = tuple(tensor.shape[1:])
        if any(side is None for side in shape):
            raise RequestError(f"The model reads inputs of any size {shape}. Give --data, whose size is then used.")
        whole = known is not None or np.dtype(tensor.dtype).kind in "iu"
        size = (EXAMPLES, *shape)
        drawn.append(rng.integers(0, known or 2, size) if whole else rng.random(size, np.float32))
    return drawn
