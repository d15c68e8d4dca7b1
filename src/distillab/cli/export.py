"""`distillab export`: a Keras model in another format, checked against Keras and timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    import keras
    from distillab.data import Dataset
    from distillab.export.latency import Latency

Form = Literal["onnx", "litert", "saved_model"]

EXAMPLES = 1_000
"""Test examples on which answers are compared."""

MOST = 10_000
"""Test examples on which the accuracy in 8 bits is measured, at most."""

CALIBRATION = 512


@click.command(short_help="A model as ONNX, LiteRT or SavedModel, checked against Keras and timed.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(["onnx", "litert", "saved_model"]), required=True, help="The format.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The file to write; for saved_model, the folder."
)
@click.option("--data", help=f"A data set, a name or a path: its first {EXAMPLES:,} test examples check.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the data files lie.")
@click.option("--int8", is_flag=True, help="Weights and activations of 8 bits, calibrated on training examples.")
@click.option("--trust", is_flag=True, help="Let code in the model file run: only if you know who made it.")
def export(
    model: Path, form: Form, out: Path, data: str | None, data_dir: Path | None, int8: bool, trust: bool
) -> None:
    """Write MODEL, a .keras file, as ONNX; or, where TensorFlow is installed, as LiteRT or SavedModel.

    The new file is left only if its runtime answers as Keras does: on test examples of --data, of the distillation
    that left MODEL, or else on random numbers from 0 to 1. With --int8 it is left only if no more than a
    point of accuracy is lost on them.

    \b
    Examples:
      distillab export student.keras --to onnx --out student.onnx --data mnist --data-dir data
      distillab export student.keras --to onnx --out small.onnx --data mnist --data-dir data --int8
    """
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    from distillab.errors import RequestError, not_allowed
    from distillab.export.onnx import check_tools
    from distillab.export.tensorflow import check_tensorflow
    from distillab.models.files import read_model
    from distillab.models.scaling import reads_raw

    beside = model.with_name("examples.npz")
    if int8 and data is None and not beside.is_file():
        raise RequestError("--int8 is calibrated on training examples and judged on test examples. Give --data.")
    if int8 and form != "onnx":
        raise not_allowed("--int8", form, "used with --to onnx")
    if form == "onnx":
        check_tools(out)
    else:
        check_tensorflow(out, form)
    student = read_model(model, trust=trust)
    dataset = None
    if data is not None:
        from distillab.data import load

        dataset = load(data, data_dir=data_dir)
    elif beside.is_file():
        dataset = _kept(beside, student.output_shape[-1])
    if dataset is not None and reads_raw(student):
        dataset = replace(dataset, scale=1.0)
    size = f"({model.name}: {model.stat().st_size:,})"
    if int8 and dataset is not None:
        for line in _as_int8(student, out, dataset, size):
            click.echo(line)
    else:
        for line in _as_it_is(student, out, dataset, size, form):
            click.echo(line)


def _kept(path: Path, classes: int) -> Dataset:
    """The examples that a distillation left beside its student."""
    from distillab.data import Dataset
    from distillab.data.archive import read_arrays

    arrays = read_arrays(path, "Delete it and give --data.")
    x_train, y_train, x_test, y_test = arrays.values()
    return Dataset("the distillation", x_train, y_train, x_test, y_test, tuple(map(str, range(classes))), 1.0)


def _as_it_is(student: keras.Model, out: Path, dataset: Dataset | None, size: str, form: Form) -> Iterator[str]:
    import numpy as np

    from distillab.errors import RequestError
    from distillab.export import export_onnx, export_tensorflow

    if dataset is None:
        shape = student.input_shape[1:]
        if any(side is None for side in shape):
            raise RequestError(f"The model reads inputs of any size {shape}. Give --data, whose size is then taken.")
        examples, of = np.random.default_rng(0).random((EXAMPLES, *shape), np.float32), "inputs of random numbers"
    else:
        examples, of = dataset.inputs(dataset.x_test[:EXAMPLES]), f"test examples of {dataset.name}"
    done = export_onnx(student, out, examples) if form == "onnx" else export_tensorflow(student, out, examples, form)
    found = done.agreement
    yield f"{out}: {done.bytes:,} bytes {size}"
    yield f"answers: Keras's to {found.difference:.1e}, labels agree on {found.same_labels:,} of {found.n:,} {of}"
    if dataset is not None:
        yield f"accuracy on them: {100 * float(np.mean(done.answers.argmax(-1) == dataset.y_test[:EXAMPLES])):.2f} %"
    yield from _times(done.latency)


def _as_int8(student: keras.Model, out: Path, dataset: Dataset, size: str) -> Iterator[str]:
    import numpy as np

    from distillab.export import export_int8

    drawn = np.random.default_rng(0).permutation(len(dataset.x_train))[:CALIBRATION]
    examples, labels = dataset.inputs(dataset.x_test[:MOST]), dataset.y_test[:MOST]
    done = export_int8(student, out, examples, labels, dataset.inputs(dataset.x_train[drawn]))
    found = done.agreement
    yield f"{out}: {done.bytes:,} bytes {size}, 8 bits, calibrated on {len(drawn)} training examples"
    yield f"accuracy: {100 * done.before:.2f} % with Keras, {100 * done.after:.2f} % in 8 bits"
    yield f"labels agree on {found.same_labels:,} of {found.n:,} test examples of {dataset.name}"
    yield from _times(done.latency)


def _times(latency: Mapping[int, Latency]) -> Iterator[str]:
    for size, time in latency.items():
        yield f"latency, batch {size}, one thread: p50 {_brief(time.p50)}, p99 {_brief(time.p99)}"


def _brief(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"
