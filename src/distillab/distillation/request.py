"""What is asked of a distillation, checked once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from distillab.engine.optimiser import OPTIMISERS, SCHEDULES
from distillab.errors import not_allowed, unknown
from distillab.losses import DISTILLATION_LOSSES

METRICS = ("accuracy", "f1_macro", "balanced_accuracy")
"""By which alpha is chosen; ties are settled by the likelihood."""

LOSSES = tuple(name for name, loss in DISTILLATION_LOSSES.items() if loss.needs_teacher)
"""Losses that read the teacher's logits."""

MASKABLE = tuple(name for name in LOSSES if not DISTILLATION_LOSSES[name].needs_labels)
"""Losses that read no labels, so that unlabelled examples can count for them."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a student is to be distilled.

    Args:
        alpha: weight of the labels in [0, 1]; None: searched; "predicted": from the students at both ends.
        temperature: T > 0; None: searched.
        learning_rate: at the schedule's height, > 0; None: searched, for the student and for its baseline.
        search: "grid" goes from coarse to fine, "optuna" asks Optuna's sampler.
        trials: for "optuna": candidates for the student and as many for its baseline.
        rounds: for "grid": refinements after the coarse grid.
        search_seeds: trainings of each candidate.
        seeds: trainings of the final student, and of its baseline.
        budget: seconds for search and final training together; None: as long as it takes. A short one halves the
            candidates successively, on trainings of a ninth, a third and all of the epochs.
        losses: for "optuna": to choose from, instead of `loss`.
        epochs, batch_size, loss, optimiser, schedule: the training, as in a study.
        shift, flip: augmentation of images, as in a study.
        metric: one of `METRICS`, on the validation examples.
        size: the student's weights, at most so many bytes, or such a share of the teacher's; for student "auto".
        latency: seconds for one example, at most; for student "auto".
        flops: operations for one example, at most; for student "auto".
        warm_start: begin from the weights in the student's file.
        teacher_input: (H, W) that images are resized to for the teacher.
        teacher_scale, student_scale: "raw" inputs as stored, "unit" inputs times 1/255; None: raw for a model that
            begins with Rescaling or Normalization, otherwise unit.
        modules: Python modules or files that define the custom layers of the models' files.
        trust: let code in model files run.
    """

    alpha: float | Literal["predicted"] | None = None
    temperature: float | None = None
    learning_rate: float | None = None
    search: Literal["grid", "optuna"] = "grid"
    trials: int = 40
    rounds: int = 2
    search_seeds: int = 2
    seeds: int = 5
    budget: float | None = None
    epochs: int = 10
    batch_size: int = 32
    loss: str = "kl"
    losses: tuple[str, ...] = ()
    optimiser: str = "adam"
    schedule: str = "cosine"
    shift: int = 0
    flip: bool = False
    metric: str = "accuracy"
    size: float | str | None = None
    latency: float | None = None
    flops: float | None = None
    warm_start: bool = False
    teacher_input: tuple[int, int] | None = None
    teacher_scale: Literal["raw", "unit"] | None = None
    student_scale: Literal["raw", "unit"] | None = None
    modules: tuple[str, ...] = ()
    trust: bool = False

    def __post_init__(self) -> None:
        if not (self.alpha in (None, "predicted") or (_is_number(self.alpha) and 0 <= float(self.alpha) <= 1)):
            raise not_allowed("alpha", self.alpha, "a number from 0 to 1, 'search' or 'predicted'")
        for name in ("temperature", "learning_rate", "budget", "latency", "flops"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise not_allowed(name, value, "a finite number > 0")
        for name, least in {
            "trials": 4,
            "rounds": 0,
            "search_seeds": 1,
            "seeds": 2,
            "epochs": 1,
            "batch_size": 1,
        }.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise not_allowed(name, value, f"a whole number of at least {least}")
        if self.shift < 0:
            raise not_allowed("shift", self.shift, "a whole number of at least 0")
        for name, known in {
            "loss": LOSSES,
            "metric": METRICS,
            "optimiser": OPTIMISERS,
            "schedule": SCHEDULES,
            "search": ("grid", "optuna"),
        }.items():
            if getattr(self, name) not in known:
                raise unknown(name, str(getattr(self, name)), known)
        for loss in self.losses:
            if loss not in LOSSES:
                raise unknown("loss", loss, LOSSES)
        if self.losses and self.search != "optuna":
            raise not_allowed("losses", self.losses, "left out with search='grid'", "Give one, or --search optuna.")

    @property
    def searches(self) -> bool:
        """Whether several students must be compared before the final one."""
        return self.alpha is None or self.temperature is None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def seconds(text: str) -> float:
    """Read a time such as 15m, 90s, 1.5h or 2ms.

    Example:
        >>> seconds("15m"), seconds("2ms")
        (900.0, 0.002)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise not_allowed("time", text, "a number with us, ms, s, m or h, such as 15m")
    return float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]
