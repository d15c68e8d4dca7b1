"""Teachers of a user: models from files and functions, or stored predictions of any framework."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.labels import Array
from distillab.engine.functional import Functional, Variables, read_variables
from distillab.engine.logits import teacher_logits
from distillab.errors import RequestError, not_allowed
from distillab.metrics import accuracy
from distillab.models.digests import add_array, architecture
from distillab.models.ending import ending, without_softmax
from distillab.models.files import read_model
from distillab.models.functions import model_from_function, names_function
from distillab.models.predictions import Predictions, as_logits
from distillab.models.saved_model import is_saved_model, saved_model
from distillab.models.scaling import reads_raw
from distillab.study.model_options import ModelOptions

BATCH = 64
CHANCE = 2.0
"""A teacher whose accuracy is below this multiple of chance is checked for wrongly scaled inputs."""

Predict = Callable[[Array], NDArray[np.float32]]


class Member(NamedTuple):
    """A teacher that JAX can run, as a live teacher must be."""

    functional: Functional
    variables: Variables
    scale: float
    """Stored inputs times this are the model's inputs."""


@dataclass(frozen=True)
class TeacherModel:
    """One teacher.

    Args:
        name: its name in reports.
        digest: of everything its predictions depend on, except the inputs.
        predict: from inputs as stored, (N, ...), to logits (N, C).
        member: None where JAX cannot run it.
        model: the Keras model as the user has it, for its cost; None for stored predictions.
    """

    name: str
    digest: str
    predict: Predict
    member: Member | None = None
    model: keras.Model | None = None


def teacher_models(sources: Sequence[Any], dataset: Dataset, options: ModelOptions) -> list[TeacherModel]:
    """Read the teachers that a user names.

    Args:
        sources: of each a keras.Model, a `.keras` file, a SavedModel folder, a folder of `.keras` files,
            `module:function` or an `.npy` of stored predictions.
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: one is missing, cannot be loaded, or does not fit the data.
    """
    files = [file for source in sources for file in _files(source)]
    if not files:
        raise RequestError("There is no teacher. Name a .keras file, a folder of them, or stored predictions.")
    teachers = [_teacher_model(file, dataset, options) for file in files]
    for teacher in teachers:
        _check_scale(teacher, dataset)
    return teachers


def _files(source: Any) -> list[Any]:
    """The `.keras` files of a folder; otherwise the source itself."""
    if not isinstance(source, (str, Path)):
        return [source]
    path = Path(source).expanduser()
    if path.is_dir() and not is_saved_model(path):
        files = sorted(path.glob("*.keras"))
        if not files:
            raise RequestError(f"{path} holds neither .keras files nor a SavedModel.")
        return list(files)
    return [source]


