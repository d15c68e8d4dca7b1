"""Checks of the student, the teacher and the settings of a distiller."""

from __future__ import annotations

import math
import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed
from distillab.models.ending import ending, gives_probabilities, last_layer, without_softmax

PROBE = 4  # rows of random inputs that a model is tried on


def checked_logits_model(model: Any, role: str) -> keras.Model:
    """Check a model and return one that gives logits: the model itself, or the same without its last softmax.

    Args:
        model: the user's.
        role: "student" or "teacher", for messages.

    Raises:
        RequestError: it is no Keras model, not built, no classifier, ends in sigmoid or in probabilities that cannot be
            undone, or its outputs are not finite.
    """
    if not isinstance(model, keras.Model):
        raise RequestError(
            f"The {role} must be a keras.Model, and is a {type(model).__name__}. Load a file with "
            "keras.models.load_model."
        )
    if not model.built:
        raise RequestError(
            f"The {role} {model.name!r} is not built: its weights do not exist yet. Start it with keras.Input, or call "
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
        return model  # a custom class, whose layers cannot be inspected
    name, last = ending(model), last_layer(model)
    if name == "sigmoid":
        raise RequestError(
            f"The {role} {model.name!r} ends in sigmoid (layer {last.name!r}): an example must have exactly one "
            "class here. End it with a Dense layer without activation."
        )
    if name == "softmax":
        warnings.warn(
            f"The {role} {model.name!r} ends in softmax (layer {last.name!r}): its logits before that are used.",
            stacklevel=5,
        )
        return without_softmax(model)
    return model  # log_softmax is a choice of logits: they are defined up to a constant


def logits_shape(model: keras.Model) -> Any:
    """The output shape of a built model, (None, ..., C).

    Args:
        model: of a custom class too, once it was called.
    """
    try:
        return model.output_shape
    except AttributeError:  # a model that was never called on symbols has none
        inputs = keras.KerasTensor(model.get_build_config()["input_shape"])
        return (None, *model.compute_output_spec(inputs).shape[1:])


def _probe(model: keras.Model, role: str) -> None:
    """Check on random inputs, where their shape is known, that the outputs are finite and are logits."""
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
            f"The {role} {model.name!r} gives outputs that are not finite: its weights hold NaN or infinity, or its "
            "training diverged."
        )
    if gives_probabilities(outputs):
        raise RequestError(
            f"The {role} {model.name!r} gives probabilities (its outputs sum to 1), and must give logits: softened "
            "twice they teach almost nothing. Leave out its last softmax, or end it with a softmax layer, which is "
            "recognised."
        )


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray | None:
    if "float" in dtype:
        return rng.random(shape, np.float32)
    return rng.integers(0, 2, shape).astype(dtype) if "int" in dtype else None


def check_pair(student: keras.Model, teacher_classes: int, teacher: keras.Model, adapted: bool) -> None:
    """Check that a student and a teacher have the same classes and inputs.

    Args:
        student: gives logits.
        teacher_classes: C of the teacher.
        teacher: for its name and its inputs.
        adapted: whether a function of the user makes the teacher's inputs.

    Raises:
        RequestError: they differ; the message names both.
    """
    shape = logits_shape(student)
    if shape[-1] != teacher_classes:
        raise RequestError(
            f"The student {student.name!r} has {shape[-1]} classes and the teacher {teacher.name!r} has "
            f"{teacher_classes}: they must have the same classes, in the same order."
        )
    shapes = [[tuple(spec.shape) for spec in getattr(model, "inputs", None) or []] for model in (student, teacher)]
    if adapted or not all(shapes) or (len(shapes[0]) == len(shapes[1]) and all(map(_fit, *shapes))):
        return
    student_takes, teacher_takes = (", ".join(map(str, each)) for each in shapes)
    raise RequestError(
        f"The student {student.name!r} takes inputs {student_takes} and the teacher {teacher.name!r} takes "
        f"{teacher_takes}, and both receive the same batch. Pass teacher_inputs=FUNCTION, which makes the teacher's "
        "inputs from the student's, or put that preprocessing inside the teacher."
    )


def _fit(shape: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(shape) == len(other) and all(a == b or None in (a, b) for a, b in zip(shape, other, strict=True))


def checked_alpha(alpha: Any) -> float:
    """Check alpha.

    Args:
        alpha: a number in [0, 1].
    """
    number = _number(alpha)
    if not 0 <= number <= 1:
        raise not_allowed(
            "alpha", alpha, "a number from 0 to 1", "alpha=1 trains on the labels alone, alpha=0 on the teacher alone."
        )
    return number


def checked_temperature(temperature: Any) -> float:
    """Check the temperature.

    Args:
        temperature: a finite number > 0.
    """
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
