"""The request of a distillation, checked once."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from distillab.data import Dataset
from distillab.errors import not_allowed
from distillab.losses import DISTILLATION_LOSSES
from distillab.metrics.metric import metric_named
from distillab.models.preparation import Layout, Normalisation, parse_normalisation
from distillab.study.checking import validated
from distillab.study.clean_labels import check_robust
from distillab.study.model_options import ModelOptions, Scale
from distillab.study.settings import (
    Count,
    CountFromZero,
    Frozen,
    LabelLoss,
    MetricName,
    Optimiser,
    Outputs,
    Positive,
    Schedule,
    Share,
)
from distillab.tasks.matching import parsed_tasks
from distillab.tasks.several import outputs_of, part_of_metric, with_options

OF_TEACHER = ("agreement", "kl_to_teacher", "mae_to_teacher")
"""Metrics that compare with the teacher: they cannot choose how much to listen to it."""

REGRESSION_MARGIN = 0.01
"""The default margin of metrics in the labels' own unit, in standard deviations of the labels."""

LOSSES = tuple(name for name, facts in DISTILLATION_LOSSES.items() if facts.needs_teacher)
if TYPE_CHECKING:
    Loss = str
else:  # pydantic reads the names from the table
    Loss = Literal[LOSSES]


def _alpha(value: Any) -> Any:
    if isinstance(value, str) and value != "predicted":
        raise ValueError("a number from 0 to 1, 'search' or 'predicted'")
    return value


def _tasks(value: str | dict[str, str] | None) -> str | dict[str, str] | None:
    return None if value is None else parsed_tasks(value)


def _normalisation(value: Any) -> Any:
    return parse_normalisation(value) if isinstance(value, str) else value


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
        epochs, batch_size, loss, optimiser, schedule: the training, as in a study; loss None: the task's default.
        resample: unlabelled rows to make from the training rows of a table, for the teacher to label.
        shift, flip: augmentation of images, as in a study.
        task: what outputs and labels mean; of several outputs "age=regression, income=binary", or such a mapping;
            None: recognised from models and labels.
        outputs: of data of several outputs, by name the alpha and the weight of some, such as {"age": {"alpha": 0.5}};
            the search is for the alpha of the others.
        label_loss: against the labels; None: the task's default.
        metric: chooses on the validation examples, and judges on the test examples; None: the task's default.
        choose: "metric": settings are chosen by the metric on the validation labels as they are; "robust": by the
            likely clean labels, where some look wrong.
        margin: the largest gain that does not matter, > 0, in the metric's own numbers; None: 0.001, and for metrics in
            the labels' own unit a hundredth of their standard deviation.
        size: the student's weights, at most so many bytes, or such a share of the teacher's; for student "auto".
        latency: seconds for one example, at most; for student "auto".
        flops: operations for one example, at most; for student "auto".
        warm_start, teacher_input, teacher_scale, teacher_normalise, teacher_layout, teacher_classes, anyway,
            student_scale, modules, trust: see `ModelOptions`; teacher_normalise also as text, "imagenet" or "0.5/0.25".

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
    loss: Loss | None = None
    losses: tuple[Loss, ...] = ()
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    resample: CountFromZero = 0
    shift: CountFromZero = 0
    flip: bool = False
    task: Annotated[str | dict[str, str] | None, AfterValidator(_tasks)] = None
    outputs: Outputs = Field(default_factory=dict, validate_default=True)
    label_loss: LabelLoss | None = None
    metric: MetricName | None = None
    choose: Literal["metric", "robust"] = "metric"
    margin: Positive | None = None
    size: float | str | None = None
    latency: Positive | None = None
    flops: Positive | None = None
    warm_start: bool = False
    teacher_input: tuple[Count, Count] | None = None
    teacher_scale: Scale | None = None
    teacher_normalise: Annotated[Normalisation | None, BeforeValidator(_normalisation)] = None
    teacher_layout: Layout | None = None
    teacher_classes: tuple[str, ...] | None = None
    anyway: bool | None = None
    student_scale: Scale | None = None
    modules: tuple[str, ...] = ()
    trust: bool = False

    @model_validator(mode="after")
    def _losses_are_for_optuna(self) -> Request:
        if self.losses and self.search != "optuna":
            raise not_allowed("losses", self.losses, "left out with search='grid'", "Give one, or --search optuna.")
        return self

    def resolved(self, dataset: Dataset) -> Request:
        """The same request, what it leaves to the task filled in.

        Args:
            dataset: the data, whose task is known.

        Raises:
            RequestError: a value that the task does not have.
        """
        task, positions = dataset.task, bool(dataset.positions)
        task, by_output = with_options(task, self.outputs), {part.name: part.task.name for part in task.parts}
        metrics = [name for name in task.metrics_of(positions) if name.rpartition(".")[2] not in OF_TEACHER]
        task.check_temperature(self.temperature)
        for loss in (self.loss, *self.losses):
            task.check_loss(loss or task.losses[0])
        task.check_label_loss(self.label_loss or task.label_losses[0])
        if self.metric is not None and self.metric not in metrics:
            raise not_allowed("metric", self.metric, f"one of task={task.name}: {', '.join(metrics)}")
        if self.alpha == "predicted" and (positions or task.name not in ("categorical", "binary")):
            raise not_allowed("alpha", self.alpha, "a number or 'search' with this task", "It predicts class labels.")
        if self.choose == "robust":
            check_robust(task, positions)
        metric = self.metric or metrics[0]
        spread = dataset.target_spread
        margin = self.margin or 0.001
        if self.margin is None and spread is not None and metric_named(metric).in_label_unit:
            of = part_of_metric(task, metric)
            spread = spread if of is None else outputs_of(of[0], spread)
            margin = float(f"{REGRESSION_MARGIN * float(spread.mean()):.2g}")
        return self.model_copy(
            update={
                "task": by_output or task.name,
                "loss": self.loss or task.losses[0],
                "label_loss": self.label_loss or task.label_losses[0],
                "metric": metric,
                "margin": margin,
            }
        )

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
