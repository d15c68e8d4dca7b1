"""The time that a run takes: from paces measured by this and earlier runs on this machine, else by arithmetic."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from distillab.engine.flops import training_flops
from distillab.engine.functional import Functional
from distillab.io import replace_file
from distillab.models import build
from distillab.study.queue import Queue, Resources, makespan
from distillab.study.settings import Settings, is_given
from distillab.study.trials import Group, members

FILE = "speeds.json"

PRODUCT_FLOPS, OUTPUT_FLOPS, PARAMETER_FLOPS, STEP_FLOPS = 1.2, 1_180.0, 360.0, 1.1e7
"""Operations of a large matrix product that take as long as one of a model's products, one output of a layer, one
parameter's update and one step. Fitted to 15 models of the zoo on a CPU, most of them within a factor of 2."""

LANES = 16
"""A layer with fewer channels takes as long as one with so many: the fit's best of 1, 8 and 16."""

TEACHER_FACTOR = 3.0
"""A teacher's training relative to its bare matrix products: one operation uses all cores."""

FORWARD = 1 / 3
"""The forward pass as a fraction of a training step: each of the two backward products is as large."""

LONG = 30.0
"""Seconds of an epoch against which a compilation is negligible."""

PROBE = 1024  # rows and columns of the matrices that measure the machine's speed
BATCH = 32


class RunEstimate(NamedTuple):
    """The trainings that a run still has to do, and about how long they take."""

    students: int
    cohorts: int
    teachers: int
    device_seconds: float
    """Of the students."""
    seconds: float
    """Until everything is trained: teachers one after another, then students side by side."""
    devices: int
    measured: bool
    """Whether all paces were measured; False where arithmetic stands in for some."""

    def in_words(self, now: datetime | None = None) -> str:
        """Such as "540 students in 34 cohorts and 3 teachers, about 25 minutes on 2 devices (0.83 device-hours)".

        Args:
            now: adds the time of the end.
        """
        minutes = self.seconds / 60
        if minutes < 1:
            duration = "under a minute"
        elif minutes < 90:
            duration = f"about {_counted(round(minutes), 'minute')}"
        elif minutes < 48 * 60:
            duration = f"about {minutes / 60:.0f} hours"
        else:
            duration = f"about {minutes / 60 / 24:.0f} days"
        work = f"{_counted(self.students, 'student')} in {_counted(self.cohorts, 'cohort')}"
        if self.teachers:
            work += f" and {_counted(self.teachers, 'teacher')}"
        guess = "" if self.measured else ", a rough guess"
        text = (
            f"{work}, {duration} on {_counted(self.devices, 'device')} "
            f"({self.device_seconds / 3600:.2g} device-hours{guess})"
        )
        if now is None or minutes < 1:
            return text
        return f"{text}, until {now + timedelta(seconds=self.seconds):{'%H:%M' if minutes < 24 * 60 else '%d %B'}}"


