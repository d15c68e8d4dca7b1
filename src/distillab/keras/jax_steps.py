"""Compiled steps of a distiller, on JAX: the teacher's weights travel with each batch, and convolutions are rewritten.

A compiled JAX step sees only its arguments. As constants the teacher's weights would be compiled into the program; in
the model's state they would be trained.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import keras


def pair_batches(function: Callable[..., Any], teachers: Any) -> Callable[..., Any]:
    """Pair each batch of a step function with the teachers' weights, on JAX; elsewhere return the function unchanged.

    Args:
        function: of (state, iterator of batches).
        teachers: `Teachers`, or None where there is no live teacher.
    """
    if keras.backend.backend() != "jax" or teachers is None:
        return function
    return lambda state, batches: function(state, ((teachers.weights_now(), batch) for batch in batches))


def on_paired_batches(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let a distiller's step take, on JAX and with live teachers, the batches of `pair_batches`.

    Args:
        step: `keras.Model.train_step` or `keras.Model.test_step`.
    """

    @wraps(step)
    def run(self: Any, *arguments: Any) -> Any:
        teachers = self._hidden.teachers
        if keras.backend.backend() != "jax" or teachers is None:
            return step(self, *arguments)
        state, (weights, batch) = arguments
        with teachers.using(weights):
            return step(self, state, batch)

    return run


def lowered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Rewrite a function's convolutions as matrix products, on CPUs, where that was measured to be faster.

    Args:
        function: of JAX arrays.
    """
    import jax

    if jax.default_backend() != "cpu":
        return function
    from distillab.engine.lowering import lower

    return lower(function)


class Kept:
    """The newest complete state of a model that trains, so that no interrupt or error loses its weights.

    Keras empties a model's variables before the first step of an epoch, and by default JAX reuses the memory of a
    step's arguments (donation): whatever stops the training between two steps would take the student, or the
    optimiser's state, with it. Without donation the arguments of the step that runs remain; this holds them.
    """

    def __init__(self) -> None:
        self._variables: list[list[Any]] = []
        self._state: tuple[list[Any], ...] = ()

    def take(self, variables: list[list[Any]], state: tuple[list[Any], ...]) -> None:
        """Hold the state that a loop of steps starts from.

        Args:
            variables: the model's, in the groups of the state.
            state: their values.
        """
        self._variables, self._state = variables, state

    def following(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A step function that puts each new state here.

        Args:
            function: of (state, iterator of batches), gives outputs and the new state.
        """

        def run(state: Any, batches: Any) -> Any:
            outputs, new = function(state, batches)
            self._state = new
            return outputs, new

        return run

    def restore(self) -> None:
        """Fill the variables that are empty."""
        for variables, values in zip(self._variables, self._state, strict=False):
            for variable, value in zip(variables, values, strict=True):
                if variable._value is None:
                    variable.assign(value)


def without_donation(step: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a step so that its arguments remain, at the cost of the memory of one more state.

    On 2 CPU cores it costs 1 to 8 % of a step's processor time, for students of 50 thousand to 10 million weights.

    Args:
        step: compiled by Keras, or not compiled. Under a distribution it remains as it is.
    """
    import jax

    plain = getattr(step, "__wrapped__", None) if hasattr(step, "lower") else None
    return step if plain is None or keras.distribution.distribution() is not None else jax.jit(plain)


def interruptible(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a distiller that trains or evaluates leave the weights whole, however it ends.

    Args:
        method: `fit`, `evaluate` or `predict`.
    """

    @wraps(method)
    def run(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except BaseException:  # an interrupt too: it continues after the weights are restored
            if keras.backend.backend() == "jax":
                self._jax_state, self._jax_state_synced = None, True
                self._losses_override.clear()
                self._hidden.kept.restore()
            raise

    return run


class SteppedModel(keras.Model):
    """A `keras.Model` whose compiled steps hold live teachers; its `_hidden` has `teachers`, `kept` and `raw`."""

    train_function: Any
    test_function: Any
    _hidden: Any

    def make_train_function(self, force: bool = False) -> None:
        """Make the compiled training step, and on JAX pair each batch with the teacher's weights.

        Args:
            force: as in `keras.Model`.
        """
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = pair_batches(self.train_function, self._hidden.teachers)

    def make_test_function(self, force: bool = False) -> None:
        """Make the compiled evaluation step, and on JAX pair each batch with the teacher's weights.

        Args:
            force: as in `keras.Model`.
        """
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = pair_batches(self.test_function, self._hidden.teachers)

    def _get_jax_state(self, *, purge_model_variables: bool = False, **groups: bool) -> Any:
        """Keras's state of a loop of steps, held here before the model's variables are emptied."""
        state = super()._get_jax_state(**groups)
        of = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if groups.get("optimizer_variables") else [],
            "metrics_variables": self.metrics_variables,
        }
        self._hidden.kept.take([variables for name, variables in of.items() if groups.get(name)], state)
        self._jax_state = None  # of an earlier loop: after an error Keras would write it over what callbacks have set
        if purge_model_variables:
            self._purge_model_variables(**groups)
        return state

    def _make_function(self, step: Any, *arguments: Any, **options: Any) -> Any:
        """Keras's loop of steps on JAX, without donation."""
        if keras.backend.backend() != "jax":
            return super()._make_function(step, *arguments, **options)
        step = without_donation(step)
        return self._hidden.kept.following(super()._make_function(step, *arguments, **options))

    train_step = on_paired_batches(keras.Model.train_step)
    test_step = on_paired_batches(keras.Model.test_step)

    def compute_loss_and_updates(self, *arguments: Any, **options: Any) -> Any:
        """Compute the student's pass and loss as a pure function, with its convolutions as matrix products.

        Args:
            arguments, options: the JAX trainer's.
        """
        function = super().compute_loss_and_updates
        if any(len(shape) > 2 for shape in self._hidden.raw.outputs.shapes):
            return function(*arguments, **options)  # lowering would lose a mask, which sequences may have
        return lowered(lambda *given: function(*given, **options))(*arguments)
