"""Checks of the student, the teacher and the settings of a distiller."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, reason
from distillab.keras.outputs import Outputs
from distillab.models.ending import (
    as_graph,
    ending,
    ending_is_certain,
    gives_probabilities,
    input_shapes,
    last_layer,
    without_activation,
)
from distillab.models.input_names import symbolic_inputs
from distillab.tasks import Head

PROBE = 4  # rows of random inputs that a model is tried on
MORE_ROWS = 16  # where its outputs alone show whether they are probabilities
OPEN_SIDE = 32  # of a trial input whose size is open
ROOM = 1e-4  # by which a model and its twin may differ on trial inputs: float32 sums over wide layers


class RawOutput(NamedTuple):
    """One output of a model."""

    removed: str  # the activation that the user's model ends in after it: "softmax", "sigmoid" or ""
    head: Head
    certain: bool  # whether the last operations show the activation, or that there is none


class RawModel(NamedTuple):
    """A user's model as a distiller trains it, or learns from it: by its raw outputs."""

    model: keras.Model  # gives raw outputs, logits or real numbers, in the structure of the user's model
    name: str  # of the user's model, for messages
    outputs: Outputs
    parts: tuple[RawOutput, ...]

    def __call__(self, inputs: Any, **options: Any) -> list[Any]:
        """Compute the raw outputs, one for each of `outputs`.

        Args:
            inputs: a batch.
            options: of the model's call.
        """
        return list(keras.tree.flatten(self.model(inputs, **options)))


def checked_model(model: Any, role: str, task: Any = None, like: Outputs | None = None) -> RawModel:
    """Check a model and return one of raw outputs: the model itself, or the same before its last softmax or sigmoid.

    Args:
        model: the user's.
        role: "student" or "teacher", for messages.
        task: as the user states it, by output where there are several.
        like: the outputs that `task` names, where they are another model's; None: the model's own.

    Raises:
        RequestError: it is no Keras model, not built, gives probabilities whose activation cannot be seen, or its
            outputs are not finite.
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
    outputs = outputs_of(model, role)
    tasks = (like or outputs).by_output(task, "task")
    if like is not None:
        order = outputs.order_in(like, f"The {role} {model.name!r}", "the student")
        tasks = [tasks[place] for place in order]
    parts = tuple(_part(model, role, outputs, index) for index in range(len(outputs.names)))
    ends_raw = not any(part.removed for part in parts)
    raw = RawModel(model if ends_raw else without_activation(model), f"the {role} {model.name!r}", outputs, parts)
    _try_out(model, raw, tasks)
    return raw


def outputs_of(model: keras.Model, role: str) -> Outputs:
    """Find the outputs of a model.

    Args:
        model: built.
        role: "student" or "teacher", for messages.

    Raises:
        RequestError: they are not (batch, outputs), or with positions between, or several have no names.
    """
    specs = _specs(model)
    shapes = tuple(tuple(spec.shape) for spec in keras.tree.flatten(specs))
    for shape in shapes:
        if len(shape) < 2 or shape[-1] is None:
            raise RequestError(
                f"The {role} {model.name!r} gives outputs of shape {shape}, and must give (batch, outputs), or (batch, "
                "positions, outputs). End it with Dense."
            )
    structure = keras.tree.pack_sequence_as(specs, list(range(len(shapes)))) if len(shapes) > 1 else 0
    if isinstance(structure, dict) and len(structure) == len(shapes):
        names = sorted(structure, key=lambda name: structure[name])
    else:
        names = getattr(as_graph(model), "output_names", None) or ["output"]
    if len(set(names)) != len(shapes):
        raise RequestError(
            f"The {role} {model.name!r} has {len(shapes)} outputs, which need a name each, and has the names "
            f"{', '.join(map(repr, names))}. Give its outputs as a dictionary."
        )
    return Outputs(tuple(map(str, names)), structure, shapes)


def _specs(model: keras.Model) -> Any:
    """A model's outputs as symbolic tensors, in their structure."""
    graph = as_graph(model)
    if graph is not None:
        return getattr(graph, "_outputs_struct", graph.outputs)
    try:
        return keras.tree.map_shape_structure(keras.KerasTensor, model.output_shape)
    except AttributeError:  # a model that was never called on symbols has none
        try:
            inputs = keras.tree.map_shape_structure(keras.KerasTensor, input_shapes(model))
            outputs = model.compute_output_spec(inputs)
            return keras.tree.map_structure(lambda output: keras.KerasTensor((None, *output.shape[1:])), outputs)
        except Exception as error:  # a class's own code can raise anything
            raise RequestError(
                f"The shape of the outputs of {model.name!r} cannot be found ({reason(error)}). Make it a functional "
                "model."
            ) from error


def _part(model: keras.Model, role: str, outputs: Outputs, index: int) -> RawOutput:
    name, shape = ending(model, index), outputs.shapes[index]
    who = f"the {role} {model.name!r}"
    who = f"the output {outputs.names[index]!r} of {who}" if outputs.several else who
    if name == "softmax":
        warnings.warn(
            f"{_capital(who)} ends in softmax (layer {last_layer(model, index).name!r}): its logits before that are "
            "used.",
            stacklevel=6,
        )
    removed = name if name in ("softmax", "sigmoid") else ""
    return RawOutput(removed, Head(shape[-1], name, len(shape) - 2, who), ending_is_certain(model, index))


