"""Optimisers and learning-rate schedules, from optax; the rate itself is a traced number, one per student.

optax is imported when one is made: a configuration reads the names from here, and must load at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optax


def _optax() -> Any:
    import optax

    return optax


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
        "adam": lambda: _optax().scale_by_adam(b1=0.9, b2=0.999, eps=1e-7),  # epsilon as in Keras
        "sgd": lambda: _optax().identity(),
        "momentum": lambda: _optax().trace(decay=0.9, nesterov=True),
        "rmsprop": lambda: _optax().scale_by_rms(decay=0.9, eps=1e-7),  # decay, and epsilon under the root, as in Keras
    }
)
"""Name -> direction of descent for a learning rate of one; the engine multiplies it by rate and schedule."""
