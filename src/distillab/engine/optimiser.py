"""Optimisers, which step as Keras's do, and learning-rate schedules; the rate is a traced number, one per student.

JAX and optax are imported when one is made: a configuration reads the names from here, and must load at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import optax


def _optax() -> Any:
    import optax

    return optax


def _keras_adam(b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-7) -> optax.GradientTransformation:
    """Adam as Keras has it: `m sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon)`.

    Kingma and Ba (2015) print this form before section 2.1, with their epsilon-hat; their algorithm 1, and optax's
    `scale_by_adam`, correct the bias of v before epsilon is added. The two differ where gradients are near epsilon: at
    1e-6 the first step is 0.24 of the rate here, and 0.91 there.
    """
    import jax
    import jax.numpy as jnp

    library = _optax()

    def init(parameters: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return library.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros, nu=zeros)

    def update(gradients: Any, state: Any, parameters: Any = None) -> tuple[Any, Any]:
        count = state.count + 1
        mean = jax.tree.map(lambda g, m: m + (g - m) * (1 - b1), gradients, state.mu)
        square = jax.tree.map(lambda g, v: v + (jnp.square(g) - v) * (1 - b2), gradients, state.nu)
        step = count.astype(jnp.float32)
        rate = jnp.sqrt(1 - jnp.float32(b2) ** step) / (1 - jnp.float32(b1) ** step)
        direction = jax.tree.map(lambda m, v: m * rate.astype(m.dtype) / (jnp.sqrt(v) + epsilon), mean, square)
        return direction, library.ScaleByAdamState(count=count, mu=mean, nu=square)

    return cast("optax.GradientTransformation", library.GradientTransformation(init, update))


SCHEDULES: Mapping[str, Callable[[int], optax.Schedule]] = MappingProxyType(
    {
        "constant": lambda steps: _optax().constant_schedule(1.0),
        "cosine": lambda steps: _optax().cosine_decay_schedule(1.0, steps),
        "linear": lambda steps: _optax().linear_schedule(1.0, 0.0, steps),
    }
)
"""Name -> (number of steps of the whole training -> step -> multiple of the learning rate, 1 at the start)."""

OPTIMISERS: Mapping[str, Callable[[], optax.GradientTransformation]] = MappingProxyType(
    {
        "adam": _keras_adam,
        "sgd": lambda: _optax().identity(),
        "momentum": lambda: _optax().trace(decay=0.9, nesterov=True),
        "rmsprop": lambda: _optax().scale_by_rms(decay=0.9, eps=1e-7),  # decay, and epsilon under the root, as in Keras
    }
)
"""Name -> direction of descent for a learning rate of one; the engine multiplies it by rate and schedule."""
