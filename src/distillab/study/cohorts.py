"""The training of a group: its students train a cohort at a time, as many side by side as memory holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import memory_limit, out_of_memory
from distillab.engine.functional import Variables
from distillab.engine.host_inputs import CHUNK
from distillab.engine.teacher import live_teacher
from distillab.engine.teacher_rows import TeacherRows, stacked_teachers
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Epoch, Examples, LiveTeacher, Recipe, Student
from distillab.errors import RequestError, WorkError
from distillab.models.top_k import as_dense
from distillab.study.progress import Progress
from distillab.study.results import Evaluation, KeptStudent, kept_student, trial_result
from distillab.study.settings import Settings
from distillab.study.splits import Labels, Rows, Splits, draw_labels, gallery
from distillab.study.storage.records import TrialResult
from distillab.study.student_models import StudentModel
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Training, Trial, members
from distillab.tasks import Part
from distillab.tasks.several import with_options, without_alphas

INPUTS_SHARE = 0.5
"""Fraction of a device's memory that inputs may take; larger ones stay on the host, and come a chunk at a time."""


CHUNKS = 32
"""A chunk of inputs takes at most this part of a device's memory."""


class TrainingInputs(NamedTuple):
    """What the trainings of a group share."""

    settings: Settings
    """Of any of their trials."""
    splits: Splits
    student: StudentModel
    teachers: dict[str, TeacherPredictions]
    """By identity: those that their trials name."""
    teacher_settings: dict[str, Settings]
    """By teacher, the settings of any trial that learns from it."""
    keep: bool = False
    """Whether trained students are kept: weights and test predictions."""


class CohortResult(NamedTuple):
    """A trained cohort, or a part of one."""

    settings: Settings
    """Of one of its trials."""
    results: list[TrialResult]
    students: int
    examples: int
    """Training examples that one student saw, over all epochs."""
    seconds: float
    """Of training, compilation included."""
    pace: float | None
    """Seconds of one example on one device, compilation left out; None where it could not be measured."""
    kept: dict[str, KeptStudent]
    """By trial, where students are kept."""


