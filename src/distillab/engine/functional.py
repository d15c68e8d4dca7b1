"""A Keras model as pure functions of its weights: the only place where the engine meets Keras layers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from keras.src.backend import get_keras_mask  # Keras has no public name for it

from distillab.engine.convolutions import FormOf, form_of_one
from distillab.engine.devices import ROWS
from distillab.engine.given import changed_by_training, is_seed, kept
from distillab.engine.inputs import Inputs, arranged, count
from distillab.engine.lora import adapters
from distillab.engine.lowering import lower
from distillab.engine.randomness import stream
from distillab.engine.trainable import check_model, rebuilt
from distillab.errors import RequestError

Weights = list[Any]  # arrays of JAX or NumPy


@dataclass(frozen=True)
class Variables:
    """A model's weights as two lists of arrays, in Keras's order: those that learn and those that do not."""

    trainable: Weights
    fixed: Weights


jax.tree_util.register_dataclass(Variables, ["trainable", "fixed"], [])


class ModelOutput(NamedTuple):
    """A model's result for a batch."""

    logits: jax.Array  # (B, ..., C), float32: raw outputs
    mask: jax.Array | None  # (B, ...): which positions count, where the model says so, as layers that mask padding do
    fixed: Weights  # the fixed variables as the pass leaves them
    penalty: jax.Array  # the sum of the losses that layers add themselves, such as weight decay; 0 in inference


@dataclass(frozen=True)
class Functional:
    """A Keras model as a pure function of its variables, lowered.

    Args:
        model: a built Keras model that maps (B, ...) inputs to raw outputs (B, ..., C).
        rows: devices that the rows of a batch are shared out to, each with a copy of the weights; None: one device.
        form_of: the form of its convolutions; by default what is fast, which differs where students are mapped.

    Raises:
        RequestError: where Keras does not run on JAX, the model is not built, it does not map its inputs to one
            output, or it ends in probabilities.
    """

    model: keras.Model
    rows: Mesh | None = None
    form_of: FormOf = form_of_one

    def __post_init__(self) -> None:
        if keras.backend.backend() != "jax":
            raise RequestError(
                f"Keras runs on {keras.backend.backend()!r} here, and the engine needs JAX. "
                "Set KERAS_BACKEND=jax before Keras is first imported."
            )
        if not self.model.built:
            raise RequestError(
                f"The model {self.model.name!r} is not built: its input shape is not known. "
                "Call model.build(input_shape), or begin it with keras.Input."
            )
        check_model(self.model)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one example's outputs: (C,), or (..., C) for predictions at many positions."""
        return tuple(int(side) for side in self.model.output_shape[1:])

    @cached_property
    def _changed(self) -> tuple[bool, ...]:
        return changed_by_training(self.model)

    @cached_property
    def kept(self) -> tuple[bool, ...]:
        """Which of the fixed variables `initial` keeps as they are in the model, because training changes none."""
        return kept(self.model, self._changed)

    @property
    def kept_variables(self) -> list[Any]:
        """The fixed variables, Keras's, that `initial` keeps."""
        return [v for v, keeps in zip(self.model.non_trainable_variables, self.kept, strict=True) if keeps]

    @cached_property
    def depends_on_batch(self) -> bool:
        """Whether an example's logits or the fixed variables depend on the rest of the batch, as in BatchNormalization.

        Then no filling rows may be in a batch. A random generator's counter does not count: it depends on no example.
        """
        pairs = zip(self.model.non_trainable_variables, self._changed, strict=True)
        return any(moves and not is_seed(variable) for variable, moves in pairs)

    def __call__(self, variables: Variables, inputs: Inputs, *, training: bool) -> ModelOutput:
        """Predict a batch.

        Args:
            variables: the weights.
            inputs: shape (B, ...); several by name, where the names are the model's, otherwise in its order.
            training: whether layers such as Dropout and BatchNormalization behave as in training.
        """

        def call(trainable: Weights, fixed: Weights, batch: Any) -> ModelOutput:
            options = {"training": training, "return_losses": True}
            logits, after, losses = self.model.stateless_call(trainable, fixed, batch, **options)
            penalty = sum(losses, start=jnp.float32(0)) if training else jnp.float32(0)
            return ModelOutput(logits.astype(jnp.float32), get_keras_mask(logits), list(after), penalty)

        if self.rows is not None and count(inputs) % self.rows.size == 0:
            inputs = jax.lax.with_sharding_constraint(inputs, NamedSharding(self.rows, PartitionSpec(ROWS)))
        return lower(call, self.form_of)(variables.trainable, variables.fixed, arranged(self.model, inputs))

    def initial(self, seed: int) -> Variables:
        """Draw the weights that a student of this architecture starts from; what training cannot change stays as given.

        Every student of one seed starts from the same weights, whatever its alpha; the layers' own
        initialisers draw them. Keras's and Python's own random state is left as it was.

        Args:
            seed: the trial's seed, >= 0.
        """
        with _keras_seed(int(stream("initial weights", seed).integers(2**31))):
            fresh = rebuilt(self.model)
        variables = read_variables(fresh)
        # A layer with a seed of its own, such as Dropout(seed=1), would drop the same units for every student.
        draws = stream("layers", seed)
        for index, variable in enumerate(fresh.non_trainable_variables):
            if is_seed(variable):
                variables.fixed[index] = draws.integers(2**31, size=variable.shape).astype(variable.dtype)
            elif self.kept[index]:
                variables.fixed[index] = np.asarray(self.model.non_trainable_variables[index].value)
        return variables

    def awake(self, given: Variables, seed: int) -> Variables:
        """The given weights, with the first matrix of an adapter (LoRA) drawn anew where both are zero.

        Where Keras saves a model, it adds the adapter's product to the kernel; both matrices load as zeros, and their
        gradients stay zero. With the first matrix drawn anew the model predicts the same, and learns.

        Args:
            given: the weights to start from.
            seed: the trial's seed, >= 0.
        """
        places = {id(variable): index for index, variable in enumerate(self.model.trainable_variables)}
        pairs = [(places[id(a)], places[id(b)]) for a, b in adapters(self.model) if {id(a), id(b)} <= set(places)]
        asleep = [a for a, b in pairs if not given.trainable[a].any() and not given.trainable[b].any()]
        if not asleep:
            return given
        fresh = self.initial(seed).trainable
        trainable = [fresh[i] if i in asleep else array for i, array in enumerate(given.trainable)]
        return Variables(trainable, given.fixed)


