"""The runner: trains the trials that the store lacks, in cohorts, and records each cohort as it comes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from distillab.data import Dataset
from distillab.engine.augmentation import Augmentation
from distillab.engine.functional import Functional
from distillab.errors import RequestError, not_allowed
from distillab.losses import DISTILLATION_LOSSES
from distillab.study.cohorts import CohortResult, TrainingInputs
from distillab.study.estimate import Costs, RunEstimate, estimate
from distillab.study.executors.base import Executor
from distillab.study.executors.local import Local
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.progress import Progress
from distillab.study.provenance import now, provenance
from distillab.study.queue import Queue
from distillab.study.settings import Settings, is_given
from distillab.study.splits import Splits, gallery, split, teacher_rows
from distillab.study.storage.records import ValidationExamples, gallery_outputs, keeps_predictions, probabilities
from distillab.study.storage.store import Store
from distillab.study.teachers import TeacherCache, TeacherPredictions, dropout_of
from distillab.study.trials import Group, Trial, groups, members, training_identity
from distillab.study.zoo_models import zoo_model
from distillab.tasks.several import with_options


@dataclass(frozen=True)
class Plan:
    """What a run still has to train.

    Args:
        groups: with their estimated seconds.
        splits: by group, its rows.
        estimate: of the whole run.
    """

    groups: tuple[Group, ...]
    splits: dict[str, Splits]
    estimate: RunEstimate


@dataclass(frozen=True)
class Work:
    """The parts that a run is made of.

    Args:
        dataset: the data.
        models: students and teachers by name.
        folder: of the study.
        executor: trains cohorts.
        costs: of students and teachers; learns the pace of what is trained.
        progress: is notified of everything.
    """

    dataset: Dataset
    models: Models
    folder: Folder
    executor: Executor
    costs: Costs
    progress: Progress

    def plan(self, trials: Sequence[Trial]) -> Plan:
        """Group trials that are to be trained, choose their rows, and estimate their cost.

        Args:
            trials: to train.

        Raises:
            RequestError: they do not fit the data, or a model does not.
        """
        filed = {path.stem for path in self.folder.teachers.glob("*.keras")}
        teachers: dict[str, float] = {}
        planned, splits = [], {}
        for group in groups(trials):
            self._check(group)
            rows = splits[group.key] = split(self.dataset, group.settings)
            for member in itertools.chain.from_iterable(map(members, group.teachers.values())):
                name = training_identity(member, self.dataset.digest, whole=True)
                if name not in teachers and not self._has_teacher(member, filed):
                    teachers[name] = self._teacher_seconds(member, rows)
            planned.append(replace(group, seconds=self._student_seconds(group, len(rows.train) + rows.unlabelled)))
        return Plan(tuple(planned), splits, estimate(planned, list(teachers.values()), self.costs))

    def _check(self, group: Group) -> None:
        data, settings = self.dataset, group.settings
        if settings.task != data.task.name:
            raise not_allowed("task", settings.task, f"{data.task.name}, the task of {data.name}")
        Augmentation(**settings.augmentation.model_dump()).check(data.input_shape, data.positions)
        if data.partly_labelled and DISTILLATION_LOSSES[settings.loss].needs_labels:
            default = data.task.losses[0]
            raise RequestError(
                f"The loss {settings.loss} needs every label, and some of {data.name} are missing. Set loss to "
                f"{default}."
            )
        with_options(data.task, settings.outputs)  # rejects an unknown output
        classes = data.classes
        for noise in {trial.settings.noise for trials in group.trainings for trial in trials}:
            if noise.matrix is not None and len(noise.matrix) != classes:
                raise not_allowed(
                    "len(noise.matrix)", len(noise.matrix), f"{classes}, the classes of {self.dataset.name}"
                )

    def _student_seconds(self, group: Group, examples: int) -> float:
        """Seconds of one student on one device, with its share of the live predictions."""
        live = {(trials[0].teacher, trials[0].seed): trials[0].settings for trials in group.trainings}
        shared = sum(
            self.costs.live_teachers(settings, examples, self._given_functionals(settings))
            for settings in live.values()
        )
        student = self.models.student(group.settings.student).functional
        each = self.costs.training(group.settings, examples, student=student)
        return each + shared * (self.costs.resources.devices / len(group.trainings))

    def _given_functionals(self, settings: Settings) -> list[Functional]:
        """The teachers of a trial that are a user's models and that JAX can run."""
        names = [member.teacher.model for member in members(settings) if is_given(member.teacher.model)]
        return [member.functional for name in names if (member := self.models.teacher(name).member) is not None]

    def _has_teacher(self, settings: Settings, filed: set[str]) -> bool:
        return is_given(settings.teacher.model) or training_identity(settings, self.dataset.digest) in filed

    def _teacher_seconds(self, settings: Settings, splits: Splits) -> float:
        """Seconds of the training of a single teacher."""
        zoo_model(settings.teacher.model, self.dataset, dropout_of(settings))  # rejects a model that does not fit
        return self.costs.teacher(settings, len(teacher_rows(self.dataset, settings, splits)[0]))

    @contextmanager
    def runner(self, store: Store, started: str, command: str) -> Iterator[Runner]:
        """A runner, within a recorded run.

        Args:
            store: keeps the results.
            started: when the run began.
            command: what started it.
        """
        dataset, (devices, platform) = self.dataset, self.executor.where
        data = {"name": dataset.name, "digest": dataset.digest, "classes": list(dataset.class_names)}
        facts = provenance(command=command, data=data, devices=devices, platform_name=platform)
        number = store.begin_run(started, facts)
        yield Runner(self, store, number)
        store.end_run(number, now())
        if not isinstance(self.executor, Local):
            return  # a cluster's paces are not those of this machine
        try:
            self.costs.save()
        except OSError as error:
            self.progress.note(f"The measured pace could not be kept for the next estimate: {error}.")


