"""The request of a distillation, checked once."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from distillab.errors import not_allowed
from distillab.losses import DISTILLATION_LOSSES
from distillab.study.checking import validated
from distillab.study.model_options import ModelOptions, Scale
from distillab.study.settings import Count, CountFromZero, Frozen, Optimiser, Positive, Schedule, Share

Metric = Literal["accuracy", "f1_macro", "balanced_accuracy"]
"""The metrics that may choose the settings; ties are settled by the likelihood."""

LOSSES = tuple(name for name, facts in DISTILLATION_LOSSES.items() if facts.needs_teacher)
if TYPE_CHECKING:
    Loss = str
else:  # pydantic reads the names from the table
    Loss = Literal[LOSSES]


def _alpha(value: Any) -> Any:
    if isinstance(value, str) and value != "predicted":
        raise ValueError("a number from 0 to 1, 'search' or 'predicted'")
    return value


class Request(Frozen):
    """How a student is distilled.

    Args:
        alpha: weight of the labels in [0, 1]; None: searched; "predicted": from the students at alpha = 0 and 1.
        temperature: T > 0; None: searched.
        learning_rate: the peak, > 0; None: searched, for the student and for its baseline.
        search: "grid" goes from coarse to fine, "optuna" uses Optuna's sampler.
        trials: for "optuna": candidates for the student and as many for its baseline.
        rounds: for "grid": refinements after the coarse grid.
        search_seeds: trainings of each candidate.
        seeds: trainings of the final student, and of its baseline.
        budget: seconds for search and final trainings together; what does not fit is cut, and the result says so.
        losses: for "optuna": to choose from, instead of `loss`.
        epochs, batch_size, loss, optimiser, schedule: the training, as in a study.
        shift, flip: augmentation of images, as in a study.
        metric: chooses on the validation examples.
        margin: the largest gain that does not matter, > 0, as in a study.
        size: the student's weights, at most so many bytes, or such a share of the teacher's; for student "auto".
        latency: seconds for one example, at most; for student "auto".
        flops: operations for one example, at most; for student "auto".
        warm_start, teacher_input, teacher_scale, student_scale, modules, trust: see `ModelOptions`.

    Raises:
        RequestError: a value out of range; the message names the key.
    """

    alpha: Annotated[Share | Literal["predicted"] | None, BeforeValidator(_alpha)] = None
    temperature: Positive | None = None
    learning_rate: Positive | None = None
    search: Literal["grid", "optuna"] = "grid"
    trials: Annotated[Count, Field(ge=4)] = 40
    rounds: CountFromZero = 2
    search_seeds: Count = 2
    seeds: Annotated[Count, Field(ge=2)] = 5
    budget: Positive | None = None
    epochs: Count = 10
    batch_size: Count = 32
    loss: Loss = "kl"
    losses: tuple[Loss, ...] = ()
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    shift: CountFromZero = 0
    flip: bool = False
    metric: Metric = "accuracy"
    margin: Positive = 0.001
    size: float | str | None = None
    latency: Positive | None = None
    flops: Positive | None = None
    warm_start: bool = False
    teacher_input: tuple[Count, Count] | None = None
    teacher_scale: Scale | None = None
    student_scale: Scale | None = None
    modules: tuple[str, ...] = ()
    trust: bool = False

    @model_validator(mode="after")
    def _losses_are_for_optuna(self) -> Request:
        if self.losses and self.search != "optuna":
            raise not_allowed("losses", self.losses, "left out with search='grid'", "Give one, or --search optuna.")
        return self

    @property
    def options(self) -> ModelOptions:
        """How the models are read."""
        return ModelOptions(**{option.name: getattr(self, option.name) for option in fields(ModelOptions)})


def request(**values: Any) -> Request:
    """Check a request.

    Args:
        values: fields of `Request`.

    Raises:
        RequestError: an unknown field or a value out of range.
    """
    return validated(Request, values)


def seconds(text: str) -> float:
    """Read a time such as 15m, 90s, 1.5h or 2ms.

    Args:
        text: a number and its unit.

    Raises:
        RequestError: there is no unit, or the number is not positive.

    Example:
        >>> seconds("15m"), seconds("2ms")
        (900.0, 0.002)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise not_allowed("time", text, "a number with us, ms, s, m or h, such as 15m")
    return float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]
