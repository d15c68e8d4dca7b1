"""The settings of one trial: a single value for every key, checked once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)

from distillab.engine.optimiser import OPTIMISERS, SCHEDULES
from distillab.errors import RequestError, not_allowed
from distillab.losses import DEFAULT_ALPHA, DEFAULT_TEMPERATURE, DISTILLATION_LOSSES, LABEL_LOSS_FUNCTIONS
from distillab.losses.names import UNMIXED
from distillab.metrics.metric import METRICS
from distillab.models import parse
from distillab.models.averaging import DEFAULT_AVERAGE
from distillab.models.frameworks.kinds import SUFFIXES
from distillab.models.preparation import Layout
from distillab.study.model_options import Scale
from distillab.tasks import SEVERAL, TaskName, task_named

OF_PROBABILITIES = frozenset({"nll", "ece", "ece_width", "kl_to_teacher"})
"""Those that outputs trained by squared error do not have."""

LARGEST = 2**31 - 1
"""Of whole numbers: devices count in 32 bits."""

MOST_MEMBERS = 100
"""Teachers whose predictions are averaged."""


def _no_switch(value: Any) -> Any:
    """Reject yes and no where a number belongs: Python would read them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number, not a yes or no")
    return value


GIVEN = "given:"
"""A model of the user's, by a digest of all that decides its predictions: `given:3f0c...`."""


def is_given(name: str) -> bool:
    """Whether a model's name refers to a model of the user's.

    Args:
        name: as in `teacher.model` or `student.model`.
    """
    return name.startswith(GIVEN) or (is_filed(name) and bool(file_of(name)[1]))


def is_filed(name: str) -> bool:
    """Whether a teacher's name is a file of the user's, with or without the digest that a run adds.

    Args:
        name: as in `teacher.model`.

    Example:
        >>> is_filed("models/t.onnx"), is_filed("t.onnx@0123456789abcdef"), is_filed("cnn-16-32")
        (True, True, False)
    """
    path = Path(file_of(name)[0])
    return path.suffix.lower() in (*SUFFIXES, ".npy", ".jsonl")  # no module:function: a study file runs no code


def file_of(name: str) -> tuple[str, str]:
    """The file of a teacher's name, and the digest that a run added, or "".

    Args:
        name: as in `teacher.model`.

    Example:
        >>> file_of("t.onnx@0123456789abcdef")
        ('t.onnx', '0123456789abcdef')
    """
    path, at, digest = name.rpartition("@")
    return (path, digest) if at and re.fullmatch("[0-9a-f]{16}", digest) else (name, "")


def _model_name(value: str) -> str:
    if not is_given(value):
        parse(value)
    return value


def _model_names(value: str) -> str:
    names = ensemble(value)
    if len(names) > MOST_MEMBERS:
        raise not_allowed("model", value, f"at most {MOST_MEMBERS} names")
    for name in names:
        if not is_filed(name) or name.startswith(GIVEN):
            _model_name(name)
    return value


def ensemble(models: str) -> tuple[str, ...]:
    """The teachers whose predictions are averaged.

    Args:
        models: their names, joined by plus signs, such as `cnn-16-32+mlp-64`.
    """
    return tuple(models.split("+"))


