"""A Keras classifier for TensorFlow's runtimes: a SavedModel folder or a LiteRT file, compared with Keras first."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from distillab.errors import RequestError, WorkError, not_allowed
from distillab.export.agreement import agreement, check_agreement
from distillab.engine.latency import Latency
from distillab.export.onnx import BATCHES, Exported, check_model
from distillab.io import replace_file

if TYPE_CHECKING:
    import keras

Form = Literal["saved_model", "litert"]
NAMES = {"saved_model": "SavedModel", "litert": "LiteRT"}


def export_tensorflow(model: keras.Model, path: Path, examples: NDArray[np.float32], form: Form) -> Exported:
    """Write a classifier for TensorFlow, with any number of examples a batch.

    Keras is started once more, on TensorFlow, in a process of its own. The result is left when it has answered the
    examples as this process's Keras does; otherwise nothing is, and what was there before stays.

    Args:
        model: one input, (B, ...), and one output, (B, C).
        path: of the LiteRT file, which ends in .tflite, or of the SavedModel's folder.
        examples: what the model is compared on, as it sees them, shape (N, ...), N >= 1.
        form: which.

    Returns:
        `Exported`.

    Raises:
        RequestError: TensorFlow is missing, the path does not suit, or the model does not fit the examples.
        WorkError: TensorFlow cannot express the model, or the answers differ.
    """
    check_tensorflow(path, form)
    ours = check_model(model, examples)
    with tempfile.TemporaryDirectory(prefix="distillab-") as folder:
        place = Path(folder)
        model.save(place / "model.keras")
        np.save(place / "inputs.npy", examples)
        made = place / ("model.tflite" if form == "litert" else "saved_model")
        _run(model.name, [place / "model.keras", made, form, place / "inputs.npy", place / "result.npz"])
        with np.load(place / "result.npz", allow_pickle=False) as result:
            answers, alone = result["answers"], result["alone"]
            rows = {size: result[f"latency_{size}"].tolist() for size in BATCHES}
        found = agreement(ours, answers)
        check_agreement(found, NAMES[form])
        check_agreement(agreement(ours[:1], alone), NAMES[form])
        size = _bytes(made)
        _leave(made, path)
    return Exported(path, size, found, answers, {n: Latency(p50, p99, int(c)) for n, (p50, p99, c) in rows.items()})


def check_tensorflow(path: Path, form: Form) -> None:
    """Refuse to begin what cannot be finished.

    Raises:
        RequestError: it says what to do.
    """
    if form == "litert" and path.suffix != ".tflite":
        raise not_allowed("out", str(path), "a file that ends in .tflite")
    if form == "saved_model" and path.exists() and not (path / "saved_model.pb").is_file():
        raise RequestError(f"{path} is there and is no SavedModel. Choose another folder with --out.")
    if importlib.util.find_spec("tensorflow") is None:
        raise RequestError(f"{NAMES[form]} export needs TensorFlow. Install it: pip install 'distillab[tensorflow]'.")


def _run(name: str, arguments: list[Path | str]) -> None:
    command = [sys.executable, "-m", "distillab.export.on_tensorflow", *map(str, arguments)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip()]
        reason = told[-1][:200].rstrip(". ") if told else f"exit {done.returncode}"
        raise WorkError(f"The model {name!r} cannot be written by TensorFlow ({reason}). No file was left.")


def _bytes(made: Path) -> int:
    return made.stat().st_size if made.is_file() else sum(f.stat().st_size for f in made.rglob("*") if f.is_file())


def _leave(made: Path, path: Path) -> None:
    """Put what was made in its place, whole."""
    if made.is_file():
        replace_file(path, lambda temporary: shutil.copyfile(made, temporary))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        shutil.copytree(made, beside)
        if path.exists():
            shutil.rmtree(path)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
