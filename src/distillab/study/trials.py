"""Trials and their identities, and the groups of trials that share one compiled program."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from distillab.study.settings import Settings, ensemble, file_of, is_given
from distillab.study.spec import Spec

NUMERICS = 6
"""Version of the computation; raised whenever the same settings would give other numbers, if only in rounding.

Settings at their defaults are left out of an identity, so that a setting that is added later changes none; a changed
default raises this number too."""

SHARED = (
    *("dataset", "task", "train_size", "draw", "weight_decay", "student", "loss", "label_loss"),
    *("epochs", "batch_size", "optimiser", "schedule", "augmentation", "evaluate", "unlabelled"),
)
"""Settings that the students of one group have in common, with `validation.share` and their transfer set; the rest are
numbers."""


@dataclass(frozen=True)
class Trial:
    """One student to train and evaluate: settings and a seed.

    Args:
        id: 16 hexadecimal digits, a digest of everything that decides the result.
        seed: of weights, order and, where it is drawn anew, label noise.
        settings: all other values.
        coordinates: what distinguishes the trial from the study's other ones, such as its values on the axes.
        teacher: the identity of its teacher.
    """

    id: str
    seed: int
    settings: Settings
    coordinates: Mapping[str, Any]
    teacher: str


Training: TypeAlias = list[Trial]
"""Trials that are one training, evaluated at several epochs; as a rule a single trial."""


@dataclass(frozen=True)
class Group:
    """Trainings that one compiled program can run.

    Args:
        key: identity of what they have in common.
        trainings: in the order in which they are run.
        seconds: estimated time of one training on one device.
    """

    key: str
    trainings: Sequence[Training]
    seconds: float = 1.0

    @property
    def settings(self) -> Settings:
        """Of any of its trials."""
        return self.trainings[0][0].settings

    @property
    def teachers(self) -> dict[str, Settings]:
        """By teacher, the settings of any trial that learns from it."""
        return {trials[0].teacher: trials[0].settings for trials in self.trainings}


def identity(parts: Mapping[str, Any]) -> str:
    """Digest of a mapping of plain values, 16 hexadecimal digits.

    Args:
        parts: JSON types.
    """
    text = json.dumps({"numerics": NUMERICS, **parts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def trial(settings: Settings, seed: int, data: str, coordinates: Mapping[str, Any], teacher: str = "") -> Trial:
    """Make a trial.

    Args:
        settings, seed, coordinates: as in `Trial`.
        data: the data set's digest.
        teacher: `teacher_identity` of the settings, where the caller has it.
    """
    # `extend` allows alphas; it changes no number.
    described = settings.model_dump(exclude={"dataset", "extend"}, exclude_defaults=True)
    name = identity({"data": data, "settings": described, "seed": seed})
    return Trial(name, seed, settings, coordinates, teacher or teacher_identity(settings, data))


def study_trials(spec: Spec, data: str) -> Iterator[Trial]:
    """List a study's trials, seed by seed: a study stopped halfway has whole seeds, which can be compared.

    Args:
        spec, data: the study, and the data set's digest.
    """
    cells = [(cell, teacher_identity(cell.settings, data)) for cell in spec.cells()]
    for seed in range(spec.objective.seeds):
        for cell, teacher in cells:
            yield trial(cell.settings, seed, data, cell.coordinates, teacher)


def teacher_identity(settings: Settings, data: str) -> str:
    """Digest of everything that decides a teacher: its settings, the data, and the rows and labels it trains on.

    A teacher that students are only compared with has a digest of its own.

    Args:
        settings, data: of any trial that learns from this teacher, and the data set's digest.
    """
    names = [training_identity(member, data) for member in members(settings)]
    if settings.target == "uniform":
        return identity({"compared": names})
    return names[0] if len(names) == 1 else identity({"together": names})


def training_identity(settings: Settings, data: str, *, whole: bool = False) -> str:
    """Digest of everything that decides one training of a teacher.

    Args:
        settings, data: with a single teacher, and the data set's digest.
        whole: of the training itself, whatever the epoch at which the teacher is taken from it.
    """
    model = settings.teacher.model
    if is_given(model):
        return identity({"teacher": file_of(model)[1] or model})
    described = settings.teacher.model_dump(exclude_defaults=True, exclude={"snapshot"} if whole else None)
    rows = {"train_size": settings.train_size, "held_out": settings.validation.share}
    parts: dict[str, Any] = {"data": data, "teacher": described, **rows}
    if settings.draw:
        parts["draw"] = settings.draw
    if not settings.noise.perturbs:  # all labels are clean, whatever `labels` says
        described.pop("labels", None)
    if settings.label_loss != Settings.model_fields["label_loss"].default:
        parts["label_loss"] = settings.label_loss
    weights = {name: output.weight for name, output in settings.outputs.items() if output.weight != 1}
    if weights:  # alphas count for students alone
        parts["weights"] = weights
    if "labels" in described:
        parts["noise"] = settings.noise.model_dump(exclude_defaults=True)
    return identity(parts)


def members(settings: Settings) -> list[Settings]:
    """The same settings with a single teacher each, for every teacher whose predictions are averaged.

    Args:
        settings: of a trial.
    """
    teacher = settings.teacher
    single = (
        teacher.model_copy(update={"model": model, "members": 1, "seed": teacher.seed + number})
        for model in ensemble(teacher.model)
        for number in range(teacher.members)
    )
    return [settings.model_copy(update={"teacher": member}) for member in single]


def groups(trials: Sequence[Trial]) -> list[Group]:
    """Group trials by the program that trains them.

    Those that differ alone in when or how they are evaluated, `snapshot` and `transfer.correction`, are one training.

    Args:
        trials: in any order; the groups are in the order of their first trials.
    """
    by_key: dict[str, dict[str, Training]] = {}
    key_of = functools.cache(group_key)
    for trial in trials:
        trainings = by_key.setdefault(key_of(trial.settings), {})
        transfer = trial.settings.transfer.model_copy(update={"correction": "none"})
        whole = trial.settings.model_copy(update={"snapshot": None, "transfer": transfer})
        trainings.setdefault(f"{whole.model_dump_json()} {trial.seed} {trial.teacher}", []).append(trial)
    return [Group(key, list(trainings.values())) for key, trainings in by_key.items()]


def group_key(settings: Settings) -> str:
    """Digest of what trials must have in common to train side by side.

    Args:
        settings: of a trial.
    """
    tree = settings.model_dump()
    transfer = settings.transfer.model_dump(exclude={"correction"})
    shared = {key: tree[key] for key in SHARED} | {"held_out": settings.validation.share, "transfer": transfer}
    return identity(shared | ({"outputs": tree["outputs"]} if settings.outputs else {}))
