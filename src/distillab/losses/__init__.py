"""Response-based losses: what the student's answer costs against the labels and against the teacher's answer.

Every loss takes logits, works in log space and returns one value per example, unreduced:
`(student_logits, teacher_logits, labels, *, temperature, …) -> (B,)`. `objective` mixes the two terms by alpha and
averages them over a batch. All functions are written on `keras.ops` and run on every Keras backend.
"""

from collections.abc import Mapping
from types import MappingProxyType

from distillab.losses.decoupled import decoupled
from distillab.losses.dist import dist
from distillab.losses.divergences import (
    distillation_cross_entropy,
    distillation_kl,
    generalised_skew_kl,
    jensen_shannon,
    reverse_kl,
)
from distillab.losses.labels import LABEL_LOSSES, LabelLoss, label_cross_entropy, label_squared_error
from distillab.losses.logit_mse import logit_mse
from distillab.losses.objective import Terms, objective
from distillab.losses.signature import Array, DistillationLoss, relates_examples
from distillab.losses.standardised import standardised_kl
from distillab.losses.teacher_free import teacher_free

LOSSES: Mapping[str, DistillationLoss] = MappingProxyType(
    {
        "kl": distillation_kl,
        "cross_entropy": distillation_cross_entropy,
        "reverse_kl": reverse_kl,
        "jensen_shannon": jensen_shannon,
        "generalised": generalised_skew_kl,
        "logit_mse": logit_mse,
        "decoupled": decoupled,
        "dist": dist,
        "standardised": standardised_kl,
        "teacher_free": teacher_free,
    }
)
"""The names that a study's `loss` key and `Distiller.compile` may hold."""

__all__ = [
    "LABEL_LOSSES",
    "LOSSES",
    "Array",
    "DistillationLoss",
    "LabelLoss",
    "Terms",
    "decoupled",
    "dist",
    "distillation_cross_entropy",
    "distillation_kl",
    "generalised_skew_kl",
    "jensen_shannon",
    "label_cross_entropy",
    "label_squared_error",
    "logit_mse",
    "objective",
    "relates_examples",
    "reverse_kl",
    "standardised_kl",
    "teacher_free",
]
