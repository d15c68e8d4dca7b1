"""All results of a study's folder, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve
from distillab.analysis.finding import Finding, analyse
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.damage import check_rows, told_as_damage
from distillab.study.storage.examples import GalleryExamples, GalleryPredictions
from distillab.study.storage.predictions import ValidationPredictions
from distillab.study.storage.records import TeacherResult, TrialResult


class Results(NamedTuple):
    """A study and its results; see `distillab.study.storage.store.Store` for each."""

    spec: Spec
    trials: list[TrialResult]
    teachers: dict[str, TeacherResult]
    runs: list[dict[str, Any]]
    cost: tuple[float, int]
    classes: int | None
    confusions: dict[str, list[list[int]]]
    predictions: dict[str, ValidationPredictions]
    reliability: dict[str, list[list[float]]]
    examples: dict[str, GalleryExamples]
    shown: dict[str, GalleryPredictions]
    teacher_shown: dict[tuple[str, str], NDArray[np.float16]]

    @property
    def class_names(self) -> list[str]:
        """The names of the classes; empty where they are not known."""
        names = self.runs[-1].get("data", {}).get("classes") if self.runs else None
        return [str(name) for name in names or []]


def read_results(folder: Folder) -> Results:
    """Read a study's folder.

    Args:
        folder: of a study, finished or not.

    Raises:
        RequestError: the folder holds no study.
    """
    spec, store = folder.read()
    with store, told_as_damage(store.path):
        trials, teachers = store.trials(), store.teachers()
        check_rows(trials, teachers)
        return Results(
            spec=spec,
            trials=trials,
            teachers=teachers,
            runs=store.runs(),
            cost=store.cost(),
            classes=store.classes(),
            confusions=store.confusions(),
            predictions=store.answers(),
            reliability=store.reliability(),
            examples=store.examples(),
            shown=store.shown(),
            teacher_shown=store.teacher_shown(),
        )


def finding_of(results: Results, curves: Sequence[AlphaCurve] | None = None) -> Finding:
    """Analyse a study's results.

    Args:
        results: what the folder holds.
        curves: `alpha_curves` of the same results, where the caller has them.
    """
    return analyse(
        results.spec,
        results.trials,
        results.teachers,
        classes=results.classes,
        predictions=results.predictions,
        curves=curves,
    )
