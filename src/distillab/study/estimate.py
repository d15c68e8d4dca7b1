"""What a study will cost: a rough estimate from its arithmetic and this machine's speed, before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from distillab.data import Dataset
from distillab.engine.flops import training_flops
from distillab.engine.functional import Functional
from distillab.models import build
from distillab.study.material import split, teacher_material
from distillab.study.plan import Trial, cohort_key, members, training_identity, trainings
from distillab.study.teachers import hears_stored_answers

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
    teachers: int
    seconds: float

    def in_words(self) -> str:
        """Such as "540 students and 3 teachers, about 25 minutes on this machine"."""
        minutes = self.seconds / 60
        if minutes < 1:
            told = "under a minute"
        elif minutes < 90:
            told = f"about {minutes:.0f} minutes"
        elif minutes < 48 * 60:
            told = f"about {minutes / 60:.0f} hours"
        else:
            told = f"about {minutes / 60 / 24:.0f} days"
        teachers = f"{self.teachers:,} teacher{'s' * (self.teachers != 1)}"
        return f"{self.students:,} student{'s' * (self.students != 1)} and {teachers}, {told} on this machine"


def estimate(wanted: Sequence[Trial], dataset: Dataset, grid: Mesh, filed: Collection[str] = ()) -> Estimate:
    """Estimate the cost of trials that are still to train.

    Args:
        wanted: the trials.
        dataset: the data.
        grid: the devices.
        filed: identities of the teachers that are trained already.
    """
    speed = flops_per_second(grid)
    arithmetic: dict[str, float] = {}  # of a model, an example
    examples: dict[str, int] = {}  # of a cohort's students
    teachers: dict[str, float] = {}
    heard: set[tuple[str, str, int]] = set()  # by whom, of whom, with which seed's changes of the images
    students = trainings(wanted)
    flops = 0.0

    def per_example(model: str) -> float:
        if model not in arithmetic:
            built = Functional(build(model, dataset.input_shape, dataset.classes))
            arithmetic[model] = training_flops(built, BATCH) / BATCH
        return arithmetic[model]

    for first, *_ in students:
        settings = first.settings
        key = cohort_key(settings)
        if key not in examples:
            examples[key] = len(split(dataset, settings).train)
        flops += STUDENT_FACTOR * settings.epochs * examples[key] * per_example(settings.student.model)
        for one in members(settings):
            lesson = key, training_identity(one, dataset.digest), first.seed
            if not hears_stored_answers(settings) and lesson not in heard:  # it answers every epoch's images anew
                heard.add(lesson)
                flops += FORWARD * settings.epochs * examples[key] * per_example(one.teacher.model)
            name = training_identity(one, dataset.digest, whole=True)
            if name not in teachers and lesson[1] not in filed:
                rows = len(teacher_material(dataset, one, split(dataset, one))[0])
                teachers[name] = TEACHER_FACTOR * one.teacher.epochs * rows * per_example(one.teacher.model)
    return Estimate(len(students), len(teachers), (flops + sum(teachers.values())) / speed)


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
