"""The models of a run, by the names that settings use: those of the zoo, and a user's."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from distillab.data import Dataset
from distillab.engine.functional import Functional
from distillab.errors import RequestError
from distillab.models import build
from distillab.study.settings import GIVEN, Settings, Student, is_given
from distillab.study.student_models import StudentModel, zoo_student
from distillab.study.teacher_models import TeacherModel
from distillab.study.trials import members

M = TypeVar("M")


class Models:
    """Students and teachers by name.

    Args:
        dataset: the data that they read.

    Example:
        >>> from distillab.data import load
        >>> Models(load("digits")).student(Student(model="linear")).functional.classes
        10
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._students: dict[str, StudentModel] = {}
        self._teachers: dict[str, TeacherModel] = {}
        self._zoo = lru_cache(maxsize=None)(zoo_student)

    def add_student(self, student: StudentModel) -> str:
        """Add a user's student.

        Args:
            student: the architecture.

        Returns:
            The name that settings use for it; it identifies everything that decides its training.
        """
        name = f"{GIVEN}{student.digest}"
        self._students[name] = student
        return name

    def add_teacher(self, teacher: TeacherModel) -> str:
        """Add a user's teacher.

        Args:
            teacher: the trained model, or its stored predictions.

        Returns:
            The name that settings use for it; it identifies everything that its predictions depend on.
        """
        name = f"{GIVEN}{teacher.digest[:16]}"
        self._teachers[name] = teacher
        return name

    def student(self, settings: Student) -> StudentModel:
        """Find or build a student.

        Args:
            settings: its name and precision.

        Raises:
            RequestError: the model is a user's and was not added, or does not fit the data.
        """
        if is_given(settings.model):
            return _known(settings.model, self._students)
        return self._zoo(settings.model, settings.precision, self._dataset)

    def teacher(self, name: str) -> TeacherModel:
        """Find a user's teacher.

        Args:
            name: as `add_teacher` returned it.

        Raises:
            RequestError: it was not added.
        """
        return _known(name, self._teachers)

    def given_functionals(self, settings: Settings) -> list[Functional]:
        """The teachers of a trial that are a user's models and that JAX can run.

        Args:
            settings: of the trial.
        """
        names = [member.teacher.model for member in members(settings) if is_given(member.teacher.model)]
        return [member.functional for name in names if (member := self.teacher(name).member) is not None]

    def check_teacher(self, name: str) -> None:
        """Reject a teacher that does not fit the data.

        Args:
            name: of the zoo, or as `add_teacher` returned it.

        Raises:
            RequestError: it is unknown or does not fit.
        """
        if is_given(name):
            self.teacher(name)
        else:
            build(name, self._dataset.input_shape, self._dataset.classes)


def _known(name: str, models: dict[str, M]) -> M:
    if name not in models:
        raise RequestError(
            f"The model {name!r} is one of a distillation's. Run 'distillab distill' with the same teacher and student."
        )
    return models[name]
