"""The signature of a distillation loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Array = Any  # a backend tensor, whichever backend Keras runs on

DistillationLoss = Callable[..., Array]
"""`(student_logits, teacher_logits, labels, *, temperature) -> (B,)`: one value per example, unreduced.

Logits have shape (B, C), labels are class numbers of shape (B,), the temperature is a scalar or has shape (B,). A loss
that relates the examples of a batch to one another takes a further keyword, `weights` of shape (B,), which
weights the examples: a row of weight 0 has no influence.
"""


def relates_examples(loss: DistillationLoss) -> bool:
    """Whether an example's value depends on the rest of its batch: whether the loss takes `weights`.

    Args:
        loss: a distillation loss.

    Example:
        >>> from distillab.losses import LOSSES
        >>> [name for name, loss in LOSSES.items() if relates_examples(loss)]
        ['dist']
    """
    return "weights" in inspect.signature(loss).parameters
