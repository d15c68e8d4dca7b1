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
from distillab.keras.checks import RawModel, check_pair, checked_model, fit, maps_differ
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

    Raises:
        RequestError: a model is not built, or the numbers of classes differ.
    """

    task: Task | None = None
    """What the outputs mean, once that is known; it decides how several teachers are averaged."""

    def __init__(
        self,
        models: Any,
        weights: Sequence[float] | None = None,
        average: str = DEFAULT_AVERAGE,
        inputs: Callable[[Any], Any] | None = None,
        task: str | None = None,
        like: Callable[[], Like] | None = None,
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
        self._raw = [checked_model(model, "teacher", task) for model in self.models]
        classes = {model.name: raw.head.outputs for model, raw in zip(self.models, self._raw, strict=True)}
        if len(set(classes.values())) > 1:
            raise RequestError(f"The teachers' numbers of classes differ: {classes}. They must be the same.")
        if not all(fit(raw.shape, self.shape) for raw in self._raw):
            raise RequestError(
                f"The teachers' outputs differ in shape: {[raw.shape for raw in self._raw]}. They must be the same."
            )
        # Listed once: Keras walks through all layers to list them, which would be done for every batch. A functional
        # twin does not list variables that a custom class owns itself.
        self._variables = [variable for model in self.models for variable in model.variables]
        self._weights_in_use: list[Any] | None = None
        self._compiled: Callable[..., Any] | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """Of the outputs, (None, ..., C)."""
        return self._raw[0].shape

    @property
    def heads(self) -> list[Head]:
        """The outputs of each teacher."""
        return [raw.head for raw in self._raw]

    def check_student(self, student: RawModel, model: keras.Model) -> None:
        """Check that a student has the same outputs and inputs.

        Args:
            student: of raw outputs.
            model: as the user has it.
        """
        for teacher in self._raw:
            check_pair(student, model, teacher, adapted=self.inputs is not None)

    @property
    def given(self) -> Any:
        """The teacher as it was given, or the list of teachers."""
        return self._given[0] if len(self._given) == 1 else self._given

    @property
    def foreign(self) -> bool:
        """Whether one is a model of another framework, which is called from the backend's compiled steps."""
        return any(given is not model for given, model in zip(self._given, self.models, strict=True))

    def logits(self, inputs: Any) -> Array:
        """Predict a batch's raw outputs, float32 (B, ..., C), in a training step or outside; no gradient flows back.

        Args:
            inputs: the student's inputs, shape (B, ...).
        """
        if self.inputs is not None:
            inputs = self.inputs(inputs)
        with _without_gradient():
            predictions = [ops.cast(self._predict_one(raw.model, inputs), "float32") for raw in self._raw]
            if any(prediction.shape[1:-1] != predictions[0].shape[1:-1] for prediction in predictions):
                raise maps_differ(predictions[0].shape, predictions[-1].shape)
            return ops.stop_gradient(self._averaged(predictions))

    def _averaged(self, outputs: list[Array]) -> Array:
        if len(outputs) == 1:
            return outputs[0]
        if self.task is None or self.task.name == "categorical":
            return average_predictions(outputs, self.weights, self.average, xp=ops)
        if self.task.name == "regression":
            return average_predictions(outputs, self.weights, "outputs", xp=ops)
        two_classes = [ops.stack([ops.zeros_like(z), z], axis=-1) for z in outputs]  # of each label, by their logits
        averaged = average_predictions(two_classes, self.weights, self.average, xp=ops)
        return averaged[..., 1] - averaged[..., 0]

    def predict(self, inputs: Any) -> np.ndarray:
        """Predict a batch's raw outputs, float32 (B, ..., C), outside of training, compiled where the backend can.

        Args:
            inputs: the student's inputs, shape (B, ...).
        """
        if keras.backend.backend() != "jax":
            return np.asarray(ops.convert_to_numpy(self.logits(inputs)))
        if self._compiled is None:
            import jax

            def run(weights: Any, batch: Any) -> Any:
                with self.using(weights):
                    return lowered(self.logits)(batch)

            self._compiled = jax.jit(run)
        return np.asarray(self._compiled(self.weights_now(), inputs))

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

    def _predict_one(self, model: keras.Model, inputs: Any) -> Array:
        inference = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
        if self._weights_in_use is None:
            return model(inputs, **inference)
        with keras.StatelessScope(state_mapping=list(zip(self._variables, self._weights_in_use, strict=True))):
            return model(inputs, **inference)


def _as_keras(
    model: Any, like: Callable[[], Like] | None, inputs: Callable[[Any], Any] | None, task: str | None
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
