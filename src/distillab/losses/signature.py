"""How a distillation loss is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Array = Any  # a backend tensor, whichever backend Keras runs on

DistillationLoss = Callable[..., Array]
"""`(student_logits, teacher_logits, labels, *, temperature) -> (B,)`: one value per example, unreduced.

Logits have shape (B, C), labels are class numbers of shape (B,), the temperature is a scalar or has shape (B,). A loss
that relates the examples of a batch to one another takes a further keyword, `weights` of shape (B,), and counts each
example by it, so that a row of weight 0 might as well not be there.
"""


def relates_examples(loss: DistillationLoss) -> bool:
    """Whether an example's value depends on the rest of its batch: whether the loss takes `weights`.

    Example:
        >>> from distillab.losses import LOSSES
        >>> [name for name, loss in LOSSES.items() if relates_examples(loss)]
        ['dist']
    """
    return "weights" in inspect.signature(loss).parameters
