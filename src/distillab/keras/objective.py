"""What one output of a student is trained for: its task, the two losses, and how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from keras.src.backend.common.masking import get_keras_mask  # Keras exports no other way to a tensor's mask

from distillab.errors import RequestError
from distillab.keras.checks import RawOutput, fit, maps_differ
from distillab.keras.inputs import as_numpy, check_class_weight, check_labels, check_logits, check_weights, is_array
from distillab.keras.labels import read_labels
from distillab.keras.losses import LabelTerm, Share, TeacherTerm, activated, agreement, as_label_term, as_teacher_term
from distillab.keras.recognition import from_models, of_stream, possible
from distillab.losses import DEFAULT_TEMPERATURE, Array, mix
from distillab.tasks import Head, Task, recognise


class Settings(NamedTuple):
    """What `Distiller.compile` is given for one output."""

    loss: Any
    distillation_loss: Any
    temperature: float | None
    weight: float


class Losses(NamedTuple):
    """The losses of one output on a batch, scalars."""

    label: Array
    distillation: Array | None  # None where there is no teacher, and the loss needs one
    mixed: Array  # alpha * label + (1 - alpha) * distillation


def _naming_the_output(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose errors name the output, where the student has several."""

    @wraps(method)
    def run(self: Objective, *arguments: Any, **options: Any) -> Any:
        with self.named():
            return method(self, *arguments, **options)

    return run


