"""Compiled JAX steps of a distiller: the teacher's weights travel with each batch, and convolutions are rewritten.

As constants the teacher's weights would be compiled into the program; in the model's state they would be donated to
each step, and an interrupted training would lose them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import keras


class Weights(Protocol):
    """Models whose weights a compiled step takes as arguments."""

    def weights_now(self) -> list[Any]:
        """Their weights as arrays."""

    def using(self, weights: list[Any]) -> AbstractContextManager[None]:
        """Predict with these weights inside the context.

        Args:
            weights: as from `weights_now`.
        """


def pair_batches(function: Callable[..., Any], teachers: Weights | None) -> Callable[..., Any]:
    """Pair each batch of a step function with the teachers' weights, on JAX; elsewhere return the function unchanged.

    Args:
        function: of (state, iterator of batches).
        teachers: None where there is no live teacher.
    """
    if keras.backend.backend() != "jax" or teachers is None:
        return function
    return lambda state, batches: function(state, ((teachers.weights_now(), batch) for batch in batches))


def run_step(function: Callable[..., Any], arguments: tuple[Any, ...], teachers: Weights | None) -> Any:
    """Run a step on a batch that `pair_batches` paired with the teachers' weights.

    Args:
        function: the backend's step.
        arguments: (state, (weights, batch)) on JAX with live teachers; otherwise passed on as they are.
        teachers: None where there is no live teacher.
    """
    if keras.backend.backend() != "jax" or teachers is None:
        return function(*arguments)
    state, (weights, batch) = arguments
    with teachers.using(weights):
        return function(state, batch)


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
