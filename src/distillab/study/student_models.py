"""Students: architectures of the zoo, or a user's from files and functions; and the model that is shipped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from distillab.data import Dataset
from distillab.data.inputs import INPUT, Scale, for_input
from distillab.engine.functional import Functional, Variables, in_precision, read_variables, write_variables
from distillab.engine.given import freeze_inside
from distillab.engine.lora import read_adapters
from distillab.engine.trainable import rebuilt
from distillab.errors import RequestError, not_allowed
from distillab.models import build
from distillab.models.digests import add_array, architecture
from distillab.models.ending import ending
from distillab.models.functions import model_from_function, names_function
from distillab.models.input_names import given_by_name
from distillab.models.several import taken_apart
from distillab.study.model_inputs import matched_inputs, model_inputs, model_scale
from distillab.study.model_options import ModelOptions
from distillab.study.opening import Opened, opened
from distillab.study.outputs import check_outputs
from distillab.study.start import Start, check_start, start_of
from distillab.study.student_outputs import (
    StudentOutputs,
    of_zoo,
    packed_student,
    shipped_outputs,
    without_activations,
)
from distillab.study.table_inputs import encoded_by_layers
from distillab.study.zoo_models import zoo_model
from distillab.tasks.matching import check_heads


@dataclass(frozen=True)
class StudentModel:
    """A student's architecture.

    Args:
        name: its name in reports.
        functional: for the engine.
        scale: stored inputs times this are its inputs.
        warm: the weights to start from; None: drawn anew for each seed, except what training does not change.
        ending: "softmax" or "sigmoid", which the shipped model ends in; "": it gives logits, or real numbers.
        outputs: of several outputs, how the shipped model gives them.
    """

    name: str
    functional: Functional
    scale: Scale
    warm: Variables | None = None
    ending: str = ""
    outputs: StudentOutputs | None = None

    @property
    def start(self) -> Start:
        """How its weights start."""
        return start_of(self.functional, warm=self.warm is not None)

    @property
    def digest(self) -> str:
        """Of everything that decides a training of it, except settings and seed."""
        digest = hashlib.sha256(json.dumps(architecture(self.functional.model), sort_keys=True).encode())
        digest.update(f"{self.scale!r} {self.ending == 'softmax'}".encode())
        if self.outputs is not None:
            digest.update(repr(self.outputs.in_order_of_data).encode())
        for array in [] if self.warm is None else [*self.warm.trainable, *self.warm.fixed]:
            add_array(digest, array)
        if self.warm is None and any(self.functional.kept):
            digest.update(repr(read_adapters(self.functional.model)).encode())
            for variable in self.functional.kept_variables:
                add_array(digest, np.asarray(variable.value))
        return digest.hexdigest()[:16]

    def initial(self, seed: int) -> Variables:
        """The weights that a student of a seed starts from.

        Args:
            seed: at least 0.
        """
        return self.functional.initial(seed) if self.warm is None else self.functional.awake(self.warm, seed)


def zoo_student(name: str, precision: str, dataset: Dataset, resolution: int | None = None) -> StudentModel:
    """Build a student of the zoo.

    Args:
        name, precision: as in `Student`.
        dataset: the data.
        resolution: rows and columns of the images that it sees; None: those of the data.

    Raises:
        RequestError: the name is unknown or does not fit the data, or the resolution does not.
    """
    built = zoo_model(name, dataset) if resolution is None else _shrinking(name, dataset, resolution)
    model, outputs = of_zoo(built, dataset)
    matched_inputs(f"The student {name}", model_inputs(model), dataset, student=True)
    functional = Functional(in_precision(model, precision))
    check_outputs(f"The student {name}", functional.output_shape, dataset)
    return StudentModel(name, functional, dataset.scale, ending=_own_ending(dataset), outputs=outputs)


def _shrinking(name: str, dataset: Dataset, resolution: int) -> keras.Model:
    """A model of the zoo behind a layer that shrinks images to squares, by the mean of each block of pixels."""
    shape = dataset.student_shape
    if len(shape) != 3:
        raise RequestError(
            f"student.resolution={resolution} is not allowed: the inputs have shape {shape}, and it shrinks images "
            "(height, width, channels). Leave it out."
        )
    if shape[0] % resolution or shape[1] % resolution:
        allowed = f"a divisor of {shape[0]} and {shape[1]}, the images' sides"
        raise not_allowed("student.resolution", resolution, allowed)
    inputs = keras.Input(shape)
    small = keras.layers.AveragePooling2D((shape[0] // resolution, shape[1] // resolution))(inputs)
    model = build(name, (resolution, resolution, shape[2]), dataset.outputs)
    return keras.Model(inputs, model(small), name=f"{model.name}_of_{resolution}")


def _own_ending(dataset: Dataset) -> str:
    """What a student of the zoo is shipped with: a bare logit would be taken for a probability."""
    return "sigmoid" if dataset.task.activation == "sigmoid" else ""


def student_model(source: Any, dataset: Dataset, options: ModelOptions) -> StudentModel:
    """Read the student that a user names.

    Args:
        source: a keras.Model, a `.keras` file, `module:function`, or a zoo name such as "cnn-16-32"; or what `opened`
            made of it.
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: it is missing, cannot be loaded or trained, or does not fit the data.
    """
    named = opened(source, options)
    model, name = _built(named, dataset), named.name
    head, outputs = Opened(name, source, model, role="student").head, None
    if head is not None and (dataset.task.parts or not head.parts):
        check_heads(dataset.task, [head])
    ends = ending(model) if not dataset.task.parts else ""
    if dataset.task.parts and model is not named.model and not names_function(named.name):
        model, outputs = of_zoo(model, dataset)
    elif dataset.task.parts:
        model, outputs = packed_student(model, name, dataset)
    elif ends in ("softmax", "sigmoid"):
        model = without_activations(model, name, (0,))
    elif model is not named.model and not names_function(name):
        ends = _own_ending(dataset)
    freeze_inside(model)
    functional = Functional(model)
    check_outputs(f"The student {name}", functional.output_shape, dataset)
    check_start(functional, name, warm=options.warm_start)
    matched_inputs(f"The student {name}", model_inputs(model), dataset, student=True)
    scale = model_scale(model, dataset, options.student_scale)
    if options.warm_start and dataset.target_mean is not None:
        raise RequestError(
            f"--warm-start is not allowed with task={dataset.task.name}: the student trains on standardised labels, "
            "and its weights give the labels' own unit. Leave it out."
        )
    warm = read_variables(model) if options.warm_start else None
    ends = "" if ends == "log_softmax" else ends
    return StudentModel(name, functional, scale, warm, ends, outputs)


def _built(named: Opened, dataset: Dataset) -> keras.Model:
    if named.model is not None:
        return named.model
    if names_function(named.name):
        return model_from_function(named.name, dataset.model_shape, dataset.outputs)
    return zoo_model(str(named.source), dataset)


def shipped_model(student: StudentModel, variables: Variables, dataset: Dataset) -> keras.Model:
    """Make the model that is shipped: it reads inputs as the data have them, its preprocessing inside.

    Args:
        student, variables, dataset: the architecture, the trained weights and the data.
    """
    core = write_variables(rebuilt(student.functional.model), variables)
    inputs, read = {}, {}
    for name, shape in dataset.input_shapes.items():
        tokens = dataset.input_kinds[name] == "tokens"
        inputs[name] = keras.Input(shape, name=name, dtype="int32" if tokens else "float32")
        read[name] = inputs[name] if tokens else _prepared(inputs[name], name, student.scale, dataset)
    given = inputs[INPUT] if list(inputs) == [INPUT] else inputs
    taken = taken_apart(core) if student.outputs is not None else core
    x: Any = taken(read[INPUT] if list(read) == [INPUT] else given_by_name(taken, read))
    if student.outputs is not None:
        return keras.Model(given, shipped_outputs(x, student.outputs, dataset), name="student")
    if student.ending:
        x = keras.layers.Activation(student.ending)(x) if student.ending == "sigmoid" else keras.layers.Softmax()(x)
    if dataset.target_mean is not None and dataset.target_spread is not None:
        x = keras.layers.Rescaling(dataset.target_spread.tolist(), dataset.target_mean.tolist())(x)
    return keras.Model(given, x, name="student")


def _prepared(x: Any, name: str, scale: Scale, dataset: Dataset) -> Any:
    """An input as the data have it, standardised and scaled as the student reads it."""
    if dataset.columns is not None:
        x = encoded_by_layers(dataset.columns, x)
    mean, spread, factor = (for_input(of, name) for of in (dataset.mean, dataset.spread, scale))
    if mean is not None and spread is not None:
        x = keras.layers.Normalization(mean=mean, variance=spread.astype(np.float64) ** 2)(x)
    return x if factor == 1 else keras.layers.Rescaling(factor)(x)
