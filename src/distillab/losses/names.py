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
        functions: its name in `distillab.losses`, by each task that it is defined for.
        needs_labels: whether it reads the labels, so that examples without labels cannot count for it.
        needs_teacher: whether it reads the teacher's predictions.
    """

    functions: Mapping[str, str]
    needs_labels: bool = False
    needs_teacher: bool = True


def _of(classes: str = "", *, independent: str = "", numbers: str = "") -> Mapping[str, str]:
    """The functions by task: for one of C classes, for independent labels, for real numbers."""
    by_task = {"categorical": classes, "binary": independent, "multilabel": independent, "regression": numbers}
    return MappingProxyType({task: function for task, function in by_task.items() if function})


DISTILLATION_LOSSES: Mapping[str, LossFacts] = MappingProxyType(
    {
        "kl": LossFacts(_of("distillation_kl", independent="bernoulli_kl")),
        "cross_entropy": LossFacts(_of("distillation_cross_entropy", independent="bernoulli_cross_entropy")),
        "reverse_kl": LossFacts(_of("reverse_kl", independent="bernoulli_reverse_kl")),
        "jensen_shannon": LossFacts(_of("jensen_shannon", independent="bernoulli_jensen_shannon")),
        "generalised": LossFacts(_of("generalised_skew_kl", independent="bernoulli_generalised")),
        "logit_mse": LossFacts(_of("logit_mse", independent="bernoulli_logit_mse")),
        "decoupled": LossFacts(_of("decoupled"), needs_labels=True),
        "dist": LossFacts(_of("dist")),
        "standardised": LossFacts(_of("standardised_kl")),
        "teacher_free": LossFacts(_of("teacher_free"), needs_labels=True, needs_teacher=False),
        "unmatched": LossFacts(_of("unmatched_kl")),
        "squared": LossFacts(_of(numbers="teacher_squared_error")),
        "absolute": LossFacts(_of(numbers="teacher_absolute_error")),
        "huber": LossFacts(_of(numbers="teacher_huber")),
        "bounded": LossFacts(_of(numbers="teacher_bounded"), needs_labels=True),
    }
)
"""Every distillation loss that a study's `loss` key and `Distiller.compile` accept; `losses_for` holds the functions.

A task's default is the first that is defined for it."""

LABEL_LOSS_FUNCTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "cross_entropy": _of("label_cross_entropy", independent="label_binary_cross_entropy"),
        "squared": _of("label_squared_error", numbers="squared_error"),
        "absolute": _of(numbers="absolute_error"),
        "huber": _of(numbers="huber"),
    }
)
"""Every label loss that a study's `label_loss` key accepts, by task; `label_losses_for` holds the functions."""


UNMIXED: frozenset[tuple[str, str]] = frozenset(
    {("squared", "logit_mse"), ("squared", "squared"), ("absolute", "absolute"), ("huber", "huber")}
)
"""Label and distillation losses that have a minimum for every real alpha: both are the same distance, and their weights
add up to 1. Cross-entropy and divergences need a mixture of probabilities: against a negative target they fall without
bound as the student's probability of it goes to 0."""


def distillation_loss_names(task: str) -> tuple[str, ...]:
    """The distillation losses that are defined for a task, its default first.

    Args:
        task: a name in `distillab.tasks.TASKS`.

    Example:
        >>> distillation_loss_names("regression")
        ('squared', 'absolute', 'huber', 'bounded')
    """
    return tuple(name for name, facts in DISTILLATION_LOSSES.items() if task in facts.functions)


def label_loss_names(task: str) -> tuple[str, ...]:
    """The label losses that are defined for a task, its default first.

    Args:
        task: a name in `distillab.tasks.TASKS`.

    Example:
        >>> label_loss_names("binary")
        ('cross_entropy',)
    """
    return tuple(name for name, functions in LABEL_LOSS_FUNCTIONS.items() if task in functions)
