"""The student "auto": the models of the zoo that keep limits of size, latency and operations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from distillab.data import Dataset
from distillab.engine.cost import flops, timed
from distillab.engine.functional import Functional
from distillab.errors import RequestError, not_allowed
from distillab.models import parse
from distillab.search.request import Request
from distillab.study.teacher_models import TeacherModel
from distillab.study.zoo_models import zoo_model

AUTO = "auto"

IMAGES = (
    *(f"cnn-{width}-{2 * width}" for width in (4, 8, 16, 32, 64)),
    *(f"resnet-{width}-{2 * width}-{4 * width}" for width in (4, 8, 12, 16, 24, 32)),
    *(f"mobilenet-{width}-{2 * width}-{4 * width}-{4 * width}" for width in (8, 16, 24, 32, 48)),
)
MAPS = tuple(f"unet-{width}-{2 * width}" for width in (4, 8, 12, 16, 24, 32))
FEATURES = ("linear", *(f"mlp-{width}-{width}" for width in (8, 16, 32, 64, 128, 256)))
SERIES = (*FEATURES, *(f"gru-{width}" for width in (8, 16, 32, 64, 128)))
TOKENS = (
    *(f"bag-of-embeddings-{width}" for width in (4, 8, 16, 32, 64, 128)),
    *(f"textcnn-{width}-{2 * width}" for width in (4, 8, 16, 32, 64)),
    *(f"transformer-encoder-{width}-2" for width in (8, 16, 32, 64, 128)),
)
"""The models that "auto" chooses from, each family from small to large."""

BYTES = 4
"""Of a weight."""

UNITS = {"kib": 1024, "mib": 1024**2, "kb": 1e3, "mb": 1e6, "b": 1}


def auto_students(dataset: Dataset, teachers: Sequence[TeacherModel], request: Request) -> list[str]:
    """Name the zoo's models that keep the limits: of each family the two largest.

    Args:
        dataset: the data.
        teachers: whose size a share refers to.
        request: the limits `size`, `latency` and `flops`.

    Raises:
        RequestError: there is no limit, none keeps it, or a share refers to stored predictions.
    """
    if request.size is None and request.latency is None and request.flops is None:
        raise RequestError("The student 'auto' needs a limit: --size, --latency or --flops. For example --size 10%.")
    if dataset.task.parts:
        raise RequestError(
            "The student 'auto' is not for data of several outputs. Name one of the zoo, such as mlp-32."
        )
    limit = _size_limit(request.size, teachers)
    families: dict[str, list[str]] = {}
    described: list[str] = []
    if dataset.x_train.dtype.names is not None:
        raise RequestError("The student 'auto' reads one input, and the data have several. Give a student of these.")
    example = dataset.inputs(dataset.prepared(dataset.x_train[:1]))[0]
    for name in _names(dataset):
        model = zoo_model(name, dataset)
        size, operations = BYTES * model.count_params(), flops(Functional(model))
        fits = (limit is None or size <= limit) and (request.flops is None or operations <= request.flops)
        text = f"{name} has {size:,} bytes and {operations:,} operations"
        if fits and request.latency is not None:
            time = timed(model, example, 1).p50
            fits, text = time <= request.latency, f"{text}, {1e6 * time:.0f} us"
        if fits:
            families.setdefault(parse(name)[0], []).append(name)
        described.append(text)
    if not families:
        raise RequestError(f"No student of the zoo keeps the limits; {described[0]}. Raise them, or give a student.")
    return [name for names in families.values() for name in names[-2:]]


def _names(dataset: Dataset) -> Sequence[str]:
    if dataset.positions:
        return MAPS
    if dataset.vocabulary is not None:
        return TOKENS
    return {3: IMAGES, 2: SERIES}.get(len(dataset.input_shape), FEATURES)


def _size_limit(size: float | str | None, teachers: Sequence[TeacherModel]) -> float | None:
    """The limit of size in bytes of weights; a share refers to the teachers' mean size."""
    if size is None or isinstance(size, (int, float)):
        return size
    text = size.strip().lower().replace(" ", "")
    unit = next((unit for unit in ("%", *UNITS) if text.endswith(unit)), "")
    try:
        value = float(text.removesuffix(unit))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise not_allowed("size", size, "a share such as 10%, or bytes such as 50KB")
    if unit != "%":
        return value * UNITS.get(unit, 1)
    models = [teacher.model for teacher in teachers if teacher.model is not None]
    if not models:
        raise RequestError(f"--size {size} is a share of the teacher's, and stored predictions have no size.")
    return value / 100 * BYTES * float(np.mean([model.count_params() for model in models]))