def _try_out(model: keras.Model, raw: RawModel, tasks: list[str | None]) -> None:
    """Check on random inputs that the outputs are finite, and whether they are probabilities where no layer shows it.

    Raises:
        RequestError: they are not finite, or are probabilities.
    """
    certain = all(part.certain for part in raw.parts)
    inputs = _trial_inputs(model, PROBE if certain else MORE_ROWS, open_sides=not certain)
    try:
        given = None if inputs is None else [_as_numpy(output) for output in raw(inputs)]
    except Exception:  # a class's own code can raise anything on random inputs
        given = None
    if given is None:
        for part in raw.parts:
            if not part.certain:
                warnings.warn(
                    f"The last activation of {part.head.name} cannot be seen: its outputs are used as they are. "
                    "End it with a layer that shows its activation.",
                    stacklevel=5,
                )
        return
    for index, (part, outputs, task) in enumerate(zip(raw.parts, given, tasks, strict=True)):
        who = _capital(part.head.name)
        if not np.isfinite(outputs).all():
            raise RequestError(
                f"{who} gives outputs that are not finite: its weights hold NaN or infinity, or its training diverged."
            )
        if part.removed:
            again = getattr(ops, part.removed)(ops.convert_to_tensor(outputs))
            own = keras.tree.flatten(model(inputs))[index]
            if not np.allclose(_as_numpy(again), _as_numpy(own), atol=ROOM):
                raise RequestError(
                    f"{who} ends in {part.removed}, and its outputs before that cannot be computed. Make it a "
                    "functional model, or let it end in logits."
                )
        elif task != "regression":
            _refuse_probabilities(outputs, who, part.certain)


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
        shapes = input_shapes(model)
        if shapes is None:
            return None
        structure = keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape), shapes)
    else:
        structure = symbolic_inputs(graph)
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


def check_pair(student: RawModel, teacher: RawModel, adapted: bool) -> list[int]:
    """Check that a student and a teacher have the same outputs and inputs.

    Args:
        student, teacher: of raw outputs.
        adapted: whether a function of the user makes the teacher's inputs.

    Returns:
        For each output of the student, its place among the teacher's.

    Raises:
        RequestError: they differ; the message names both.
    """
    who, whose = _capital(student.name), teacher.name
    order = student.outputs.order_in(teacher.outputs, who, whose)
    for index, place in enumerate(order):
        of_student, of_teacher = student.parts[index].head, teacher.parts[place].head
        if of_student.outputs != of_teacher.outputs:
            raise RequestError(
                f"{_capital(of_student.name)} has {of_student.outputs} classes and {of_teacher.name} has "
                f"{of_teacher.outputs}: they must have the same classes, in the same order."
                + " End both in one output (a logit or sigmoid), or both in two."
                * (1 in (of_student.outputs, of_teacher.outputs))
            )
        if not fit(student.outputs.shapes[index], teacher.outputs.shapes[place]):
            raise maps_differ(student.outputs.shapes[index], teacher.outputs.shapes[place])
    if not adapted and not _same_inputs(student.model, teacher.model):
        student_takes, teacher_takes = _takes(student.model), _takes(teacher.model)
        raise RequestError(
            f"{who} takes inputs {student_takes} and {whose} takes {teacher_takes}, and both receive the same batch. "
            "Pass teacher_inputs=FUNCTION, which makes the teacher's inputs from the student's, or put that "
            "preprocessing inside the teacher."
        )
    return order


def _same_inputs(student: keras.Model, teacher: keras.Model) -> bool:
    """Whether a batch of the student's inputs is one of the teacher's; True where either's are not known."""
    first, second = symbolic_inputs(student), symbolic_inputs(teacher)
    if first is None or second is None:
        return True
    if isinstance(first, dict) != isinstance(second, dict):  # a list, or a single one, is read by the inputs' names
        second = _by_name(second)
        first = {name: tensor for name, tensor in _by_name(first).items() if name in second}
    try:
        keras.tree.assert_same_structure(keras.tree.lists_to_tuples(first), keras.tree.lists_to_tuples(second))
    except (ValueError, TypeError):
        return False
    shapes = [[tuple(tensor.shape) for tensor in keras.tree.flatten(tensors)] for tensors in (first, second)]
    return all(map(fit, *shapes))


def _by_name(structure: Any) -> dict[str, Any]:
    return structure if isinstance(structure, dict) else {part.name: part for part in keras.tree.flatten(structure)}


def as_taken(inputs: Any, student: keras.Model, teacher: keras.Model) -> Any:
    """A batch of the student's inputs as a teacher takes them: by name, where one takes a dictionary and one does not.

    Args:
        inputs: as given to `fit`.
        student, teacher: models that `check_pair` accepts.
    """
    own, taken = symbolic_inputs(student), symbolic_inputs(teacher)
    if own is None or taken is None or isinstance(inputs, dict) == isinstance(taken, dict):
        return inputs
    by_name = inputs
    if not isinstance(inputs, dict):
        if isinstance(own, dict):
            return inputs
        by_name = dict(zip(_by_name(own), keras.tree.flatten(inputs), strict=True))
    if isinstance(taken, dict):
        return {name: by_name[name] for name in taken}
    return keras.tree.map_structure(lambda tensor: by_name[tensor.name], taken)


def _takes(model: keras.Model) -> str:
    structure = symbolic_inputs(model)
    if isinstance(structure, dict) and not any(map(keras.tree.is_nested, structure.values())):
        return ", ".join(f"{name!r} {tuple(tensor.shape)}" for name, tensor in structure.items())
    return ", ".join(str(tuple(tensor.shape)) for tensor in keras.tree.flatten(structure))


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
