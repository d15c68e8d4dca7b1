"""What a compiled JAX step of a distiller needs: the teacher's weights beside each batch, and fast convolutions.

As constants the teacher's weights would be compiled into the program; in the model's state they would be donated to
each step, and a training that is interrupted would lose them. So they travel with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from distillab.keras.teachers import Teachers


def beside_teachers(function: Callable[..., Any], teachers: Teachers | None) -> Callable[..., Any]:
    """Let a step function of (state, batches) have the teachers' weights beside each batch; elsewhere leave it be."""
    if keras.backend.backend() != "jax" or teachers is None:
        return function

    def paired(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            yield teachers.values(), batch

    return lambda state, batches: function(state, paired(batches))


def step(function: Callable[..., Any], arguments: tuple[Any, ...], teachers: Teachers | None) -> Any:
    """Take a step whose batch may come with the teachers' weights: (state, (weights, batch))."""
    if keras.backend.backend() != "jax" or teachers is None:
        return function(*arguments)
    state, (values, batch) = arguments
    with teachers.lent(values):
        return function(state, batch)


def lowered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays whose convolutions are matrix products, where that was measured to pay: on CPUs."""
    import jax

    if jax.default_backend() != "cpu":
        return function
    from distillab.engine.lowering import lower

    return lower(function)


@contextmanager
def kept(variables: Sequence[Any]) -> Iterator[None]:
    """Put back what a failed start took away.

    Keras empties a model's variables before its first compiled step. Where that step cannot even be traced (a fault in
    a loss of one's own, labels of another shape) they would stay empty, and the student would be lost.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    values = [variable.value for variable in variables]
    try:
        yield
    except BaseException:  # also of an interruption: the weights are put back, and it goes on its way
        for variable, value in zip(variables, values, strict=True):
            if variable._value is None and not value.is_deleted():
                variable.assign(value)
        raise
