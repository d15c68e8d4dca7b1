"""Rows as the store gives them, with an accuracy that is a known function of alpha and seed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from distillab.study.spec import Spec, read_spec
from distillab.study.store import TeacherRecord, TrialRecord

TREE = {"dataset": "digits", "alpha": [0, 0.5, 1], "seeds": 3, "epochs": 2, "noise": {"rate": 0.1}}

Score = Callable[[float, int], float]


class Rows:
    """Make studies and their rows."""

    @staticmethod
    def spec(**changes: Any) -> Spec:
        return read_spec(TREE | changes)

    @staticmethod
    def trials(
        spec: Spec,
        test: Score,
        validation: Score | None = None,
        *,
        without: Collection[tuple[float, int]] = (),
        diverged: Collection[tuple[float, int]] = (),
    ) -> list[TrialRecord]:
        """One row for each student of a study, but those named by (alpha, seed) in `without`."""
        rows = []
        for seed in range(spec.frame.seeds):
            for number, cell in enumerate(spec.cells()):
                settings, alpha = cell.settings, cell.settings.alpha
                if (alpha, seed) in without:
                    continue
                lost = (alpha, seed) in diverged
                held_out = (validation or test)(alpha, seed)
                epochs = [
                    (1.0 / (e + 1), 0.5, 0.5, held_out - 0.1 + 0.1 * (e + 1) / settings.epochs)
                    for e in range(settings.epochs)
                ]
                rows.append(
                    TrialRecord(
                        id=f"{number:08d}{seed:08d}",
                        seed=seed,
                        alpha=alpha,
                        coordinates=cell.coordinates,
                        settings=settings.model_dump(),
                        teacher=f"teacher-{settings.teacher.labels}",
                        epochs=epochs[:1] if lost else epochs,
                        metrics={}
                        if lost
                        else {("test", "accuracy"): test(alpha, seed), ("validation", "accuracy"): held_out},
                        diverged_epoch=1 if lost else None,
                        last_finite_loss=7.5 if lost else None,
                    )
                )
        return rows

    @staticmethod
    def teachers(accuracy: float = 0.99) -> dict[str, TeacherRecord]:
        names = "teacher-clean", "teacher-noisy"
        return {name: TeacherRecord(name, {}, "0" * 16, 100, {"accuracy": accuracy}, [0.1]) for name in names}


@pytest.fixture
def rows() -> type[Rows]:
    return Rows
