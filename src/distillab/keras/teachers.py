"""The models that a student learns from, and how several answers become one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

import keras
from distillab.errors import RequestError, not_allowed
from distillab.keras.models import checked_logits_model, logits_shape
from distillab.keras.on_jax import lowered
from distillab.losses import Array
from keras import ops

AVERAGES = ("probabilities", "logits")


def combined(logits: Sequence[Array], weights: Sequence[float], average: str = "probabilities") -> Array:
    """Make one teacher's logits of several teachers'.

    Formula: for "probabilities" `log sum_m w_m softmax(z_m)`, whose softmax is the weighted mean of the teachers'
    answers; for "logits" `sum_m w_m (z_m - mean(z_m))`, whose softmax is their weighted geometric mean. Either is
    softened afterwards, as one teacher's logits are.

    Args:
        logits: one array (..., C) a teacher.
        weights: one number > 0 a teacher; what counts is their proportion.
        average: "probabilities" or "logits".

    Returns:
        Logits, shape (..., C). A single teacher's are returned as they are.

    Example:
        >>> import numpy as np
        >>> sure, even = np.array([[8.0, 0.0]]), np.array([[0.0, 0.0]])
        >>> np.round(np.asarray(ops.softmax(combined([sure, even], [1, 1]))), 2).tolist()
        [[0.75, 0.25]]

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 1: an ensemble's
    arithmetic or geometric mean as soft targets.
    """
    if len(logits) == 1:
        return logits[0]
    logits = [ops.convert_to_tensor(z) for z in logits]
    shares = [float(weight) / sum(weights) for weight in weights]
    if average == "logits":
        return sum(share * (z - ops.mean(z, axis=-1, keepdims=True)) for share, z in zip(shares, logits, strict=True))
    parts = [math.log(share) + ops.log_softmax(z, axis=-1) for share, z in zip(shares, logits, strict=True)]
    return ops.logsumexp(ops.stack(parts), axis=0)


class Teachers:
    """One or several teachers, asked in inference mode and never changed.

    Args:
        models: a Keras model, or several.
        weights: how much each counts; None: all alike.
        average: how several answers become one, see `combined`.
        inputs: makes the teachers' inputs of the student's (another size, another scale); None: the same inputs.

    Raises:
        RequestError: where a model is no built classifier of logits or softmax, or their classes differ.
    """

    def __init__(
        self,
        models: Any,
        weights: Sequence[float] | None = None,
        average: str = "probabilities",
        inputs: Callable[[Any], Any] | None = None,
    ) -> None:
        several = isinstance(models, (list, tuple))
        self.models: list[keras.Model] = list(models) if several else [models]
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
        self._values: list[Any] | None = None
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
        """Answer a batch, inside a training step or outside; no gradient flows back.

        Args:
            inputs: the student's inputs, shape (B, ...).

        Returns:
            Logits, float32, shape (B, ..., C).
        """
        if self.inputs is not None:
            inputs = self.inputs(inputs)
        with _without_gradient():
            answers = [self._ask(place, inputs) for place in range(len(self.models))]
            one = combined([ops.cast(answer, "float32") for answer in answers], self.weights, self.average)
        return ops.stop_gradient(one)

    def answer(self, inputs: Any) -> np.ndarray:
        """Answer a batch outside of any training step, compiled where the backend compiles.

        Returns:
            Logits, float32, shape (B, ..., C).
        """
        if keras.backend.backend() != "jax":
            return np.asarray(ops.convert_to_numpy(self.logits(inputs)))
        if self._compiled is None:
            import jax

            def run(values: Any, batch: Any) -> Any:
                with self.lent(values):
                    return lowered(self.logits)(batch)

            self._compiled = jax.jit(run)
        return np.asarray(self._compiled(self.values(), inputs))

    def values(self) -> list[Any]:
        """The teachers' weights as arrays, for a compiled JAX step to be given."""
        return [variable.value for variable in self._variables]

    @contextmanager
    def lent(self, values: list[Any]) -> Iterator[None]:
        """Answer with these weights: a compiled JAX step then takes them as arguments and not as constants."""
        self._values = values
        try:
            yield
        finally:
            self._values = None

    def _ask(self, place: int, inputs: Any) -> Array:
        model = self._logits_models[place]
        inference = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
        if self._values is None:
            return model(inputs, **inference)
        with keras.StatelessScope(state_mapping=list(zip(self._variables, self._values, strict=True))):
            return model(inputs, **inference)


def _without_gradient() -> Any:
    """On PyTorch, keep no graph of the teacher's pass; elsewhere `stop_gradient` is enough."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()
