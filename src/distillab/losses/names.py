"""The names and defaults of the losses, with the facts that a configuration is checked by; it imports no Keras."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

DEFAULT_ALPHA = 0.1
"""Weight of the labels where none is given, as in Keras's own distillation example."""

DEFAULT_TEMPERATURE = 3.0
"""Temperature where none is given."""


class LossFacts(NamedTuple):
    """What a configuration must know of a distillation loss.

    Args:
        function: its name in `distillab.losses`.
        needs_labels: whether it reads the labels, so that examples without labels cannot count for it.
        needs_teacher: whether it reads the teacher's logits.
    """

    function: str
    needs_labels: bool = False
    needs_teacher: bool = True


DISTILLATION_LOSSES: Mapping[str, LossFacts] = MappingProxyType(
    {
        "kl": LossFacts("distillation_kl"),
        "cross_entropy": LossFacts("distillation_cross_entropy"),
        "reverse_kl": LossFacts("reverse_kl"),
        "jensen_shannon": LossFacts("jensen_shannon"),
        "generalised": LossFacts("generalised_skew_kl"),
        "logit_mse": LossFacts("logit_mse"),
        "decoupled": LossFacts("decoupled", needs_labels=True),
        "dist": LossFacts("dist"),
        "standardised": LossFacts("standardised_kl"),
        "teacher_free": LossFacts("teacher_free", needs_labels=True, needs_teacher=False),
    }
)
"""Every distillation loss that a study's `loss` key and `Distiller.compile` accept; `LOSSES` holds the functions."""

LABEL_LOSS_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {"cross_entropy": "label_cross_entropy", "squared": "label_squared_error"}
)
"""Every label loss that a study's `label_loss` key accepts; `LABEL_LOSSES` holds the functions."""
