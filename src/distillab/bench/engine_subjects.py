"""This engine as a subject of the bench: cohorts of students, the teacher, and the processor's matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from distillab.bench.work import (
    BATCH,
    CLASSES,
    LEARNING_RATE,
    SCALE,
    TEACHER_BATCH,
    TEMPERATURE,
    Run,
    Work,
    random_data,
    seconds,
)
from distillab.engine.convolutions import Form, form_of_one
from distillab.engine.devices import mesh, split_host, usable_cores
from distillab.engine.flops import forward_flops, training_flops
from distillab.engine.functional import Functional
from distillab.engine.logits import teacher_logits
from distillab.engine.teacher import train_teacher
from distillab.engine.trainer import CohortTrainer
from distillab.engine.types import Examples, Recipe, Student
from distillab.models import build

EPOCHS = 500
"""Epochs of a training whose every epoch is one timing: more than a bench takes."""

SIDE = 2_048
"""Of the matrices whose product gives the machine's best rate."""


def cohort(
    model: str,
    shape: list[int],
    students: int | None = None,
    devices: int | None = None,
    mapping: str | None = None,
    lowered: bool = True,
) -> Work:
    """A cohort with stored logits.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
        students: their number; by default two for each device.
        devices: on which to train; by default all.
        mapping: "loop" or "vmap" inside a device; by default what suits the platform.
        lowered: whether convolutions are matrix products of patches; otherwise XLA computes them.
    """
    split_host()
    form_of = form_of_one if lowered else _as_xla
    student, grid = Functional(build(model, shape, CLASSES), form_of=form_of), mesh(devices)
    size = students or 2 * grid.size

    def start(batches: int, on_epoch: Callable[[object], None]) -> Iterator[object]:
        images, labels, logits = random_data(tuple(shape), batches * BATCH)
        data = Examples(images, images[:0], images[:1], logits[None], SCALE)
        recipe = Recipe(EPOCHS, BATCH, schedule="constant")
        trainer = CohortTrainer(student, data, recipe, mesh=grid, capacity=size, mapping=mapping)
        initial = student.initial(0)
        group = [
            Student(k / max(size - 1, 1), TEMPERATURE, LEARNING_RATE, k, initial, labels, labels[:0])
            for k in range(size)
        ]
        return trainer.stages(group, _each_epoch(), on_epoch=on_epoch)

    flops = training_flops(student, BATCH)
    return Work(lambda batches: _by_epochs(start, batches), grid.size, size, flops)


def teacher(model: str, shape: list[int]) -> Work:
    """The training of a teacher on labels.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
    """
    split_host()
    architecture = Functional(build(model, shape, CLASSES))

    def start(batches: int, on_epoch: Callable[[object], None]) -> Iterator[object]:
        images, labels, _ = random_data(tuple(shape), batches * TEACHER_BATCH)
        data = Examples.for_labels(images, SCALE, (CLASSES,))
        recipe = Recipe(EPOCHS, TEACHER_BATCH, schedule="constant")
        options: dict[str, Any] = {"learning_rate": LEARNING_RATE, "seed": 0, "on_epoch": on_epoch}
        return train_teacher(architecture, data, labels, recipe, stops=_each_epoch(), **options)

    flops = training_flops(architecture, TEACHER_BATCH)
    return Work(lambda batches: _by_epochs(start, batches), usable_cores(), flops=flops)


def predictions(model: str, shape: list[int]) -> Work:
    """A teacher's logits for stored images.

    Args:
        model: a name of the zoo.
        shape: (H, W, C).
    """
    split_host()
    architecture = Functional(build(model, shape, CLASSES))
    variables = architecture.initial(0)

    def make(batches: int) -> Run:
        images, _, _ = random_data(tuple(shape), batches * TEACHER_BATCH)
        return lambda: seconds(lambda: teacher_logits(architecture, variables, images, SCALE))

    return Work(make, usable_cores(), flops=sum(forward_flops(architecture, TEACHER_BATCH)))


def products() -> Work:
    """Large float32 matrix products on all cores; a "batch" is one product."""
    a = jnp.asarray(np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32))
    multiply = jax.jit(lambda a: a @ a)

    def make(batches: int) -> Run:
        return lambda: sum(seconds(lambda: multiply(a).block_until_ready()) for _ in range(batches))

    return Work(make, usable_cores(), flops=2 * SIDE**3)


def _each_epoch() -> list[float]:
    return [float(epoch) for epoch in range(1, EPOCHS + 1)]


def _as_xla(equation: object) -> Form:
    return Form.XLA


def _by_epochs(start: Callable[[int, Callable[[object], None]], Iterator[object]], batches: int) -> Run:
    """A run that continues a training by one epoch, timed to the epoch's end: evaluation is not part of it."""
    ends: list[float] = []
    training = start(batches, lambda epoch: ends.append(time.perf_counter()))

    def run() -> float:
        begin = time.perf_counter()
        next(training)
        return ends[-1] - begin

    return run
