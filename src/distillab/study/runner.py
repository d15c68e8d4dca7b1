"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from distillab.data import Dataset, load
from distillab.engine.cohort import CohortTrainer, Epoch, Examples, Outcome, Recipe, Student
from distillab.engine.devices import inside, mesh
from distillab.engine.functional import Functional, Variables
from distillab.metrics import all_metrics
from distillab.models import build
from distillab.study.folder import Folder
from distillab.study.material import Labels, Split, draw_labels, split, teacher_material
from distillab.study.plan import Trial, cohort_key, cohorts, trials
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.settings import Settings
from distillab.study.spec import Spec
from distillab.study.store import TrialRecord
from distillab.study.teachers import Answers, teach

SEATS = {"loop": 8, "vmap": 64}
"""Students a device trains before their results are recorded: few where they take turns, so that little is lost when
the run is stopped; many where they train at once."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Args:
        folder: the study's folder.
        trials: how many the study has.
        trained: how many this run trained.
        diverged: how many of these diverged.
        seconds: the run's wall-clock time.
    """

    folder: Path
    trials: int
    trained: int
    diverged: int
    seconds: float


def run_study(
    spec: Spec,
    out: Path,
    *,
    data_dir: Path | None = None,
    devices: int | None = None,
    seats: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Summary:
    """Run a study, or what is missing of it.

    Args:
        spec: the study.
        out: its folder; made where missing, continued where it holds this very study.
        data_dir: where to look for data first.
        devices: devices to spread students over; by default all that JAX has.
        seats: students a device trains before their results are recorded; decides no result.
        command: what started this run, for its provenance.
        progress: is told what happens; by default nobody.

    Raises:
        RequestError: the study does not fit its data, or the folder is not this study's; nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, begin = now(), time.perf_counter()
    progress = progress or Silence()
    dataset = load(spec.base.dataset, data_dir=data_dir)
    grid = mesh(devices)
    _check_fit(spec, dataset)
    wanted = list(trials(spec, dataset.digest))
    folder = Folder(out)
    trained: list[TrialRecord] = []
    with folder.write(spec) as store:
        plan = cohorts(wanted, store.done(), _capacity(grid, seats))
        facts = provenance(
            command=command,
            data={"name": dataset.name, "digest": dataset.digest},
            devices=grid.size,
            platform_name=grid.devices.flat[0].platform,
        )
        run = store.begin_run(started, facts) if plan else None
        teachers: dict[str, Answers] = {}
        for group in _by_key(plan):
            settings = group[0][0].settings
            rows = split(dataset, settings)
            for trial in (trial for cohort in group for trial in cohort):
                if trial.teacher not in teachers:
                    teachers[trial.teacher] = teach(
                        trial.teacher, dataset, trial.settings, rows, folder=folder, store=store, progress=progress
                    )
            classroom = _Classroom(dataset, settings, rows, teachers, grid, max(len(cohort) for cohort in group))
            for cohort in group:
                clock = time.perf_counter()
                records = classroom.train(cohort, _reporter(progress, plan, cohort))
                seconds = time.perf_counter() - clock
                store.add_cohort(records, run=run or 0, examples=settings.epochs * len(rows.train), seconds=seconds)
                trained += records
        if run is not None:
            store.end_run(run, now())
    diverged = sum(record.diverged_epoch is not None for record in trained)
    return Summary(out, len(wanted), len(trained), diverged, time.perf_counter() - begin)


def _reporter(progress: Progress, plan: Sequence[list[Trial]], cohort: list[Trial]) -> Callable[[int], None]:
    """Tell that a cohort begins, and return what tells of its epochs."""
    number, epochs = plan.index(cohort) + 1, cohort[0].settings.epochs

    def tell(epoch: int) -> None:
        progress.cohort(number, len(plan), len(cohort), epoch, epochs)

    tell(0)
    return tell


def _capacity(grid: Mesh, seats: int | None) -> int:
    return grid.size * (seats or SEATS[inside(grid.devices.flat[0].platform)])


def _check_fit(spec: Spec, dataset: Dataset) -> None:
    """Refuse a study that its data or its models cannot carry, before anything is written."""
    checked: set[tuple[Any, ...]] = set()
    for cell in spec.cells():
        settings = cell.settings
        key = (cohort_key(settings), settings.teacher, settings.noise)
        if key in checked:
            continue
        checked.add(key)
        rows = split(dataset, settings)
        teacher_material(dataset, settings, rows)
        for model in (settings.teacher.model, settings.student.model):
            build(model, dataset.input_shape, dataset.classes)


def _by_key(plan: Sequence[list[Trial]]) -> Iterable[list[list[Trial]]]:
    """Gather the cohorts that one program can train."""
    groups: dict[str, list[list[Trial]]] = {}
    for cohort in plan:
        groups.setdefault(cohort_key(cohort[0].settings), []).append(cohort)
    return groups.values()


class _Classroom:
    """Trains the cohorts that share data rows, architecture and recipe."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        rows: Split,
        teachers: dict[str, Answers],
        grid: Mesh,
        capacity: int,
    ) -> None:
        self.dataset, self.rows, self.teachers = dataset, rows, teachers
        self.names = list(teachers)
        examples = Examples(
            x_train=dataset.x_train[rows.train],
            x_validation=dataset.x_train[rows.validation],
            x_test=dataset.x_test,
            teacher_logits=np.stack([answers.train for answers in teachers.values()]),
            scale=dataset.scale,
        )
        recipe = Recipe(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            loss=settings.loss,
            optimiser=settings.optimiser,
            schedule=settings.schedule,
        )
        self.model = Functional(build(settings.student.model, dataset.input_shape, dataset.classes))
        self.trainer = CohortTrainer(self.model, examples, recipe, mesh=grid, capacity=capacity)
        self._initial: dict[int, Variables] = {}

    def train(self, cohort: Sequence[Trial], on_epoch: Callable[[int], None]) -> list[TrialRecord]:
        """Train a cohort and word its results."""
        labels = [draw_labels(self.dataset, trial.settings, self.rows, trial.seed) for trial in cohort]
        students = [self._student(trial, drawn) for trial, drawn in zip(cohort, labels, strict=True)]
        epochs: list[Epoch] = []

        def listen(epoch: Epoch) -> None:
            epochs.append(epoch)
            on_epoch(epoch.epoch + 1)

        outcome = self.trainer.train(students, on_epoch=listen)
        return [
            self._record(place, trial, drawn, epochs, outcome)
            for place, (trial, drawn) in enumerate(zip(cohort, labels, strict=True))
        ]

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

    def _record(
        self, place: int, trial: Trial, labels: Labels, epochs: Sequence[Epoch], outcome: Outcome
    ) -> TrialRecord:
        """One student's results; a student that diverged has its history, and no metrics."""
        steps = self.trainer.steps
        broken = next((epoch for epoch in epochs if epoch.finite_steps[place] < steps), None)
        until = [epoch for epoch in epochs if broken is None or epoch.epoch <= broken.epoch]
        finite = [float(epoch.last_finite_loss[place]) for epoch in until if epoch.finite_steps[place] > 0]
        metrics: dict[tuple[str, str], float] = {}
        if broken is None:
            teacher = self.teachers[trial.teacher]
            for part, logits, truth, theirs in (
                ("test", outcome.test_logits[place], self.dataset.y_test, teacher.test),
                ("validation", outcome.validation_logits[place], labels.validation, teacher.validation),
            ):
                metrics |= {(part, name): value for name, value in all_metrics(logits, truth, theirs).items()}
        return TrialRecord(
            id=trial.id,
            seed=trial.seed,
            alpha=trial.settings.alpha,
            coordinates=trial.cell.coordinates,
            settings=trial.settings.model_dump(),
            teacher=trial.teacher,
            epochs=[_row(epoch, place) for epoch in epochs],
            metrics=metrics,
            diverged_epoch=None if broken is None else broken.epoch,
            last_finite_loss=finite[-1] if finite else None,
        )


def _row(epoch: Epoch, place: int) -> tuple[float, float, float, float]:
    columns = (epoch.loss, epoch.hard, epoch.soft, epoch.validation_accuracy)
    loss, hard, soft, accuracy = (float(column[place]) for column in columns)
    return loss, hard, soft, accuracy
