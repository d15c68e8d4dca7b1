"""All results of a folder, read once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve
from distillab.analysis.finding import Finding, analyse
from distillab.errors import RequestError
from distillab.report.view.distillation import distillation_view
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.records import (
    GalleryExamples,
    GalleryPredictions,
    TeacherResult,
    TrialResult,
    ValidationResults,
)


class Results(NamedTuple):
    """A study and its results; see `distillab.study.storage.store.Store` for each."""

    spec: Spec
    trials: list[TrialResult]
    teachers: dict[str, TeacherResult]
    runs: list[dict[str, Any]]
    cost: tuple[float, int]
    classes: int | None
    confusions: dict[str, list[list[int]]]
    validation: ValidationResults
    reliability: dict[str, list[list[float]]]
    details: dict[str, dict[str, Any]]
    correct: dict[str, NDArray[np.bool_]]
    examples: dict[str, GalleryExamples]
    example_predictions: dict[str, GalleryPredictions]
    teacher_example_predictions: dict[tuple[str, str], NDArray[np.float16]]

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, or else their numbers; empty where not even these are known."""
        names = self.runs[-1].get("data", {}).get("classes") if self.runs else None
        return [str(name) for name in names or range(self.classes or 0)]


def read_results(folder: Folder) -> Results:
    """Read a study's folder.

    Args:
        folder: of a study, finished or not.

    Raises:
        RequestError: the folder holds no study.
    """
    spec, store = folder.read()
    with store:
        return Results(
            spec=spec,
            trials=store.trials(),
            teachers=store.teachers(),
            runs=store.runs(),
            cost=store.cost(),
            classes=store.classes(),
            confusions=store.confusions(),
            validation=store.validation(),
            reliability=store.reliability(),
            details=store.details(),
            correct=store.test_correct(),
            examples=store.examples(),
            example_predictions=store.example_predictions(),
            teacher_example_predictions=store.teacher_example_predictions(),
        )


def finding_of(results: Results, curves: Sequence[AlphaCurve] | None = None) -> Finding:
    """Analyse a study's results.

    Args:
        results: what the folder holds.
        curves: `alpha_curves` of the same results, where the caller has them.
    """
    spec, trials, teachers = results[:3]
    return analyse(
        spec, trials, teachers,
        classes=results.classes, validation=results.validation, correct=results.correct, curves=curves,
    )  # fmt: skip


def read_finding(folder: Folder) -> dict[str, Any]:
    """Read the finding of a distillation, the content of its `answer.json`.

    Args:
        folder: of the distillation.

    Raises:
        RequestError: the distillation is not finished, or the file is damaged.
    """
    again = "Run 'distillab distill' again with the same --out: recorded trials are not trained again."
    if not folder.answer.is_file():
        raise RequestError(f"The distillation in {folder.path} is not finished. {again}")
    try:
        finding: dict[str, Any] = json.loads(folder.answer.read_text(encoding="utf-8"))
        distillation_view(finding)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{folder.answer} is not the finding of a distillation ({type(error).__name__}: {error}). {again}"
        ) from error
    return finding
