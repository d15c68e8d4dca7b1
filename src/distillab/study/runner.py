"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from distillab.data import Dataset, load
from distillab.engine.devices import mesh
from distillab.errors import RequestError, not_allowed
from distillab.models import build
from distillab.study.estimate import Costs, RunEstimate, estimate
from distillab.study.executors.base import Executor, Training, TrainingInputs
from distillab.study.executors.local import Local
from distillab.study.folder import Folder
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.queue import Group, Queue
from distillab.study.settings import Settings, ensemble
from distillab.study.spec import Spec, load_spec
from distillab.study.splits import Split, shown_examples, split, teacher_material
from distillab.study.storage.records import TrialResult
from distillab.study.storage.store import Store
from distillab.study.teachers import TeacherCache, TeacherPredictions, hears_stored_answers
from distillab.study.trials import Trial, cohort_key, members, pupils, training_identity, trials


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
    slots: int | None = None,
    memory: int | None = None,
    most: int | None = None,
    command: str = "",
    progress: Progress | None = None,
    recorded: Callable[[Sequence[TrialResult]], None] | None = None,
    executor: Executor | None = None,
    speeds: Path | None = None,
    part: tuple[int, int] = (1, 1),
) -> Summary:
    """Run a study, or what is missing of it.

    Args:
        spec: the study.
        out: its folder; made where missing, continued where it holds this very study.
        data_dir: where to look for data first.
        devices: devices to spread students over; by default all that JAX has.
        slots: students that a device trains before their results are recorded; changes no result.
        memory: bytes that each device may use; by default most of what it has. Fewer students then train at once.
        most: refuse to train more than this many trials, and say what they would cost.
        command: what started this run, for its provenance.
        progress: is told what happens; by default nobody.
        recorded: is given students as soon as they are on record.
        executor: where students train; by default in this process, on its `devices`. Teachers train here in any case.
        speeds: a file with the paces that earlier runs measured, for the estimate; gets those of this run.
        part: (k, n), to train only every n-th seed from the k-th on: for a study that is run in n places and merged.

    Raises:
        RequestError: the study does not fit its data, the folder is not this study's, or it has too many trials;
            nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, begin = now(), time.perf_counter()
    which, parts = _share(part)
    progress = progress or Silence()
    dataset = load(spec.base.dataset, data_dir=data_dir)
    grid = mesh(devices)
    executor = executor or Local(grid, slots, memory)
    _check_fit(spec, dataset)
    folder, wanted = Folder(out), list(trials(spec, dataset.digest))
    left = [trial for trial in _left(folder, spec, wanted) if trial.seed % parts == which]
    wanted = [trial for trial in wanted if trial.seed % parts == which]
    costs = Costs(dataset.input_shape, dataset.classes, grid, executor.resources, speeds)
    filed = {path.stem for path in folder.teachers.glob("*.keras")}
    cost, groups = _plan(left, dataset, costs, filed)
    if most is not None and len(left) > most:
        raise RequestError(
            f"The study has {len(left):,} trials to train, more than {most:,}: {cost.in_words()}. Add --yes to train "
            "them all, or shorten an axis."
        )
    trained = diverged = 0
    with folder.write(spec) as store:
        done = store.done()
        if not done.isdisjoint(trial.id for trial in left):  # another process was here in between
            left = [trial for trial in left if trial.id not in done]
            cost, groups = _plan(left, dataset, costs, filed)
        queue = Queue(groups, costs.resources)
        count, platform = executor.where
        facts = provenance(
            command=command,
            data={"name": dataset.name, "digest": dataset.digest, "classes": list(dataset.class_names)},
            devices=count,
            platform_name=platform,
        )
        run = store.begin_run(started, facts) if queue.trainings else 0
        if queue.trainings:
            progress.note(f"To train: {cost.in_words(datetime.now())}.")
        faculty = TeacherCache(dataset, folder, store, progress, (trial.settings for trial in wanted))
        inputs = _Inputs(groups, dataset, faculty, store)
        for found in executor.train(queue, inputs, dataset, progress):
            store.add_cohort(
                found.records, run=run, students=found.trainings, examples=found.examples, seconds=found.seconds
            )
            costs.add(found.settings, found.pace)
            trained += len(found.records)
            diverged += sum(record.diverged_epoch is not None for record in found.records)
            if recorded is not None:
                recorded(found.records)
        for settings, seconds in faculty.taught:
            costs.add_teacher(settings, len(teacher_material(dataset, settings, split(dataset, settings))[0]), seconds)
        if run:
            store.end_run(run, now())
    try:
        if isinstance(executor, Local):  # paces of a cluster are not those of this machine
            costs.save()
    except OSError as error:
        progress.note(f"How fast this was could not be kept for the next estimate: {error}.")
    return Summary(out, len(wanted), trained, diverged, time.perf_counter() - begin)


def _plan(
    left: Sequence[Trial], dataset: Dataset, costs: Costs, filed: Collection[str]
) -> tuple[RunEstimate, list[Group[Training]]]:
    """Group trials by program, and estimate the time of the run.

    Args:
        left: trials to train.
        dataset: the data.
        costs: of each training.
        filed: identities of the teachers that are trained already.
    """
    teachers: dict[str, float] = {}
    groups = []
    for key, trainings in pupils(left).items():
        settings = trainings[0][0].settings
        rows = split(dataset, settings)
        for first in {training[0].teacher: training[0] for training in trainings}.values():
            for member in members(first.settings):
                name = training_identity(member, dataset.digest, whole=True)
                if name not in teachers and training_identity(member, dataset.digest) not in filed:
                    teachers[name] = costs.teacher(member, len(teacher_material(dataset, member, rows)[0]))
        # Students of one teacher and seed see the same augmented images, which their teacher predicts once.
        live = {(first.teacher, first.seed): first.settings for first, *_ in trainings}
        shared = sum(costs.live_teachers(one, len(rows.train)) for one in live.values())
        each = costs.training(settings, len(rows.train)) + shared / len(trainings) * costs.resources.devices
        groups.append(Group(key, trainings, each))
    return estimate(groups, list(teachers.values()), costs), groups


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


class _Inputs:
    """Makes the training inputs of a group, with its teachers' predictions, when its first cohort is due."""

    def __init__(
        self, groups: Sequence[Group[Training]], dataset: Dataset, faculty: TeacherCache, store: Store
    ) -> None:
        self._trainings = {group.key: group.trainings for group in groups}
        self._dataset, self._faculty, self._store = dataset, faculty, store
        self._known: dict[tuple[str, bool], TeacherPredictions] = {}

    def __call__(self, key: str) -> TrainingInputs:
        students = self._trainings[key]
        settings = students[0][0].settings
        rows = split(self._dataset, settings)
        several = {trials[0].teacher: trials[0].settings for trials in students}
        training = any(hears_stored_answers(trials[0].settings) for trials in students)
        teachers = {name: self._answers(name, one, rows, training=training) for name, one in several.items()}
        places, shown = shown_examples(self._dataset, rows)
        told = {name: self._faculty.shown(teachers[name], one, rows, places) for name, one in several.items()}
        self._store.add_shown(shown, told)
        return TrainingInputs(settings, rows, teachers, several)

    def _answers(self, name: str, settings: Settings, rows: Split, *, training: bool) -> TeacherPredictions:
        """Loads share their teachers' answers: whoever has the same teacher has the same rows."""
        if (name, training) not in self._known:
            self._known[name, training] = self._faculty.answers(settings, rows, training=training)
        return self._known[name, training]
