"""A classroom: the students of one architecture and recipe, trained a cohort at a time and put on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import memory_limit, out_of_memory
from distillab.engine.functional import Functional, Variables, in_precision
from distillab.engine.teacher import live_teacher
from distillab.engine.trainer import CohortTrainer, replace_capacity
from distillab.engine.types import Epoch, Examples, LiveTeacher, Outcome, Recipe, Student
from distillab.errors import WorkError
from distillab.metrics import all_metrics, confusion_matrix, denoising, reliability
from distillab.models import build
from distillab.study.progress import Progress
from distillab.study.settings import Settings
from distillab.study.splits import Labels, Split, draw_labels, shown_examples
from distillab.study.storage.records import (
    GalleryPredictions,
    TrialResult,
    ValidationPredictions,
    halves,
    validation_predictions,
)
from distillab.study.teachers import TeacherPredictions
from distillab.study.trials import Trial


class Classroom:
    """Trains the cohorts that share data rows, architecture and recipe, as many students at a time as memory holds.

    Args:
        dataset: the data.
        settings: of any of the cohorts' cells.
        rows: which rows they use.
        teachers: those that the cohorts' trials name.
        grid: the devices.
        capacity: the most students that a cohort has.
        memory: bytes that each device may use; None: by the device's own account.
        progress: is told where memory decides.

    Attributes:
        places: of the training examples that every student answers one by one, in `rows.train`.
        shown: these examples.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        rows: Split,
        teachers: dict[str, TeacherPredictions],
        grid: Mesh,
        capacity: int,
        memory: int | None,
        progress: Progress,
    ) -> None:
        self.dataset, self.rows, self.teachers, self.progress = dataset, rows, teachers, progress
        self.names = list(teachers)
        self.places, self.shown = shown_examples(dataset, rows)
        self._shown_id = self.shown.id
        self.limit = memory if memory is not None else memory_limit(grid)
        self._measured = self.limit is None
        augmentation = Augmentation(**settings.augmentation.model_dump())
        nothing = np.zeros((len(rows.train), dataset.classes), np.float32)
        examples = Examples(
            x_train=dataset.x_train[rows.train],
            x_validation=dataset.x_train[rows.validation],
            x_test=dataset.x_test,
            teacher_logits=np.stack([nothing if a.train is None else a.train for a in teachers.values()]),
            scale=dataset.scale,
            x_shown=self.shown.inputs,
        )
        recipe = Recipe(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            loss=settings.loss,
            label_loss=settings.label_loss,
            optimiser=settings.optimiser,
            schedule=settings.schedule,
            augmentation=augmentation,
        )
        built = build(settings.student.model, dataset.input_shape, dataset.classes)
        self.model = Functional(in_precision(built, settings.student.precision))
        self.live: LiveTeacher | None = None
        if augmentation:
            several = [answers.members for answers in teachers.values()]
            linear = settings.label_loss == "squared"
            self.live = live_teacher(several, examples.x_train, dataset.scale, augmentation, linear=linear)
        elif any(answers.train is None for answers in teachers.values()):
            raise ValueError("students who see the training rows as they lie need their teachers' answers to them")
        self.trainer = CohortTrainer(self.model, examples, recipe, mesh=grid, capacity=capacity)
        self._initial: dict[int, Variables] = {}

    def train(
        self, students: Sequence[list[Trial]], on_epoch: Callable[[int], None]
    ) -> tuple[list[TrialResult], int, float]:
        """Train as many students side by side, from the first on, as memory holds.

        Args:
            students: each with the trials that it stands for.
            on_epoch: is told of every epoch, from 1.

        Returns:
            The records of the trained, their number, and the seconds that it took.

        Raises:
            WorkError: where memory does not hold one student a device.
        """
        self._measure(students[0][0])
        while True:
            part = students[: self.trainer.capacity]
            clock = time.perf_counter()
            try:
                records = self._train(part, on_epoch)
            except (MemoryError, jax.errors.JaxRuntimeError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(len(part), error)
                continue
            return records, len(part), time.perf_counter() - clock

    def _measure(self, trial: Trial) -> None:
        """Before the first cohort, take no more seats than the memory holds."""
        if self._measured or self.limit is None:
            return
        self._measured = True
        need = self.trainer.footprint(self._student(trial, self._labels(trial)))
        fit, size = need.students(self.limit), self.trainer.mesh.size
        if not fit:
            raise WorkError(
                f"One student needs {need.bytes(1) / 2**20:,.1f} MiB on its device, and {self.limit / 2**20:,.1f} MiB "
                "are allowed. Raise --memory, or lower batch_size."
            )
        if fit * size < self.trainer.capacity:
            self.progress.note(f"{fit * size} students at a time: {need.bytes(fit) / 2**20:,.0f} MiB a device.")
            self.trainer = replace_capacity(self.trainer, fit * size)

    def _halve(self, students: int, error: Exception) -> None:
        """Go on with half the seats after memory has run out."""
        size = self.trainer.mesh.size
        if self.trainer.capacity <= size:
            raise WorkError(
                f"Memory ran out with {students} students. Lower batch_size, or use fewer --devices."
            ) from error
        self.trainer = replace_capacity(self.trainer, max(size, min(self.trainer.capacity, students) // 2))
        self.progress.note(f"Memory ran out with {students} students; going on with {self.trainer.capacity} at a time.")

    def _train(self, students: Sequence[list[Trial]], on_epoch: Callable[[int], None]) -> list[TrialResult]:
        """Train students side by side and word their results, each for all the trials that it stands for."""
        labels = [self._labels(trials[0]) for trials in students]
        seated = [self._student(trials[0], drawn) for trials, drawn in zip(students, labels, strict=True)]
        epochs: list[Epoch] = []

        def listen(epoch: Epoch) -> None:
            epochs.append(epoch)
            on_epoch(epoch.epoch + 1)

        end = self.trainer.recipe.epochs
        measured = {trial.id: trial.settings.snapshot or end for trials in students for trial in trials}
        perturbed = any(drawn.changed.any() for drawn in labels)
        found: dict[str, TrialResult] = {}
        for stop, outcome in self.trainer.stages(
            seated, sorted(set(measured.values())), on_epoch=listen, live=self.live, answer_training=perturbed
        ):
            for place, (trials, drawn) in enumerate(zip(students, labels, strict=True)):
                for trial in trials:
                    if measured[trial.id] == stop:
                        found[trial.id] = self._record(place, trial, drawn, epochs, outcome)
        return [found[trial.id] for trials in students for trial in trials]

    def _labels(self, trial: Trial) -> Labels:
        teacher = self.teachers[trial.teacher]
        logits = None
        if trial.settings.noise.kind == "margin" and teacher.train is not None:
            logits = np.empty((len(self.rows.used), self.dataset.classes), np.float32)
            logits[np.isin(self.rows.used, self.rows.train)] = teacher.train
            logits[np.isin(self.rows.used, self.rows.validation)] = teacher.validation
        return draw_labels(self.dataset, trial.settings, self.rows, trial.seed, logits)

    def _student(self, trial: Trial, labels: Labels) -> Student:
        if trial.seed not in self._initial:
            self._initial[trial.seed] = self.model.initial(trial.seed)
        settings = trial.settings
        return Student(
            alpha=settings.alpha,
            temperature=settings.temperature,
            learning_rate=settings.learning_rate,
            seed=trial.seed,
            initial=self._initial[trial.seed],
            labels=labels.train,
            validation_labels=labels.validation,
            teacher=self.names.index(trial.teacher),
        )

    def _shown_answers(self, outcome: Outcome, place: int, labels: Labels) -> GalleryPredictions | None:
        if outcome.shown_logits is None:
            return None
        given = labels.train[self.places].astype(np.int16)
        return GalleryPredictions(self._shown_id, given, halves(outcome.shown_logits[place]))

    def _record(
        self, place: int, trial: Trial, labels: Labels, epochs: Sequence[Epoch], outcome: Outcome
    ) -> TrialResult:
        """One student's results; a student that diverged has its history, and no metrics."""
        steps = self.trainer.steps
        broken = next((epoch for epoch in epochs if epoch.finite_steps[place] < steps), None)
        until = [epoch for epoch in epochs if broken is None or epoch.epoch <= broken.epoch]
        finite = [float(epoch.last_finite_loss[place]) for epoch in until if epoch.finite_steps[place] > 0]
        metrics: dict[tuple[str, str], float] = {}
        confusion: list[list[int]] | None = None
        answers: ValidationPredictions | None = None
        bins: list[list[float]] | None = None
        shown: GalleryPredictions | None = None
        if broken is None:
            linear = trial.settings.label_loss == "squared"
            bins = None if linear else reliability(outcome.test_logits[place], self.dataset.y_test)
            shown = self._shown_answers(outcome, place, labels)
            answers = validation_predictions(
                trial.settings.alpha, outcome.validation_logits[place], labels.validation, linear=linear
            )
            confusion = confusion_matrix(outcome.test_logits[place], self.dataset.y_test).tolist()
            teacher = self.teachers[trial.teacher]
            for part, logits, truth, theirs in (
                ("test", outcome.test_logits[place], self.dataset.y_test, teacher.test),
                ("validation", outcome.validation_logits[place], labels.validation, teacher.validation),
            ):
                metrics |= {
                    (part, name): value for name, value in all_metrics(logits, truth, theirs, linear=linear).items()
                }
            if outcome.train_answers is not None and labels.changed.any():
                shares = denoising(outcome.train_answers[place], labels.clean, labels.train)
                if teacher.train is not None:
                    theirs_too = denoising(teacher.train.argmax(-1), labels.clean, labels.train)
                    shares |= {f"teacher_{name}": value for name, value in theirs_too.items()}
                metrics |= {("train", name): value for name, value in shares.items()}
        return TrialResult(
            id=trial.id,
            seed=trial.seed,
            alpha=trial.settings.alpha,
            coordinates=trial.cell.coordinates,
            settings=trial.settings.model_dump(),
            teacher=trial.teacher,
            epochs=[_row(epoch, place) for epoch in epochs],
            metrics=metrics,
            confusion=confusion,
            validation_predictions=answers,
            reliability=bins,
            example_predictions=shown,
            diverged_epoch=None if broken is None else broken.epoch,
            last_finite_loss=finite[-1] if finite else None,
        )


def _row(epoch: Epoch, place: int) -> tuple[float, float, float, float]:
    columns = (epoch.loss, epoch.hard, epoch.soft, epoch.validation_accuracy)
    loss, hard, soft, accuracy = (float(column[place]) for column in columns)
    return loss, hard, soft, accuracy
