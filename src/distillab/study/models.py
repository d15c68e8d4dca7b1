"""The models of a run, by the names that settings use: those of the zoo, and a user's."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from distillab.data import Dataset
from distillab.errors import RequestError
from distillab.study.settings import GIVEN, Student, is_given
from distillab.study.student_models import StudentModel, zoo_student
from distillab.study.teacher_models import TeacherModel

M = TypeVar("M")


class Models:
    """Students and teachers by name.

    Args:
        dataset: the data that they read.

    Example:
        >>> from distillab.data import load
        >>> Models(load("digits")).student(Student(model="linear")).functional.output_shape
        (10,)
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._students: dict[str, StudentModel] = {}
        self._teachers: dict[str, TeacherModel] = {}
        self._zoo = lru_cache(maxsize=None)(zoo_student)

    def add_student(self, student: StudentModel) -> str:
        """Add a user's student; gives its name in settings, which identifies all that decides its training.

        Args:
            student: the architecture.
        """
        name = f"{GIVEN}{student.digest}"
        self._students[name] = student
        return name

    def add_teacher(self, teacher: TeacherModel) -> str:
        """Add a user's teacher; gives its name in settings, which identifies all that its predictions depend on.

        Args:
            teacher: the trained model, or its stored predictions.
        """
        name = f"{GIVEN}{teacher.digest[:16]}"
        self._teachers[name] = teacher
        return name

    def add_filed_teacher(self, name: str, teacher: TeacherModel) -> None:
        """Add the teacher of a file that a study names.

        Args:
            name: in settings, with its digest.
            teacher: the trained model, or its stored predictions.
        """
        self._teachers[name] = teacher

    def student(self, settings: Student) -> StudentModel:
        """Find or build a student.

        Args:
            settings: its name, precision and resolution.

        Raises:
            RequestError: the model is a user's and was not added, or does not fit the data.
        """
        if is_given(settings.model):
            return _known(settings.model, self._students)
        return self._zoo(settings.model, settings.precision, self._dataset, settings.resolution)

    def teacher(self, name: str) -> TeacherModel:
        """Find a user's teacher.

        Args:
            name: as `add_teacher` returned it.

        Raises:
            RequestError: it was not added.
        """
        return _known(name, self._teachers)


def _known(name: str, models: dict[str, M]) -> M:
    if name not in models:
        raise RequestError(
            f"The model {name!r} is one of a distillation's. Run 'distillab distill' with the same teacher and student."
        )
    return models[name]
