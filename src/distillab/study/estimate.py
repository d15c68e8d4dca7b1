"""What a study will cost, told before anything is trained: by what earlier runs measured on this machine, and else by
the study's arithmetic and the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.flops import training_flops
from distillab.engine.functional import Functional
from distillab.models import build
from distillab.study.executors.simulation import SimulatedPool, makespan
from distillab.study.queue import Load, Queue, Resources
from distillab.study.settings import Settings
from distillab.study.speeds import Speeds
from distillab.study.splits import split, teacher_material
from distillab.study.teachers import hears_stored_answers
from distillab.study.trials import Trial, members, training_identity

STUDENT_FACTOR, TEACHER_FACTOR = 5.0, 2.0
"""How many times longer training takes than its bare matrix products, as `distillab bench` measures it for the study's
networks."""

FORWARD = 1 / 3
"""Of the arithmetic of a training step: the forward pass, of which the two backward products are as large."""

PROBE = 1024  # rows and columns of the matrices that the machine's speed is measured with
BATCH = 32


class Estimate(NamedTuple):
    """What is still to train, and roughly how long that takes."""

    students: int
    cohorts: int
    teachers: int
    device_seconds: float
    """Of the students."""
    seconds: float
    """Until all is trained: teachers one after another, then students side by side."""
    devices: int
    measured: bool
    """Whether all speeds were measured by earlier runs; some are guessed by arithmetic otherwise."""

    def in_words(self, now: datetime | None = None) -> str:
        """Such as "540 students in 34 cohorts and 3 teachers, about 25 minutes on 2 devices (0.83 device-hours)".

        Args:
            now: to say at what time it will be done, too.
        """
        minutes = self.seconds / 60
        if minutes < 1:
            told = "under a minute"
        elif minutes < 90:
            told = f"about {minutes:.0f} minute{'s' * (round(minutes) != 1)}"
        elif minutes < 48 * 60:
            told = f"about {minutes / 60:.0f} hours"
        else:
            told = f"about {minutes / 60 / 24:.0f} days"
        parts = [f"{_counted(self.students, 'student')} in {_counted(self.cohorts, 'cohort')}"]
        if self.teachers:
            parts.append(_counted(self.teachers, "teacher"))
        told = f"{' and '.join(parts)}, {told} on {_counted(self.devices, 'device')}"
        told += f" ({self.device_seconds / 3600:.2g} device-hours{'' if self.measured else ', a rough guess'})"
        if now is None or minutes < 1:
            return told
        return f"{told}, until {now + timedelta(seconds=self.seconds):{'%H:%M' if minutes < 24 * 60 else '%d %B'}}"


class Costs:
    """What students and teachers cost, in seconds.

    Args:
        dataset: the data.
        grid: the devices of this process.
        speeds: what is known.

    Attributes:
        measured: whether all that was asked for so far is known.
    """

    def __init__(self, dataset: Dataset, grid: Mesh, speeds: Speeds) -> None:
        self.dataset, self.grid, self.speeds = dataset, grid, speeds
        self.measured = True
        self._flops = lru_cache(maxsize=None)(self._count)

    def student(self, settings: Settings) -> float:
        """Of one student on one device."""
        examples = settings.epochs * len(split(self.dataset, settings).train)
        known = self.speeds.of(self.student_key(settings))
        if known is not None:
            return examples * known
        self.measured = False
        return STUDENT_FACTOR * examples * self._flops(settings.student.model) / self._each

    def answers(self, settings: Settings) -> float:
        """Of the teachers' live answers that a seed's students share; nothing where they are stored, or part of what is
        known of the students."""
        if hears_stored_answers(settings) or self.speeds.of(self.student_key(settings)) is not None:
            return 0.0
        examples = settings.epochs * len(split(self.dataset, settings).train)
        self.measured = False
        return FORWARD * examples * sum(self._flops(one.teacher.model) for one in members(settings)) / self._all

    def teacher(self, settings: Settings) -> float:
        """Of one teacher, on all devices of this process."""
        examples = settings.teacher.epochs * len(
            teacher_material(self.dataset, settings, split(self.dataset, settings))[0]
        )
        known = self.speeds.of(self.teacher_key(settings))
        if known is not None:
            return examples * known
        self.measured = False
        return TEACHER_FACTOR * examples * self._flops(settings.teacher.model) / self._all

    def student_key(self, settings: Settings) -> str:
        """What decides a student's pace."""
        parts = [settings.student.model, settings.student.precision, str(settings.batch_size), settings.optimiser]
        if not hears_stored_answers(settings):
            parts.append(f"live {settings.teacher.members} {settings.teacher.model}")
        return self._key(parts)

    def teacher_key(self, settings: Settings) -> str:
        """What decides a teacher's pace."""
        how = settings.teacher
        return self._key(["teacher", how.model, str(how.batch_size), how.optimiser, f"on {self.grid.size}"])

    def _key(self, parts: Sequence[str]) -> str:
        shape = "x".join(str(size) for size in self.dataset.input_shape)
        return " ".join([self.grid.devices.flat[0].device_kind, *parts, shape, str(self.dataset.classes)])

    def _count(self, model: str) -> float:
        """Arithmetic of training, of an example."""
        built = Functional(build(model, self.dataset.input_shape, self.dataset.classes))
        return training_flops(built, BATCH) / BATCH

    @cached_property
    def _all(self) -> float:
        return flops_per_second(self.grid)

    @property
    def _each(self) -> float:
        return self._all / self.grid.size


