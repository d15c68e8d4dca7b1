"""All that a study's folder holds, read once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.records import (
    GalleryExamples,
    GalleryPredictions,
    TeacherResult,
    TrialResult,
    ValidationPredictions,
)


class Results(NamedTuple):
    """The study and its rows; see `distillab.study.storage.store.Store` for each."""

    spec: Spec
    trials: list[TrialResult]
    teachers: dict[str, TeacherResult]
    runs: list[dict[str, Any]]
    cost: tuple[float, int]
    classes: int | None
    confusions: dict[str, list[list[int]]]
    validation_predictions: dict[str, ValidationPredictions]
    reliability: dict[str, list[list[float]]]
    examples: dict[str, GalleryExamples]
    example_predictions: dict[str, GalleryPredictions]
    teacher_example_predictions: dict[tuple[str, str], NDArray[np.float16]]


def read_results(folder: Folder) -> Results:
    """Read a study's folder.

    Raises:
        RequestError: the folder holds no study.
    """
    spec, store = folder.read()
    with store:
        return Results(
            spec,
            store.trials(),
            store.teachers(),
            store.runs(),
            store.cost(),
            store.classes(),
            store.confusions(),
            store.validation_predictions(),
            store.reliability(),
            store.examples(),
            store.example_predictions(),
            store.teacher_example_predictions(),
        )
