"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from distillab.data import Dataset, load
from distillab.engine.devices import mesh
from distillab.errors import RequestError, not_allowed
from distillab.models import build
from distillab.study.estimate import Costs, estimate
from distillab.study.executors.dispatch import dispatch
from distillab.study.executors.local import Executor, Local, Pupil, TrainingInputs
from distillab.study.folder import Folder
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.queue import Load, Queue
from distillab.study.settings import Settings, ensemble
from distillab.study.spec import Spec, load_spec
from distillab.study.speeds import Speeds
from distillab.study.splits import Split, shown_examples, split, teacher_material
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store
from distillab.study.teachers import TeacherCache, TeacherPredictions, hears_stored_answers
from distillab.study.trials import Trial, cohort_key, pupils, trials


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
    memory: int | None = None,
    most: int | None = None,
    command: str = "",
    progress: Progress | None = None,
    recorded: Callable[[Sequence[TrialResult]], None] | None = None,
    executor: Executor | None = None,
    speeds: Speeds | None = None,
    part: tuple[int, int] = (1, 1),
) -> Summary:
    """Run a study, or what is missing of it.

    Args:
        spec: the study.
        out: its folder; made where missing, continued where it holds this very study.
        data_dir: where to look for data first.
        devices: devices to spread students over; by default all that JAX has.
        seats: students a device trains before their results are recorded; decides no result.
        memory: bytes that each device may use; by default most of what it has. Fewer students then train at once.
        most: refuse to train more than this many trials, and say what they would cost.
        command: what started this run, for its provenance.
        progress: is told what happens; by default nobody.
        recorded: is given students as soon as they are on record.
        executor: where students train; by default in this process, on its `devices`. Teachers train here in any case.
        speeds: what earlier runs measured, for the estimate; learns what this one measures.
        part: (k, n), to train only every n-th seed from the k-th on: for a study that is run in n places and merged.

    Raises:
        RequestError: the study does not fit its data, the folder is not this study's, or it has too many trials;
            nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, begin = now(), time.perf_counter()
    which, parts = _share(part)
    progress, speeds = progress or Silence(), speeds or Speeds()
    dataset = load(spec.base.dataset, data_dir=data_dir)
    grid = mesh(devices)
    executor = executor or Local(grid, seats, memory)
    _check_fit(spec, dataset)
    folder, wanted = Folder(out), list(trials(spec, dataset.digest))
    left = [trial for trial in _left(folder, spec, wanted) if trial.seed % parts == which]
    wanted = [trial for trial in wanted if trial.seed % parts == which]
    costs = Costs(dataset, grid, speeds)
    filed = {path.stem for path in folder.teachers.glob("*.keras")}
    team = executor.team
    cost, loads = estimate(pupils(left), costs, team, filed)
    if most is not None and len(left) > most:
        raise RequestError(
            f"The study has {len(left):,} trials to train, more than {most:,}: {cost.in_words()}. Add --yes to train "
            "them all, or shorten an axis."
        )
    trained = diverged = 0
    measured: dict[str, list[tuple[float, int]]] = {}
    with folder.write(spec) as store:
        done = store.done()
        if not done.isdisjoint(trial.id for trial in left):  # another process was here in between
            left = [trial for trial in left if trial.id not in done]
            cost, loads = estimate(pupils(left), costs, team, filed)
        backlog = Queue(loads, team)
        count, platform = executor.where
        facts = provenance(
            command=command,
            data={"name": dataset.name, "digest": dataset.digest, "classes": list(dataset.class_names)},
            devices=count,
            platform_name=platform,
        )
        run = store.begin_run(started, facts) if backlog.students else 0
        if backlog.students:
            progress.note(f"To train: {cost.in_words(datetime.now())}.")
        faculty = TeacherCache(dataset, folder, store, progress, (trial.settings for trial in wanted))
        crew = executor.crew(dataset, backlog.keys, _Timetable(loads, dataset, faculty, store), progress)
        for found in dispatch(backlog, crew, progress.students):
            store.add_cohort(
                found.records, run=run, students=found.students, examples=found.examples, seconds=found.seconds
            )
            if isinstance(executor, Local):  # how fast others are says nothing of this machine
                examples = -(-found.students // team.devices) * found.examples
                measured.setdefault(costs.student_key(found.settings), []).append((found.seconds, examples))
            trained += len(found.records)
            diverged += sum(record.diverged_epoch is not None for record in found.records)
            if recorded is not None:
                recorded(found.records)
        for settings, seconds in faculty.taught:
            examples = len(teacher_material(dataset, settings, split(dataset, settings))[0])
            measured.setdefault(costs.teacher_key(settings), []).extend((second, examples) for second in seconds)
        if run:
            store.end_run(run, now())
    try:
        speeds.learn(measured)
    except OSError as error:
        progress.note(f"How fast this was could not be kept for the next estimate: {error}.")
    return Summary(out, len(wanted), trained, diverged, time.perf_counter() - begin)


def _share(part: tuple[int, int]) -> tuple[int, int]:
    """Which seeds a part has: the remainder, and what they are divided by."""
    which, parts = part
    if not 1 <= which <= parts:
        raise not_allowed("part", f"{which}/{parts}", "K/N with K from 1 to N")
    return which - 1, parts


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
        for model in (*ensemble(settings.teacher.model), settings.student.model):
            build(model, dataset.input_shape, dataset.classes)
        if settings.noise.matrix is not None and len(settings.noise.matrix) != dataset.classes:
            raise not_allowed(
                "len(noise.matrix)", len(settings.noise.matrix), f"{dataset.classes}, the classes of {dataset.name}"
            )


def _left(folder: Folder, spec: Spec, wanted: Sequence[Trial]) -> list[Trial]:
    """The trials that a folder does not hold yet; refuse one that holds others in their place."""
    recorded, planned = folder.recorded(), {trial.id for trial in wanted}
    if folder.spec.is_file() and load_spec(str(folder.spec)).differs_from(spec):
        return list(wanted)  # another study altogether: the folder itself says so before it is written
    strangers = sum(seed < spec.objective.seeds and name not in planned for name, seed in recorded.items())
    if strangers:
        raise RequestError(
            f"{folder.path} holds {strangers:,} students of this study that learned from other data or were trained by "
            "another version of distillab: together they would be no one study. Run it in a new folder with --out."
        )
    return [trial for trial in wanted if trial.id not in recorded]


class _Timetable:
    """Makes what the cohorts of a load share, with their teachers' answers, when its first cohort is due."""

    def __init__(self, loads: Sequence[Load[Pupil]], dataset: Dataset, faculty: TeacherCache, store: Store) -> None:
        self._students = {load.key: load.students for load in loads}
        self._dataset, self._faculty, self._store = dataset, faculty, store
        self._known: dict[tuple[str, bool], TeacherPredictions] = {}

    def __call__(self, key: str) -> TrainingInputs:
        students = self._students[key]
        settings = students[0][0].settings
        rows = split(self._dataset, settings)
        several = {trials[0].teacher: trials[0].settings for trials in students}
        training = any(hears_stored_answers(trials[0].settings) for trials in students)
        teachers = {name: self._answers(name, one, rows, training=training) for name, one in several.items()}
        places, shown = shown_examples(self._dataset, rows)
        told = {name: self._faculty.shown(teachers[name], one, rows, places) for name, one in several.items()}
        self._store.add_examples(shown, told)
        return TrainingInputs(settings, rows, teachers, several)

    def _answers(self, name: str, settings: Settings, rows: Split, *, training: bool) -> TeacherPredictions:
        """Loads share their teachers' answers: whoever has the same teacher has the same rows."""
        if (name, training) not in self._known:
            self._known[name, training] = self._faculty.answers(settings, rows, training=training)
        return self._known[name, training]
