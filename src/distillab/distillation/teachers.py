"""The teachers of a user's own: models from files and functions, several together, or stored predictions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import keras
from distillab.data.labels import Array
from distillab.data.own import OwnData
from distillab.distillation.request import Request
from distillab.engine.functional import Functional, Variables, read_variables
from distillab.engine.logits import teacher_logits
from distillab.errors import RequestError, not_allowed
from distillab.metrics import accuracy
from distillab.models.averaging import average_predictions
from distillab.models.digests import add_array, architecture
from distillab.models.ending import ending, without_softmax
from distillab.models.files import read_model
from distillab.models.functions import model_from_function, names_function
from distillab.models.predictions import Predictions, as_logits, stored_predictions
from distillab.models.saved_model import is_saved_model, saved_model
from distillab.models.scaling import reads_raw

BATCH = 64
ASKED_AT_ONCE = 64 * 2**20
"""Bytes of inputs that a teacher is given at a time, so that those larger than memory are never read whole."""

CHANCE = 2.0
"""A teacher that is right less often than so many times chance is asked whether its inputs are scaled as it expects."""

Answer = Callable[[Array], NDArray[np.float32]]


@dataclass(frozen=True)
class Teacher:
    """What teaches.

    Args:
        name: what reports call it.
        digest: of all that its answers depend on, but the inputs.
        answer: from inputs as stored, (N, ...), to logits (N, C).
        member: architecture, weights and the inputs' scale, where JAX can run it; a live teacher must be one.
        model: the Keras model as the user has it, for its cost; None for stored predictions.
    """

    name: str
    digest: str
    answer: Answer
    member: tuple[Functional, Variables, float] | None = None
    model: keras.Model | None = None


def find_teachers(named: Sequence[Any], own: OwnData, request: Request) -> list[Teacher]:
    """Find the teachers that a user names.

    Args:
        named: of each a keras.Model, a `.keras` file, a SavedModel folder, a folder of `.keras` files,
            `module:function` or an `.npy` of stored predictions.
        own: the data.
        request: how.

    Raises:
        RequestError: one cannot be found or loaded, or does not fit the data.
    """
    found: list[Teacher] = []
    for one in named:
        found += [_teacher(place, own, request) for place in _members(one)]
    if not found:
        raise RequestError("There is no teacher. Name a .keras file, a folder of such, or stored predictions.")
    for teacher in found:
        _check_scale(teacher, own, request)
    return found


def answers(teachers: Sequence[Teacher], inputs: Array, classes: int, folder: Path | None) -> NDArray[np.float32]:
    """What teachers say together of some inputs; each is asked once in the folder's life.

    Returns:
        Logits, shape (N, C).
    """
    shape = (len(inputs), classes)
    given = []
    for teacher in teachers:
        digest = hashlib.sha256(teacher.digest.encode())
        add_array(digest, inputs)

        def ask(teacher: Teacher = teacher) -> NDArray[np.float32]:
            step = BATCH * max(1, ASKED_AT_ONCE // max(1, BATCH * inputs[:1].nbytes))
            parts = (inputs[start : start + step] for start in range(0, len(inputs), step))
            return np.concatenate([teacher.answer(part) for part in parts])

        given.append(ask() if folder is None else stored_predictions(folder, digest.hexdigest(), shape, ask))
    return average_predictions(given)


def _members(named: Any) -> list[Any]:
    """The teachers behind a name: the files of a folder, otherwise itself."""
    if not isinstance(named, (str, Path)):
        return [named]
    path = Path(named).expanduser()
    if path.is_dir() and not is_saved_model(path):
        files = sorted(path.glob("*.keras"))
        if not files:
            raise RequestError(f"{path} holds neither .keras files nor a SavedModel.")
        return list(files)
    return [named]


def _teacher(named: Any, own: OwnData, request: Request) -> Teacher:
    if isinstance(named, keras.Model):
        return _of_model(named, named.name, own, request)
    text, path = str(named), Path(named).expanduser()
    if path.suffix == ".npy":
        return _of_predictions(path, own)
    if is_saved_model(path):
        return _of_saved_model(path, own, request)
    if names_function(text):
        return _of_model(model_from_function(text, own.dataset.input_shape, own.dataset.classes), text, own, request)
    return _of_model(read_model(path, trust=request.trust, modules=request.modules), path.name, own, request)


def _of_predictions(path: Path, own: OwnData) -> Teacher:
    stored = Predictions.read(path)
    _check_classes(path.name, stored.classes, own)
    for inputs in (own.dataset.x_train, own.unlabelled, own.dataset.x_test):
        stored.of(inputs)  # what is missing is told now, not after the search
    digest = hashlib.sha256(stored.keys.tobytes() + stored.logits.tobytes()).hexdigest()
    return Teacher(path.name, digest, stored.of)


def _of_saved_model(path: Path, own: OwnData, request: Request) -> Teacher:
    ask = saved_model(path, trust=request.trust)
    factor = np.float32(1.0 if request.teacher_scale == "raw" else own.scale)

    def answer(inputs: Array) -> NDArray[np.float32]:
        parts = [
            ask(inputs[start : start + BATCH].astype(np.float32) * factor) for start in range(0, len(inputs), BATCH)
        ]
        return as_logits(np.concatenate(parts))

    _check_classes(path.name, answer(own.dataset.x_train[:2]).shape[-1], own)
    digest = hashlib.sha256(repr(float(factor)).encode())
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return Teacher(path.name, digest.hexdigest(), answer)


def _of_model(model: keras.Model, name: str, own: OwnData, request: Request) -> Teacher:
    plain = bool(getattr(model, "inputs", None))
    if plain:
        _check_classes(name, model.output_shape[-1] if isinstance(model.output_shape, tuple) else None, own)
    raw = reads_raw(model) if request.teacher_scale is None else request.teacher_scale == "raw"
    scale = 1.0 if raw else own.scale
    logits = without_softmax(model) if plain and ending(model) == "softmax" else model
    whole = _with_input(logits, name, own, request)
    digest = hashlib.sha256(json.dumps(architecture(model), sort_keys=True).encode() if plain else b"")
    for variable in model.variables:
        add_array(digest, np.asarray(variable.value))
    digest.update(f"{scale!r} {request.teacher_input}".encode())
    if not plain:  # a model of one's own class: what it computes is asked, not traced
        ask = _asked(whole, scale)
        _check_classes(name, ask(own.dataset.x_train[:2]).shape[-1], own)
        return Teacher(name, digest.hexdigest(), ask, None, model)
    functional = Functional(whole)
    variables = read_variables(whole)

    def answer(inputs: Array) -> NDArray[np.float32]:
        return as_logits(teacher_logits(functional, variables, inputs, scale))

    return Teacher(name, digest.hexdigest(), answer, (functional, variables, scale), model)


def _asked(model: keras.Model, scale: float) -> Answer:
    def answer(inputs: Array) -> NDArray[np.float32]:
        parts = [
            np.asarray(model(inputs[start : start + BATCH].astype(np.float32) * np.float32(scale), training=False))
            for start in range(0, len(inputs), BATCH)
        ]
        return as_logits(np.concatenate(parts).astype(np.float32))

    return answer


def _with_input(model: keras.Model, name: str, own: OwnData, request: Request) -> keras.Model:
    """The model behind what makes its inputs of the data's: resizing where it was asked for."""
    shape = own.dataset.input_shape
    reads = tuple(model.input_shape[1:]) if getattr(model, "inputs", None) else shape
    if request.teacher_input is None:
        if len(reads) != len(shape) or any(a not in (None, b) for a, b in zip(reads, shape, strict=True)):
            height_width = "x".join(str(side) for side in reads[:2])
            raise RequestError(
                f"The teacher {name} reads inputs of shape {reads}, and the data have {shape}. "
                + (f"Give --teacher-input {height_width}." if len(shape) == 3 else "Give it the same features.")
            )
        return model
    if len(shape) != 3:
        raise not_allowed("teacher_input", request.teacher_input, "left out: the data are no images")
    inputs = keras.Input(shape)
    x: Any = inputs
    if shape[-1] == 1 and reads[-1] == 3:
        x = keras.layers.Concatenate()([x, x, x])
    if tuple(shape[:2]) != request.teacher_input:
        x = keras.layers.Resizing(*request.teacher_input)(x)
    fits = all(a in (None, b) for a, b in zip(reads, x.shape[1:], strict=True))
    if not fits:
        raise RequestError(
            f"The teacher {name} reads inputs of shape {reads}, and --teacher-input makes {tuple(x.shape[1:])}."
        )
    return keras.Model(inputs, model(x), name=f"{model.name}_resized")


