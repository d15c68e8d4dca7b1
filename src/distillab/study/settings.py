"""The settings of one cell of a study: a single value for every key, checked once."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from distillab.models import parse

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "agreement",
]
"""What a study may compare alphas by: shares in [0, 1] of which more is better."""


def _no_switch(value: Any) -> Any:
    """Refuse yes and no where a number belongs: Python would take them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number, not a yes or no")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _model_name(value: str) -> str:
    parse(value)
    return value


Number = Annotated[float, BeforeValidator(_no_switch), AfterValidator(_finite)]
Count = Annotated[int, BeforeValidator(_no_switch), Field(ge=1)]
Seed = Annotated[int, BeforeValidator(_no_switch), Field(ge=0)]
Pixels = Annotated[int, BeforeValidator(_no_switch), Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
ModelName = Annotated[str, AfterValidator(_model_name)]
Optimiser = Literal["adam", "sgd", "momentum"]
Schedule = Literal["constant", "cosine", "linear"]
WhichLabels = Literal["clean", "noisy"]
Loss = Literal[
    "kl",
    "cross_entropy",
    "reverse_kl",
    "jensen_shannon",
    "generalised",
    "logit_mse",
    "decoupled",
    "dist",
    "standardised",
    "teacher_free",
]
"""The names of `distillab.losses.LOSSES`, which needs Keras; a test holds the two together."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Noise(_Frozen):
    """Perturbation of the training labels."""

    kind: Literal["shift", "symmetric", "pair"] = "shift"
    rate: Share = 0.0


class Teacher(_Frozen):
    """Which teacher, and how it was trained.

    `shift` moves its training images by up to so many pixels, anew in every epoch.
    """

    model: ModelName = "cnn-256-512"
    labels: WhichLabels = "clean"
    train_size: Count | None = None
    epochs: Count = 3
    batch_size: Count = 64
    learning_rate: Positive = 0.001
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    shift: Pixels = 0
    seed: Seed = 0


class Student(_Frozen):
    """The student's architecture, and the precision that it computes in; its weights are float32 in any case."""

    model: ModelName = "cnn-16-32"
    precision: Literal["float32", "bfloat16"] = "float32"


class Change(_Frozen):
    """How the students' training images are changed, anew in every epoch; their teacher then answers them live."""

    shift: Pixels = 0
    flip: bool = False


class Validation(_Frozen):
    """The part of the training data that alpha is chosen on."""

    share: Annotated[Number, Field(gt=0, le=0.5)] = 0.1
    labels: WhichLabels = "noisy"


class Settings(_Frozen):
    """Everything that decides a student's result, but its seed."""

    dataset: str
    train_size: Count | None = None
    noise: Noise = Noise()
    teacher: Teacher = Teacher()
    student: Student = Student()
    loss: Loss = "kl"
    alpha: Share = 0.5
    temperature: Positive = 3.0
    epochs: Count = 10
    batch_size: Count = 32
    learning_rate: Positive = 0.001
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    augmentation: Change = Change()
    validation: Validation = Validation()


class Frame(_Frozen):
    """What a study asks, over all its cells."""

    question: str = "How does alpha change the student's accuracy?"
    seeds: Count = 10
    metric: Metric = "accuracy"
    margin: Positive = 0.001
