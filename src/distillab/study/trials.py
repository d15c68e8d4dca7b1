"""From a study's grid to trials, and from trials to students that one program can train."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distillab.study.settings import Settings, ensemble
from distillab.study.spec import Cell, Spec

RECIPE = 4
"""Version of the way numbers are made; raised whenever the same settings would give other numbers.

Settings at their defaults are left out of an identity, so that a setting that joins them later changes none; a default
that changes raises this number too."""

SHARED = (
    *("dataset", "train_size", "student", "loss", "label_loss"),
    *("epochs", "batch_size", "optimiser", "schedule", "augmentation"),
)
"""Settings that the students of one cohort have in common, with `validation.share`; the rest are numbers."""


@dataclass(frozen=True)
class Trial:
    """One student to train: a cell of the grid and a seed.

    Args:
        id: 16 hexadecimal digits, a digest of everything that decides the result.
        seed: of weights, order and, where it is drawn anew, label noise.
        cell: settings, and the place on the axes.
        teacher: the identity of its teacher.
    """

    id: str
    seed: int
    cell: Cell
    teacher: str

    @property
    def settings(self) -> Settings:
        return self.cell.settings


def identity(parts: Mapping[str, Any]) -> str:
    """Digest of a mapping of plain values, as 16 hexadecimal digits."""
    text = json.dumps({"recipe": RECIPE, **parts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def teacher_identity(settings: Settings, data: str) -> str:
    """Digest of everything that decides a teacher: its settings, the data, and the rows and labels it learns from.

    Args:
        settings: of any cell that learns from this teacher.
        data: the data set's digest.
    """
    names = [training_identity(member, data) for member in members(settings)]
    return names[0] if len(names) == 1 else identity({"together": names})


def training_identity(settings: Settings, data: str, *, whole: bool = False) -> str:
    """Digest of everything that decides one training of a teacher.

    Args:
        settings: with a single teacher.
        data: the data set's digest.
        whole: of the training itself, whatever the epoch at which the teacher is taken from it.
    """
    told = settings.teacher.model_dump(exclude_defaults=True, exclude={"snapshot"} if whole else None)
    parts: dict[str, Any] = {
        "data": data,
        "teacher": told,
        "train_size": settings.train_size,
        "held_out": settings.validation.share,
    }
    if not settings.noise.perturbs:  # all labels are clean, whatever they are called
        told.pop("labels", None)
    if settings.label_loss != "cross_entropy":
        parts["label_loss"] = settings.label_loss
    if "labels" in told:
        parts["noise"] = settings.noise.model_dump(exclude_defaults=True)
    return identity(parts)


def members(settings: Settings) -> list[Settings]:
    """The settings of each teacher that answers together with the others: one, as a rule."""
    teacher = settings.teacher
    return [
        settings.model_copy(
            update={"teacher": teacher.model_copy(update={"model": model, "members": 1, "seed": teacher.seed + number})}
        )
        for model in ensemble(teacher.model)
        for number in range(teacher.members)
    ]


def trials(spec: Spec, data: str) -> Iterator[Trial]:
    """List a study's trials, seed after seed: a study stopped halfway has whole seeds, which can be compared.

    Args:
        spec: the study.
        data: the data set's digest.
    """
    cells = [(cell, teacher_identity(cell.settings, data)) for cell in spec.cells()]
    for seed in range(spec.objective.seeds):
        for cell, teacher in cells:
            settings = cell.settings.model_dump(exclude={"dataset"}, exclude_defaults=True)
            name = identity({"data": data, "settings": settings, "seed": seed})
            yield Trial(name, seed, cell, teacher)


def pupils(wanted: Sequence[Trial]) -> dict[str, list[list[Trial]]]:
    """Gather the students that one program can train, by what they have in common.

    Args:
        wanted: trials, in order.

    Returns:
        `trainings` of those with the same `cohort_key`, in order.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in wanted:
        groups.setdefault(cohort_key(trial.settings), []).append(trial)
    return {key: trainings(group) for key, group in groups.items()}


def trainings(wanted: Sequence[Trial]) -> list[list[Trial]]:
    """Gather the trials that are one student, measured at several epochs."""
    groups: dict[str, list[Trial]] = {}
    for trial in wanted:
        settings = trial.settings.model_copy(update={"snapshot": None})
        groups.setdefault(f"{settings.model_dump_json()} {trial.seed} {trial.teacher}", []).append(trial)
    return list(groups.values())


def cohort_key(settings: Settings) -> str:
    """What trials must have in common to train side by side."""
    tree = settings.model_dump()
    return identity({key: tree[key] for key in SHARED} | {"held_out": settings.validation.share})
