"""One or several Keras models as the teacher of a distiller."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from distillab.errors import RequestError, not_allowed
from distillab.keras.checks import checked_logits_model, logits_shape
from distillab.keras.jax_steps import lowered
from distillab.losses import Array
from distillab.models.averaging import DEFAULT_AVERAGE, average_predictions

AVERAGES = ("logits", "probabilities")


class Teachers:
    """One or several teachers, used in inference mode and never changed.

    Args:
        models: a Keras model, or several.
        weights: relative weight of each; None: equal weights.
        average: how several predictions become one: "logits" or "probabilities", as in `average_predictions`.
        inputs: makes the teachers' inputs from the student's (another size, another scale); None: the same inputs.

    Raises:
        RequestError: a model is no built classifier with logits or softmax, or the numbers of classes differ.
    """

    def __init__(
        self,
        models: Any,
        weights: Sequence[float] | None = None,
        average: str = DEFAULT_AVERAGE,
        inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        self.models: list[keras.Model] = list(models) if isinstance(models, (list, tuple)) else [models]
        if not self.models:
            raise not_allowed("teacher", models, "a Keras model, or a list of at least one")
        if average not in AVERAGES:
            raise not_allowed("average", average, " or ".join(map(repr, AVERAGES)))
        self.weights = [1.0] * len(self.models) if weights is None else [float(weight) for weight in weights]
        if len(self.weights) != len(self.models) or not all(0 < weight < math.inf for weight in self.weights):
            raise not_allowed(
                "teacher_weights", list(weights or []), f"{len(self.models)} numbers > 0, one for each teacher"
            )
        self.average, self.inputs = average, inputs
        self._logits_models = [checked_logits_model(model, "teacher") for model in self.models]
        classes = {model.name: logits_shape(model)[-1] for model in self._logits_models}
        if len(set(classes.values())) > 1:
            raise RequestError(f"The teachers' numbers of classes differ: {classes}. They must be the same.")
        self.shape: tuple[Any, ...] = tuple(logits_shape(self._logits_models[0]))  # (None, ..., C)
        # Listed once: Keras walks through all layers to list them, which would be done for every batch.
        self._variables = [variable for model in self._logits_models for variable in model.variables]
        self._weights_in_use: list[Any] | None = None
        self._compiled: Callable[..., Any] | None = None

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.shape[-1])

    @property
    def given(self) -> Any:
        """The teacher as it was given, or the list of teachers."""
        return self.models[0] if len(self.models) == 1 else self.models

    def logits(self, inputs: Any) -> Array:
        """Predict a batch's logits, float32 (B, ..., C), inside a training step or outside; no gradient flows back.

        Args:
            inputs: the student's inputs, shape (B, ...).
        """
        if self.inputs is not None:
            inputs = self.inputs(inputs)
        with _without_gradient():
            predictions = [ops.cast(self._predict_one(model, inputs), "float32") for model in self._logits_models]
            return ops.stop_gradient(average_predictions(predictions, self.weights, self.average, xp=ops))

    def predict(self, inputs: Any) -> np.ndarray:
        """Predict a batch's logits, float32 (B, ..., C), outside of training, compiled where the backend can.

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


def _without_gradient() -> Any:
    """On PyTorch, keep no graph of the teacher's pass; elsewhere `stop_gradient` is enough."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()
