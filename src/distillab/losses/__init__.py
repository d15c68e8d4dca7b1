"""Response-based losses: the cost of the student's logits against the labels and against the teacher's logits.

Every loss takes logits, works in log space and returns one value per example, unreduced:
`(student_logits, teacher_logits, labels, *, temperature, …) -> (B,)`, or (B, positions) for models that predict at
many positions. `losses_for` gives the losses that are defined for a task. `objective` mixes the two terms by alpha and
averages them over a batch. All functions are written on `keras.ops` and run on every Keras backend.

Keras is imported with the first function: names and defaults must load at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

from distillab.backend import check_backend
from distillab.losses.names import (
    DEFAULT_ALPHA,
    DEFAULT_TEMPERATURE,
    DISTILLATION_LOSSES,
    LABEL_LOSS_FUNCTIONS,
    distillation_loss_names,
    label_loss_names,
)

if TYPE_CHECKING:
    from distillab.losses.functions import *  # noqa: F403

__all__ = [
    "DEFAULT_ALPHA",
    "DEFAULT_TEMPERATURE",
    "DISTILLATION_LOSSES",
    "LABEL_LOSS_FUNCTIONS",
    "distillation_loss_names",
    "label_loss_names",
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'distillab.losses' has no attribute {name!r}")
    check_backend()
    functions = importlib.import_module("distillab.losses.functions")
    if name not in functions.__all__:
        raise AttributeError(f"module 'distillab.losses' has no attribute {name!r}")
    return getattr(functions, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *importlib.import_module("distillab.losses.functions").__all__})
