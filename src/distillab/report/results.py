"""All that a study's folder holds, read once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.damage import check_rows, told_as_damage
from distillab.study.storage.examples import GalleryExamples, GalleryPredictions
from distillab.study.storage.predictions import ValidationPredictions
from distillab.study.storage.records import TeacherResult, TrialResult


class Results(NamedTuple):
    """The study and its rows; see `distillab.study.storage.store.Store` for each."""

    spec: Spec
    trials: list[TrialResult]
    teachers: dict[str, TeacherResult]
    runs: list[dict[str, Any]]
    cost: tuple[float, int]
    classes: int | None
    confusions: dict[str, list[list[int]]]
    answers: dict[str, ValidationPredictions]
    reliability: dict[str, list[list[float]]]
    examples: dict[str, GalleryExamples]
    shown: dict[str, GalleryPredictions]
    teacher_shown: dict[tuple[str, str], NDArray[np.float16]]


def read_results(folder: Folder) -> Results:
    """Read a study's folder.

    Raises:
        RequestError: the folder holds no study.
    """
    spec, store = folder.read()
    with store, told_as_damage(store.path):
        trials, teachers = store.trials(), store.teachers()
        check_rows(trials, teachers)
        return Results(
            spec,
            trials,
            teachers,
            store.runs(),
            store.cost(),
            store.classes(),
            store.confusions(),
            store.answers(),
            store.reliability(),
            store.examples(),
            store.shown(),
            store.teacher_shown(),
        )
