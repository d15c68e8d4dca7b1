"""Keras models as teachers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.inputs import Scale
from distillab.data.labels import Array
from distillab.engine.functional import Functional, read_variables
from distillab.engine.logits import teacher_logits
from distillab.errors import RequestError, not_allowed
from distillab.models.class_names import columns_by_name, mapped_logits
from distillab.models.digests import add_array, architecture
from distillab.models.ending import as_graph, ending, without_activation
from distillab.models.foreign import ForeignModel
from distillab.models.input_names import symbolic_inputs
from distillab.models.predictions import as_logits
from distillab.models.scaling import reads_raw
from distillab.study.foreign_teachers import foreign_teacher
from distillab.study.model_inputs import matched_inputs, model_inputs, model_scale
from distillab.study.model_options import ModelOptions
from distillab.study.outputs import check_outputs
from distillab.study.several_teachers import logits_of_classes, packed_teacher
from distillab.study.table_inputs import reading_table
from distillab.study.teacher_models import Member, Predict, TeacherModel
from distillab.tasks import Head, check_head


def keras_teacher(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    """Use a Keras model as a teacher.

    Args:
        model: trained.
        name: in reports.
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: it does not fit the data.
    """
    if options.teacher_layout is not None:
        allowed = "left out for a Keras model, which reads images as the data have them"
        raise not_allowed("teacher_layout", options.teacher_layout, allowed)
    graph = as_graph(model)
    if graph is None:  # a custom class that shows no operations is called, not traced
        return _called(model, name, dataset, options)
    scale = model_scale(graph, dataset, options.teacher_scale)
    if dataset.task.parts:
        logits = packed_teacher(graph, name, dataset, options)
    else:
        logits = without_activation(graph) if ending(graph) in ("softmax", "sigmoid") else graph
    columns = None
    if options.teacher_classes is not None:
        columns = _columns(options.teacher_classes, graph.output_shape[-1], name, dataset)
        logits = _with_classes(logits, columns)
    if not dataset.task.parts:
        check_head(dataset.task, Head(logits.output_shape[-1], ending(graph), 0, f"the teacher {name}"))
    check_outputs(f"The teacher {name}", logits.output_shape[1:], dataset)
    logits, reads = _of_table(logits, name, dataset)
    adapted = _standardised(_with_input(logits, name, dataset, options), dataset)
    more = f"{scale!r} {options.teacher_input}"
    if dataset.task.parts:
        more += f" {[part.name for part in dataset.task.parts]}"
    if options.teacher_normalise is not None or columns is not None:
        more += f" {options.teacher_normalise} {None if columns is None else columns.tolist()}"
    member = Member(Functional(adapted), read_variables(adapted), scale)

    def predicting(scale: Scale) -> Predict:
        def predict(inputs: Array) -> NDArray[np.float32]:
            outputs = teacher_logits(*member[:2], inputs, scale)
            if dataset.task.parts:
                return logits_of_classes(dataset.task, outputs)
            return as_logits(outputs) if dataset.task.name == "categorical" else outputs

        return predict

    alternatives: dict[str, Predict] = {}
    if isinstance(dataset.scale, float) and dataset.scale != 1:
        other, named = (dataset.scale, "unit") if scale == 1 else (1.0, "raw")
        alternatives[f"--teacher-scale {named}"] = predicting(other)
    digest = _digest(graph, more)
    by_name = columns is not None
    return TeacherModel(
        name, digest, predicting(scale), member, model, alternatives=alternatives, reads=reads, named_classes=by_name
    )


def _of_table(model: keras.Model, name: str, dataset: Dataset) -> tuple[keras.Model, str]:
    """The model as one of a table's x, and what it is given, in words; of other data as it is."""
    columns = dataset.columns
    if columns is None:
        return model, ""
    if _fits(tuple(model.input_shape[1:]), dataset.student_shape):
        reads = f"The Keras model {name} is given the {columns.width} encoded features that students read."
        return reading_table(model, columns), reads
    reads = f"The Keras model {name} is given the columns as numbers, words as codes, NaN where a value is missing."
    return model, reads