def _teacher_model(source: Any, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    if isinstance(source, keras.Model):
        return _of_model(source, source.name, dataset, options)
    text, path = str(source), Path(source).expanduser()
    if path.suffix == ".npy":
        return _of_predictions(path, dataset)
    if is_saved_model(path):
        return _of_saved_model(path, dataset, options)
    if names_function(text):
        return _of_model(model_from_function(text, dataset.input_shape, dataset.classes), text, dataset, options)
    return _of_model(read_model(path, trust=options.trust, modules=options.modules), path.name, dataset, options)


def _of_predictions(path: Path, dataset: Dataset) -> TeacherModel:
    stored = Predictions.read(path)
    _check_classes(path.name, stored.classes, dataset)
    for part in (dataset.x_train, dataset.unlabelled, dataset.x_test):
        stored.of(part)  # missing predictions are an error now, not after the search
    digest = hashlib.sha256(stored.keys.tobytes() + stored.logits.tobytes()).hexdigest()
    return TeacherModel(path.name, digest, stored.of)


def _of_saved_model(path: Path, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    scale = 1.0 if options.teacher_scale == "raw" else dataset.scale
    predict = _called(saved_model(path, trust=options.trust), scale)
    _check_classes(path.name, predict(dataset.x_train[:2]).shape[-1], dataset)
    digest = hashlib.sha256(repr(float(np.float32(scale))).encode())
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return TeacherModel(path.name, digest.hexdigest(), predict)


def _of_model(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    functional_model = bool(getattr(model, "inputs", None))
    if functional_model:
        _check_classes(name, model.output_shape[-1] if isinstance(model.output_shape, tuple) else None, dataset)
    raw = reads_raw(model) if options.teacher_scale is None else options.teacher_scale == "raw"
    scale = 1.0 if raw else dataset.scale
    logits = without_softmax(model) if functional_model and ending(model) == "softmax" else model
    adapted = _with_input(logits, name, dataset, options)
    digest = _model_digest(model, functional_model, f"{scale!r} {options.teacher_input}")
    if not functional_model:  # a subclassed model is called, not traced
        called = _called(lambda batch: adapted(batch, training=False), scale)
        _check_classes(name, called(dataset.x_train[:2]).shape[-1], dataset)
        return TeacherModel(name, digest, called, None, model)
    member = Member(Functional(adapted), read_variables(adapted), scale)
    return TeacherModel(
        name, digest, lambda inputs: as_logits(teacher_logits(*member[:2], inputs, scale)), member, model
    )


def _model_digest(model: keras.Model, functional_model: bool, more: str) -> str:
    digest = hashlib.sha256(json.dumps(architecture(model), sort_keys=True).encode() if functional_model else b"")
    for variable in model.variables:
        add_array(digest, np.asarray(variable.value))
    digest.update(more.encode())
    return digest.hexdigest()


def _called(call: Callable[[Array], Any], scale: float) -> Predict:
    """Predictions by calling a model on one batch after another."""

    def predict(inputs: Array) -> NDArray[np.float32]:
        batches = (inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH))
        outputs = [np.asarray(call(batch.astype(np.float32) * np.float32(scale))) for batch in batches]
        return as_logits(np.concatenate(outputs).astype(np.float32))

    return predict


def _with_input(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> keras.Model:
    """The model behind layers that adapt the data's inputs to it, where `teacher_input` asks for it."""
    shape = dataset.input_shape
    reads = tuple(model.input_shape[1:]) if getattr(model, "inputs", None) else shape
    if options.teacher_input is None:
        if not _fits(reads, shape):
            size = f"Give --teacher-input {'x'.join(map(str, reads[:2]))}."
            raise RequestError(
                f"The teacher {name} reads inputs of shape {reads}, and the data have {shape}. "
                + (size if len(shape) == 3 else "Give it the same features.")
            )
        return model
    if len(shape) != 3:
        raise not_allowed("teacher_input", options.teacher_input, "left out: the data are not images")
    inputs = keras.Input(shape)
    x: Any = inputs
    if shape[-1] == 1 and reads[-1] == 3:
        x = keras.layers.Concatenate()([x, x, x])
    if tuple(shape[:2]) != options.teacher_input:
        x = keras.layers.Resizing(*options.teacher_input)(x)
    if not _fits(reads, tuple(x.shape[1:])):
        made = tuple(x.shape[1:])
        raise RequestError(f"The teacher {name} reads inputs of shape {reads}, and --teacher-input gives {made}.")
    return keras.Model(inputs, model(x), name=f"{model.name}_resized")


def _fits(reads: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    return len(reads) == len(shape) and all(a in (None, b) for a, b in zip(reads, shape, strict=True))


def _check_classes(name: str, classes: int | None, dataset: Dataset) -> None:
    if classes != dataset.classes:
        names = ", ".join([*dataset.class_names[:5], *(["..."] if dataset.classes > 5 else [])])
        raise RequestError(
            f"The teacher {name} predicts {classes} classes, and the data have {dataset.classes} ({names}). "
            "Give data and teacher of the same classes."
        )


def _check_scale(teacher: TeacherModel, dataset: Dataset) -> None:
    """Reject a teacher that is hardly better than chance where another scale of its inputs is much better."""
    rows = (dataset.training if dataset.validation is None else dataset.validation)[:500]
    inputs, labels = dataset.x_train[rows], dataset.y_train[rows]
    right = accuracy(teacher.predict(inputs), labels)
    most = float(np.bincount(labels).max() / len(labels))
    if right > min(0.5, CHANCE * most) or right > most + 0.1 or dataset.scale == 1 or teacher.member is None:
        return
    functional, variables, scale = teacher.member
    other = 1.0 if scale != 1 else dataset.scale
    better = accuracy(teacher_logits(functional, variables, inputs, other), labels)
    if better > right + 0.1:
        names = {1.0: "raw", dataset.scale: "unit"}
        raise RequestError(
            f"The teacher {teacher.name} has an accuracy of {right:.1%} on {len(rows)} validation examples with inputs "
            f"scaled as {names[scale]!r}, and {better:.1%} with {names[other]!r}. Give --teacher-scale {names[other]}."
        )
