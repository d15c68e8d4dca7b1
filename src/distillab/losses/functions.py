"""All losses, and the tables from their names to their functions."""

from collections.abc import Mapping
from types import MappingProxyType

from distillab.losses.correlation import dist
from distillab.losses.decoupling import decoupled
from distillab.losses.divergences import (
    distillation_cross_entropy,
    distillation_kl,
    generalised_skew_kl,
    jensen_shannon,
    reverse_kl,
)
from distillab.losses.labels import LabelLoss, label_cross_entropy, label_squared_error
from distillab.losses.mixture import LossTerms, mix, objective
from distillab.losses.names import DISTILLATION_LOSSES, LABEL_LOSS_FUNCTIONS
from distillab.losses.signature import Array, DistillationLoss, relates_examples
from distillab.losses.squared_error import logit_mse
from distillab.losses.standardised import standardised_kl
from distillab.losses.virtual_teacher import teacher_free

__all__ = [
    "LABEL_LOSSES",
    "LOSSES",
    "Array",
    "DistillationLoss",
    "LabelLoss",
    "LossTerms",
    "decoupled",
    "dist",
    "distillation_cross_entropy",
    "distillation_kl",
    "generalised_skew_kl",
    "jensen_shannon",
    "label_cross_entropy",
    "label_squared_error",
    "logit_mse",
    "mix",
    "objective",
    "relates_examples",
    "reverse_kl",
    "standardised_kl",
    "teacher_free",
]

LOSSES: Mapping[str, DistillationLoss] = MappingProxyType(
    {name: globals()[facts.function] for name, facts in DISTILLATION_LOSSES.items()}
)
"""The distillation losses by name."""

LABEL_LOSSES: Mapping[str, LabelLoss] = MappingProxyType(
    {name: globals()[function] for name, function in LABEL_LOSS_FUNCTIONS.items()}
)
"""The label losses by name."""
