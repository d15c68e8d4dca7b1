"""What a model must be to teach or to learn: a built classifier whose logits can be had."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import keras
from distillab.errors import RequestError, not_allowed
from distillab.models.ending import ending, gives_probabilities, last_layer, without_softmax
from keras import ops

PROBE = 4  # rows of random inputs that a model is tried on


def checked_logits_model(model: Any, role: str) -> keras.Model:
    """Check a model and return one that gives logits: the model itself, or the same without its last softmax.

    Args:
        model: what was given.
        role: "student" or "teacher", for messages.

    Raises:
        RequestError: where it is no Keras model, is not built, is no classifier, ends in sigmoid or in probabilities
            that cannot be undone, or answers with numbers that are not finite.
    """
    if not isinstance(model, keras.Model):
        do = f"{type(model).__name__} is none; load a file with keras.models.load_model."
        raise RequestError(f"The {role} must be a keras.Model. {do}")
    if not model.built:
        raise RequestError(
            f"The {role} {model.name!r} is not built: its weights do not exist yet. Begin it with keras.Input, or call "
            f"it once on a batch."
        )
    logits_model = _unwrapped(model, role)
    _probe(logits_model, role)
    return logits_model


def _unwrapped(model: keras.Model, role: str) -> keras.Model:
    shape = logits_shape(model)
    if isinstance(shape, (list, dict)) or (shape and isinstance(shape[0], (list, tuple))):
        raise RequestError(
            f"The {role} {model.name!r} has several outputs, and must have one: logits (batch, classes)."
        )
    if len(shape) < 2 or shape[-1] is None or shape[-1] < 2:
        raise RequestError(
            f"The {role} {model.name!r} is no classifier: its output has shape {shape}, and must have shape (batch, "
            "classes) with at least 2 classes. A single sigmoid is the same as two logits: end it with Dense(2)."
        )
    if not getattr(model, "outputs", None):
        return model  # its inside cannot be seen; the probe will tell
    name, last = ending(model), last_layer(model)
    if name == "sigmoid":
        raise RequestError(
            f"The {role} {model.name!r} ends in sigmoid (layer {last.name!r}): several classes at once are not "
            "distilled here. End it with a Dense layer without activation."
        )
    if name == "softmax":
        warnings.warn(
            f"The {role} {model.name!r} ends in softmax (layer {last.name!r}): its logits are used, from before that.",
            stacklevel=5,
        )
        return without_softmax(model)
    return model  # log_softmax is a choice of logits: they are defined up to a constant


def logits_shape(model: keras.Model) -> Any:
    """The shape that a built model answers with, (None, ..., C); of a class of one's own, by what it was called on."""
    try:
        return model.output_shape
    except AttributeError:  # a model that was never called on symbols has none
        inputs = keras.KerasTensor(model.get_build_config()["input_shape"])
        return (None, *model.compute_output_spec(inputs).shape[1:])


def _probe(model: keras.Model, role: str) -> None:
    """Try a model on random inputs, where their shape is known: are its answers finite, and are they logits?"""
    specs = getattr(model, "inputs", None)
    if not specs or any(None in spec.shape[1:] for spec in specs):
        return
    rng = np.random.default_rng(0)
    arrays = [_random(rng, (PROBE, *spec.shape[1:]), keras.backend.standardize_dtype(spec.dtype)) for spec in specs]
    if any(array is None for array in arrays):
        return
    structure = getattr(model, "_inputs_struct", arrays)
    inputs = keras.tree.pack_sequence_as(structure, arrays)
    inputs = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
    outputs = ops.convert_to_numpy(ops.cast(model(inputs), "float32"))
    if not np.isfinite(outputs).all():
        raise RequestError(
            f"The {role} {model.name!r} answers with numbers that are not finite: its weights hold NaN or infinity, or "
            "its training diverged."
        )
    if gives_probabilities(outputs):
        raise RequestError(
            f"The {role} {model.name!r} gives probabilities (its outputs sum to 1), and must give logits: softened "
            "again they would say next to nothing. Leave out its last softmax, or end it with a softmax layer, which "
            "is recognised."
        )


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray | None:
    if "float" in dtype:
        return rng.random(shape, np.float32)
    return rng.integers(0, 2, shape).astype(dtype) if "int" in dtype else None


def check_pair(student: keras.Model, teacher_classes: int, teacher: keras.Model, adapted: bool) -> None:
    """Refuse a student and a teacher that cannot meet, naming both sides.

    Args:
        student: gives logits.
        teacher_classes: C of the teacher.
        teacher: for its name and its inputs.
        adapted: whether the user makes the teacher's inputs of the student's.
    """
    shape = logits_shape(student)
    if shape[-1] != teacher_classes:
        raise RequestError(
            f"The student {student.name!r} has {shape[-1]} classes and the teacher {teacher.name!r} has "
            f"{teacher_classes}: they must have the same classes, in the same order."
        )
    ours, theirs = (
        [tuple(spec.shape) for spec in getattr(model, "inputs", None) or []] for model in (student, teacher)
    )
    if adapted or not ours or not theirs:
        return
    fits = len(ours) == len(theirs) and all(_alike(*pair) for pair in zip(ours, theirs, strict=True))
    if not fits:
        raise RequestError(
            f"The student {student.name!r} takes inputs {_list(ours)} and the teacher {teacher.name!r} takes "
            f"{_list(theirs)}, and both are given the same batch. Pass teacher_inputs=FUNCTION, which makes the "
            "teacher's inputs of the student's, or put that preprocessing inside the teacher."
        )


def _alike(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a == b or a is None or b is None for a, b in zip(one, other, strict=True))


def _list(shapes: list[tuple[Any, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes)


def checked_alpha(alpha: Any) -> float:
    """Alpha as a float, or a refusal."""
    number = _number(alpha)
    if not 0 <= number <= 1:
        raise not_allowed(
            "alpha", alpha, "a number from 0 to 1", "alpha=1 trains on the labels alone, alpha=0 on the teacher alone."
        )
    return number


def checked_temperature(temperature: Any) -> float:
    """The temperature as a float, or a refusal."""
    number = _number(temperature)
    if not 0 < number < math.inf:
        raise not_allowed("temperature", temperature, "a finite number > 0", "temperature=1 softens nothing.")
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
