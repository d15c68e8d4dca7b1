"""All losses, and the tables from their names to their functions."""

from collections.abc import Mapping
from types import MappingProxyType

from distillab.losses.bernoulli import (
    bernoulli_cross_entropy,
    bernoulli_generalised,
    bernoulli_jensen_shannon,
    bernoulli_kl,
    bernoulli_logit_mse,
    bernoulli_reverse_kl,
    label_binary_cross_entropy,
)
from distillab.losses.correlation import dist
from distillab.losses.decoupling import decoupled
from distillab.losses.divergences import (
    distillation_cross_entropy,
    distillation_kl,
    generalised_skew_kl,
    jensen_shannon,
    reverse_kl,
    unmatched_kl,
)
from distillab.losses.labels import LabelLoss, label_cross_entropy, label_squared_error
from distillab.losses.logit_distance import logit_mse
from distillab.losses.mixture import LossTerms, mix, objective
from distillab.losses.names import DISTILLATION_LOSSES, LABEL_LOSS_FUNCTIONS
from distillab.losses.regression import (
    absolute_error,
    huber,
    squared_error,
    teacher_absolute_error,
    teacher_bounded,
    teacher_huber,
    teacher_squared_error,
)
from distillab.losses.several import OutputLosses, objective_of_several
from distillab.losses.signature import Array, DistillationLoss, relates_examples
from distillab.losses.standardised import standardised_kl
from distillab.losses.virtual_teacher import teacher_free

__all__ = [
    "LABEL_LOSSES",
    "LOSSES",
    "Array",
    "DistillationLoss",
    "LabelLoss",
    "LossTerms",
    "OutputLosses",
    "absolute_error",
    "bernoulli_cross_entropy",
    "bernoulli_generalised",
    "bernoulli_jensen_shannon",
    "bernoulli_kl",
    "bernoulli_logit_mse",
    "bernoulli_reverse_kl",
    "decoupled",
    "dist",
    "distillation_cross_entropy",
    "distillation_kl",
    "generalised_skew_kl",
    "huber",
    "jensen_shannon",
    "label_binary_cross_entropy",
    "label_cross_entropy",
    "label_losses_for",
    "label_squared_error",
    "logit_mse",
    "losses_for",
    "mix",
    "objective",
    "objective_of_several",
    "relates_examples",
    "reverse_kl",
    "squared_error",
    "standardised_kl",
    "teacher_absolute_error",
    "teacher_bounded",
    "teacher_free",
    "teacher_huber",
    "teacher_squared_error",
    "unmatched_kl",
]


def losses_for(task: str) -> Mapping[str, DistillationLoss]:
    """The distillation losses that are defined for a task, by name; the default is the first.

    Args:
        task: a name in `distillab.tasks.TASKS`.

    Example:
        >>> list(losses_for("binary"))
        ['kl', 'cross_entropy', 'reverse_kl', 'jensen_shannon', 'generalised', 'logit_mse']
    """
    facts = DISTILLATION_LOSSES.items()
    return MappingProxyType({name: globals()[of.functions[task]] for name, of in facts if task in of.functions})


def label_losses_for(task: str) -> Mapping[str, LabelLoss]:
    """The label losses that are defined for a task, by name; the default is the first.

    Args:
        task: a name in `distillab.tasks.TASKS`.

    Example:
        >>> list(label_losses_for("regression"))
        ['squared', 'absolute', 'huber']
    """
    functions = LABEL_LOSS_FUNCTIONS.items()
    return MappingProxyType({name: globals()[of[task]] for name, of in functions if task in of})


LOSSES: Mapping[str, DistillationLoss] = losses_for("categorical")
"""The distillation losses of one of C classes, by name."""

LABEL_LOSSES: Mapping[str, LabelLoss] = label_losses_for("categorical")
"""The label losses of one of C classes, by name."""
