"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from distillab.data import Dataset, load
from distillab.engine.devices import mesh
from distillab.errors import RequestError, not_allowed
from distillab.study.estimate import Costs
from distillab.study.executors.base import Executor
from distillab.study.executors.local import Local
from distillab.study.filed_teachers import with_filed_teachers
from distillab.study.folder import Folder
from distillab.study.models import Models
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now
from distillab.study.runner import Work
from distillab.study.spec import Spec
from distillab.study.storage.records import TrialResult
from distillab.study.trials import Trial, study_trials

OnResults = Callable[[Sequence[TrialResult]], None]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a study or a distillation runs; no option decides a result.

    Args:
        data_dir: the folder to search for data first.
        devices: devices to spread students over; by default all that JAX has.
        slots: students that a device trains before their results are recorded.
        memory: bytes that each device may use; by default most of it. Fewer students then train at once, and inputs
            that take more than half of it stay on the host.
        most: the most trials that are trained; more are refused, with their cost.
        part: (k, n): train only every n-th seed from the k-th on, for a study that is run in n places and merged.
        speeds: a file with the paces that earlier runs measured, for the estimate; it gets those of this run.
        executor: where students train; by default in this process. Teachers train here in any case.
        command: what started this run, for its provenance.
    """

    data_dir: str | os.PathLike[str] | None = None
    devices: int | None = None
    slots: int | None = None
    memory: int | None = None
    most: int | None = None
    part: tuple[int, int] = (1, 1)
    speeds: str | os.PathLike[str] | None = None
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
    out: str | os.PathLike[str],
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

    Raises:
        RequestError: the study does not fit its data, the folder holds another study, or it has too many trials;
            nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, clock = now(), time.perf_counter()
    options, progress = replace(options or RunOptions(), **values), progress or Silence()
    dataset = load(spec.base.dataset, data_dir=options.data_dir, task=spec.base.data_task)
    folder = Folder(out)
    work = work_in(folder, dataset, options, progress)
    spec = with_filed_teachers(spec, dataset, work.models, progress)
    every = list(study_trials(spec, dataset.digest))
    trials = _part_of(every, options.part)
    missing = _part_of(_missing(folder, spec, every), options.part)
    planned = work.plan(missing)
    if options.most is not None and len(missing) > options.most:
        raise RequestError(
            f"The study has {len(missing):,} trials to train, more than {options.most:,}: "
            f"{planned.estimate.in_words()}. Add --yes to train them all, or shorten an axis."
        )
    trained = diverged = 0
    with folder.write(spec) as store:
        done = store.done()
        if not done.isdisjoint(trial.id for trial in missing):  # another process wrote in between
            planned = work.plan([trial for trial in missing if trial.id not in done])
        if planned.groups:
            progress.note(f"To train: {planned.estimate.in_words(datetime.now())}.")
            with work.runner(store, started, options.command) as runner:
                for cohort in runner.run(trials, planned):
                    trained += len(cohort.results)
                    diverged += sum(result.diverged_epoch is not None for result in cohort.results)
                    if on_results is not None:
                        on_results(cohort.results)
    return Summary(folder.path, len(trials), trained, diverged, time.perf_counter() - clock)


def work_in(folder: Folder, dataset: Dataset, options: RunOptions, progress: Progress, *, trainers: int = 1) -> Work:
    """The parts of a run that options name.

    Args:
        folder: of the study.
        dataset: the data.
        options: of the run.
        progress: is notified of everything.
        trainers: how many compiled programs this process keeps, for a search that returns to them.
    """
    grid = mesh(options.devices)
    executor = options.executor or Local(grid, options.slots, options.memory, trainers)
    facts = dataset.input_shape, dataset.outputs, grid, executor.resources, options.speeds
    costs = Costs(*facts, vocabulary=dataset.vocabulary)
    return Work(dataset, Models(dataset), folder, executor, costs, progress)


def _part_of(trials: Sequence[Trial], part: tuple[int, int]) -> list[Trial]:
    which, parts = part
    if not 1 <= which <= parts:
        raise not_allowed("part", f"{which}/{parts}", "K/N with K from 1 to N")
    return [trial for trial in trials if trial.seed % parts == which - 1]


def _missing(folder: Folder, spec: Spec, trials: Sequence[Trial]) -> list[Trial]:
    """The trials that a folder lacks; a folder with other trials in their place is rejected."""
    recorded, planned = folder.recorded(), {trial.id for trial in trials}
    if folder.spec.is_file() and folder.described().differs_from(spec):
        return list(trials)  # another study: the folder rejects it before it is written
    folder.refuse_other_numerics()
    strangers = sum(seed < spec.objective.seeds and name not in planned for name, seed in recorded.items())
    if strangers:
        raise RequestError(
            f"{folder.path} holds {strangers:,} students of this study that were trained on other data. They "
            "cannot be analysed together. Run the study in a new folder with --out."
        )
    return [trial for trial in trials if trial.id not in recorded]
