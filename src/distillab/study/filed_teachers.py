"""Teachers that a study names by their files: `teacher.model: teacher.onnx`.

A run adds the digest of all that their predictions depend on, `teacher.onnx@0123456789abcdef`, so that `study.yaml`
and every trial's identity name this teacher and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distillab.data import Dataset
from distillab.errors import RequestError, not_allowed
from distillab.models.class_names import read_class_names
from distillab.models.preparation import parse_normalisation
from distillab.study.checking import validated
from distillab.study.model_options import ModelOptions
from distillab.study.models import Models
from distillab.study.progress import Progress
from distillab.study.reading_teachers import read_teachers
from distillab.study.settings import Settings, Teacher, ensemble, file_of, is_filed
from distillab.study.spec import Axis, Spec
from distillab.study.teacher_trial import chance_warning, check_reading

MODEL = "teacher.model"
READING = ("scale", "normalise", "layout", "classes")
"""Keys of `teacher` that say how a file's inputs and outputs are read."""


def with_filed_teachers(spec: Spec, dataset: Dataset, models: Models, progress: Progress) -> Spec:
    """Read the teachers that a study names by their files, and write their digests into its names.

    Args:
        spec: the study.
        dataset: the data.
        models: receives the teachers.
        progress: is told of one that is at chance.

    Raises:
        RequestError: a file cannot be read, does not fit the data, or is not the one of the digest.
    """
    values = next((axis.values for axis in spec.axes if axis.key == MODEL), (spec.base.teacher.model,))
    filed = dict.fromkeys(name for value in values for name in ensemble(value) if is_filed(name))
    if not filed:
        return spec
    for axis in spec.axes:
        if axis.key.removeprefix("teacher.") in READING and axis.key.startswith("teacher."):
            raise not_allowed(axis.key, list(axis.values), "a single value with a teacher from a file")
    options = reading_options(spec.base.teacher)
    names = {name: _named(name, dataset, options, models, progress) for name in filed}

    def resolved(value: str) -> str:
        return "+".join(names.get(name, name) for name in ensemble(value))

    tree: dict[str, Any] = spec.base.model_dump()
    tree["teacher"] |= {"model": resolved(spec.base.teacher.model)}
    axes = tuple(
        Axis(axis.key, tuple(map(resolved, axis.values)))
        if axis.key == MODEL
        else replace(axis, values=tuple(_in_group(value, resolved) for value in axis.values))
        for axis in spec.axes
    )
    return Spec(spec.objective, validated(Settings, tree), axes)


def reading_options(teacher: Teacher) -> ModelOptions:
    """How a study reads a teacher's file.

    Args:
        teacher: its settings.

    Raises:
        RequestError: the file of the classes' names cannot be read, or the normalisation is none.
    """
    return ModelOptions(
        teacher_scale=teacher.scale,
        teacher_normalise=None if teacher.normalise is None else parse_normalisation(teacher.normalise),
        teacher_layout=teacher.layout,
        teacher_classes=None if teacher.classes is None else read_class_names(teacher.classes),
    )


def _named(name: str, dataset: Dataset, options: ModelOptions, models: Models, progress: Progress) -> str:
    path, digest = file_of(name)
    several = read_teachers([path], dataset, options)
    if len(several) > 1:
        raise RequestError(f"{path} holds {len(several)} models. Name each, joined by plus signs.")
    (teacher,) = several
    if digest and digest != teacher.digest[:16]:
        raise RequestError(
            f"{path} is not the teacher of this study: its contents, or how it is read, have changed "
            f"({teacher.digest[:16]}). Restore it, or run the study in a new folder with --out."
        )
    check_reading(teacher, dataset)
    if warning := chance_warning(teacher, dataset):
        progress.note(warning)
    resolved = f"{path}@{teacher.digest[:16]}"
    models.add_filed_teacher(resolved, teacher)
    return resolved


def _in_group(value: Any, resolved: Any) -> Any:
    """A value of an axis of groups, its teacher's name resolved."""
    if isinstance(value, Mapping) and isinstance(value.get("model"), str):
        return {**value, "model": resolved(value["model"])}
    return value
