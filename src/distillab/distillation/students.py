"""The student: a user's own architecture, one of the zoo, or the best of the zoo within a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import keras
from distillab.data.dataset import Dataset
from distillab.distillation.cost import flops, timed
from distillab.distillation.request import Request
from distillab.distillation.teachers import Teacher
from distillab.engine.classifier import rebuilt
from distillab.engine.functional import Functional, Variables, read_variables, write_variables
from distillab.errors import RequestError, not_allowed
from distillab.models import build
from distillab.models.ending import ending, last_layer
from distillab.models.files import read_model
from distillab.models.functions import model_from_function, names_function
from distillab.models.scaling import reads_raw

AUTO = "auto"

IMAGES = (
    *(f"cnn-{width}-{2 * width}" for width in (4, 8, 16, 32, 64)),
    *(f"resnet-{width}-{2 * width}-{4 * width}" for width in (4, 8, 12, 16, 24, 32)),
    *(f"mobilenet-{width}-{2 * width}-{4 * width}-{4 * width}" for width in (8, 16, 24, 32, 48)),
)
FEATURES = ("linear", *(f"mlp-{width}-{width}" for width in (8, 16, 32, 64, 128, 256)))
"""What "auto" chooses from, each family from small to large."""

BYTES = 4
"""Of a weight."""


@dataclass(frozen=True)
class StudentModel:
    """A student's architecture.

    Args:
        name: what reports call it.
        functional: for the engine.
        scale: what prepared inputs are multiplied by for it.
        warm: the weights to start from; None: drawn anew for each seed.
        softmax: whether the user's model ended in a softmax, which the shipped one gets back.
    """

    name: str
    functional: Functional
    scale: float
    warm: Variables | None
    softmax: bool


def find_student(named: Any, own: Dataset, request: Request) -> StudentModel:
    """Find the student that a user names.

    Args:
        named: a keras.Model, a `.keras` file, `module:function`, or a zoo name such as "cnn-16-32".
        own: the data.
        request: how.

    Raises:
        RequestError: it cannot be found, loaded or trained, or does not fit the data.
    """
    shape, classes = own.input_shape, own.classes
    text = str(named)
    if isinstance(named, keras.Model):
        model, name = named, named.name
    elif Path(text).suffix == ".keras":
        model, name = read_model(Path(text).expanduser(), trust=request.trust, modules=request.modules), Path(text).name
    elif names_function(text):
        model, name = model_from_function(text, shape, classes), text
    else:
        model, name = build(text, shape, classes), text
    softmax = ending(model) == "softmax"
    if softmax:
        model = _without_softmax(model, name)
    functional = Functional(model)
    if functional.classes != classes:
        raise RequestError(
            f"The student {name} answers {functional.classes} classes, and the data have {classes}. Give its last "
            f"layer {classes} outputs."
        )
    reads = tuple(model.input_shape[1:])
    if len(reads) != len(shape) or any(a not in (None, b) for a, b in zip(reads, shape, strict=True)):
        size = " Give --image-size." if len(reads) == len(shape) == 3 and reads[-1] == shape[-1] else ""
        raise RequestError(f"The student {name} reads inputs of shape {reads}, and the data have {shape}.{size}")
    raw = reads_raw(model) if request.student_scale is None else request.student_scale == "raw"
    warm = read_variables(model) if request.warm_start else None
    return StudentModel(name, functional, 1.0 if raw else own.scale, warm, softmax)


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
        raise RequestError(f"The student {name} ends in a softmax inside another model. Let it end in logits.")
    twin.set_weights(model.get_weights())
    return twin


def auto_candidates(own: Dataset, teachers: list[Teacher], request: Request) -> list[str]:
    """The zoo's models that keep the limits: of each family the two largest.

    Raises:
        RequestError: there is no limit, none keeps it, or a share is asked of a teacher that is no model.
    """
    if request.size is None and request.latency is None and request.flops is None:
        raise RequestError("The student 'auto' needs a limit: --size, --latency or --flops. For example --size 10%.")
    limit = _size_limit(request.size, teachers)
    families: dict[str, list[str]] = {}
    smallest: list[str] = []
    example = own.inputs(own.prepared(own.x_train[:1]))[0]
    for name in IMAGES if len(own.input_shape) == 3 else FEATURES:
        model = build(name, own.input_shape, own.classes)
        size, needs = BYTES * model.count_params(), flops(Functional(model))
        fits = (limit is None or size <= limit) and (request.flops is None or needs <= request.flops)
        time = None
        if fits and request.latency is not None:
            time = timed(model, example, 1).p50
            fits = time <= request.latency
        if fits:
            families.setdefault(name.partition("-")[0], []).append(name)
        told = f"{name} has {size:,} bytes and {needs:,} operations"
        smallest.append(told if time is None else f"{told}, {1e6 * time:.0f} us")
    if not families:
        raise RequestError(f"No student of the zoo keeps the limits; {smallest[0]}. Raise them, or bring a student.")
    return [name for names in families.values() for name in names[-2:]]


def _size_limit(size: float | str | None, teachers: list[Teacher]) -> float | None:
    """Bytes of weights."""
    if size is None or isinstance(size, (int, float)):
        return size
    text = size.strip().lower().replace(" ", "")
    try:
        if text.endswith("%"):
            models = [teacher.model for teacher in teachers if teacher.model is not None]
            if not models:
                raise RequestError(f"--size {size} is a share of the teacher's, and stored predictions have no size.")
            return _positive(text[:-1]) / 100 * BYTES * float(np.mean([model.count_params() for model in models]))
        for unit, factor in {"kib": 1024, "mib": 1024**2, "kb": 1e3, "mb": 1e6, "b": 1}.items():
            if text.endswith(unit):
                return _positive(text[: -len(unit)]) * factor
        return _positive(text)
    except ValueError as error:
        if isinstance(error, RequestError):
            raise
        raise not_allowed("size", size, "a share such as 10%, or bytes such as 50KB") from error


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def shipped(student: StudentModel, variables: Variables, own: Dataset) -> keras.Model:
    """The student as it is shipped: inputs as the data have them, preprocessing inside."""
    core = write_variables(rebuilt(student.functional.model), variables)
    inputs = keras.Input(own.input_shape, name="inputs")
    x: Any = inputs
    if own.mean is not None and own.spread is not None:
        x = keras.layers.Normalization(mean=own.mean, variance=own.spread.astype(np.float64) ** 2)(x)
    if student.scale != 1:
        x = keras.layers.Rescaling(student.scale)(x)
    x = core(x)
    if student.softmax:
        x = keras.layers.Softmax()(x)
    return keras.Model(inputs, x, name="student")
