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
from distillab.metrics.metric import METRICS
from distillab.models.digests import add_array, architecture
from distillab.models.ending import as_graph, ending, without_activation
from distillab.models.functions import model_from_function
from distillab.models.predictions import as_logits
from distillab.models.saved_model import saved_model
from distillab.models.scaling import reads_raw
from distillab.models.top_k import TopK
from distillab.study.model_options import ModelOptions
from distillab.study.opening import Opened, opened_teachers
from distillab.study.outputs import check_outputs
from distillab.study.stored_teachers import stored_teacher
from distillab.tasks import Head, check_head
from distillab.tasks.evaluation import evaluate

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
        predict: from inputs as stored, (N, ...), to logits (N, ..., C); real outputs are standardised.
        member: None where JAX cannot run it.
        model: the Keras model as the user has it, for its cost; None for stored predictions.
        top_k: from inputs as stored to the top k, where that is all that is stored.
    """

    name: str
    digest: str
    predict: Predict
    member: Member | None = None
    model: keras.Model | None = None
    top_k: Callable[[Array], TopK] | None = None


def teacher_models(sources: Sequence[Any], dataset: Dataset, options: ModelOptions) -> list[TeacherModel]:
    """Read the teachers that a user names.

    Args:
        sources: of each a keras.Model, a `.keras` file, a SavedModel folder, a folder of `.keras` files,
            `module:function` or an `.npy` of stored predictions; or what `opened_teachers` made of them.
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: one is missing, cannot be loaded, or does not fit the data.
    """
    teachers = [_teacher_model(source, dataset, options) for source in opened_teachers(sources, options)]
    for teacher in teachers:
        _check_scale(teacher, dataset)
    return teachers


def _teacher_model(opened: Opened, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    source = opened.source
    if opened.model is not None:
        return _of_model(opened.model, opened.name, dataset, options)
    if opened.is_predictions:
        stored = stored_teacher(source, dataset)
        return TeacherModel(stored.name, stored.digest, stored.predict, top_k=stored.top_k)
    if isinstance(source, Path):
        return _of_saved_model(source, dataset, options)
    return _of_model(model_from_function(source, dataset.input_shape, dataset.outputs), source, dataset, options)


def _of_saved_model(path: Path, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    scale = 1.0 if options.teacher_scale == "raw" else dataset.scale
    predict = _called(saved_model(path, trust=options.trust), scale, dataset)
    check_outputs(f"The teacher {path.name}", predict(dataset.x_train[:2]).shape[1:], dataset)
    digest = hashlib.sha256(repr(float(np.float32(scale))).encode())
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return TeacherModel(path.name, digest.hexdigest(), predict)


def _of_model(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    graph = as_graph(model)
    if graph is not None:
        check_head(dataset.task, Head(graph.output_shape[-1], ending(graph), 0, f"the teacher {name}"))
        check_outputs(f"The teacher {name}", graph.output_shape[1:], dataset)
    raw = reads_raw(model) if options.teacher_scale is None else options.teacher_scale == "raw"
    scale = 1.0 if raw else dataset.scale
    traced = model if graph is None else graph
    logits = without_activation(traced) if ending(traced) in ("softmax", "sigmoid") else traced
    adapted = _with_input(logits, name, dataset, options)
    digest = _model_digest(traced, graph is not None, f"{scale!r} {options.teacher_input}")
    if graph is None:  # a custom class that shows no operations is called, not traced
        called = _called(lambda batch: adapted(batch, training=False), scale, dataset)
        check_outputs(f"The teacher {name}", called(dataset.x_train[:2]).shape[1:], dataset)
        return TeacherModel(name, digest, called, None, model)
    adapted = _standardised(adapted, dataset)
    member = Member(Functional(adapted), read_variables(adapted), scale)

    def predict(inputs: Array) -> NDArray[np.float32]:
        outputs = teacher_logits(*member[:2], inputs, scale)
        return as_logits(outputs) if dataset.task.name == "categorical" else outputs

    return TeacherModel(name, digest, predict, member, model)


def _model_digest(model: keras.Model, functional_model: bool, more: str) -> str:
    digest = hashlib.sha256(json.dumps(architecture(model), sort_keys=True).encode() if functional_model else b"")
    for variable in model.variables:
        add_array(digest, np.asarray(variable.value))
    digest.update(more.encode())
    return digest.hexdigest()


def _standardised(model: keras.Model, dataset: Dataset) -> keras.Model:
    """A model of real outputs in the unit of the engine: standard deviations of the labels, from their mean."""
    mean, spread = dataset.target_mean, dataset.target_spread
    if mean is None or spread is None:
        return model
    outputs = keras.layers.Rescaling((1 / spread).tolist(), (-mean / spread).tolist())(model.outputs[0])
    return keras.Model(model.inputs[0], outputs, name=f"{model.name}_standardised")


def _called(call: Callable[[Array], Any], scale: float, dataset: Dataset) -> Predict:
    """Predictions by calling a model on one batch after another."""

    def predict(inputs: Array) -> NDArray[np.float32]:
        batches = (inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH))
        outputs = [np.asarray(call(batch.astype(np.float32) * np.float32(scale))) for batch in batches]
        return dataset.standardised(as_logits(np.concatenate(outputs).astype(np.float32), dataset.task))

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


def _check_scale(teacher: TeacherModel, dataset: Dataset) -> None:
    """Reject a teacher that is bad at its inputs' scale and much better at another."""
    if dataset.scale == 1 or teacher.member is None:
        return
    rows = (dataset.training if dataset.validation is None else dataset.validation)[:500]
    inputs, labels = dataset.x_train[rows], dataset.y_train[rows]
    metric = METRICS[dataset.task.metrics_of(bool(dataset.positions))[0]]
    if metric.name == "accuracy":
        most = float(np.bincount(labels).max() / len(labels))
        enough = min(0.5, CHANCE * most), most + 0.1
    else:
        enough = (0.5, 0.5) if metric.unit == "%" else (np.inf, np.inf)

    def measured(logits: NDArray[np.float32]) -> float:
        return evaluate(dataset.task, dataset.in_units(logits), labels)[metric.name]

    right = measured(teacher.predict(inputs))
    if right > enough[0] or right > enough[1]:
        return
    functional, variables, scale = teacher.member
    other = 1.0 if scale != 1 else dataset.scale
    better = measured(teacher_logits(functional, variables, inputs, other))
    if better > right + 0.1 if metric.sign > 0 else better < right / 2:
        names = {1.0: "raw", dataset.scale: "unit"}
        raise RequestError(
            f"The teacher {teacher.name} has {metric.shown(right)} on {len(rows)} validation examples with inputs "
            f"scaled as {names[scale]!r}, and {metric.shown(better)} with {names[other]!r}. Give --teacher-scale "
            f"{names[other]}."
        )