class Costs:
    """Seconds that students and teachers take to train.

    A pace is the time of one training example on one device, compilation left out.

    Args:
        input_shape, classes: of one example, C.
        grid: the devices of this process.
        resources: the devices that train students.
        file: keeps paces from one run to the next; None: nothing is kept.
        vocabulary: the number of token ids, where the inputs are such.

    Attributes:
        measured: whether all costs asked for so far come from measured paces.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        grid: Mesh,
        resources: Resources,
        file: str | os.PathLike[str] | None = None,
        *,
        vocabulary: int | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.input_shape, self.classes, self.grid, self.resources = tuple(input_shape), classes, grid, resources
        self.measured = True
        self._file = None if file is None else Path(file)
        self._saved = _read(self._file)
        self._paces: dict[str, list[float]] = {}

    def seconds(
        self, trainings: int, epochs: float, examples: int, settings: Settings, *, student: Functional
    ) -> float:
        """Estimate the wall-clock time of trainings, spread over all devices, without compilation.

        Args:
            trainings: number of students.
            epochs, examples, settings, student: as for `training`.
        """
        rounds = math.ceil(trainings / (max(1, self.resources.workers) * self.resources.devices))
        return rounds * self.training(settings, examples, epochs, student=student)

    def training(self, settings: Settings, examples: int, epochs: float | None = None, *, student: Functional) -> float:
        """Estimate the time of one student on one device.

        Args:
            settings, student: of the student, and its architecture.
            examples: training examples of one epoch.
            epochs: by default those of the settings.
        """
        seen = examples * (settings.epochs if epochs is None else epochs)
        pace = self._pace(self._student_key(settings))
        if pace is not None:
            return seen * pace
        return seen * _arithmetic(student, settings.batch_size) / self._rate * self.grid.size

    def live_teachers(self, settings: Settings, examples: int, given: Sequence[Functional] = ()) -> float:
        """Estimate the time of a seed's live predictions on all devices; 0 where a measured pace includes it.

        Args:
            settings, examples: of any student of the seed, and of one epoch.
            given: the teachers among them that are a user's models.
        """
        if not settings.live or settings.target == "uniform" or self._pace(self._student_key(settings)) is not None:
            return 0.0
        zoo = [name for name in (member.teacher.model for member in members(settings)) if not is_given(name)]
        flops = sum(_zoo_flops(name, self.input_shape, self.classes, self.vocabulary) for name in zoo) + sum(
            map(_flops, given)
        )
        return FORWARD * settings.epochs * examples * flops / self._rate

    def teacher(self, settings: Settings, examples: int) -> float:
        """Estimate the time of one teacher on all devices of this process.

        Args:
            settings, examples: with a single teacher, and of one epoch.
        """
        seen = examples * settings.teacher.epochs
        pace = self._pace(self._teacher_key(settings))
        if pace is not None:
            return seen * pace
        flops = _zoo_flops(settings.teacher.model, self.input_shape, self.classes, self.vocabulary)
        return seen * TEACHER_FACTOR * flops / self._rate

    def add(self, settings: Settings, pace: float | None) -> None:
        """Note the measured pace of a cohort.

        Args:
            settings, pace: of any of its students; None where it could not be measured.
        """
        if pace:
            self._paces.setdefault(self._student_key(settings), []).append(pace)

    def add_teacher(self, settings: Settings, examples: int, epochs: Sequence[float]) -> None:
        """Note the measured epochs of a teacher. The first one compiles, and counts only where it is long.

        Args:
            settings, examples: as for `teacher`.
            epochs: seconds of each.
        """
        counted = [seconds / examples for number, seconds in enumerate(epochs) if number or seconds > LONG]
        if counted:
            self._paces.setdefault(self._teacher_key(settings), []).extend(counted)

    def save(self) -> None:
        """Keep this run's paces in the file; they replace older ones of the same models."""
        if self._file is not None and self._paces:
            paces = {key: statistics.median(measured) for key, measured in self._paces.items()}
            text = json.dumps(_read(self._file) | paces, indent=1, sort_keys=True)
            replace_file(self._file, lambda path: path.write_text(text, encoding="utf-8"))

    def _pace(self, key: str) -> float | None:
        if key in self._paces:
            return statistics.median(self._paces[key])
        self.measured &= key in self._saved
        return self._saved.get(key)

    def _student_key(self, settings: Settings) -> str:
        parts = [settings.student.model, settings.student.precision, str(settings.batch_size), settings.optimiser]
        if settings.live and settings.target == "teacher":
            parts.append(f"live {settings.teacher.members} {settings.teacher.model}")
        return self._key(parts)

    def _teacher_key(self, settings: Settings) -> str:
        teacher = settings.teacher
        return self._key(["teacher", teacher.model, str(teacher.batch_size), teacher.optimiser, f"on {self.grid.size}"])

    def _key(self, parts: Sequence[str]) -> str:
        shape = "x".join(map(str, self.input_shape))
        return " ".join([self.grid.devices.flat[0].device_kind, *parts, shape, str(self.classes)])

    @property
    def _rate(self) -> float:
        """Operations a second of all devices."""
        return flops_per_second(self.grid)


def estimate(groups: Sequence[Group], teachers: Sequence[float], costs: Costs) -> RunEstimate:
    """Estimate the time of a run.

    Args:
        groups: the students, with their seconds.
        teachers: seconds of each teacher still to train.
        costs: by which these seconds were estimated.
    """
    resources = costs.resources
    seconds, cohorts = makespan(Queue(groups, resources))
    return RunEstimate(
        students=sum(len(group.trainings) for group in groups),
        cohorts=cohorts,
        teachers=len(teachers),
        device_seconds=sum(group.seconds * len(group.trainings) for group in groups),
        seconds=seconds + sum(teachers),
        devices=resources.workers * resources.devices,
        measured=costs.measured,
    )


@cache
def flops_per_second(grid: Mesh) -> float:
    """Measure how fast this machine multiplies float32 matrices on all devices, in a fraction of a second.

    Args:
        grid: the devices.
    """
    matrix = jnp.ones((PROBE, PROBE), jnp.float32)
    multiply = jax.jit(lambda a, b: a @ b)
    multiply(matrix, matrix).block_until_ready()
    rounds, begin = 4, time.perf_counter()
    for _ in range(rounds):
        multiply(matrix, matrix).block_until_ready()
    rate = rounds * 2 * PROBE**3 / (time.perf_counter() - begin)
    on_cpu = grid.devices.flat[0].platform == "cpu"  # there, one product uses all cores, however many devices there are
    return float(rate if on_cpu else rate * grid.size)


def _flops(model: Functional) -> float:
    """Operations of the matrix products of a training step, for one example."""
    return training_flops(model, BATCH) / BATCH


def _arithmetic(student: Functional, batch: int) -> float:
    """A student's training step, for one example, in operations of a matrix product that takes as long."""
    model = student.model
    shapes = [layer.output.shape[1:] for layer in model.layers if layer.weights]
    outputs = sum(math.prod(shape[:-1]) * LANES * math.ceil(shape[-1] / LANES) for shape in shapes)
    update = PARAMETER_FLOPS * model.count_params() + STEP_FLOPS
    return float(PRODUCT_FLOPS * _flops(student) + OUTPUT_FLOPS * outputs + update / batch)


@cache
def _zoo_flops(model: str, input_shape: tuple[int, ...], classes: int, vocabulary: int | None) -> float:
    return _flops(Functional(build(model, input_shape, classes, vocabulary=vocabulary)))


def _read(file: Path | None) -> dict[str, float]:
    """The paces in a file; none where it is missing or holds something else."""
    try:
        tree = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(tree, dict):
        return {}
    return {key: float(value) for key, value in tree.items() if isinstance(value, int | float) and 0 < value < math.inf}


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
