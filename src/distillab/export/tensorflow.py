"""A Keras model for TensorFlow's runtimes: a SavedModel folder or a LiteRT file, checked against Keras."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from distillab.engine.latency import Latency
from distillab.errors import RequestError, WorkError, not_allowed
from distillab.export.agreement import agreement, check_agreement
from distillab.export.exported import BATCHES, Exported, keras_predictions, read_rows
from distillab.export.outputs import only, outputs_of_model
from distillab.io import replace_file

if TYPE_CHECKING:
    import keras

Form = Literal["saved_model", "litert"]
NAMES = {"saved_model": "SavedModel", "litert": "LiteRT"}


def export_tensorflow(
    model: keras.Model, path: str | os.PathLike[str], examples: Any, form: Form, *, task: str | None = None
) -> Exported:
    """Write a model for TensorFlow, for any batch size.

    A second process runs Keras on TensorFlow. The result is written only if it predicts the examples as Keras does
    here; otherwise an earlier one stays as it is.

    Args:
        model: one or more inputs, (B, ...), and one output, (B, ..., C).
        path: of the LiteRT file, which ends in .tflite, or of the SavedModel's folder.
        examples: inputs for the comparison, scaled as the model reads them, as in `export_onnx`.
        form: "saved_model" or "litert".
        task: what the outputs mean, as in `export_onnx`.

    Raises:
        RequestError: TensorFlow is missing, the path is unsuitable, or the model does not fit the examples.
        WorkError: TensorFlow cannot express the model, or the predictions differ.
    """
    path = Path(path)
    check_tensorflow(path, form)
    examples = read_rows(model, examples)
    meaning = only(outputs_of_model(model, task), NAMES[form])
    ours = keras_predictions(model, examples)
    with tempfile.TemporaryDirectory(prefix="distillab-") as temporary:
        folder = Path(temporary)
        model.save(folder / "model.keras")
        np.save(folder / "inputs.npy", examples)
        written = folder / ("model.tflite" if form == "litert" else "saved_model")
        _run(model.name, [folder / "model.keras", written, form, folder / "inputs.npy", folder / "result.npz"])
        with np.load(folder / "result.npz", allow_pickle=False) as result:
            theirs, alone = result["predictions"], result["alone"]
            rows = {size: result[f"latency_{size}"].tolist() for size in BATCHES}
        compared = agreement(ours, theirs, meaning)
        check_agreement(compared, NAMES[form])
        check_agreement(agreement(ours[:1], alone, meaning)._replace(scale=compared.scale), NAMES[form])
        size = _bytes(written)
        _move(written, path)
    latency = {batch: Latency(p50, p99, int(calls)) for batch, (p50, p99, calls) in rows.items()}
    return Exported(path=path, bytes=size, agreement=compared, predictions=theirs, latency=latency)


def check_tensorflow(path: Path, form: Form) -> None:
    """Check that an export for TensorFlow can run.

    Args:
        path: the file or folder to write.
        form: "saved_model" or "litert".

    Raises:
        RequestError: a wrong suffix, a folder that holds something else, or TensorFlow is missing.
    """
    if form == "litert" and path.suffix != ".tflite":
        raise not_allowed("out", str(path), "a file that ends in .tflite")
    if form == "saved_model" and path.exists() and not (path / "saved_model.pb").is_file():
        raise RequestError(f"{path} exists and is no SavedModel. Choose another folder with --out.")
    if importlib.util.find_spec("tensorflow") is None:
        raise RequestError(f"{NAMES[form]} export needs TensorFlow. Install it: pip install 'distillab[tensorflow]'.")


def _run(name: str, arguments: list[Path | str]) -> None:
    command = [sys.executable, "-m", "distillab.export.tensorflow_process", *map(str, arguments)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1][:200].rstrip(". ") if lines else f"exit {done.returncode}"
        raise WorkError(f"The model {name!r} cannot be written by TensorFlow ({reason}). No file was written.")


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _move(written: Path, path: Path) -> None:
    """Move a file or folder to its path, whole or not at all."""
    if written.is_file():
        replace_file(path, lambda target: shutil.copyfile(written, target))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        shutil.copytree(written, temporary)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