def in_precision(model: keras.Model, precision: str) -> keras.Model:
    """Rebuild a model to compute in another precision; its weights stay float32.

    Args:
        model: a built model.
        precision: "float32", which leaves it as it is, or "bfloat16".
    """
    if precision == "float32":
        return model

    def with_policy(layer: keras.Layer) -> keras.Layer:
        return layer.__class__.from_config({**layer.get_config(), "dtype": f"mixed_{precision}"})

    return rebuilt(model, with_policy)


def read_variables(model: keras.Model) -> Variables:
    """Copy a model's weights out of it, as NumPy arrays.

    Args:
        model: built.
    """
    return Variables(
        [np.asarray(variable.value) for variable in model.trainable_variables],
        [np.asarray(variable.value) for variable in model.non_trainable_variables],
    )


def write_variables(model: keras.Model, variables: Variables) -> keras.Model:
    """Copy weights into a model, in place, and return it.

    Args:
        model: of the same architecture.
        variables: its new weights.
    """
    pairs = [
        *zip(model.trainable_variables, variables.trainable, strict=True),
        *zip(model.non_trainable_variables, variables.fixed, strict=True),
    ]
    for variable, value in pairs:
        variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its variables
    return model


@contextmanager
def _keras_seed(seed: int) -> Iterator[None]:
    """Seed Keras's initialisers, which draw from Python's global generator, and put that back afterwards."""
    python_state: Any = random.getstate()
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - saved and restored because Keras seeds it
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