class Runner:
    """Trains and records trials.

    Args:
        work: the parts of the run.
        store: keeps the results.
        run: the run's number in the store.
    """

    def __init__(self, work: Work, store: Store, run: int) -> None:
        self.work, self.store, self._run = work, store, run
        self.teachers = TeacherCache(work.dataset, work.models, work.folder, store, work.progress)
        self._predictions: dict[tuple[str, str, bool], TeacherPredictions] = {}

    def missing(self, trials: Sequence[Trial], *, keep: bool = False) -> list[Trial]:
        """The trials that are still to train.

        Args:
            trials: wanted.
            keep: whether their students are wanted too.
        """
        done = self.store.done()
        return [
            trial
            for trial in {trial.id: trial for trial in trials}.values()
            if trial.id not in done or (keep and not self.work.folder.student(trial.id).is_file())
        ]

    def run(self, trials: Sequence[Trial], plan: Plan, *, keep: bool = False) -> Iterator[CohortResult]:
        """Train what a plan says, and record it.

        Args:
            trials: all that are wanted, whether trained or not: teachers that are snapshots of one training are taken
                together.
            plan: of the missing ones.
            keep: whether students are kept, with weights and test predictions.

        Yields:
            The results of each cohort, as soon as they are recorded.

        Raises:
            WorkError: the work failed; what was recorded stays.
        """
        self.teachers.expect(trial.settings for trial in trials)
        by_key = {group.key: group for group in plan.groups}

        def inputs(key: str) -> TrainingInputs:
            return self._inputs(by_key[key], plan.splits[key], keep)

        work, queue = self.work, Queue(plan.groups, self.work.costs.resources)
        for cohort in work.executor.train(queue, inputs, work.dataset, work.progress):
            self._record(cohort)
            yield cohort
        for training in self.teachers.trainings:
            work.costs.add_teacher(*training)
        self.teachers.trainings.clear()

    def _inputs(self, group: Group, splits: Splits, keep: bool) -> TrainingInputs:
        """What the trainings of a group share, its teachers trained and their predictions stored."""
        settings, by_teacher = group.settings, group.teachers
        training = any(trials[0].settings.needs_stored_predictions for trials in group.trainings)
        teachers = {name: self._teacher(name, of, splits, training=training) for name, of in by_teacher.items()}
        drawn = gallery(self.work.dataset, splits) if settings.evaluate == "all" else None
        if drawn is not None:
            positions, examples = drawn
            shown = {
                name: self.teachers.gallery(teachers[name], of, splits, positions) for name, of in by_teacher.items()
            }
            task = self.work.dataset.task
            kept = {name: gallery_outputs(task, outputs) for name, outputs in shown.items()}
            self.store.add_examples(examples, kept)
        self._record_validation(settings, splits, teachers)
        return TrainingInputs(settings, splits, self.work.models.student(settings.student), teachers, by_teacher, keep)

    def _record_validation(
        self, settings: Settings, splits: Splits, teachers: Mapping[str, TeacherPredictions]
    ) -> None:
        """Record what teachers predict for the validation examples: students are judged by it."""
        data, rows = self.work.dataset, splits.validation
        if not len(rows) or not keeps_predictions(data.task, data.positions):
            return
        trusted = np.isin(rows, splits.trusted)
        known = {
            name: ValidationExamples(probabilities(data.task, of.validation, linear=settings.squared), trusted)
            for name, of in teachers.items()
        }
        self.store.add_validation_examples(settings.validation_rows, known)

    def _teacher(self, name: str, settings: Settings, splits: Splits, *, training: bool) -> TeacherPredictions:
        rows = f"{settings.validation_rows} {settings.evaluate} {settings.unlabelled}"
        if (name, rows, training) not in self._predictions:
            predictions = self.teachers.predictions(settings, splits, training=training)
            self._predictions[name, rows, training] = predictions
        return self._predictions[name, rows, training]

    def _record(self, cohort: CohortResult) -> None:
        for name, student in cohort.kept.items():
            student.write(self.work.folder.student(name))
        done = self.store.done() if cohort.kept else set()  # a recorded student whose file is missing is trained again
        self.store.add_cohort(
            [result for result in cohort.results if result.id not in done],
            run=self._run,
            students=cohort.students,
            examples=cohort.examples,
            seconds=cohort.seconds,
        )
        self.work.costs.add(cohort.settings, cohort.pace)