class GroupTrainer:
    """Trains the cohorts of a group; compiles once.

    Args:
        dataset: the data.
        group: what the trainings share.
        mesh: the devices.
        capacity: the most students of a cohort.
        memory: bytes that each device may use; None: by the device's own account.
        progress: is notified where memory limits a cohort.
    """

    def __init__(
        self, dataset: Dataset, group: TrainingInputs, mesh: Mesh, capacity: int, memory: int | None, progress: Progress
    ) -> None:
        self.dataset, self.group, self.progress = dataset, group, progress
        self.limit = memory if memory is not None else memory_limit(mesh)
        self._measured, self._compiled = self.limit is None, False
        settings, student = group.settings, group.student
        self._teacher_index = {name: index for index, name in enumerate(group.teachers)}
        self._gallery: tuple[str, Rows] | None = None
        x_examples = None
        drawn = gallery(dataset, group.splits) if settings.evaluate == "all" else None
        if drawn is not None:
            positions, shown = drawn
            self._gallery, x_examples = (shown.id, positions), dataset.prepared(shown.inputs)
        examples = _examples(dataset, group, x_examples)
        self._live = _live(group, examples, dataset.output_shape)
        recipe = _recipe(settings, dataset)
        inputs = (examples.x_train, examples.x_validation, examples.x_test)
        too_large = self.limit is not None and sum(x.nbytes for x in inputs) > INPUTS_SHARE * self.limit
        on_host = True if too_large else None  # None: where they are mapped
        chunk = CHUNK if self.limit is None else min(CHUNK, self.limit // CHUNKS)
        self.trainer = CohortTrainer(
            student.functional, examples, recipe, mesh=mesh, capacity=capacity, on_host=on_host, chunk=chunk
        )
        self._initial: dict[int, Variables] = {}

    def train(self, trainings: Sequence[Training], report: Callable[[float], None]) -> CohortResult:
        """Train as many students side by side, from the first on, as memory holds.

        Args:
            trainings: of the group.
            report: is given the finished fraction of the epochs, below 1: only recorded students are finished.

        Raises:
            WorkError: memory does not hold one student a device.
        """
        self._fit_to_memory(trainings[0][0])
        while True:
            part, marks = trainings[: self.trainer.capacity], list[float]()

            def mark_epoch(epoch: int, marks: list[float] = marks) -> None:
                marks.append(time.perf_counter())
                if epoch < self.group.settings.epochs:
                    report(epoch / self.group.settings.epochs)

            clock = time.perf_counter()
            try:
                results, kept = self._train(part, mark_epoch)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(len(part), error)
                continue
            seconds, settings = time.perf_counter() - clock, self.group.settings
            examples = len(self.trainer.examples.x_train)
            per_epoch = self._seconds_of_epoch(seconds, marks)
            pace = per_epoch / (examples * -(-len(part) // self.trainer.mesh.size))
            return CohortResult(settings, results, len(part), settings.epochs * examples, seconds, pace or None, kept)

    def _seconds_of_epoch(self, seconds: float, marks: Sequence[float]) -> float:
        """Seconds of an epoch without compilation; 0 where every epoch measured compiles."""
        if self._compiled:
            return seconds / self.group.settings.epochs
        self._compiled = True
        return min((after - before for before, after in pairwise(marks)), default=0.0)

    def _fit_to_memory(self, trial: Trial) -> None:
        """Before the first cohort, use no more slots than the memory holds."""
        if self._measured or self.limit is None:
            return
        self._measured = True
        need = self.trainer.footprint(self._student(trial, self._labels(trial)))
        fit, devices = need.students(self.limit), self.trainer.mesh.size
        if not fit:
            raise WorkError(
                f"One student needs {need.bytes(1) / 2**20:,.1f} MiB on its device, and {self.limit / 2**20:,.1f} MiB "
                "are allowed. Raise --memory, or lower batch_size."
            )
        if fit * devices < self.trainer.capacity:
            self.progress.note(f"{fit * devices} students at a time: {need.bytes(fit) / 2**20:,.0f} MiB a device.")
            self.trainer = self.trainer.with_capacity(fit * devices)

    def _halve(self, students: int, error: Exception) -> None:
        """Continue with half the slots after memory ran out."""
        devices = self.trainer.mesh.size
        if self.trainer.capacity <= devices:
            raise WorkError(
                f"Memory ran out with {students} students. Lower batch_size, or use fewer --devices."
            ) from error
        capacity = max(devices, min(self.trainer.capacity, students) // 2)
        self.trainer, self._compiled = self.trainer.with_capacity(capacity), False
        self.progress.note(
            f"Memory ran out with {students} students; continuing with {self.trainer.capacity} at a time."
        )

    def _train(
        self, trainings: Sequence[Training], on_epoch: Callable[[int], None]
    ) -> tuple[list[TrialResult], dict[str, KeptStudent]]:
        labels = [self._labels(trials[0]) for trials in trainings]
        students = [self._student(trials[0], drawn) for trials, drawn in zip(trainings, labels, strict=True)]
        epochs: list[Epoch] = []

        def record_epoch(epoch: Epoch) -> None:
            epochs.append(epoch)
            on_epoch(epoch.epoch + 1)

        end = self.group.settings.epochs
        stops = {trial.id: trial.settings.snapshot or end for trials in trainings for trial in trials}
        results: dict[str, TrialResult] = {}
        kept: dict[str, KeptStudent] = {}
        for stop, outcome in self.trainer.stages(
            students,
            sorted(set(stops.values())),
            on_epoch=record_epoch,
            live=self._live,
            predict_training=any(drawn.changed.any() for drawn in labels),
        ):
            cohort = Evaluation(outcome, epochs, self.trainer.steps, self.dataset, self.group.splits, self._gallery)
            for slot, (trials, drawn) in enumerate(zip(trainings, labels, strict=True)):
                for trial in trials:
                    if stops[trial.id] == stop:
                        teacher = self.group.teachers[trial.teacher]
                        results[trial.id] = trial_result(trial, slot, drawn, teacher, cohort)
                        if self.group.keep:
                            kept[trial.id] = kept_student(outcome, slot)
        return [results[trial.id] for trials in trainings for trial in trials], kept

    def _labels(self, trial: Trial) -> Labels:
        teacher, splits = self.group.teachers[trial.teacher], self.group.splits
        logits = None
        if trial.settings.noise.kind == "margin" and teacher.train is not None:
            logits = np.empty((len(splits.used), *self.dataset.output_shape), np.float32)
            logits[np.isin(splits.used, splits.train)] = as_dense(teacher.train, self.dataset.outputs)
            logits[np.isin(splits.used, splits.validation)] = teacher.validation
        return draw_labels(self.dataset, trial.settings, splits, trial.seed, logits)

    def _student(self, trial: Trial, labels: Labels) -> Student:
        if trial.seed not in self._initial:
            self._initial[trial.seed] = self.group.student.initial(trial.seed)
        settings = trial.settings
        return Student(
            alpha=settings.alpha,
            temperature=settings.temperature,
            learning_rate=settings.learning_rate,
            seed=trial.seed,
            initial=self._initial[trial.seed],
            labels=self.dataset.targets(labels.train),
            validation_labels=self.dataset.targets(labels.validation),
            teacher=self._teacher_index[trial.teacher],
        )


def _examples(dataset: Dataset, group: TrainingInputs, x_examples: NDArray[np.generic] | None) -> Examples:
    """The arrays of a group: training rows, then unlabelled inputs; features standardised where the data ask for it."""
    splits = group.splits
    more = [dataset.unlabelled] if splits.unlabelled else []
    x_train = dataset.prepared((dataset.x_train, splits.train), *more, lazily=True)
    zeros = np.zeros((len(x_train), *dataset.output_shape), np.float32)
    logits: list[TeacherRows] = [zeros if one.train is None else one.train for one in group.teachers.values()]
    return Examples(
        x_train,
        dataset.prepared((dataset.x_train, splits.validation), lazily=True),
        dataset.prepared(dataset.x_test if splits.test else dataset.x_test[:0], lazily=True),
        stacked_teachers(logits, dataset.outputs),
        group.student.scale,
        x_examples,
        dataset.training_weights(splits.train, splits.unlabelled),
    )


def _live(group: TrainingInputs, examples: Examples, output_shape: tuple[int, ...]) -> LiveTeacher | None:
    settings, teachers = group.settings, group.teachers.values()
    if not settings.live:
        if any(teacher.train is None for teacher in teachers):
            raise ValueError("students of unaugmented inputs need their teachers' predictions for them")
        return None
    for name, teacher in group.teachers.items():
        its = group.teacher_settings[name]
        if its.target == "teacher" and len(teacher.members) < len(members(its)):
            raise RequestError(
                "Augmented images need a live teacher, and stored predictions are none. Leave --shift and --flip out."
            )
    augmentation = Augmentation(**settings.augmentation.model_dump())
    live = [teacher.members for teacher in teachers]
    return live_teacher(live, examples.x_train, output_shape, augmentation, average=settings.average)


def _parts(settings: Settings, dataset: Dataset) -> tuple[Part, ...]:
    """The outputs, where they are several; a baseline compares with no teacher, and has one alpha."""
    parts = with_options(dataset.task, settings.outputs).parts
    return without_alphas(parts) if settings.target == "uniform" else parts


def _recipe(settings: Settings, dataset: Dataset) -> Recipe:
    return Recipe(
        task=settings.task,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        loss=settings.loss,
        label_loss=settings.label_loss,
        optimiser=settings.optimiser,
        schedule=settings.schedule,
        augmentation=Augmentation(**settings.augmentation.model_dump()),
        unlabelled=settings.unlabelled or dataset.partly_labelled,
        weight_decay=settings.weight_decay,
        parts=_parts(settings, dataset),
    )