def _called(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> TeacherModel:
    raw = reads_raw(model) if options.teacher_scale is None else options.teacher_scale == "raw"
    digest = hashlib.sha256()
    for variable in model.variables:
        add_array(digest, np.asarray(variable.value))
    opaque = ForeignModel(
        name=name,
        kind="Keras model",
        call=lambda batch: model(batch, training=False),
        digest=digest.hexdigest(),
        shape=_shape_of_inputs(dataset, options),
    )
    return foreign_teacher(opaque, dataset, options, scale=1.0 if raw else None, model_of_keras=model)


def _shape_of_inputs(dataset: Dataset, options: ModelOptions) -> tuple[int | None, ...]:
    shape = dataset.input_shape
    return (*(options.teacher_input or shape[:2]), None) if len(shape) == 3 else shape


def _columns(names: tuple[str, ...], outputs: int, name: str, dataset: Dataset) -> NDArray[np.intp]:
    if len(names) != outputs or outputs < 2:
        raise RequestError(
            f"--teacher-classes names {len(names)} classes, and the teacher {name} has {outputs} outputs. Name each "
            "output once, in their order."
        )
    return columns_by_name(names, dataset.class_names)


def _with_classes(model: keras.Model, columns: NDArray[np.intp]) -> keras.Model:
    """The model with the data's classes in their order."""
    return keras.Model(
        symbolic_inputs(model), _ByName(columns.tolist())(model.outputs[0]), name=f"{model.name}_by_name"
    )


class _ByName(keras.layers.Layer):
    """The logits of the data's classes from those of a teacher's."""

    def __init__(self, columns: list[int]) -> None:
        super().__init__()
        self.columns = columns

    def call(self, logits: Any) -> Any:
        return mapped_logits(logits, np.array(self.columns), xp=keras.ops)

    def get_config(self) -> dict[str, Any]:
        return {"columns": self.columns}


def _digest(model: keras.Model, more: str) -> str:
    digest = hashlib.sha256(json.dumps(architecture(model), sort_keys=True).encode())
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
    return keras.Model(symbolic_inputs(model), outputs, name=f"{model.name}_standardised")


def _with_input(model: keras.Model, name: str, dataset: Dataset, options: ModelOptions) -> keras.Model:
    """The model behind layers that adapt the data's inputs to it, where the options ask for it."""
    shape = dataset.input_shape
    reads = tuple(model.inputs[0].shape[1:])
    for option in ("teacher_input", "teacher_normalise"):
        if getattr(options, option) is not None and len(shape) != 3 and (option == "teacher_input" or not shape):
            raise not_allowed(option, getattr(options, option), "left out: the data are not images")
    if options.teacher_input is None:
        _check_inputs(model, name, dataset)
        if options.teacher_normalise is None:
            return model
    inputs = keras.Input(shape)
    x: Any = inputs
    if options.teacher_input is not None:
        if shape[-1] == 1 and reads[-1] == 3:
            x = keras.layers.Concatenate()([x, x, x])
        if tuple(shape[:2]) != options.teacher_input:
            x = keras.layers.Resizing(*options.teacher_input)(x)
        if not _fits(reads, tuple(x.shape[1:])):
            made = tuple(x.shape[1:])
            raise RequestError(f"The teacher {name} reads inputs of shape {reads}, and --teacher-input gives {made}.")
    if options.teacher_normalise is not None:
        mean, spread = (np.array(numbers) for numbers in options.teacher_normalise)
        x = keras.layers.Rescaling((1 / spread).tolist(), (-mean / spread).tolist())(x)
    return keras.Model(inputs, model(x), name=f"{model.name}_resized")


def _check_inputs(model: keras.Model, name: str, dataset: Dataset) -> None:
    """Refuse data that a teacher cannot read, with the option that would let it read images."""
    reads, shape = tuple(model.inputs[0].shape[1:]), dataset.input_shape
    if len(model.inputs) == 1 and len(reads) == len(shape) == 3 and not _fits(reads, shape):
        raise RequestError(
            f"The teacher {name} reads inputs of shape {reads}, and the data have {shape}. Give --teacher-input "
            f"{'x'.join(map(str, reads[:2]))}."
        )
    matched_inputs(f"The teacher {name}", model_inputs(model), dataset)


def _fits(reads: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    return len(reads) == len(shape) and all(a in (None, b) for a, b in zip(reads, shape, strict=True))
