"""What runs on a cluster's nodes: a worker trains cohorts in a classroom that it keeps from one to the next."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.data import Dataset
from distillab.study.executors.local import Done, Pupil, TrainingInputs
from distillab.study.settings import Settings
from distillab.study.splits import Split

SAME = ("distillab", "keras", "jax", "jaxlib", "optax", "numpy")
"""Packages that must have one version on all nodes: they decide numbers."""

OFTEN = 0.5
"""Seconds between two reports of a cohort at work, at least."""


class PackedAnswers(NamedTuple):
    """A teacher as it travels: models do not, their weights do."""

    weights: list[Any]
    train: NDArray[np.float32] | None
    validation: NDArray[np.float32]
    test: NDArray[np.float32]


class PackedInputs(NamedTuple):
    """A lesson as it travels."""

    key: str
    """Of this lesson in this run: a worker keeps its classroom as long as it stays the same."""
    settings: Settings
    rows: Split
    teachers: dict[str, PackedAnswers]
    models: dict[str, Settings]
    """Where teachers answer live: settings of any trial of each."""


class Terms(NamedTuple):
    """What all cohorts of a run have in common."""

    devices: int
    on_gpu: bool
    memory: int | None
    versions: Mapping[str, str]
    """Of the process that asked."""


class Attempt(NamedTuple):
    """What came of a cohort on a worker."""

    done: Done | None
    """None where memory ran out."""
    trained: int
    """The first so many students of the cohort; memory did not hold more at once."""


class OtherVersionsError(RuntimeError):
    """A node's packages differ from those of the process that asked."""


class Board:
    """Where workers write how far they are; it lives beside the process that asked, which reads it."""

    def __init__(self) -> None:
        self._shares: dict[int, float] = {}

    def write(self, ticket: int, share: float) -> None:
        self._shares[ticket] = share

    def read(self) -> dict[int, float]:
        """What is new."""
        found, self._shares = self._shares, {}
        return found


def versions() -> dict[str, str]:
    """Versions of all that decides numbers, in this process."""
    found = {"python": platform.python_version()}
    for name in SAME:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def processor() -> str:
    """What this machine's processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str | None:
    """The first package whose versions differ, and what to do, as the rest of a sentence that begins with the node."""
    for name, mine in here.items():
        if there.get(name) != mine:
            package = "" if name == "python" else f": pip install {name}=={mine}"
            return (
                f"has {name} {there.get(name)}, and this process {mine}: together they would give no one study. "
                f"Install the same version there{package}."
            )
    return None


def packed(lesson: TrainingInputs, key: str) -> PackedInputs:
    """Make a lesson fit to travel."""
    augmentation = lesson.settings.augmentation
    live = augmentation.shift > 0 or augmentation.flip
    teachers = {
        name: PackedAnswers(
            [variables for _, variables in answers.members] if live else [],
            answers.train,
            answers.validation,
            answers.test,
        )
        for name, answers in lesson.teachers.items()
    }
    return PackedInputs(key, lesson.settings, lesson.rows, teachers, lesson.taught if live else {})


def get_ready(devices: int, on_gpu: bool) -> None:
    """Import what a worker will need, while there is nothing to train yet."""
    import distillab.study.classroom  # noqa: F401
    from distillab.engine.devices import mesh, split_host

    if not on_gpu:
        split_host(devices)
    mesh(devices)


_room: tuple[str, Any] | None = None
"""This process's classroom: what it has compiled stays."""


def train(
    dataset: Dataset,
    lesson: PackedInputs,
    students: Sequence[Pupil],
    seats: int,
    terms: Terms,
    board: Any = None,
    ticket: int = 0,
) -> Attempt:
    """Train a cohort in this process, or as much of it as memory holds at once.

    Args:
        dataset: the data.
        lesson: what the cohort shares with others.
        students: who.
        seats: that the classroom has: students of the largest cohort that comes.
        terms: of the run.
        board: is told how far the cohort is.
        ticket: what it is called there.
    """
    global _room
    from distillab.engine.devices import out_of_memory
    from distillab.study.executors.local import train_cohort

    different = difference(terms.versions, versions())
    if different is not None:
        raise OtherVersionsError(f"Node {platform.node()} {different}")
    last = 0.0

    def report(share: float) -> None:
        nonlocal last
        if board is not None and time.monotonic() - last > OFTEN:
            last = time.monotonic()
            board.write.remote(ticket, share)

    report(0.0)
    try:
        name = f"{lesson.key} {seats}"
        if _room is None or _room[0] != name:
            _room = None  # its arrays make place for the next one's
            _room = name, _classroom(dataset, lesson, seats, terms)
        done = train_cohort(_room[1], students, report)
    except Exception as error:
        if not out_of_memory(error):
            raise
        _room = None
        return Attempt(None, 0)
    return Attempt(done, done.students)


def _classroom(dataset: Dataset, lesson: PackedInputs, seats: int, terms: Terms) -> Any:
    from distillab.data.paths import cache_folder
    from distillab.engine.devices import keep_compiled, mesh, split_host
    from distillab.engine.functional import Functional
    from distillab.models import build
    from distillab.study.classroom import Classroom
    from distillab.study.progress import Silence
    from distillab.study.teachers import TeacherPredictions
    from distillab.study.trials import members

    if not terms.on_gpu:
        split_host(terms.devices)
    keep_compiled(cache_folder() / "compiled")
    teachers = {}
    for name, (weights, seen, validation, test) in lesson.teachers.items():
        asked = members(lesson.models[name]) if name in lesson.models else []
        models = [build(one.teacher.model, dataset.input_shape, dataset.classes) for one in asked]
        several = [(Functional(model), variables) for model, variables in zip(models, weights, strict=True)]
        teachers[name] = TeacherPredictions(tuple(several), seen, validation, test)
    return Classroom(
        dataset,
        lesson.settings,
        lesson.rows,
        teachers,
        mesh(terms.devices),
        seats,
        terms.memory,
        Silence(),
    )
