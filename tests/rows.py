"""Rows as the store gives them, with an accuracy that is a known function of alpha and seed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from distillab.study.settings import Settings
from distillab.study.spec import Spec, read_spec
from distillab.study.storage.records import TeacherResult, TrialResult

TREE = {"dataset": "digits", "alpha": [0, 0.5, 1], "seeds": 3, "epochs": 2, "noise": {"rate": 0.1}}

Score = Callable[[float, int], float]
CellScore = Callable[[Settings, int], float]


def _of(score: Score | CellScore, settings: Settings) -> Callable[[int], float]:
    """A score as a function of the seed alone."""
    return partial(score, settings if getattr(score, "of_settings", False) else settings.alpha)  # type: ignore[arg-type]


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
        shares: CellScore | None = None,
    ) -> list[TrialResult]:
        """One row for each student of a study, but those named by (alpha, seed) in `without`.

        Scores take alpha and seed, or the settings and seed where they say so by `of_settings`; `shares` is the part of
        the wrong labels that is recovered, the rest being memorised.
        """
        rows = []
        for seed in range(spec.objective.seeds):
            for number, cell in enumerate(spec.cells()):
                settings, alpha = cell.settings, cell.settings.alpha
                if (alpha, seed) in without:
                    continue
                lost = (alpha, seed) in diverged
                score, held_out_score = (_of(one, settings) for one in (test, validation or test))
                held_out = held_out_score(seed)
                wrong = {}
                if shares is not None:
                    told = shares(settings, seed)
                    wrong = {("train", "recovered"): told, ("train", "memorised"): 1 - told}
                    wrong |= {("train", "teacher_recovered"): 0.9, ("train", "teacher_memorised"): 0.05}
                epochs = [
                    (1.0 / (e + 1), 0.5, 0.5, held_out - 0.1 + 0.1 * (e + 1) / settings.epochs)
                    for e in range(settings.epochs)
                ]
                rows.append(
                    TrialResult(
                        id=f"{number:08d}{seed:08d}",
                        seed=seed,
                        alpha=alpha,
                        coordinates=cell.coordinates,
                        settings=settings.model_dump(),
                        teacher=f"teacher-{settings.teacher.labels}",
                        epochs=epochs[:1] if lost else epochs,
                        metrics={}
                        if lost
                        else {("test", "accuracy"): score(seed), ("validation", "accuracy"): held_out, **wrong},
                        diverged_epoch=1 if lost else None,
                        last_finite_loss=7.5 if lost else None,
                    )
                )
        return rows

    @staticmethod
    def teachers(accuracy: float = 0.99) -> dict[str, TeacherResult]:
        names = "teacher-clean", "teacher-noisy"
        return {name: TeacherResult(name, {}, "0" * 16, 100, {"accuracy": accuracy}, [0.1]) for name in names}
