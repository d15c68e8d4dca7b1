"""The functions that Ray runs on a cluster's nodes. A worker keeps its compiled program from one cohort to the next."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from distillab.data import Dataset
from distillab.data.places import cache_folder
from distillab.engine.devices import keep_compiled, mesh, out_of_memory, split_host
from distillab.engine.functional import Functional, Variables
from distillab.models import build
from distillab.study.classroom import Classroom
from distillab.study.executors.base import CohortResult, Training, TrainingInputs, train_cohort
from distillab.study.executors.ray_connection import difference, versions
from distillab.study.progress import Silence
from distillab.study.trials import members

OFTEN = 0.5
"""The least seconds between two reports of a cohort in training."""


class PackedInputs(NamedTuple):
    """Training inputs that can be pickled: models travel as weights."""

    key: str
    """Unique to the group and the run."""
    inputs: TrainingInputs
    """Without the teachers' models."""
    weights: dict[str, list[Variables]]
    """By the teacher's identity, where it predicts live: its members' weights."""


class Common(NamedTuple):
    """Values that all cohorts of a run share."""

    dataset: Dataset
    devices: int
    on_gpu: bool
    memory: int | None
    versions: dict[str, str]
    """Of the process that runs the study."""


class OtherVersionsError(RuntimeError):
    """A node's packages differ from those of the process that runs the study."""


class Shares:
    """An actor beside the process that runs the study: workers write the finished share of their cohorts there."""

    def __init__(self) -> None:
        self._shares: dict[int, float] = {}

    def write(self, number: int, share: float) -> None:
        """Note a cohort's finished share.

        Args:
            number: of the cohort.
            share: in [0, 1).
        """
        self._shares[number] = share

    def read(self) -> dict[int, float]:
        """The shares since the last call, by the cohort's number."""
        shares, self._shares = self._shares, {}
        return shares


def packed(inputs: TrainingInputs, key: str) -> PackedInputs:
    """Pack training inputs to travel.

    Args:
        inputs: of a group.
        key: unique to the group and the run.
    """
    augmentation = inputs.settings.augmentation
    weights = {}
    if augmentation.shift > 0 or augmentation.flip:
        weights = {name: [own for _, own in teacher.members] for name, teacher in inputs.teachers.items()}
    teachers = {name: replace(teacher, members=()) for name, teacher in inputs.teachers.items()}
    return PackedInputs(key, inputs._replace(teachers=teachers), weights)


def prepare(devices: int, on_gpu: bool) -> None:
    """Start JAX in a worker before there is anything to train.

    Args:
        devices: of the worker.
        on_gpu: whether they are GPUs.
    """
    if not on_gpu:
        split_host(devices)
    mesh(devices)


_trainer: tuple[str, Classroom] | None = None
"""This process's trainer with its compiled program, and the group and slots that it was made for."""


def train(
    common: Common, group: PackedInputs, trainings: Sequence[Training], slots: int, shares: Any = None, number: int = 0
) -> CohortResult | None:
    """Train the first students of a cohort in this process, as many as memory holds at once.

    Args:
        common: values of the run.
        group: training inputs of the cohort's group.
        trainings: the cohort.
        slots: students of the group's largest cohort.
        shares: the actor that is told the finished share.
        number: of the cohort.

    Returns:
        The result; None where memory ran out.

    Raises:
        OtherVersionsError: this node's packages differ.
    """
    global _trainer
    different = difference(common.versions, versions())
    if different is not None:
        raise OtherVersionsError(f"Node {platform.node()} {different}")
    reported = 0.0

    def report(share: float) -> None:
        nonlocal reported
        if shares is not None and time.monotonic() - reported > OFTEN:
            reported = time.monotonic()
            shares.write.remote(number, share)

    report(0.0)
    try:
        name = f"{group.key} {slots}"
        compiled = _trainer is not None and _trainer[0] == name
        if _trainer is None or _trainer[0] != name:
            _trainer = None  # frees its arrays before the next ones are made
            _trainer = name, _unpacked(common, group, slots)
        return train_cohort(_trainer[1], trainings, common.devices, compiled=compiled, report=report)
    except Exception as error:
        if not out_of_memory(error):
            raise
        _trainer = None
        return None


def _unpacked(common: Common, group: PackedInputs, slots: int) -> Classroom:
    prepare(common.devices, common.on_gpu)
    keep_compiled(cache_folder() / "compiled")
    dataset, teachers = common.dataset, dict(group.inputs.teachers)
    for name, weights in group.weights.items():
        models = [
            Functional(build(member.teacher.model, dataset.input_shape, dataset.classes))
            for member in members(group.inputs.taught[name])
        ]
        teachers[name] = replace(teachers[name], members=tuple(zip(models, weights, strict=True)))
    settings, rows = group.inputs.settings, group.inputs.rows
    return Classroom(dataset, settings, rows, teachers, mesh(common.devices), slots, common.memory, Silence())
