"""The runner: trains the trials that the store lacks, in cohorts, and records each cohort as it comes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from distillab.data import Dataset
from distillab.study.cohorts import CohortResult, TrainingInputs
from distillab.study.estimate import Costs, RunEstimate, estimate
from distillab.study.executors.base import Executor
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.progress import Progress
from distillab.study.queue import Queue
from distillab.study.settings import Settings, is_given
from distillab.study.splits import Splits, gallery, split, teacher_rows
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store
from distillab.study.teachers import TeacherCache, TeacherPredictions
from distillab.study.trials import Group, Trial, groups, members, training_identity

OnResults = Callable[[Sequence[TrialResult]], None]


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


def plan(trials: Sequence[Trial], dataset: Dataset, models: Models, costs: Costs, filed: Collection[str]) -> Plan:
    """Group trials and estimate their cost.

    Args:
        trials: to train.
        dataset: the data.
        models: students and teachers by name.
        costs: of students and teachers.
        filed: identities of the teachers that are trained already.

    Returns:
        The groups, their rows and the estimate.
    """
    teachers: dict[str, float] = {}
    planned, splits = [], {}
    for group in groups(trials):
        rows = splits[group.key] = split(dataset, group.settings)
        count = len(rows.train) + rows.unlabelled
        for settings in group.teachers.values():
            teachers |= _teacher_seconds(settings, dataset, rows, costs, filed)
        live = {(trials[0].teacher, trials[0].seed): trials[0].settings for trials in group.trainings}
        shared = sum(costs.live_teachers(one, count, models.given_functionals(one)) for one in live.values())
        student = models.student(group.settings.student).functional
        each = costs.training(group.settings, count, student=student)
        shares = costs.resources.devices / len(group.trainings)
        planned.append(replace(group, seconds=each + shared * shares))
    return Plan(tuple(planned), splits, estimate(planned, list(teachers.values()), costs))


def _teacher_seconds(
    settings: Settings, dataset: Dataset, splits: Splits, costs: Costs, filed: Collection[str]
) -> dict[str, float]:
    """Seconds of each teacher's training that is missing, by the training's identity."""
    seconds = {}
    for member in members(settings):
        model = member.teacher.model
        if is_given(model) or training_identity(member, dataset.digest) in filed:
            continue
        examples = len(teacher_rows(dataset, member, splits)[0])
        seconds[training_identity(member, dataset.digest, whole=True)] = costs.teacher(member, examples)
    return seconds


class Runner:
    """Trains and records trials.

    Args:
        dataset: the data.
        models: students and teachers by name.
        folder: of the study.
        store: keeps the results.
        executor: trains cohorts.
        costs: learns the pace of what is trained.
        progress: is notified of everything.
        run: the run's number in the store.
    """

    def __init__(
        self,
        dataset: Dataset,
        models: Models,
        folder: Folder,
        store: Store,
        executor: Executor,
        costs: Costs,
        progress: Progress,
        run: int,
    ) -> None:
        self.dataset, self.models, self.folder, self.store = dataset, models, folder, store
        self.executor, self.costs, self.progress, self.run_number = executor, costs, progress, run
        self.teachers = TeacherCache(dataset, models, folder, store, progress)
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
            if trial.id not in done or (keep and not self.folder.student(trial.id).is_file())
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

        queue = Queue(plan.groups, self.costs.resources)
        for cohort in self.executor.train(queue, inputs, self.dataset, self.progress):
            self._record(cohort)
            yield cohort
        for training in self.teachers.trainings:
            self.costs.add_teacher(training.settings, training.examples, training.seconds)
        self.teachers.trainings.clear()

    def _inputs(self, group: Group, splits: Splits, keep: bool) -> TrainingInputs:
        """What the trainings of a group share, its teachers trained and their predictions stored."""
        settings, by_teacher = group.settings, group.teachers
        training = any(trials[0].settings.needs_stored_predictions for trials in group.trainings)
        teachers = {
            name: self._teacher(name, one, group.key, splits, training=training) for name, one in by_teacher.items()
        }
        if settings.evaluate == "all":
            positions, examples = gallery(self.dataset, splits)
            self.store.add_examples(
                examples,
                {
                    name: self.teachers.gallery(teachers[name], one, splits, positions)
                    for name, one in by_teacher.items()
                },
            )
        return TrainingInputs(settings, splits, self.models.student(settings.student), teachers, by_teacher, keep)

    def _teacher(
        self, name: str, settings: Settings, key: str, splits: Splits, *, training: bool
    ) -> TeacherPredictions:
        rows = f"{settings.validation.share} {settings.train_size} {settings.evaluate} {settings.unlabelled}"
        if (name, rows, training) not in self._predictions:
            predictions = self.teachers.predictions(settings, splits, training=training)
            self._predictions[name, rows, training] = predictions
        return self._predictions[name, rows, training]

    def _record(self, cohort: CohortResult) -> None:
        for name, student in cohort.kept.items():
            student.write(self.folder.student(name))
        done = self.store.done() if cohort.kept else set()  # a recorded student whose file is missing is trained again
        self.store.add_cohort(
            [result for result in cohort.results if result.id not in done],
            run=self.run_number,
            students=cohort.students,
            examples=cohort.examples,
            seconds=cohort.seconds,
        )
        self.costs.add(cohort.settings, cohort.pace)
