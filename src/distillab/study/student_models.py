"""Students: architectures of the zoo, or a user's from files and functions; and the model that is shipped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distillab.data import Dataset
from distillab.engine.classifier import rebuilt
from distillab.engine.functional import Functional, Variables, in_precision, read_variables, write_variables
from distillab.errors import RequestError
from distillab.models import build
from distillab.models.digests import add_array, architecture
from distillab.models.ending import ending, last_layer
from distillab.models.files import read_model
from distillab.models.functions import model_from_function, names_function
from distillab.models.scaling import reads_raw
from distillab.study.model_options import ModelOptions


@dataclass(frozen=True)
class StudentModel:
    """A student's architecture.

    Args:
        name: its name in reports.
        functional: for the engine.
        scale: stored inputs times this are its inputs.
        warm: the weights to start from; None: drawn anew for each seed.
        softmax: whether the user's model ended in a softmax, which the shipped model gets back.
    """

    name: str
    functional: Functional
    scale: float
    warm: Variables | None = None
    softmax: bool = False

    @property
    def digest(self) -> str:
        """Of everything that decides a training of it, except settings and seed."""
        digest = hashlib.sha256(json.dumps(architecture(self.functional.model), sort_keys=True).encode())
        digest.update(f"{self.scale!r} {self.softmax}".encode())
        for array in [] if self.warm is None else [*self.warm.trainable, *self.warm.fixed]:
            add_array(digest, array)
        return digest.hexdigest()[:16]

    def initial(self, seed: int) -> Variables:
        """The weights that a student of a seed starts from.

        Args:
            seed: at least 0.
        """
        return self.warm or self.functional.initial(seed)


def zoo_student(name: str, precision: str, dataset: Dataset) -> StudentModel:
    """Build a student of the zoo.

    Args:
        name, precision: as in `Student`.
        dataset: the data.

    Raises:
        RequestError: the name is unknown or does not fit the data.
    """
    built = build(name, dataset.input_shape, dataset.classes)
    return StudentModel(name, Functional(in_precision(built, precision)), dataset.scale)


def student_model(source: Any, dataset: Dataset, options: ModelOptions) -> StudentModel:
    """Read the student that a user names.

    Args:
        source: a keras.Model, a `.keras` file, `module:function`, or a zoo name such as "cnn-16-32".
        dataset: the data.
        options: how models are read.

    Raises:
        RequestError: it is missing, cannot be loaded or trained, or does not fit the data.
    """
    shape, classes = dataset.input_shape, dataset.classes
    model, name = _read(source, dataset, options)
    softmax = ending(model) == "softmax"
    if softmax:
        model = _without_softmax(model, name)
    functional = Functional(model)
    if functional.classes != classes:
        raise RequestError(
            f"The student {name} predicts {functional.classes} classes, and the data have {classes}. Give its last "
            f"layer {classes} outputs."
        )
    reads = tuple(model.input_shape[1:])
    if len(reads) != len(shape) or any(a not in (None, b) for a, b in zip(reads, shape, strict=True)):
        size = " Give --image-size." if len(reads) == len(shape) == 3 and reads[-1] == shape[-1] else ""
        raise RequestError(f"The student {name} reads inputs of shape {reads}, and the data have {shape}.{size}")
    raw = reads_raw(model) if options.student_scale is None else options.student_scale == "raw"
    warm = read_variables(model) if options.warm_start else None
    return StudentModel(name, functional, 1.0 if raw else dataset.scale, warm, softmax)


def _read(source: Any, dataset: Dataset, options: ModelOptions) -> tuple[keras.Model, str]:
    if isinstance(source, keras.Model):
        return source, source.name
    text, path = str(source), Path(str(source)).expanduser()
    if path.suffix == ".keras":
        return read_model(path, trust=options.trust, modules=options.modules), path.name
    if names_function(text):
        return model_from_function(text, dataset.input_shape, dataset.classes), text
    return build(text, dataset.input_shape, dataset.classes), text


def _without_softmax(model: keras.Model, name: str) -> keras.Model:
    """The same architecture and weights, ending in logits."""
    last = last_layer(model)

    def linear(layer: keras.Layer) -> keras.Layer:
        if layer.name != last.name:
            return layer.__class__.from_config(layer.get_config())
        if isinstance(layer, keras.layers.Softmax):
            return keras.layers.Activation("linear", name=layer.name)
        return layer.__class__.from_config({**layer.get_config(), "activation": "linear"})

    twin = rebuilt(model, linear)
    if ending(twin) == "softmax":
        raise RequestError(f"The student {name} ends in a softmax inside a nested model. Let it end in logits.")
    twin.set_weights(model.get_weights())
    return twin


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
    x = core(x)
    if student.softmax:
        x = keras.layers.Softmax()(x)
    return keras.Model(inputs, x, name="student")