def estimate(
    pupils: Mapping[str, Sequence[list[Trial]]], costs: Costs, team: Resources, filed: Collection[str] = ()
) -> tuple[Estimate, list[Load[list[Trial]]]]:
    """Estimate the cost of students that are still to train.

    Args:
        pupils: the students, by what they have in common.
        costs: of each.
        team: who trains them.
        filed: identities of the teachers that are trained already.

    Returns:
        The estimate, and the loads that it was made for.
    """
    digest = costs.dataset.digest
    teachers: dict[str, float] = {}
    loads = []
    for key, students in pupils.items():
        heard: set[tuple[str, int]] = set()
        shared = 0.0
        for first, *_ in students:
            several = members(first.settings)
            for one in several:
                name = training_identity(one, digest, whole=True)
                if name not in teachers and training_identity(one, digest) not in filed:
                    teachers[name] = costs.teacher(one)
            if (first.teacher, first.seed) not in heard:  # these see the same changed images
                heard.add((first.teacher, first.seed))
                shared += costs.answers(first.settings)
        alone = costs.student(students[0][0].settings)
        loads.append(Load(key, students, alone + shared / len(students) * team.devices))
    crew = SimulatedPool(team.workers)
    seconds, cohorts = makespan(Queue(loads, team), crew)
    found = Estimate(
        students=sum(len(load.students) for load in loads),
        cohorts=cohorts,
        teachers=len(teachers),
        device_seconds=sum(load.seconds * len(load.students) for load in loads),
        seconds=seconds + sum(teachers.values()),
        devices=team.workers * team.devices,
        measured=costs.measured,
    )
    return found, loads


@cache
def flops_per_second(grid: Mesh) -> float:
    """How fast this machine multiplies matrices of float32 on all devices, measured in a fraction of a second."""
    matrix = jnp.ones((PROBE, PROBE), jnp.float32)
    multiply = jax.jit(lambda a, b: a @ b)
    multiply(matrix, matrix).block_until_ready()
    rounds, begin = 4, time.perf_counter()
    for _ in range(rounds):
        multiply(matrix, matrix).block_until_ready()
    rate = rounds * 2 * PROBE**3 / (time.perf_counter() - begin)
    on_cpu = grid.devices.flat[0].platform == "cpu"  # there, one product uses all cores, however many devices there are
    return float(rate if on_cpu else rate * grid.size)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
