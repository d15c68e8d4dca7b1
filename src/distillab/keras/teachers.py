"""One or several Keras models as the teacher of a distiller."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed
from distillab.keras.checks import RawModel, as_taken, check_pair, checked_model, fit, maps_differ
from distillab.keras.inputs import check_structure
from distillab.keras.jax_steps import lowered
from distillab.keras.live import Like, live_model
from distillab.losses import Array
from distillab.models.averaging import DEFAULT_AVERAGE, average_predictions
from distillab.models.files import read_model
from distillab.models.frameworks.opening import open_teacher
from distillab.tasks import Head, Task

AVERAGES = ("logits", "probabilities")


class Teachers:
    """One or several teachers, used in inference mode and never changed.

    Args:
        models: a Keras model, one of another framework (`open_teacher`), or several.
        weights: relative weight of each; None: equal weights.
        average: how several predictions become one: "logits" or "probabilities", as in `average_predictions`.
        inputs: makes the teachers' inputs from the student's (another size, another scale); None: the same inputs.
        task: as the user states it.
        like: gives the inputs and outputs that a model of another framework does not state itself.
        student: of raw outputs, in whose order the predictions are given; None: in the first teacher's.

    Raises:
        RequestError: a model is not built, or outputs or inputs differ.
    """

    def __init__(
        self,
        models: Any,
        weights: Sequence[float] | None = None,
        average: str = DEFAULT_AVERAGE,
        inputs: Callable[[Any], Any] | None = None,
        task: Any = None,
        like: Callable[[], Like] | None = None,
        student: RawModel | None = None,
    ) -> None:
        self._given = list(models) if isinstance(models, (list, tuple)) else [models]
        if not self._given:
            raise not_allowed("teacher", models, "a Keras model, or a list of at least one")
        self.models: list[keras.Model] = [_as_keras(model, like, inputs, task) for model in self._given]
        if average not in AVERAGES:
            raise not_allowed("average", average, " or ".join(map(repr, AVERAGES)))
        self.weights = [1.0] * len(self.models) if weights is None else [float(weight) for weight in weights]
        if len(self.weights) != len(self.models) or not all(0 < weight < math.inf for weight in self.weights):
            raise not_allowed(
                "teacher_weights", list(weights or []), f"{len(self.models)} numbers > 0, one for each teacher"
            )
        self.average, self.inputs = average, inputs
        named = None if student is None else student.outputs
        self._raw = [checked_model(model, "teacher", task, named) for model in self.models]
        self._set_orders(student)
        self.tasks: list[Task | None] = [None] * len(self.outputs.names)
        # Listed once: Keras walks through all layers to list them, which would be done for every batch. A functional
        # twin does not list variables that a custom class owns itself.
        self._variables = [variable for model in self.models for variable in model.variables]
        self._weights_in_use: list[Any] | None = None
        self._compiled: Callable[..., Any] | None = None

    def _set_orders(self, student: RawModel | None) -> None:
        """Find the places of the outputs in each teacher, after a check that they are the same."""
        first = self._raw[0]
        own = [first.outputs.order_in(raw.outputs, f"T{first.name[1:]}", raw.name) for raw in self._raw]
        for index, places in enumerate(zip(*own, strict=True)):
            heads = [raw.parts[place].head for raw, place in zip(self._raw, places, strict=True)]
            classes = {model.name: head.outputs for model, head in zip(self.models, heads, strict=True)}
            of = f" of the output {first.outputs.names[index]!r}" if first.outputs.several else ""
            if len(set(classes.values())) > 1:
                raise RequestError(f"The teachers' numbers of classes{of} differ: {classes}. They must be the same.")
            shapes = [raw.outputs.shapes[place] for raw, place in zip(self._raw, places, strict=True)]
            if not all(fit(shape, shapes[0]) for shape in shapes):
                raise RequestError(f"The teachers' outputs{of} differ in shape: {shapes}. They must be the same.")
        self.outputs, self._orders, self._student = first.outputs, own, student
        if student is not None:
            self.outputs = student.outputs
            self._orders = [check_pair(student, raw, adapted=self.inputs is not None) for raw in self._raw]

    @property
    def shapes(self) -> list[tuple[Any, ...]]:
        """Of each output of the first teacher, (None, ..., C)."""
        return [self._raw[0].outputs.shapes[place] for place in self._orders[0]]

    def heads(self, index: int) -> list[Head]:
        """One output of each teacher.

        Args:
            index: which output.
        """
        return [raw.parts[order[index]].head for raw, order in zip(self._raw, self._orders, strict=True)]

    @property
    def given(self) -> Any:
        """The teacher as it was given, or the list of teachers."""
        return self._given[0] if len(self._given) == 1 else self._given

    @property
    def foreign(self) -> bool:
        """Whether one is a model of another framework, which is called from the backend's compiled steps."""
        return any(given is not model for given, model in zip(self._given, self.models, strict=True))

    def logits(self, inputs: Any) -> list[Array]:
        """Predict a batch's raw outputs, float32 (B, ..., C) of each, in a training step or outside, without gradient.

        Args:
            inputs: the student's inputs, shape (B, ...).
        """
        if self.inputs is not None:
            inputs = self.inputs(inputs)
        with _without_gradient():
            predictions = [self._predict_one(raw, inputs) for raw in self._raw]
            return [
                self._averaged(
                    [prediction[order[index]] for prediction, order in zip(predictions, self._orders, strict=True)],
                    task,
                )
                for index, task in enumerate(self.tasks)
            ]

    def _averaged(self, outputs: list[Array], task: Task | None) -> Array:
        outputs = [ops.cast(output, "float32") for output in outputs]
        if any(output.shape[1:-1] != outputs[0].shape[1:-1] for output in outputs):
            raise maps_differ(outputs[0].shape, outputs[-1].shape)
        if len(outputs) == 1:
            return ops.stop_gradient(outputs[0])
        if task is None or task.name == "categorical":
            return ops.stop_gradient(average_predictions(outputs, self.weights, self.average, xp=ops))
        if task.name == "regression":
            return ops.stop_gradient(average_predictions(outputs, self.weights, "outputs", xp=ops))
        two_classes = [ops.stack([ops.zeros_like(z), z], axis=-1) for z in outputs]  # of each label, by their logits
        averaged = average_predictions(two_classes, self.weights, self.average, xp=ops)
        return ops.stop_gradient(averaged[..., 1] - averaged[..., 0])

    def predict(self, inputs: Any) -> Any:
        """Predict a batch's raw outputs, float32 (B, ..., C), outside of training, compiled where the backend can.

        Args:
            inputs: the student's inputs, shape (B, ...).

        Returns:
            An array, or arrays in the structure of the outputs.
        """
        if keras.backend.backend() != "jax":
            logits = self.logits(inputs)
        else:
            if self._compiled is None:
                import jax

                def run(weights: Any, batch: Any) -> Any:
                    with self.using(weights):
                        return lowered(self.logits)(batch)

                self._compiled = jax.jit(run)
            logits = self._compiled(self.weights_now(), inputs)
        return self.outputs.packed([np.asarray(ops.convert_to_numpy(output)) for output in logits])

    def checked(self, inputs: Any) -> Any:
        """The inputs of a batch, after a check that they are those that the teachers take.

        Args:
            inputs: arrays.

        Raises:
            RequestError: another number of inputs, or other names.
        """
        if self.inputs is None:
            for raw in self._raw:
                check_structure(inputs, raw.model, f"T{raw.name[1:]}")
        return inputs

    def weights_now(self) -> list[Any]:
        """The teachers' weights as arrays, the arguments of a compiled JAX step."""
        return [variable.value for variable in self._variables]

    @contextmanager
    def using(self, weights: list[Any]) -> Iterator[None]:
        """Predict with these weights inside the context: a compiled JAX step takes them as arguments, not constants.

        Args:
            weights: as from `weights_now`.
        """
        self._weights_in_use = weights
        try:
            yield
        finally:
            self._weights_in_use = None

    def _predict_one(self, raw: RawModel, inputs: Any) -> list[Array]:
        if self.inputs is None and self._student is not None:
            inputs = as_taken(inputs, self._student.model, raw.model)
        inference = {"training": False} if "training" in inspect.signature(raw.model.call).parameters else {}
        if self._weights_in_use is None:
            return raw(inputs, **inference)
        with keras.StatelessScope(state_mapping=list(zip(self._variables, self._weights_in_use, strict=True))):
            return raw(inputs, **inference)


def _as_keras(
    model: Any, like: Callable[[], Like] | None, inputs: Callable[[Any], Any] | None, task: Any
) -> keras.Model:
    """The model itself, or a Keras model that calls one of another framework."""
    if isinstance(model, keras.Model):
        return model
    if isinstance(model, (str, os.PathLike)) and str(model).endswith(".keras"):
        return read_model(model)
    foreign = open_teacher(model)
    if like is None:
        raise RequestError(f"The {foreign.kind} {foreign.name} has no inputs that are known. Give it to Distiller.")
    batch, outputs = like()
    return live_model(foreign, batch if inputs is None else inputs(batch), outputs, task)


def _without_gradient() -> Any:
    """On PyTorch, keep no graph of the teacher's pass; elsewhere `stop_gradient` is enough."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()
