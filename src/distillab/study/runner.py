"""Running a study: what is missing is trained and recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from distillab.data import Dataset, load
from distillab.engine.devices import mesh
from distillab.errors import RequestError, not_allowed
from distillab.models import build
from distillab.study.estimate import estimate
from distillab.study.executor import Executor, Group, Local
from distillab.study.folder import Folder
from distillab.study.material import shown_examples, split, teacher_material
from distillab.study.plan import Trial, cohort_key, cohorts, trials
from distillab.study.progress import Progress, Silence
from distillab.study.provenance import now, provenance
from distillab.study.settings import ensemble
from distillab.study.spec import Spec, load_spec
from distillab.study.store import Store, TrialRecord
from distillab.study.teachers import Answers, Faculty, hears_stored_answers


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
    recorded: Callable[[Sequence[TrialRecord]], None] | None = None,
    executor: Executor | None = None,
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
        part: (k, n), to train only every n-th seed from the k-th on: for a study that is run in n places and merged.

    Raises:
        RequestError: the study does not fit its data, the folder is not this study's, or it has too many trials;
            nothing has been written.
        WorkError: the work failed; what was recorded before stays.
    """
    started, begin = now(), time.perf_counter()
    progress = progress or Silence()
    dataset = load(spec.base.dataset, data_dir=data_dir)
    grid = mesh(devices)
    executor = executor or Local(grid, seats, memory)
    _check_fit(spec, dataset)
    wanted = list(trials(spec, dataset.digest))
    folder = Folder(out)
    left = _left(folder, spec, wanted)
    which, parts = part
    if not 1 <= which <= parts:
        raise not_allowed("part", f"{which}/{parts}", "K/N with K from 1 to N")
    wanted = [trial for trial in wanted if trial.seed % parts == which - 1]
    left = [trial for trial in left if trial.seed % parts == which - 1]
    _check_size(folder, left, dataset, grid, most)
    trained: list[TrialRecord] = []
    with folder.write(spec) as store:
        plan = cohorts(wanted, store.done(), executor.capacity)
        count, platform = executor.where
        facts = provenance(
            command=command,
            data={"name": dataset.name, "digest": dataset.digest, "classes": list(dataset.class_names)},
            devices=count,
            platform_name=platform,
        )
        run = store.begin_run(started, facts) if plan else None
        faculty = Faculty(dataset, folder, store, progress, (trial.settings for trial in wanted))
        groups = _groups(plan, dataset, faculty, store)
        for done in executor.train(dataset, groups, len(plan), progress):
            store.add_cohort(
                done.records, run=run or 0, students=done.students, examples=done.examples, seconds=done.seconds
            )
            trained += done.records
            if recorded is not None:
                recorded(done.records)
        if run is not None:
            store.end_run(run, now())
    diverged = sum(record.diverged_epoch is not None for record in trained)
    return Summary(out, len(wanted), len(trained), diverged, time.perf_counter() - begin)


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
    strangers = sum(seed < spec.frame.seeds and name not in planned for name, seed in recorded.items())
    if strangers:
        raise RequestError(
            f"{folder.path} holds {strangers:,} students of this study that learned from other data or were trained by "
            "another version of distillab: together they would be no one study. Run it in a new folder with --out."
        )
    return [trial for trial in wanted if trial.id not in recorded]


def _check_size(folder: Folder, left: Sequence[Trial], dataset: Dataset, grid: Mesh, most: int | None) -> None:
    """Refuse more trials than the caller said, with an estimate of what they would cost."""
    if most is not None and len(left) > most:
        filed = {path.stem for path in folder.teachers.glob("*.keras")}
        cost = estimate(left, dataset, grid, filed).in_words()
        raise RequestError(
            f"The study has {len(left):,} trials to train, more than {most:,}: {cost}. Add --yes to train them all, or "
            "shorten an axis."
        )


def _groups(plan: Sequence[list[Trial]], dataset: Dataset, faculty: Faculty, store: Store) -> Iterator[Group]:
    """Gather the cohorts that one program can train, each group with its teachers' answers."""
    teachers: dict[tuple[str, bool], Answers] = {}
    for several in _by_key(plan):
        settings = several[0][0].settings
        rows = split(dataset, settings)
        members = [trial for cohort in several for trial in cohort]
        training = any(hears_stored_answers(trial.settings) for trial in members)
        for trial in members:
            if (trial.teacher, training) not in teachers:
                teachers[trial.teacher, training] = faculty.answers(trial.settings, rows, training=training)
        known = {trial.teacher: teachers[trial.teacher, training] for trial in members}
        places, shown = shown_examples(dataset, rows)
        heard = {trial.teacher: trial.settings for trial in members}
        store.add_shown(shown, {name: faculty.shown(known[name], one, rows, places) for name, one in heard.items()})
        yield Group(settings, rows, known, several)


def _by_key(plan: Sequence[list[Trial]]) -> Iterable[list[list[Trial]]]:
    """Gather the cohorts that one program can train."""
    groups: dict[str, list[list[Trial]]] = {}
    for cohort in plan:
        groups.setdefault(cohort_key(cohort[0].settings), []).append(cohort)
    return groups.values()
