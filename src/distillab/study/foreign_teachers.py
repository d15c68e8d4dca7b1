"""Models of other frameworks as teachers: what they are given, and which of their outputs is which class."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.data.inputs import INPUT, for_input
from distillab.data.labels import Array
from distillab.errors import RequestError, not_allowed
from distillab.models.class_names import columns_by_name, mapped_logits
from distillab.models.digests import add_array
from distillab.models.foreign import ForeignModel, Gives, as_raw_outputs, recognised_outputs
from distillab.models.preparation import IMAGENET, LAYOUTS, Layout, NamedInputs, Preparation, possible_layouts
from distillab.study.model_inputs import foreign_inputs, matched_inputs
from distillab.study.model_options import ModelOptions
from distillab.study.outputs import check_outputs
from distillab.study.several_teachers import ForeignOutputs, check_no_classes
from distillab.study.table_inputs import table_teacher
from distillab.study.teacher_models import TeacherModel
from distillab.study.text_teachers import described_texts, given_texts

BATCH = 256
"""Examples that a model predicts at once."""

PROBE = 64
"""Training examples on which a model is tried, to see what its outputs are."""


def foreign_teacher(
    model: ForeignModel,
    dataset: Dataset,
    options: ModelOptions,
    *,
    scale: float | None = None,
    model_of_keras: keras.Model | None = None,
) -> TeacherModel:
    """Use a model of another framework as a teacher.

    Args:
        model: trained.
        dataset: the data.
        options: how models are read.
        scale: stored inputs times this are the model's; None: as the options and the type of its inputs say.
        model_of_keras: the model where it is one of Keras, for its cost.

    Raises:
        RequestError: it cannot read the data, or its outputs are not those of the data.
    """
    model = given_texts(table_teacher(model, dataset), dataset)
    preparations = _preparations(model, dataset, options, scale)
    preparation = next(iter(preparations.values()))
    if dataset.task.parts:
        return _of_several_outputs(model, dataset, options, preparations, model_of_keras)
    outputs = model.predict(preparation(dataset.x_train[:PROBE]))
    gives = model.gives or recognised_outputs(outputs, dataset.task)
    classes = model.outputs or outputs.shape[-1]
    raw = as_raw_outputs(outputs, gives, dataset.task, _count(gives, classes, dataset))
    columns = _columns(model, raw.shape[-1], dataset, options)
    raw = raw if columns is None else _by_name(raw, columns, dataset)
    check_outputs(f"The teacher {model.name}", raw.shape[1:], dataset)
    of = partial(_predict, model, dataset, gives, columns)
    alternatives = {advice: partial(of, other) for advice, other in preparations.items() if advice}
    digest = _digest(model, preparation, gives, columns, raw)
    predict = partial(of, preparation)
    given = described_texts(dataset) if model.reads_text else model.given or preparation.described()
    return TeacherModel(
        model.name,
        digest,
        predict,
        predict,
        model_of_keras,
        alternatives=alternatives,
        reads=f"The {model.kind} {model.name} is given {given}; it gives {gives}.",
        named_classes=columns is not None,
    )


def _of_several_outputs(
    model: ForeignModel,
    dataset: Dataset,
    options: ModelOptions,
    preparations: dict[str, Preparation | NamedInputs],
    model_of_keras: keras.Model | None,
) -> TeacherModel:
    check_no_classes(options)
    preparation = next(iter(preparations.values()))
    probe = preparation(dataset.x_train[:PROBE])
    outputs = ForeignOutputs(model, probe, dataset)
    raw = outputs.raw(probe)

    def predict(preparation: Preparation | NamedInputs, inputs: Array) -> NDArray[np.float32]:
        steps = range(0, len(inputs), BATCH)
        parts = [outputs.raw(preparation(inputs[start : start + BATCH])) for start in steps]
        return np.asarray(dataset.standardised(np.concatenate(parts)), np.float32)

    alternatives = {advice: partial(predict, other) for advice, other in preparations.items() if advice}
    first = partial(predict, preparation)
    given = described_texts(dataset) if model.reads_text else model.given or preparation.described()
    return TeacherModel(
        model.name,
        _digest(model, preparation, "", None, raw, f"{outputs.described} "),
        first,
        first,
        model_of_keras,
        alternatives=alternatives,
        reads=f"The {model.kind} {model.name} is given {given}; it gives {outputs.described}.",
    )


def _predict(
    model: ForeignModel,
    dataset: Dataset,
    gives: Gives,
    columns: NDArray[np.intp] | None,
    preparation: Preparation | NamedInputs,
    inputs: Array,
) -> NDArray[np.float32]:
    """Logits of the data's classes, or standardised numbers, of inputs as stored."""
    parts = []
    for start in range(0, len(inputs), BATCH):
        outputs = model.predict(preparation(inputs[start : start + BATCH]))
        raw = as_raw_outputs(outputs, gives, dataset.task, _count(gives, outputs.shape[-1], dataset))
        parts.append(raw if columns is None else _by_name(raw, columns, dataset))
    return np.asarray(dataset.standardised(np.concatenate(parts)), np.float32)


