"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from distillab.data import Dataset, load
from distillab.engine.augmentation import Augmentation
from distillab.engine.devices import mesh
from distillab.errors import RequestError, not_allowed
from distillab.study.cohorts import CohortResult
from distillab.study.estimate import Costs
from distillab.study.executors.base import Executor
from distillab.study.executors.local import Local
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.runner import OnResults, Plan, Runner, plan
from distillab.study.settings import Settings, ensemble
from distillab.study.spec import Spec
from distillab.study.splits import split, teacher_rows
from distillab.study.storage.store import Store
from distillab.study.trials import Trial, group_key, members, study_trials


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a study or a distillation runs; no option decides a result.

    Args:
        data_dir: the folder to search for data first.
        devices: devices to spread students over; by default all that JAX has.
        slots: students that a device trains before their results are recorded.
        memory: bytes that each device may use; by default most of it. Fewer students then train at once.
        most: the most trials that are trained; more are refused, with their cost.
        part: (k, n): train only every n-th seed from the k-th on, for a study that is run in n places and merged.
        speeds: a file with the paces that earlier runs measured, for the estimate; it gets those of this run.
        executor: where students train; by default in this process. Teachers train here in any case.
        command: what started this run, for its provenance.
    """

    data_dir: Path | None = None
    devices: int | None = None
    slots: int | None = None
    memory: int | None = None
    most: int | None = None
    part: tuple[int, int] = (1, 1)
    speeds: Path | None = None
    executor: Executor | None = None
    command: str = ""


@dataclass(frozen=True)
class Summary:
    """The outcome of a run.

    Args:
        folder: the study's folder.
        trials: the number of trials of the study.
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
    options: RunOptions | None = None,
    *,
    progress: Progress | None = None,
    on_results: OnResults | None = None,
    **values: Any,
) -> Summary:
    """Run a study, or what is missing of it.

    Args:
        spec: the study.
        out: its folder; made where missing, continued where it holds this study.
        options: how to run it.
        progress: is notified of everything; by default nobody is.
        on_results: is called with students' results as soon as they are recorded.
        values: single fields of `RunOptions`, instead of those in `options`.

    Returns:
        What was trained.

    Raises:
        RequestError: the study does not fit its data, the folder holds another study, or it has too many trials;
            nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, clock = now(), time.perf_counter()
    options, progress = replace(options or RunOptions(), **values), progress or Silence()
    dataset = load(spec.base.dataset, data_dir=options.data_dir)
    check_fit(spec, dataset)
    folder, executor = Folder(out), local_executor(options)
    every = list(study_trials(spec, dataset.digest))
    trials = _part_of(every, options.part)
    costs = costs_of(dataset, executor, options)
    work = Work(dataset, Models(dataset), folder, executor, costs, progress)
    missing = _part_of(_missing(folder, spec, every), options.part)
    planned = work.plan(missing)
    if options.most is not None and len(missing) > options.most:
        raise RequestError(
            f"The study has {len(missing):,} trials to train, more than {options.most:,}: "
            f"{planned.estimate.in_words()}. Add --yes to train them all, or shorten an axis."
        )
    with folder.write(spec) as store:
        done = store.done()
        if not done.isdisjoint(trial.id for trial in missing):  # another process wrote in between
            planned = work.plan([trial for trial in missing if trial.id not in done])
        cohorts = work.run(store, started, options.command, trials, planned)
        trained, diverged = _gathered(cohorts, on_results)
    return Summary(out, len(trials), trained, diverged, time.perf_counter() - clock)


@dataclass(frozen=True)
class Work:
    """The parts that a run is made of.

    Args:
        dataset: the data.
        models: students and teachers by name.
        folder: of the study.
        executor: trains cohorts.
        costs: of students and teachers.
        progress: is notified of everything.
    """

    dataset: Dataset
    models: Models
    folder: Folder
    executor: Executor
    costs: Costs
    progress: Progress

    def plan(self, trials: Sequence[Trial]) -> Plan:
        """Group trials that are to be trained, and estimate their cost.

        Args:
            trials: to train.
        """
        filed = {path.stem for path in self.folder.teachers.glob("*.keras")}
        return plan(trials, self.dataset, self.models, self.costs, filed)

    @contextmanager
    def runner(self, store: Store, started: str, command: str) -> Iterator[Runner]:
        """A runner, within a recorded run.

        Args:
            store: keeps the results.
            started: when the run began.
            command: what started it.
        """
        facts = provenance(
            command=command,
            data={
                "name": self.dataset.name,
                "digest": self.dataset.digest,
                "classes": list(self.dataset.class_names),
            },
            devices=self.executor.where[0],
            platform_name=self.executor.where[1],
        )
        number = store.begin_run(started, facts)
        yield Runner(self.dataset, self.models, self.folder, store, self.executor, self.costs, self.progress, number)
        store.end_run(number, now())
        if not isinstance(self.executor, Local):
            return  # a cluster's paces are not those of this machine
        try:
            self.costs.save()
        except OSError as error:
            self.progress.note(f"The measured pace could not be kept for the next estimate: {error}.")

    def run(
        self, store: Store, started: str, command: str, trials: Sequence[Trial], planned: Plan
    ) -> Iterator[CohortResult]:
        """Train a plan's trials within a recorded run; without any, nothing is recorded.

        Args:
            store: keeps the results.
            started: when the run began.
            command: what started it.
            trials: all trials of the study.
            planned: those to train.

        Yields:
            The results of each cohort.
        """
        if not planned.groups:
            return
        self.progress.note(f"To train: {planned.estimate.in_words(datetime.now())}.")
        with self.runner(store, started, command) as runner:
            yield from runner.run(trials, planned)


def local_executor(options: RunOptions, *, trainers: int = 1) -> Executor:
    """The executor that options name; by default this process.

    Args:
        options: of a run.
        trainers: how many compiled programs this process keeps, for a search that returns to them.
    """
    return options.executor or Local(mesh(options.devices), options.slots, options.memory, trainers)


def costs_of(dataset: Dataset, executor: Executor, options: RunOptions) -> Costs:
    """The costs of students and teachers on an executor.

    Args:
        dataset: the data.
        executor: trains them.
        options: of the run.
    """
    grid = mesh(options.devices)
    return Costs(dataset.input_shape, dataset.classes, grid, executor.resources, options.speeds)


def _gathered(cohorts: Iterator[CohortResult], on_results: OnResults | None) -> tuple[int, int]:
    trained = diverged = 0
    for cohort in cohorts:
        trained += len(cohort.results)
        diverged += sum(result.diverged_epoch is not None for result in cohort.results)
        if on_results is not None:
            on_results(cohort.results)
    return trained, diverged


def _part_of(trials: Sequence[Trial], part: tuple[int, int]) -> list[Trial]:
    which, parts = part
    if not 1 <= which <= parts:
        raise not_allowed("part", f"{which}/{parts}", "K/N with K from 1 to N")
    return [trial for trial in trials if trial.seed % parts == which - 1]


def check_fit(spec: Spec, dataset: Dataset) -> None:
    """Reject a study that does not fit its data or its models, before anything is written.

    Args:
        spec: the study.
        dataset: its data.

    Raises:
        RequestError: it does not fit; the message names the key.
    """
    models, checked = Models(dataset), set[tuple[Any, ...]]()
    for cell in spec.cells():
        settings = cell.settings
        key = (group_key(settings), settings.teacher, settings.noise)
        if key not in checked:
            checked.add(key)
            _check_settings(settings, dataset, models)


def _check_settings(settings: Settings, dataset: Dataset, models: Models) -> None:
    splits = split(dataset, settings)
    Augmentation(**settings.augmentation.model_dump()).check(dataset.input_shape)
    models.student(settings.student)
    teacher_rows(dataset, members(settings)[0], splits)
    for name in ensemble(settings.teacher.model):
        models.check_teacher(name)
    matrix = settings.noise.matrix
    if matrix is not None and len(matrix) != dataset.classes:
        raise not_allowed("len(noise.matrix)", len(matrix), f"{dataset.classes}, the classes of {dataset.name}")


def _missing(folder: Folder, spec: Spec, trials: Sequence[Trial]) -> list[Trial]:
    """The trials that a folder lacks; a folder with other trials in their place is rejected."""
    recorded, planned = folder.recorded(), {trial.id for trial in trials}
    if folder.spec.is_file() and folder.described().differs_from(spec):
        return list(trials)  # another study: the folder rejects it before it is written
    strangers = sum(seed < spec.objective.seeds and name not in planned for name, seed in recorded.items())
    if strangers:
        raise RequestError(
            f"{folder.path} holds {strangers:,} students of this study that were trained on other data or by another "
            "version of distillab. They cannot be analysed together. Run the study in a new folder with --out."
        )
    return [trial for trial in trials if trial.id not in recorded]
