"""A model of another framework as a Keras model: each batch goes to its own framework and back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from distillab.errors import RequestError
from distillab.models.digests import add_array
from distillab.models.foreign import Array, ForeignModel, Gives, as_raw_outputs, recognised_outputs
from distillab.models.preparation import Preparation, possible_layouts
from distillab.tasks import TASKS, Task

TRIAL_ROWS = 64
"""Random examples on which a model is tried, to see what its outputs are."""


class Like(NamedTuple):
    """What surrounds a teacher that does not state its own inputs.

    Args:
        inputs: a symbolic batch as the student receives it, (None, ...).
        outputs: the student's; None: not known.
    """

    inputs: Any
    outputs: int | None = None


def like_student(student: keras.Model) -> Like:
    """The inputs and outputs of a student.

    Args:
        student: of the distiller.

    Raises:
        RequestError: they are not known, or it has several inputs or outputs.
    """
    inputs = list(getattr(student, "inputs", None) or [])
    outputs = getattr(student, "outputs", None) or [None]
    if len(inputs) > 1 or len(outputs) > 1:
        raise RequestError(
            f"A teacher of another framework needs a student of one input and one output, and {student.name!r} has "
            f"{len(inputs)} and {len(outputs)}. Give the data its predictions: "
            "fit({'inputs': x, 'teacher_logits': predictions}, y)."
        )
    if not inputs:
        raise RequestError(
            f"A teacher of another framework needs a student of one known input, and {student.name!r} has none. Begin "
            "it with keras.Input."
        )
    return Like(inputs[0], student.output_shape[-1])


def live_model(foreign: ForeignModel, inputs: Any, outputs: int | None, task: str | None) -> keras.Model:
    """Make a Keras model, without weights, that gives the raw outputs of a model of another framework.

    It runs on every backend: in compiled JAX steps as a callback, in TensorFlow's graphs as a NumPy function.

    Args:
        foreign: the model.
        inputs: a symbolic batch as the distiller's teacher receives it, (None, ...).
        outputs: those of the student, of which one and two are both two classes; None: not known.
        task: as the user states it.

    Raises:
        RequestError: it cannot read such inputs, or what its outputs are cannot be seen.
    """
    shape = tuple(inputs.shape[1:])
    if None in shape:
        raise RequestError(f"The {foreign.kind} {foreign.name} needs inputs of known size, and has {shape}.")
    prepare = Preparation(1.0, layout=_layout(foreign, shape), dtype=foreign.dtype)
    trial = np.random.default_rng(0).random((TRIAL_ROWS, *shape), np.float32)
    given = foreign.predict(prepare(trial))
    meaning = _task(given, outputs, task)
    gives = foreign.gives or _recognised(foreign, given, meaning, task)
    classes = (outputs or 2) if gives == "decisions" else given.shape[-1]

    def predict(batch: Array) -> Array:
        return as_raw_outputs(foreign.predict(prepare(np.asarray(batch))), gives, meaning, classes)

    probe = as_raw_outputs(given, gives, meaning, classes)
    digest = hashlib.sha256(f"{foreign.digest} {prepare} {gives}".encode())
    add_array(digest, probe)
    read = keras.Input(shape, dtype=inputs.dtype)
    layer = HostCall(predict, probe.shape[1:], digest.hexdigest())
    return keras.Model(read, layer(read), name="".join(c if c.isalnum() else "_" for c in foreign.name))


def _layout(foreign: ForeignModel, shape: tuple[int, ...]) -> Any:
    if len(shape) != 3:
        return None
    layouts = possible_layouts(foreign.shape, shape, foreign.channels_first)
    if foreign.layout in layouts or not layouts:
        return foreign.layout
    return layouts[0]


def _task(given: Array, outputs: int | None, task: str | None) -> Task:
    """What the outputs are converted for: one output, or several."""
    if task is not None:
        return TASKS[task]
    several = given.shape[-1] if outputs is None else outputs
    return TASKS["binary" if several == 1 else "categorical"]


def _recognised(foreign: ForeignModel, given: Array, meaning: Task, task: str | None) -> Gives:
    gives = recognised_outputs(given, meaning)
    if gives == "logits" and task is None and ((given >= 0) & (given <= 1)).all():
        raise RequestError(
            f"All outputs of the {foreign.kind} {foreign.name} for random inputs lie between 0 and 1: they may be "
            "probabilities of independent labels, or real numbers. State task, or "
            "open_teacher(model, gives='probabilities')."
        )
    return gives


class HostCall(keras.layers.Layer):
    """A function of NumPy arrays, called for each batch; no gradient passes.

    Args:
        function: from a batch (B, ...) to float32 (B, ...).
        shape: of the outputs of one example.
        digest: of all that the outputs depend on besides the inputs.
    """

    activation = None  # its outputs are logits, or real numbers: none has to be looked for

    def __init__(self, function: Callable[[Array], Array], shape: tuple[int, ...], digest: str) -> None:
        super().__init__(trainable=False)
        self.supports_jit = False
        self._call, self._shape, self._digest = function, tuple(shape), digest

    def call(self, inputs: Any) -> Any:
        """Call the function.

        Args:
            inputs: a batch of the backend's tensors.
        """
        backend = keras.backend.backend()
        if backend == "jax":
            import jax

            result: Any = jax.ShapeDtypeStruct((inputs.shape[0], *self._shape), np.float32)  # type: ignore[no-untyped-call]
            return jax.pure_callback(self._call, result, inputs)
        if backend == "tensorflow":
            import tensorflow as tf

            outputs = tf.numpy_function(self._call, [inputs], tf.float32)
            outputs.set_shape((inputs.shape[0], *self._shape))
            return outputs
        import torch

        return torch.as_tensor(self._call(inputs.detach().cpu().numpy()), device=inputs.device)

    def compute_output_spec(self, inputs: Any) -> Any:
        """The shape and type of the outputs.

        Args:
            inputs: a symbolic batch.
        """
        return keras.KerasTensor((inputs.shape[0], *self._shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """What tells it from another one; it cannot be made again from this."""
        return {"digest": self._digest}