def _count(gives: Gives, outputs: int, dataset: Dataset) -> int:
    """The number of the teacher's classes: of class numbers, that of the data."""
    return dataset.classes if gives == "decisions" else outputs


def _by_name(raw: Array, columns: NDArray[np.intp], dataset: Dataset) -> Array:
    if dataset.task.name == "binary":  # one logit, that of the second name
        return raw if columns[1] == 1 else -raw
    return np.asarray(mapped_logits(raw, columns), np.float32)


def _columns(model: ForeignModel, outputs: int, dataset: Dataset, options: ModelOptions) -> NDArray[np.intp] | None:
    """For each class of the data the teacher's column; None where the columns have the data's order."""
    stated, names = options.teacher_classes is not None, options.teacher_classes or model.class_names
    count = 2 if dataset.task.name == "binary" else outputs
    if not names or (dataset.task.name == "regression" and not stated):
        return None
    if len(names) != count:
        who = "--teacher-classes" if stated else f"The teacher {model.name}"
        raise RequestError(
            f"{who} names {len(names)} classes, and the teacher has {count} outputs. Name each output once, in their "
            "order, with --teacher-classes."
        )
    if tuple(names) == dataset.class_names:
        return np.arange(count)
    try:
        return columns_by_name(names, dataset.class_names)
    except RequestError:
        if stated or count != dataset.classes or not _are_numbers(names, dataset.class_names):
            raise
        return None  # one of the two has numbers for names: their order must be the same


def _are_numbers(*several: Sequence[str]) -> bool:
    numbered = {"False", "True"}
    return any(all(name.isdigit() or name in numbered for name in names) for names in several)


def _preparations(
    model: ForeignModel, dataset: Dataset, options: ModelOptions, scale: float | None
) -> dict[str, Preparation | NamedInputs]:
    """How inputs may be prepared, by what the user would have to state for it; "" is how they are, and the first."""
    shape = dataset.input_shape
    if isinstance(dataset.scale, Mapping) or model.several:
        if model.several:
            matched_inputs(f"The teacher {model.name}", foreign_inputs(model), dataset)
        return {"": _of_several(dataset, options)}
    if len(shape) != 3:
        first = _of_features(model, dataset, options)
        features = dataset.input_kinds == {INPUT: "features"} and dataset.columns is None
        return {"": first, **(_other_preparations(first, (), dataset, options) if features else {})}
    size = options.teacher_input
    channels = 3 if size is not None and shape[-1] == 1 and _reads_channels(model, 3) else shape[-1]
    made = (*(size or shape[:2]), channels)
    layouts = possible_layouts(model.shape, made, model.channels_first)
    if options.teacher_layout is not None and options.teacher_layout not in layouts:
        raise not_allowed(
            "teacher_layout", options.teacher_layout, f"one that the model {model.name} reads: {', '.join(layouts)}"
        )
    if not layouts:
        raise _cannot_read(model, made, size is not None)
    integer = np.dtype(model.dtype).kind in "iu"
    unit = for_input(dataset.scale, INPUT) if scale is None else scale
    raw = options.teacher_scale == "raw" if options.teacher_scale else (integer and scale is None)
    layout = options.teacher_layout or (model.layout if model.layout in layouts else layouts[0])
    first = Preparation(1.0 if raw else unit, options.teacher_normalise, size, channels, layout, model.dtype)
    return {"": first, **_other_preparations(first, layouts, dataset, options)}