def _check_classes(name: str, classes: int | None, own: OwnData) -> None:
    if classes != own.dataset.classes:
        raise RequestError(
            f"The teacher {name} answers {classes} classes, and the data have {own.dataset.classes} "
            f"({', '.join(own.dataset.class_names[:5])}, ...). Give data and teacher of the same classes."
        )


def _check_scale(teacher: Teacher, own: OwnData, request: Request) -> None:
    """Refuse a teacher that is hardly better than chance, and say so where another scale would mend it."""
    rows = own.validation[:500]
    inputs, labels = own.dataset.x_train[rows], own.dataset.y_train[rows]
    right = accuracy(teacher.answer(inputs), labels)
    most = float(np.bincount(labels).max() / len(labels))
    if right > min(0.5, CHANCE * most) or right > most + 0.1 or own.scale == 1 or teacher.member is None:
        return
    functional, variables, scale = teacher.member
    other = 1.0 if scale != 1 else own.scale
    better = accuracy(teacher_logits(functional, variables, inputs, other), labels)
    if better > right + 0.1:
        told = {1.0: "raw", own.scale: "unit"}
        raise RequestError(
            f"The teacher {teacher.name} is right on {right:.1%} of {len(rows)} validation examples with inputs scaled "
            f"as {told[scale]!r}, and on {better:.1%} with {told[other]!r}. Give --teacher-scale {told[other]}."
        )
