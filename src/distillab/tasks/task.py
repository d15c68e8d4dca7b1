"""What a model's outputs and the labels mean: the facts of each task, plain values without Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from distillab.errors import RequestError, not_allowed, unknown
from distillab.losses import distillation_loss_names, label_loss_names

TaskName = Literal["categorical", "binary", "multilabel", "regression", "several"]

SEVERAL: Literal["several"] = "several"
"""The name of the task of a model with several outputs, each with a task of its own."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an output means.

    A task holds at every position of an output: a model of images gives (B, H, W, C), one of sequences (B, T, C).

    Args:
        name: as configurations write it.
        meaning: in words, for messages and reports.
        activation: what makes predictions of a model's raw outputs: "softmax", "sigmoid" or, for none, "".
        metrics: of one prediction an example, in the order of reports; the first one chooses alpha.
        map_metrics: the same for predictions at many positions.
        compared: the metrics of a distillation's table, `map_compared` those at many positions.
        noise: the kinds of label noise, the default first.
        parts: of several outputs, what each one means, in their order; () for a single output.
    """

    name: TaskName
    meaning: str
    activation: str
    metrics: tuple[str, ...]
    map_metrics: tuple[str, ...]
    compared: tuple[str, ...]
    map_compared: tuple[str, ...]
    noise: tuple[str, ...]
    parts: tuple[Part, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        """The distillation losses that are defined for it, the default first.

        Of several outputs, those that are defined for one of them; the others take the default of their own task.
        """
        return self._of_parts("losses", distillation_loss_names)

    @property
    def label_losses(self) -> tuple[str, ...]:
        """The label losses that are defined for it, the default first; of several outputs as `losses`."""
        return self._of_parts("label_losses", label_loss_names)

    def _of_parts(self, kind: str, names: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        if self.name != SEVERAL:
            return names(self.name)
        every = [getattr(part.task, kind) for part in self.parts] or [names(name) for name in TASKS]
        first = names("categorical")[:1]  # stands for the default of every output
        return tuple(dict.fromkeys((*first, *(name for of in every for name in of))))

    @property
    def softens(self) -> bool:
        """Whether outputs are logits, which a temperature softens; real outputs are compared as they are."""
        if self.name == SEVERAL:
            return not self.parts or any(part.task.softens for part in self.parts)
        return bool(self.activation)

    @property
    def discrete(self) -> bool:
        """Whether labels are class numbers, or 0 and 1; real numbers, and packed labels of several outputs, are not."""
        return bool(self.activation)

    @property
    def tie(self) -> str:
        """The metric that settles ties: the likelihood, or the error of real numbers; of several outputs their loss."""
        return "loss" if self.name == SEVERAL else "nll" if self.softens else "rmse"

    @property
    def exclusive(self) -> bool:
        """Whether every example, or position, has exactly one class."""
        return self.name in ("categorical", "binary")

    def metrics_of(self, positions: bool) -> tuple[str, ...]:
        """The metrics in the order of reports; the first one chooses alpha.

        Args:
            positions: whether a model predicts at many positions.
        """
        return self.map_metrics if positions else self.metrics

    def outputs(self, names: int) -> int:
        """The number of a model's outputs: one for two classes that exclude each other, else one for each name.

        Args:
            names: how many classes, labels or numbers there are.

        For several outputs, the names are those of all columns.

        Example:
            >>> TASKS["binary"].outputs(2), TASKS["multilabel"].outputs(10)
            (1, 10)
        """
        return 1 if self.name == "binary" else names

    def check_loss(self, loss: str) -> None:
        """Refuse a distillation loss that is not defined for the task.

        Args:
            loss: a name in `DISTILLATION_LOSSES`.

        Raises:
            RequestError: the message names those that are defined.
        """
        if loss not in self.losses:
            raise not_allowed("loss", loss, f"one that is defined for task={self.name}: {', '.join(self.losses)}")

    def check_label_loss(self, loss: str) -> None:
        """Refuse a label loss that is not defined for the task.

        Args:
            loss: a name in `LABEL_LOSS_FUNCTIONS`.

        Raises:
            RequestError: the message names those that are defined.
        """
        if loss not in self.label_losses:
            allowed = f"one that is defined for task={self.name}: {', '.join(self.label_losses)}"
            raise not_allowed("label_loss", loss, allowed)

    def check_temperature(self, given: Any) -> None:
        """Refuse a temperature where outputs are no logits.

        Args:
            given: by the user; None: none was.

        Raises:
            RequestError: it has no meaning for the task.
        """
        if given is not None and not self.softens:
            given = f"{given:g}" if isinstance(given, int | float) else given
            raise RequestError(
                f"temperature={given} is not allowed with task={self.name}: real outputs are compared as they are, "
                "and a temperature softens logits. Leave the temperature out."
            )


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several outputs.

    Outputs and labels of all of them are packed along the last axis: a part has some columns of either.

    Args:
        name: of the output.
        task: what it means.
        class_names: of its classes, labels or numbers, in their order.
        outputs: its columns among the outputs, from the first to before the last.
        labels: its columns among the labels: one for a class number, C for independent labels and numbers.
        weight: of its loss among those of the others, and of its metric in the score, >= 0.
        alpha: the weight of its labels in [0, 1]; None: that of the training.
    """

    name: str
    task: Task
    class_names: tuple[str, ...]
    outputs: tuple[int, int]
    labels: tuple[int, int]
    weight: float = 1.0
    alpha: float | None = None

    @property
    def width(self) -> int:
        """The number of its outputs."""
        return self.outputs[1] - self.outputs[0]


