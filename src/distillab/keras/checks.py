"""Checks of the student, the teacher and the settings of a distiller."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed, reason
from distillab.models.ending import (
    as_graph,
    ending,
    ending_is_certain,
    gives_probabilities,
    last_layer,
    without_activation,
)
from distillab.tasks import Head

PROBE = 4  # rows of random inputs that a model is tried on
MORE_ROWS = 16  # where its outputs alone show whether they are probabilities
OPEN_SIDE = 32  # of a trial input whose size is open
ROOM = 1e-4  # by which a model and its twin may differ on trial inputs: float32 sums over wide layers


class RawModel(NamedTuple):
    """A user's model as a distiller trains it, or learns from it: by its raw outputs."""

    model: keras.Model  # gives raw outputs: logits, or real numbers
    removed: str  # the activation that the user's model ends in after these: "softmax", "sigmoid" or ""
    shape: tuple[Any, ...]  # of the outputs, (None, ..., C)
    head: Head


def checked_model(model: Any, role: str, task: str | None = None) -> RawModel:
    """Check a model and return one of raw outputs: the model itself, or the same before its last softmax or sigmoid.

    Args:
        model: the user's.
        role: "student" or "teacher", for messages.
        task: as the user states it.

    Raises:
        RequestError: it is no Keras model, not built, has several outputs, gives probabilities whose activation cannot
            be seen, or its outputs are not finite.
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
    shape = _output_shape(model, role)
    name = ending(model)
    if name == "softmax":
        warnings.warn(
            f"The {role} {model.name!r} ends in softmax (layer {last_layer(model).name!r}): its logits before that are "
            "used.",
            stacklevel=4,
        )
    removed = name if name in ("softmax", "sigmoid") else ""
    raw = without_activation(model) if removed else model
    head = Head(shape[-1], name, len(shape) - 2, f"the {role} {model.name!r}")
    checked = RawModel(raw, removed, shape, head)
    _try_out(model, checked, role, task)
    return checked


def _output_shape(model: keras.Model, role: str) -> tuple[Any, ...]:
    shape = _shape(model)
    if isinstance(shape, (list, dict)) or (shape and isinstance(shape[0], (list, tuple))):
        raise RequestError(f"The {role} {model.name!r} has several outputs, and must have one.")
    if len(shape) < 2 or shape[-1] is None:
        raise RequestError(
            f"The {role} {model.name!r} gives outputs of shape {shape}, and must give (batch, outputs), or (batch, "
            "positions, outputs). End it with Dense."
        )
    return tuple(shape)


def _shape(model: keras.Model) -> Any:
    graph = as_graph(model)
    if graph is not None:
        return graph.output_shape
    try:
        return model.output_shape
    except AttributeError:  # a model that was never called on symbols has none
        try:
            inputs = keras.KerasTensor(model.get_build_config()["input_shape"])
            return (None, *model.compute_output_spec(inputs).shape[1:])
        except Exception as error:  # a class's own code can raise anything
            raise RequestError(
                f"The shape of the outputs of {model.name!r} cannot be found ({reason(error)}). Make it a functional "
                "model."
            ) from error


def _try_out(model: keras.Model, raw: RawModel, role: str, task: str | None) -> None:
    """Check on random inputs that the outputs are finite, and whether they are probabilities where no layer shows it.

    Raises:
        RequestError: they are not finite, or are probabilities.
    """
    certain = ending_is_certain(model)
    inputs = _trial_inputs(model, PROBE if certain else MORE_ROWS, open_sides=not certain)
    try:
        outputs = None if inputs is None else _as_numpy(raw.model(inputs))
    except Exception:  # a class's own code can raise anything on random inputs
        outputs = None
    if outputs is None:
        if not certain:
            warnings.warn(
                f"The last activation of the {role} {model.name!r} cannot be seen: its outputs are used as they are. "
                "End it with a layer that shows its activation.",
                stacklevel=5,
            )
        return
    if not np.isfinite(outputs).all():
        raise RequestError(
            f"The {role} {model.name!r} gives outputs that are not finite: its weights hold NaN or infinity, or its "
            "training diverged."
        )
    if raw.removed:
        again = getattr(ops, raw.removed)(ops.convert_to_tensor(outputs))
        if not np.allclose(_as_numpy(again), _as_numpy(model(inputs)), atol=ROOM):
            raise RequestError(
                f"The {role} {model.name!r} ends in {raw.removed}, and its outputs before that cannot be computed. "
                "Make it a functional model, or let it end in logits."
            )
    elif task != "regression":
        _refuse_probabilities(outputs, f"The {role} {model.name!r}", certain)


def _refuse_probabilities(outputs: np.ndarray, who: str, certain: bool) -> None:
    if outputs.shape[-1] > 1 and gives_probabilities(outputs):
        raise RequestError(
            f"{who} gives probabilities (its outputs sum to 1), and must give logits: softened twice they teach almost "
            "nothing. Leave out its last softmax, or end it with a softmax layer, which is recognised."
        )
    if not certain and ((outputs > 0) & (outputs < 1)).all():
        raise RequestError(
            f"{who} probably ends in a sigmoid: all its outputs on random inputs are between 0 and 1, and no layer "
            "shows it. End it with keras.layers.Activation('sigmoid'), which is recognised, or leave the sigmoid out. "
            "If they are real numbers, state task='regression'."
        )


def _as_numpy(outputs: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(ops.cast(outputs, "float32")))


def _trial_inputs(model: keras.Model, rows: int, *, open_sides: bool) -> Any:
    """Random inputs of a model; None where their shape or type is unknown."""
    graph = as_graph(model)
    if graph is None:
        shapes = (model.get_build_config() or {}).get("input_shape")
        if shapes is None:
            return None
        structure = keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape), shapes)
    else:
        structure = getattr(graph, "_inputs_struct", graph.inputs)
        structure = structure[0] if isinstance(structure, list) and len(structure) == 1 else structure
    specs = keras.tree.flatten(structure)
    if not open_sides and any(None in spec.shape[1:] for spec in specs):
        return None
    rng = np.random.default_rng(0)
    shapes = [(rows, *(side or OPEN_SIDE for side in spec.shape[1:])) for spec in specs]
    arrays = [
        _random(rng, shape, keras.backend.standardize_dtype(spec.dtype))
        for shape, spec in zip(shapes, specs, strict=True)
    ]
    return None if any(array is None for array in arrays) else keras.tree.pack_sequence_as(structure, arrays)


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray | None:
    if "float" in dtype:
        return rng.random(shape, np.float32)
    return rng.integers(0, 2, shape).astype(dtype) if "int" in dtype else None


def check_pair(student: RawModel, student_model: keras.Model, teacher: RawModel, adapted: bool) -> None:
    """Check that a student and a teacher have the same outputs and inputs.

    Args:
        student: of raw outputs.
        student_model: for its name and its inputs.
        teacher: of raw outputs.
        adapted: whether a function of the user makes the teacher's inputs.

    Raises:
        RequestError: they differ; the message names both.
    """
    of_student, of_teacher = student.head, teacher.head
    if of_student.outputs != of_teacher.outputs:
        raise RequestError(
            f"{_capital(of_student.name)} has {of_student.outputs} classes and {of_teacher.name} has "
            f"{of_teacher.outputs}: they must have the same classes, in the same order."
            + " End both in one output (a logit or sigmoid), or both in two."
            * (1 in (of_student.outputs, of_teacher.outputs))
        )
    if not fit(student.shape, teacher.shape):
        raise maps_differ(student.shape, teacher.shape)
    shapes = [
        [tuple(spec.shape) for spec in getattr(model, "inputs", None) or []] for model in (student_model, teacher.model)
    ]
    if adapted or not all(shapes) or (len(shapes[0]) == len(shapes[1]) and all(map(fit, *shapes))):
        return
    student_takes, teacher_takes = (", ".join(map(str, each)) for each in shapes)
    raise RequestError(
        f"{_capital(of_student.name)} takes inputs {student_takes} and {of_teacher.name} takes "
        f"{teacher_takes}, and both receive the same batch. Pass teacher_inputs=FUNCTION, which makes the teacher's "
        "inputs from the student's, or put that preprocessing inside the teacher."
    )


def maps_differ(student: tuple[Any, ...], teacher: tuple[Any, ...]) -> RequestError:
    """The error for outputs of different sizes.

    Args:
        student, teacher: shapes of their outputs, (B, ..., C).
    """
    return RequestError(
        f"The student gives outputs of shape {tuple(student)} and the teacher of shape {tuple(teacher)}: they must "
        "have the same positions. Resize one of them with a layer at its end."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def fit(shape: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two shapes can be the same; None stands for any size.

    Args:
        shape, other: the shapes.
    """
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
