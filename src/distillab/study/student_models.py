"""Students: architectures of the zoo, or a user's from files and functions; and the model that is shipped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from distillab.data import Dataset
from distillab.engine.functional import Functional, Variables, in_precision, read_variables, write_variables
from distillab.engine.given import freeze_inside
from distillab.engine.lora import read_adapters
from distillab.engine.trainable import rebuilt
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.digests import add_array, architecture
from distillab.models.ending import ending
from distillab.models.functions import model_from_function, names_function
from distillab.models.scaling import reads_raw
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
from distillab.tasks.several import check_heads


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
    scale: float
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


def zoo_student(name: str, precision: str, dataset: Dataset) -> StudentModel:
    """Build a student of the zoo.

    Args:
        name, precision: as in `Student`.
        dataset: the data.

    Raises:
        RequestError: the name is unknown or does not fit the data.
    """
    built, outputs = of_zoo(build(name, dataset.input_shape, dataset.outputs), dataset)
    functional = Functional(in_precision(built, precision))
    check_outputs(f"The student {name}", functional.output_shape, dataset)
    return StudentModel(name, functional, dataset.scale, ending=_own_ending(dataset), outputs=outputs)


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
    shape, named = dataset.input_shape, opened(source, options)
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
    reads = tuple(model.input_shape[1:])
    if len(reads) != len(shape) or any(a not in (None, b) for a, b in zip(reads, shape, strict=True)):
        size = " Give --image-size." if len(reads) == len(shape) == 3 and reads[-1] == shape[-1] else ""
        raise RequestError(f"The student {name} reads inputs of shape {reads}, and the data have {shape}.{size}")
    raw = reads_raw(model) if options.student_scale is None else options.student_scale == "raw"
    if options.warm_start and dataset.target_mean is not None:
        raise RequestError(
            f"--warm-start is not allowed with task={dataset.task.name}: the student trains on standardised labels, "
            "and its weights give the labels' own unit. Leave it out."
        )
    warm = read_variables(model) if options.warm_start else None
    ends = "" if ends == "log_softmax" else ends
    return StudentModel(name, functional, 1.0 if raw else dataset.scale, warm, ends, outputs)


def _built(named: Opened, dataset: Dataset) -> keras.Model:
    if named.model is not None:
        return named.model
    if names_function(named.name):
        return model_from_function(named.name, dataset.input_shape, dataset.outputs)
    return build(str(named.source), dataset.input_shape, dataset.outputs)


def shipped_model(student: StudentModel, variables: Variables, dataset: Dataset) -> keras.Model:
    """Make the model that is shipped: it reads inputs as the data have them, its preprocessing inside.

    Args:
        student, variables, dataset: the architecture, the trained weights and the data.
    """
    core = write_variables(rebuilt(student.functional.model), variables)
    inputs = keras.Input(dataset.input_shape, name="inputs")
    x: Any = inputs
    if dataset.mean is not None and dataset.spread is not None:
        x = keras.layers.Normalization(mean=dataset.mean, variance=dataset.spread.astype(np.float64) ** 2)(x)
    if student.scale != 1:
        x = keras.layers.Rescaling(student.scale)(x)
    if student.outputs is not None:
        return keras.Model(inputs, shipped_outputs(core, x, student.outputs, dataset), name="student")
    x = core(x)
    if student.ending:
        x = keras.layers.Activation(student.ending)(x) if student.ending == "sigmoid" else keras.layers.Softmax()(x)
    if dataset.target_mean is not None and dataset.target_spread is not None:
        x = keras.layers.Rescaling(dataset.target_spread.tolist(), dataset.target_mean.tolist())(x)
    return keras.Model(inputs, x, name="student")
