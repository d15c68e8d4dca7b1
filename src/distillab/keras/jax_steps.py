"""Compiled JAX steps of a distiller: the teacher's weights travel with each batch, and convolutions are rewritten.

As constants the teacher's weights would be compiled into the program; in the model's state they would be donated to
each step, and an interrupted training would lose them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def restored_on_failure(variables: Sequence[Any]) -> Iterator[None]:
    """Restore a model's weights where its first compiled step fails.

    Keras empties a model's variables before its first compiled step. Where that step cannot even be traced (an error
    in a custom loss, labels of another shape) they would stay empty, and the student would be lost.

    Args:
        variables: the model's.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    values = [variable.value for variable in variables]
    try:
        yield
    except BaseException:  # an interruption too: it continues after the weights are restored
        for variable, value in zip(variables, values, strict=True):
            if variable._value is None and not value.is_deleted():
                variable.assign(value)
        raise