Number = Annotated[float, BeforeValidator(_no_switch), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_no_switch), Field(ge=1, le=LARGEST)]
Seed = Annotated[int, BeforeValidator(_no_switch), Field(ge=0, lt=2**63)]
CountFromZero = Annotated[int, BeforeValidator(_no_switch), Field(ge=0, le=LARGEST)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Dropped = Annotated[Number, Field(ge=0, lt=1)]
NotNegative = Annotated[Number, Field(ge=0)]
ModelName = Annotated[str, AfterValidator(_model_name)]
ModelNames = Annotated[str, AfterValidator(_model_names)]
Evaluated = Literal["all", "validation", "test"]
NoiseKind = Literal["shift", "symmetric", "pair", "matrix", "margin", "one_sided", "additive", "heavy_tailed"]
"""The names of `distillab.data.NOISE_KINDS`; a test holds the two together."""
ROUNDING = 1e-6
"""How far from 1 the shares of a class may sum: six printed decimals are enough, the rest is put right exactly."""


def _metric_of_output(value: Any, check: Callable[[Any], Any]) -> Any:
    """A metric of one of several outputs, such as income.accuracy, by the metric that it is there."""
    output, dot, name = value.rpartition(".") if isinstance(value, str) else ("", "", value)
    return f"{output}{dot}{check(name)}" if output else check(value)


if TYPE_CHECKING:
    MetricName = str
    Optimiser = str
    Schedule = str
    Loss = str
    LabelLoss = str
else:  # pydantic reads these from the tables that name them
    MetricName = Annotated[Literal[tuple(METRICS)], WrapValidator(_metric_of_output)]
    Optimiser = Literal[tuple(OPTIMISERS)]
    Schedule = Literal[tuple(SCHEDULES)]
    Loss = Literal[tuple(DISTILLATION_LOSSES)]
    LabelLoss = Literal[tuple(LABEL_LOSS_FUNCTIONS)]


class Frozen(BaseModel):
    """Values that are checked once and never change; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Noise(Frozen):
    """Perturbation of the training labels.

    Args:
        kind: as in `distillab.data.perturb`; `margin` makes those examples wrong that the teacher finds hardest.
        rate: the share of wrong labels; of real labels, the noise in standard deviations; not with `matrix`.
        matrix: for the kind `matrix`: a row for each class, the shares of its examples by the class they are given.
    """

    kind: NoiseKind = "shift"
    rate: Share = 0.0
    matrix: tuple[tuple[Share, ...], ...] | None = None

    @model_validator(mode="after")
    def _matrix_alone(self) -> Noise:
        if self.kind != "matrix" and self.matrix is not None:
            raise RequestError(f"noise.matrix is not allowed with noise.kind={self.kind}. Set noise.kind to matrix.")
        if self.kind == "matrix" and self.matrix is None:
            raise RequestError("noise.kind=matrix needs noise.matrix: for each class a row, the shares of its labels.")
        if self.kind == "matrix" and self.rate:
            raise RequestError("noise.rate is not allowed with noise.kind=matrix, which holds the rates. Leave it out.")
        for number, row in enumerate(self.matrix or ()):
            if len(row) != len(self.matrix or ()):
                do = "The matrix has a row and a column for each class."
                raise not_allowed(f"noise.matrix[{number}]", list(row), f"{len(self.matrix or ())} shares", do)
            if abs(sum(row) - 1) > ROUNDING:
                raise not_allowed(f"sum(noise.matrix[{number}])", sum(row), "1: where the labels of that class go")
        return self

    @property
    def perturbs(self) -> bool:
        """Whether any label may be made wrong."""
        return self.rate > 0 or self.kind == "matrix"


class Teacher(Frozen):
    """Which teacher, and how it was trained.

    Args:
        model: a name of the zoo, or a file of a trained model (`teacher.onnx`), or several joined by plus signs: the
            mean of their logits is taken. A file's model is not trained: of the other keys, those of its reading count.
        members: so many teachers of each model, of consecutive seeds, are averaged.
        labels: what it learned from: `clean` labels, the students' own `noisy` ones, or a noisy draw of its `own`.
        train_size: how many examples; by default the students' own rows.
        epochs: passes over them.
        snapshot: the epoch of that training, whole or not, at which it was taken; by default the end.
        shift: moves its training images by up to so many pixels, anew in every epoch.
        flip: mirrors them left to right at random.
        dropout, input_dropout: the fractions of the units of its hidden dense layers, and of its inputs, that are
            dropped in training; of an `mlp`.
        label_smoothing: this much of its labels is spread evenly over all classes.
        weight_decay: of its L2 penalty.
        max_norm: the largest norm of the weights that enter a unit, after every step.
        seed: of its weights and order.
        scale, normalise, layout, classes: how a file is read, as `--teacher-scale`, `--teacher-normalise`,
            `--teacher-layout` and `--teacher-classes` of `distillab distill`.
    """

    model: ModelNames = "cnn-256-512"
    members: Annotated[Count, Field(le=MOST_MEMBERS)] = 1
    labels: Literal["clean", "noisy", "own"] = "clean"
    train_size: Count | None = None
    epochs: Count = 3
    snapshot: Positive | None = None
    batch_size: Count = 64
    learning_rate: Positive = 0.001
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    shift: CountFromZero = 0
    flip: bool = False
    dropout: Dropped = 0.0
    input_dropout: Dropped = 0.0
    label_smoothing: Dropped = 0.0
    weight_decay: NotNegative = 0.0
    max_norm: Positive | None = None
    seed: Seed = 0
    scale: Scale | None = None
    normalise: str | None = None
    layout: Layout | None = None
    classes: str | None = None

    @model_validator(mode="after")
    def _within_training(self) -> Teacher:
        if self.snapshot is not None and self.snapshot > self.epochs:
            allowed = f"at most teacher.epochs={self.epochs}, the length of its training"
            raise not_allowed("teacher.snapshot", self.snapshot, allowed)
        return self


class Student(Frozen):
    """The student's architecture, and what it sees and computes with.

    Args:
        model: a name of the zoo.
        precision: what it computes in; its weights are float32 in any case.
        resolution: it sees images shrunk to so many rows and columns, by the mean of each block of pixels; its teacher
            sees them whole. By default it does too.
    """

    model: ModelName = "cnn-16-32"
    precision: Literal["float32", "bfloat16"] = "float32"
    resolution: Count | None = None

    @model_validator(mode="after")
    def _of_the_zoo(self) -> Student:
        if self.resolution is not None and is_given(self.model):
            raise RequestError("student.resolution is not allowed with a student of one's own. Leave it out.")
        return self


class Transfer(Frozen):
    """The transfer set: those of the training examples that students learn from, where their teacher has others.

    Args:
        size: how many, drawn like the teacher's `train_size`, so that the smaller set is within the larger one, less
            those held out for validation; by default all.
        withheld: the number of a class of which the students see no example.
        correction: the number that is added to the logit of the withheld class once a student is trained: `none`;
            `prior`, with which it is predicted on the validation inputs as often as it occurs among the training
            labels; `test`, with which most test examples are right, as published: that looks at their labels.
    """

    size: Count | None = None
    withheld: CountFromZero | None = None
    correction: Literal["none", "prior", "test"] = "none"

    @property
    def whole(self) -> bool:
        """Whether students learn from all training examples."""
        return self.size is None and self.withheld is None

    @model_validator(mode="after")
    def _of_a_class(self) -> Transfer:
        if self.correction != "none" and self.withheld is None:
            raise RequestError(
                f"transfer.correction={self.correction} is not allowed without transfer.withheld: it raises the logit "
                "of the withheld class. Name that class, or leave the correction out."
            )
        return self


class Output(Frozen):
    """What is stated of one of several outputs.

    Args:
        alpha: the weight of its labels; None: that of the training.
        weight: of its loss among those of the others, and of its metric in the score.
        task: what it means; None: recognised from its labels.
    """

    alpha: Share | None = None
    weight: Annotated[Number, Field(ge=0)] = 1.0
    task: Literal["categorical", "binary", "multilabel", "regression"] | None = None


class _Outputs(dict[str, Output]):
    """A mapping of outputs that never changes once it is checked: settings are keys of mappings."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((name, repr(output)) for name, output in self.items())))


def stated_by_output(outputs: Mapping[str, Output]) -> dict[str, str]:
    """The tasks that are stated for some outputs.

    Args:
        outputs: by name.
    """
    return {name: output.task for name, output in outputs.items() if output.task is not None}


Outputs = Annotated[dict[str, Output], AfterValidator(_Outputs)]
"""By name, what is stated of some of several outputs."""


class Augment(Frozen):
    """Augmentation of the students' training images, anew in every epoch; their teacher then predicts them live."""

    shift: CountFromZero = 0
    flip: bool = False


class Validation(Frozen):
    """The part of the training data that alpha is chosen on.

    Args:
        share: of the training examples.
        labels: as wrong as the training labels, or the clean ones.
        trusted: so many of them are known to be right, and are.
    """

    share: Annotated[Number, Field(gt=0, le=0.5)] = 0.1
    labels: Literal["clean", "noisy"] = "noisy"
    trusted: CountFromZero = 0


class Settings(Frozen):
    """Everything that decides a student's result, except its seed.

    Args:
        task: what outputs and labels mean; it must be the data's.
        draw: which random draw of the training and the validation rows.
        transfer: which of the training rows students learn from.
        label_loss: of the students and of their teacher.
        weight_decay: of the students' L2 penalty.
        snapshot: the epoch of a training of `epochs` after which the student is evaluated; by default the last. Trials
            that differ in nothing else are one training, evaluated several times.
        evaluate: `all`: on validation and test examples. `validation`: the test set is not read, as for the candidates
            of a search. `test`: the validation examples are trained on too, as in the final trainings of a search.
        unlabelled: whether the unlabelled inputs of the data are trained on.
        alpha: the weight of the labels, from 0 to 1 unless `extend`.
        extend: whether alpha may be any number, for losses that have a minimum then (`losses.names.UNMIXED`).
        outputs: of data of several outputs: the alpha and the weight of some, by name.
        target: what the distillation loss compares with: the teacher's predictions, or `uniform` ones, which smooth the
            labels. The student's agreement is with the teacher in either case.
    """

    dataset: str
    task: TaskName = "categorical"
    train_size: Count | None = None
    draw: CountFromZero = 0
    transfer: Transfer = Transfer()
    noise: Noise = Noise()
    teacher: Teacher = Teacher()
    student: Student = Student()
    loss: Loss = "kl"
    label_loss: LabelLoss = "cross_entropy"
    alpha: Number = DEFAULT_ALPHA
    extend: bool = False
    temperature: Positive = DEFAULT_TEMPERATURE
    epochs: Count = 10
    snapshot: Count | None = None
    batch_size: Count = 32
    learning_rate: Positive = 0.001
    optimiser: Optimiser = "adam"
    schedule: Schedule = "cosine"
    weight_decay: NotNegative = 0.0
    augmentation: Augment = Augment()
    validation: Validation = Validation()
    evaluate: Evaluated = "all"
    unlabelled: bool = False
    outputs: Outputs = _Outputs()
    target: Literal["teacher", "uniform"] = "teacher"

    @model_serializer(mode="wrap")
    def _without_no_outputs(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Settings of one output are written as they were before there were several."""
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key != "outputs" or value}

    @property
    def data_task(self) -> str | dict[str, str]:
        """What is known of the data's task before they are read: its name, or the stated tasks of several outputs."""
        return stated_by_output(self.outputs) or self.task

    @property
    def live(self) -> bool:
        """Whether the teacher predicts augmented images while its students train."""
        return self.augmentation.shift > 0 or self.augmentation.flip

    @property
    def validation_rows(self) -> str:
        """What decides the validation rows of a data set, and which of them are trusted."""
        drawn = f"{self.draw} {self.transfer.size} {self.transfer.withheld}"
        return f"{self.validation.share} {self.train_size} {self.validation.trusted} {drawn}"

    @property
    def squared(self) -> bool:
        """Whether outputs estimate one-hot labels themselves, trained by squared error, and are no logits."""
        return self.task == "categorical" and self.label_loss == "squared"

    @property
    def average(self) -> str:
        """How several teachers' predictions become one: only logits of classes have a free constant."""
        return DEFAULT_AVERAGE if self.task == "categorical" and not self.squared else "outputs"

    @property
    def needs_stored_predictions(self) -> bool:
        """Whether the teacher's predictions for the unaugmented training images are used."""
        return not self.live or (self.noise.kind == "margin" and self.noise.perturbs)

    @model_validator(mode="after")
    def _sensible(self) -> Settings:
        if self.snapshot is not None and self.snapshot > self.epochs:
            raise not_allowed("snapshot", self.snapshot, f"at most epochs={self.epochs}, the length of the training")
        task = task_named(self.task)
        task.check_loss(self.loss)
        self._check_alpha()
        task.check_label_loss(self.label_loss)
        task.check_temperature(None if self.temperature == DEFAULT_TEMPERATURE else self.temperature)
        if self.noise.perturbs and self.task == SEVERAL:
            raise RequestError("Label noise is not defined for task=several. Leave noise.rate out.")
        if self.outputs and self.task != SEVERAL:
            raise RequestError(f"outputs is not allowed with task={self.task}, which has one output. Leave it out.")
        if self.noise.perturbs and self.noise.kind not in task.noise:
            allowed = f"one that is defined for task={self.task}: {', '.join(task.noise)}"
            raise not_allowed("noise.kind", self.noise.kind, allowed)
        if self.squared and self.loss != "logit_mse":
            raise RequestError(
                f"label_loss=squared is not allowed with loss={self.loss}: outputs that estimate the labels are no "
                "logits to soften. Set loss to logit_mse."
            )
        self._check_transfer()
        if self.noise.kind == "margin" and self.noise.perturbs and self.teacher.labels != "clean":
            raise RequestError(
                f"noise.kind=margin is not allowed with teacher.labels={self.teacher.labels}: the teacher says which "
                "labels to make wrong, so it cannot learn from them. Set teacher.labels to clean."
            )
        return self

    def _check_alpha(self) -> None:
        """Refuse an alpha outside 0 to 1 that is not asked for, or for which the loss has no minimum."""
        if self.extend and (self.label_loss, self.loss) not in UNMIXED:
            pairs = " or ".join(f"label_loss={label} with loss={loss}" for label, loss in sorted(UNMIXED))
            raise RequestError(
                f"extend is not allowed with label_loss={self.label_loss} and loss={self.loss}: losses that need a "
                f"mixture of probabilities, or differ, have no minimum for alphas beyond 0 and 1. Use {pairs}."
            )
        if not self.extend and not 0 <= self.alpha <= 1:
            allowed = "at least 0" if self.alpha < 0 else "at most 1"
            given = int(self.alpha) if self.alpha.is_integer() else self.alpha  # 7 is repeated as 7
            raise not_allowed("alpha", given, allowed, "Set extend to true for alphas beyond 0 and 1.")

    def _check_transfer(self) -> None:
        if self.transfer.withheld is not None and self.task != "categorical":
            raise RequestError(
                f"transfer.withheld is not allowed with task={self.task}: it withholds one of several classes. Leave "
                "it out."
            )
        if not self.transfer.whole and self.teacher.labels == "noisy" and self.noise.perturbs:
            raise RequestError(
                "transfer is not allowed with teacher.labels=noisy: the teacher then trains on the students' labels "
                "and rows. Set teacher.labels to own."
            )
        if self.teacher.label_smoothing and (self.label_loss != "cross_entropy" or self.task == SEVERAL):
            raise RequestError(
                f"teacher.label_smoothing is not allowed with task={self.task} and label_loss={self.label_loss}: it "
                "spreads the probability of one label. Leave it out."
            )


SEARCH_KEYS = ("evaluate", "unlabelled", "target")
"""Settings that a search decides, and no study file."""


class Objective(Frozen):
    """What a study asks, and how its alphas are compared."""

    question: str = "How does alpha change the student's accuracy?"
    seeds: Count = 10
    metric: MetricName = "accuracy"
    margin: Positive = 0.001
    choose: Literal["metric", "robust"] = "metric"
