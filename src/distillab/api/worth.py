"""Is a teacher worth it? Its validation score beside that of the student, trained briefly without a teacher."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.distillation import same_examples
from distillab.data import Dataset
from distillab.data.array_store import taken
from distillab.data.labels import Array
from distillab.engine.logits import teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.engine.types import Examples, Recipe
from distillab.errors import RequestError
from distillab.metrics.metric import metric_named
from distillab.models.averaging import average_predictions
from distillab.search.pipeline import SEARCH_SEED
from distillab.search.request import Request
from distillab.search.space import Space
from distillab.study.student_models import StudentModel
from distillab.study.teacher_models import TeacherModel
from distillab.study.teacher_trial import chance_warning, teacher_trial, trial_rows
from distillab.tasks import SEVERAL
from distillab.tasks.evaluation import evaluate
from distillab.tasks.several import without_alphas

QUICK_EXAMPLES = 5_000
"""Training examples of the quick student, at most."""

QUICK_SHARE = 3
"""It trains for a third of the epochs."""

CERTAINTY = 0.01
"""The p value below which it counts as better than the teacher."""


class Worth(NamedTuple):
    """What a teacher has to offer.

    Args:
        metric: that compares.
        teacher: its value on the validation examples.
        student: that of the student, trained briefly without a teacher.
        constant: that of the best prediction that ignores the inputs.
        examples: the number of validation examples.
        epochs: of the quick student.
        p: of the difference between teacher and student on the same examples.
    """

    metric: str
    teacher: float
    student: float
    constant: float
    examples: int
    epochs: int
    p: float

    @property
    def is_below(self) -> bool:
        """Whether the student is better, beyond chance."""
        return metric_named(self.metric).sign * (self.teacher - self.student) < 0 and self.p < CERTAINTY

    def in_words(self) -> str:
        """The figures, in a sentence."""
        shown = metric_named(self.metric).shown
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return (
            f"On {self.examples:,} validation examples the teacher has {shown(self.teacher)}, the student "
            f"after {epochs} without a teacher has {shown(self.student)}, and a constant prediction has "
            f"{shown(self.constant)}."
        )


def teachers_worth(
    teachers: Sequence[TeacherModel], student: StudentModel, dataset: Dataset, request: Request
) -> Worth:
    """Compare teachers with a student that is trained briefly without them.

    Args:
        teachers: whose centred logits are averaged.
        student: its architecture.
        dataset: the data.
        request: how the student is trained; resolved.
    """
    rows, task = trial_rows(dataset), dataset.task
    labels, metric = dataset.y_train[rows], request.metric or task.metrics_of(bool(dataset.positions))[0]
    average = "outputs" if task.name in ("regression", SEVERAL) else "logits"

    def predict(inputs: Array) -> Array:
        several = [teacher.predict(inputs) for teacher in teachers]
        if task.activation == "sigmoid":
            return np.asarray(np.mean(several, axis=0), np.float32)
        return average_predictions(several, average=average)

    told = predict(taken(dataset.x_train, rows))
    trial = teacher_trial(lambda inputs: told, dataset, metric)
    epochs = max(1, round(request.epochs / QUICK_SHARE))
    outputs = [dataset.in_units(one) for one in (told, _quick(student, dataset, request, epochs))]
    value = evaluate(task, outputs[1], labels)[metric]
    compared = same_examples(task, metric, labels, *outputs)
    return Worth(metric, trial.value, value, trial.constant, len(rows), epochs, compared.p)


def check_chance(teachers: Sequence[TeacherModel], dataset: Dataset, *, anyway: bool | None) -> None:
    """Refuse a teacher at chance, or warn of it.

    Args:
        teachers: of the user.
        dataset: the data.
        anyway: True: it may teach; False: it is refused; None: it may, with a warning.

    Raises:
        RequestError: one is at chance.
    """
    for teacher in teachers if anyway is not True else ():
        _tell(chance_warning(teacher, dataset), anyway)


def check_worth(worth: Worth, names: str, *, anyway: bool | None) -> None:
    """Refuse a teacher that is worse than the quick student, or warn of it.

    Args:
        worth: its figures.
        names: of the teachers.
        anyway: as in `check_chance`.

    Raises:
        RequestError: it is worse.
    """
    if worth.is_below and anyway is not True:
        _tell(
            f"The teacher {names} knows less than a student without it. {worth.in_words()} Train the teacher first, or "
            "check how it reads its inputs and the order of its classes.",
            anyway,
        )


def _tell(message: str, anyway: bool | None) -> None:
    if message and anyway is False:
        raise RequestError(f"{message} Add --anyway to let it teach.")
    if message:
        warnings.warn(message, stacklevel=4)


def _quick(student: StudentModel, dataset: Dataset, request: Request, epochs: int) -> Array:
    """Outputs for the trial's examples of a student that is trained on labels for a few epochs."""
    rows = dataset.training[:QUICK_EXAMPLES]
    recipe = Recipe(
        epochs,
        request.batch_size,
        task=dataset.task.name,
        unlabelled=dataset.partly_labelled,
        loss=dataset.task.losses[0],  # at alpha = 1 any will do
        label_loss=request.label_loss or dataset.task.label_losses[0],
        optimiser=request.optimiser,
        schedule=request.schedule,
        parts=without_alphas(dataset.task.parts),
    )
    inputs = dataset.prepared((dataset.x_train, rows))
    training = train_teacher(
        student.functional,
        Examples.for_labels(inputs, student.scale, dataset.output_shape, dataset.training_weights(rows)),
        dataset.targets(dataset.y_train[rows]),
        recipe,
        learning_rate=Space.of(None, None, request.learning_rate).plain.learning_rate,
        seed=SEARCH_SEED,
        initial=student.initial(SEARCH_SEED),
    )
    *_, (_, variables) = training
    shown = dataset.prepared((dataset.x_train, trial_rows(dataset)))
    return teacher_logits(student.functional, variables, shown, student.scale)