class Objective:
    """What one output is trained for.

    Formula: `alpha * label_loss + (1 - alpha) * distillation_loss`.

    Args:
        name: of the output; "" for the only one.
        output: of the student.
        shape: (None, ..., C).
        stated: the task's name, where the user states it.
        ignore: a value of labels that means "no label here".
    """

    task: Task | None = None
    """What the output means, once that is known."""

    taught: bool = True
    """Whether the last batch had what the distillation loss needs."""

    def __init__(
        self, name: str, output: RawOutput, shape: tuple[Any, ...], stated: str | None, ignore: int | None
    ) -> None:
        self.name, self.output, self.shape, self.ignore = name, output, shape, ignore
        self._stated = stated
        self.heads: list[Head] = [output.head]
        self.settings: Settings | None = None
        self.label_term: LabelTerm | None = None
        self.teacher_term: TeacherTerm | None = None
        self.alpha: Any = None
        self.temperature: Any = None
        prefix = name and f"{name}_"
        self.student_loss = keras.metrics.Mean(name=f"{prefix}student_loss")
        self.distillation_loss = keras.metrics.Mean(name=f"{prefix}distillation_loss")
        self.agreement = keras.metrics.Mean(name=f"{prefix}agreement")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the output in the errors of what follows, where the student has several."""
        try:
            yield
        except RequestError as error:
            if not self.name or repr(self.name) in str(error):
                raise
            raise RequestError(f"Output {self.name!r}: {error}") from error

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Its metrics besides those that the user compiles."""
        return [self.agreement, self.student_loss, self.distillation_loss]

    @property
    def softens(self) -> bool:
        """Whether it may have a temperature: real numbers have none."""
        return self.task is None or self.task.softens

    @property
    def needs_teacher(self) -> bool:
        """Whether its distillation loss reads a teacher's outputs."""
        return self.teacher_term is None or self.teacher_term.needs_teacher

    @property
    def wrong_labels(self) -> str:
        """The labels that its loss cannot have, in words."""
        found = {
            "categorical": f"labels outside 0..{self.shape[-1] - 1}",
            "regression": "labels that are infinite",
        }.get("" if self.task is None else self.task.name, "labels other than 0 and 1")
        return found + (f" for {self.name!r}" if self.name else "")

    @_naming_the_output
    def set_heads(self, teachers: list[Head]) -> Task | None:
        """Learn what the teachers' outputs are, and settle the task where the models decide it.

        Args:
            teachers: this output of each teacher.
        """
        self.heads = [self.output.head, *teachers]
        task = from_models(self.heads, self._stated if self.task is None else self.task.name)
        if task is not None:
            self.settle(task)
        return task

    @_naming_the_output
    def settle(self, task: Task) -> None:
        """Use a task, with its losses where they are given already.

        Args:
            task: what the output means.
        """
        if self.settings is not None and self.task is None:
            self._make_losses(task)
            self._check_temperature(task, self.settings.temperature)
        self.task = task
        prefix = self.name and f"{self.name}_"
        self.agreement.name = prefix + ("mae_to_teacher" if task.name == "regression" else "agreement")

    @_naming_the_output
    def compile(self, settings: Settings) -> None:
        """Use losses, and settle the task where they are defined for one of the possible tasks alone.

        Args:
            settings: of this output.

        Raises:
            RequestError: a loss or a temperature that the task does not have.
        """
        self.settings = settings
        if self.task is not None:
            self._check_temperature(self.task, settings.temperature)
            self._make_losses(self.task)
        else:
            self._recognise_from_losses()
        if self.softens:
            self.temperature.assign(DEFAULT_TEMPERATURE if settings.temperature is None else settings.temperature)

    def check_temperature(self, given: float) -> None:
        """Refuse a temperature where the output is no logits.

        Args:
            given: by the user.
        """
        if self.task is not None:
            self._check_temperature(self.task, given)

    def _check_temperature(self, task: Task, given: float | None) -> None:
        try:
            task.check_temperature(given)
        except RequestError as error:
            if not self.name:
                raise
            raise RequestError(
                f"temperature={given:g} is not allowed for the output {self.name!r} with task={task.name}: real "
                "outputs are compared as they are, and a temperature softens logits. Give a dictionary of the other "
                "outputs' temperatures, or leave the temperature out."
            ) from error

    def _recognise_from_losses(self) -> None:
        errors, tasks = [], []
        for task in possible(self.heads):
            try:
                self._make_losses(task)
                tasks.append(task)
            except RequestError as error:
                errors.append(error)
        if not tasks:
            raise errors[0]
        if len(tasks) == 1:
            self.settle(tasks[0])

    def _make_losses(self, task: Task) -> None:
        settings = self.settings
        if settings is None:
            return
        self.label_term = as_label_term(settings.loss, task, unwrapped=bool(self.output.removed))
        self.teacher_term = as_teacher_term(settings.distillation_loss, task)
        if self.teacher_term.relates_examples and len(self.shape) > 2:
            raise RequestError(
                "distillation_loss='dist' relates the examples of a batch: it needs one prediction an example."
            )

    @_naming_the_output
    def check(self, labels: Any, sample_weight: Any, class_weight: Any, logits: Any, *, whole: bool) -> Task | None:
        """Check data that are arrays, before the first step.

        Args:
            labels: as the user has them.
            sample_weight, class_weight: as in `keras.Model.fit`.
            logits: a teacher's, stored.
            whole: whether these are all labels, which then may not all be missing.

        Returns:
            The task that the labels show, where it is not known yet.
        """
        if is_array(logits):
            check_logits(as_numpy(logits), self.shape)
        values = as_numpy(labels) if is_array(labels) else None
        task = self.task
        if task is None and values is not None:
            task = recognise(
                values if self.ignore is None else np.where(values == self.ignore, np.nan, values), self.heads
            )
        check_class_weight(class_weight, self.shape, task)
        check_weights(sample_weight, self.shape)
        if values is None or task is None:
            return None
        check_labels(values, self.shape, task, self.ignore, may_be_missing=not whole)
        return task if self.task is None else None

    @_naming_the_output
    def recognise_stream(self, labels: Any) -> Task:
        """The task of labels whose values cannot be looked at.

        Args:
            labels: a batch's, or None.
        """
        return of_stream(labels, self.heads)

    @_naming_the_output
    def losses(self, labels: Any, outputs: Array, teacher: Array | None, sample_weight: Any) -> Losses:
        """Compute the losses of a batch, and update the metrics.

        Args:
            labels: as the user gives them; None trains on the teacher alone.
            outputs: the student's raw outputs, shape (B, ..., C).
            teacher: the teacher's; None where there is none.
            sample_weight: shape (B,) or (B, ...), or None.
        """
        task, label_term, teacher_term = self.task, self.label_term, self.teacher_term
        if task is None or label_term is None or teacher_term is None:
            raise RequestError("The distiller is not compiled. Call compile first.")
        share = Share(
            _by_position(sample_weight, outputs, "sample_weight"),
            _by_position(get_keras_mask(outputs), outputs, "mask"),
        )
        outputs = ops.cast(outputs, "float32")
        if teacher is not None and not fit(tuple(teacher.shape), tuple(outputs.shape)):
            raise maps_differ(outputs.shape, teacher.shape)
        self.taught = teacher is not None or not teacher_term.needs_teacher
        read = None if labels is None else read_labels(labels, outputs, task, self.ignore)
        label_loss = ops.zeros(()) if read is None else label_term(read, outputs, share)
        self.student_loss.update_state(label_loss)
        if not self.taught:
            return Losses(label_loss, None, label_loss)
        temperature = ops.convert_to_tensor(self.temperature)
        distillation_loss = teacher_term(read, outputs, teacher, share, temperature)
        self.distillation_loss.update_state(distillation_loss)
        if teacher is not None:
            same = agreement(outputs, teacher, task)
            self.agreement.update_state(same, share.of(same, normalised=False))
        return Losses(
            label_loss, distillation_loss, mix(label_loss, distillation_loss, ops.convert_to_tensor(self.alpha))
        )

    def as_student(self, outputs: Array) -> Array:
        """Predictions as the student gives them.

        Args:
            outputs: raw, shape (B, ..., C).
        """
        return activated(outputs, self.output.removed)


def _by_position(part: Array | None, outputs: Array, name: str) -> Array | None:
    """Weights or a mask of examples (B,) or positions (B, ...), after a check of their shape."""
    if part is None:
        return None
    shape, positions = tuple(part.shape), tuple(outputs.shape[:-1])
    if len(shape) == 2 and shape[-1] == 1 and len(positions) == 1:
        return ops.squeeze(part, -1)
    if (len(shape) == 2 and shape[-1] == 1) or len(shape) == 1 or fit(shape, positions):
        return part
    raise RequestError(
        f"The {name} has shape {shape}, and the student's outputs {tuple(outputs.shape)}: it must have shape "
        f"{positions} or {positions[:1]}."
    )
