"""The functions that Ray runs on a cluster's nodes. A worker keeps its compiled program from one cohort to the next."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from distillab.data import Dataset
from distillab.data.paths import cache_folder
from distillab.engine.devices import keep_compiled, mesh, out_of_memory, split_host
from distillab.engine.functional import Functional, Variables
from distillab.errors import RequestError
from distillab.study.cohorts import CohortResult, GroupTrainer, TrainingInputs
from distillab.study.executors.ray_connection import difference, versions
from distillab.study.progress import Silence
from distillab.study.student_models import StudentModel
from distillab.study.teacher_models import Member
from distillab.study.trials import Training

OFTEN = 0.5
"""The least seconds between two reports of a cohort in training."""


class PackedMember(NamedTuple):
    """A live teacher's member that can be pickled."""

    architecture: str
    variables: Variables
    scale: float


class PackedInputs(NamedTuple):
    """Training inputs that can be pickled: architectures travel as JSON."""

    key: str
    """Unique to the group and the run."""
    inputs: TrainingInputs
    """Without the student's and the teachers' models."""
    architecture: str
    """The student's."""
    members: dict[str, list[PackedMember]]
    """By the teacher's identity, where it predicts live."""


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
    members: dict[str, list[PackedMember]] = {}
    if inputs.settings.live:
        members = {
            name: [PackedMember(_as_json(one.functional), one.variables, one.scale) for one in teacher.members]
            for name, teacher in inputs.teachers.items()
        }
    teachers = {name: replace(teacher, members=()) for name, teacher in inputs.teachers.items()}
    student: Any = replace(inputs.student, functional=None)  # type: ignore[arg-type]  # travels as JSON
    return PackedInputs(
        key, inputs._replace(teachers=teachers, student=student), _as_json(inputs.student.functional), members
    )


def _as_json(functional: Functional) -> str:
    return str(functional.model.to_json())


def _from_json(text: str) -> Functional:
    import keras

    try:
        return Functional(keras.models.model_from_json(text))
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
        if _trainer is None or _trainer[0] != name:
            _trainer = None  # frees its arrays before the next ones are made
            _trainer = name, _unpacked(common, group, slots)
        return _trainer[1].train(trainings, report)
    except Exception as error:
        if not out_of_memory(error):
            raise
        _trainer = None
        return None


def _unpacked(common: Common, group: PackedInputs, slots: int) -> GroupTrainer:
    prepare(common.devices, common.on_gpu)
    keep_compiled(cache_folder() / "compiled")
    teachers = dict(group.inputs.teachers)
    for name, members in group.members.items():
        live = tuple(Member(_from_json(one.architecture), one.variables, one.scale) for one in members)
        teachers[name] = replace(teachers[name], members=live)
    student: StudentModel = replace(group.inputs.student, functional=_from_json(group.architecture))
    inputs = group.inputs._replace(teachers=teachers, student=student)
    return GroupTrainer(common.dataset, inputs, mesh(common.devices), slots, common.memory, Silence())
