"""The functions that Ray runs on a cluster's nodes. A worker keeps its compiled program from one cohort to the next."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from distillab.data import Dataset
from distillab.data.paths import cache_folder
from distillab.engine.devices import keep_compiled, mesh, out_of_memory, split_host
from distillab.engine.functional import Functional
from distillab.engine.packed import PackedModel, pack, unpack
from distillab.errors import RequestError
from distillab.study.cohorts import CohortResult, GroupTrainer, TrainingInputs
from distillab.study.executors.ray_connection import difference, versions
from distillab.study.progress import Silence
from distillab.study.teacher_models import Member
from distillab.study.trials import Training

OFTEN = 0.5
"""The least seconds between two reports of a cohort in training."""


class PackedInputs(NamedTuple):
    """Training inputs that can be pickled."""

    key: str
    """Unique to the group and the run."""
    inputs: TrainingInputs
    """With packed models in place of models."""


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
            number, share: of the cohort, in [0, 1).
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
    if not inputs.settings.live:
        stored = {name: replace(teacher, members=()) for name, teacher in inputs.teachers.items()}
        inputs = inputs._replace(teachers=stored)
    if not all(isinstance(member, Member) for teacher in inputs.teachers.values() for member in teacher.members):
        raise RequestError(
            "A teacher of another framework does not travel to the workers of a cluster, and augmentation needs it "
            "there. Train with --executor local, or leave augmentation out."
        )
    return PackedInputs(key, _with_models(inputs, pack))


def _with_models(inputs: TrainingInputs, convert: Callable[[Any], Any]) -> TrainingInputs:
    """The same inputs, every model in them converted."""
    teachers = {
        name: replace(
            teacher,
            members=tuple(
                member._replace(functional=convert(member.functional))
                for member in teacher.members
                if isinstance(member, Member)
            ),
        )
        for name, teacher in inputs.teachers.items()
    }
    student = replace(inputs.student, functional=convert(inputs.student.functional))
    return inputs._replace(teachers=teachers, student=student)


def _unpacked(model: PackedModel) -> Functional:
    try:
        return unpack(model)
    except (TypeError, ValueError) as error:  # what Keras raises of a class that this process does not know
        line = " ".join(str(error).split())[:200]
        raise RequestError(
            f"A worker cannot rebuild the model: {line}. Train models with layers of your own with --executor local."
        ) from error


def prepare(devices: int, on_gpu: bool) -> None:
    """Start JAX in a worker before there is anything to train.

    Args:
        devices: of the worker.
        on_gpu: whether they are GPUs.
    """
    if not on_gpu:
        split_host(devices)
    mesh(devices)


_trainer: tuple[str, GroupTrainer] | None = None
"""This process's trainer with its compiled program, and the group and slots that it was made for."""


def train(
    common: Common, group: PackedInputs, trainings: Sequence[Training], slots: int, shares: Any = None, number: int = 0
) -> CohortResult | None:
    """Train the first students of a cohort in this process, as many as memory holds at once.

    Args:
        common, group: of the run and of the cohort's group.
        trainings, number: of the cohort.
        slots: students of the group's largest cohort.
        shares: the actor that gets the finished share.

    Returns:
        The result; None where memory ran out.

    Raises:
        OtherVersionsError: this node's packages differ.
    """
    global _trainer
    if different := difference(common.versions, versions()):
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
        if _trainer is None or _trainer[0] != name:
            _trainer = None  # frees its arrays before the next ones are made
            _trainer = name, _trainer_of(common, group.inputs, slots)
        return _trainer[1].train(trainings, report)
    except Exception as error:
        if not out_of_memory(error):
            raise
        _trainer = None
        return None


def _trainer_of(common: Common, inputs: TrainingInputs, slots: int) -> GroupTrainer:
    prepare(common.devices, common.on_gpu)
    keep_compiled(cache_folder() / "compiled")
    inputs = _with_models(inputs, _unpacked)
    return GroupTrainer(common.dataset, inputs, mesh(common.devices), slots, common.memory, Silence())