_OF_CLASSES = (
    *("accuracy", "balanced_accuracy", "precision_macro", "recall_macro", "f1_macro"),
    *("precision_weighted", "recall_weighted", "f1_weighted"),
    *("agreement", "nll", "brier", "ece", "ece_width", "kl_to_teacher"),
)
_OF_TWO = ("auroc", "average_precision", "f1", "accuracy", "balanced_accuracy")
_OF_LABELS = ("map", "f1_micro", "f1_macro", "auroc_macro", "label_accuracy")
_OF_LOGITS = ("agreement", "nll", "brier", "ece", "kl_to_teacher")
_OF_NUMBERS = ("mae", "rmse", "r2", "spearman", "mae_to_teacher")
_COMPARED_LABELS = ("map", "f1_micro", "f1_macro", "auroc_macro", "nll", "ece", "agreement")

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task(
                name="categorical",
                meaning="one of several classes",
                activation="softmax",
                metrics=_OF_CLASSES,
                map_metrics=("mean_iou", "pixel_accuracy", *_OF_CLASSES[1:]),
                compared=("accuracy", "f1_macro", "nll", "ece", "agreement"),
                map_compared=("mean_iou", "pixel_accuracy", "f1_macro", "nll", "ece", "agreement"),
                noise=("shift", "symmetric", "pair", "matrix", "margin"),
            ),
            Task(
                name="binary",
                meaning="yes or no, one logit",
                activation="sigmoid",
                metrics=(*_OF_TWO, *_OF_LOGITS),
                map_metrics=("iou", "pixel_accuracy", "auroc", "average_precision", "f1", *_OF_LOGITS),
                compared=("auroc", "average_precision", "f1", "accuracy", "nll", "brier", "ece", "agreement"),
                map_compared=("iou", "pixel_accuracy", "auroc", "f1", "nll", "ece", "agreement"),
                noise=("symmetric", "one_sided", "margin"),
            ),
            Task(
                name="multilabel",
                meaning="any number of labels, one logit each",
                activation="sigmoid",
                metrics=(*_OF_LABELS, *_OF_LOGITS),
                map_metrics=(*_OF_LABELS, *_OF_LOGITS),
                compared=_COMPARED_LABELS,
                map_compared=_COMPARED_LABELS,
                noise=("symmetric", "one_sided"),
            ),
            Task(
                name="regression",
                meaning="real numbers",
                activation="",
                metrics=_OF_NUMBERS,
                map_metrics=_OF_NUMBERS,
                compared=_OF_NUMBERS,
                map_compared=_OF_NUMBERS,
                noise=("additive", "heavy_tailed"),
            ),
        )
    }
)
"""Every task of a single output, by name."""

OF_SEVERAL = ("score", "loss")
"""The metrics of several outputs together: the one that chooses, and the one that settles ties."""

_SEVERAL = Task(
    name=SEVERAL,
    meaning="several outputs, each with its own task",
    activation="",
    metrics=OF_SEVERAL,
    map_metrics=OF_SEVERAL,
    compared=("score",),
    map_compared=("score",),
    noise=(),
)
"""Before it is known what the outputs are; `tasks.several.several` tells them."""


def task_named(name: str) -> Task:
    """Find a task.

    Args:
        name: a key of `TASKS`, or "several", whose parts are then not known.

    Raises:
        RequestError: there is none.
    """
    if name == SEVERAL:
        return _SEVERAL
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