def _other_preparations(
    first: Preparation, layouts: Sequence[Layout], dataset: Dataset, options: ModelOptions
) -> dict[str, Preparation]:
    """The same with one thing read otherwise, of what the user has not stated."""
    integer = np.dtype(first.dtype).kind in "iu"
    others: dict[str, Preparation] = {}
    if options.teacher_layout is None:
        for layout in layouts:
            if layout != first.layout:
                others[f"--teacher-layout {layout}"] = replace(first, layout=layout)
    if options.teacher_scale is None and dataset.scale != 1 and not integer:
        scale, name = (for_input(dataset.scale, INPUT), "unit") if first.scale == 1 else (1.0, "raw")
        others[f"--teacher-scale {name}"] = replace(first, scale=scale)
    if options.teacher_normalise is None and not integer:
        if first.channels == 3:
            others["--teacher-normalise imagenet"] = replace(first, normalisation=IMAGENET)
        others["--teacher-normalise 0.5/0.5"] = replace(first, normalisation=((0.5,), (0.5,)))
        if dataset.scale == 1:
            others["--teacher-normalise 0/255"] = replace(first, normalisation=((0.0,), (255.0,)))
    return others


def _of_several(dataset: Dataset, options: ModelOptions) -> NamedInputs:
    for name in ("teacher_input", "teacher_layout", "teacher_normalise"):
        if getattr(options, name) is not None:
            raise not_allowed(name, getattr(options, name), "left out: the data have several inputs")
    raw = options.teacher_scale == "raw"
    return NamedInputs({name: 1.0 if raw else for_input(dataset.scale, name) for name in dataset.input_shapes})


def _of_features(model: ForeignModel, dataset: Dataset, options: ModelOptions) -> Preparation:
    for name in ("teacher_input", "teacher_layout"):
        if getattr(options, name) is not None:
            raise not_allowed(name, getattr(options, name), "left out: the data are not images")
    if dataset.columns is not None and options.teacher_normalise is not None:
        raise not_allowed("teacher_normalise", options.teacher_normalise, "left out: the data have words or gaps")
    reads, shape = model.shape, dataset.input_shape
    fits = reads is None or (
        len(reads) == len(shape) and all(a in (None, b) for a, b in zip(reads, shape, strict=True))
    )
    if not fits:
        raise RequestError(
            f"The teacher {model.name} reads inputs of shape {reads}, and the data have {shape}. Give it the inputs "
            "that it was trained on, in their order."
        )
    if dataset.x_train.dtype == np.int32:
        return Preparation(1.0, dtype="int32" if model.shape is None and model.dtype == "float32" else model.dtype)
    scale = 1.0 if options.teacher_scale == "raw" else for_input(dataset.scale, INPUT)
    return Preparation(scale, options.teacher_normalise, dtype=model.dtype)


def _reads_channels(model: ForeignModel, channels: int) -> bool:
    return model.shape is None or channels in model.shape


def _cannot_read(model: ForeignModel, shape: tuple[int, ...], resized: bool) -> RequestError:
    reads = model.shape or ()
    sides = [side for side in reads if side not in (None, 1, 3)]
    advice = (
        f"Give --teacher-input {sides[0]}x{sides[-1]}."
        if len(reads) == 3 and len(sides) == 2 and not resized
        else "Give data of that shape, or export the model again."
    )
    return RequestError(
        f"The teacher {model.name} reads inputs of shape {reads}, and images of shape {shape} fit none of the layouts "
        f"{', '.join(LAYOUTS)}. {advice}"
    )


def _digest(
    model: ForeignModel,
    preparation: Preparation | NamedInputs,
    gives: Gives,
    columns: NDArray[np.intp] | None,
    probe: Array,
    of_several: str = "",
) -> str:
    digest = hashlib.sha256(f"{model.kind} {preparation} {gives} {of_several}".encode())
    digest.update(repr(None if columns is None else columns.tolist()).encode())
    if model.digest:
        digest.update(model.digest.encode())
    else:  # an object of Python: its predictions tell it from another
        digest.update(model.name.encode())
        add_array(digest, probe)
    return digest.hexdigest()
