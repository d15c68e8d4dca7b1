"""All that a study's folder holds, read once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.study.damage import check_rows, told_as_damage
from distillab.study.folder import Folder
from distillab.study.kept import KeptAnswers
from distillab.study.shown import ShownAnswers, ShownExamples
from distillab.study.spec import Spec
from distillab.study.store import TeacherRecord, TrialRecord


class Results(NamedTuple):
    """The study and its rows; see `distillab.study.store.Store` for each."""

    spec: Spec
    trials: list[TrialRecord]
    teachers: dict[str, TeacherRecord]
    runs: list[dict[str, Any]]
    cost: tuple[float, int]
    classes: int | None
    confusions: dict[str, list[list[int]]]
    answers: dict[str, KeptAnswers]
    reliability: dict[str, list[list[float]]]
    examples: dict[str, ShownExamples]
    shown: dict[str, ShownAnswers]
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
