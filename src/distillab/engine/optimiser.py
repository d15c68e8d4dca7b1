"""Optimisers and learning-rate schedules, from optax; the rate itself is a traced number, one per student.

optax is imported when one is made: a configuration reads the names from here, and must load at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optax


def _constant(steps: int) -> optax.Schedule:
    import optax

    return optax.constant_schedule(1.0)


def _cosine(steps: int) -> optax.Schedule:
    import optax

    return optax.cosine_decay_schedule(1.0, steps)


def _linear(steps: int) -> optax.Schedule:
    import optax

    return optax.linear_schedule(1.0, 0.0, steps)


def _adam() -> optax.GradientTransformation:
    import optax

    return optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-7)  # epsilon as in Keras


def _sgd() -> optax.GradientTransformation:
    import optax

    return optax.identity()


def _momentum() -> optax.GradientTransformation:
    import optax

    return optax.trace(decay=0.9, nesterov=True)


SCHEDULES: Mapping[str, Callable[[int], optax.Schedule]] = MappingProxyType(
    {"constant": _constant, "cosine": _cosine, "linear": _linear}
)
"""Name -> (number of steps of the whole training -> step -> multiple of the learning rate, 1 at the start)."""

OPTIMISERS: Mapping[str, Callable[[], optax.GradientTransformation]] = MappingProxyType(
    {"adam": _adam, "sgd": _sgd, "momentum": _momentum}
)
"""Name -> direction of descent for a learning rate of one; the engine multiplies it by rate and schedule."""
