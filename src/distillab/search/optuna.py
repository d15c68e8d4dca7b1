"""Search with Optuna: its sampler proposes, a batch is trained in one cohort, its own SQLite storage remembers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError
from distillab.search.grid import Evaluate, SearchResult, best, final_round
from distillab.search.space import TEMPERATURE_RANGE, Candidate, Score, Space

BATCH = 8
"""Proposals trained side by side."""

LARGEST_SMOOTHING = 0.4


def check_optuna() -> None:
    """Raise unless Optuna is installed.

    Raises:
        RequestError: it is not.
    """
    if importlib.util.find_spec("optuna") is None:
        raise RequestError("--search optuna needs Optuna. Install it: pip install 'distillab[optuna]'.")


def optuna_search(
    space: Space, evaluate: Evaluate, *, trials: int, storage: str | os.PathLike[str] | None = None
) -> SearchResult:
    """Search alpha, temperature, learning rate, loss and architecture by Optuna's TPE.

    The baseline has the best architecture; its smoothing and learning rate are searched.

    Args:
        space, evaluate: as in `grid_search`; learning rates between the least and the largest.
        trials: proposals for the student, and as many for its baseline; finished ones of an earlier call count.
        storage: an SQLite file, for Optuna's dashboard; None: in memory.

    Raises:
        RequestError: Optuna is not installed.

    Source: Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", 2019; Bergstra et al.,
    "Algorithms for Hyper-Parameter Optimization", 2011, for TPE.
    """
    check_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scores: list[Score] = []
    student = 0
    for distilled in (True, False):
        study = optuna.create_study(
            study_name="distilled" if distilled else f"baseline of student {student}",
            storage=None if storage is None else f"sqlite:///{Path(storage).resolve()}",
            sampler=optuna.samplers.TPESampler(seed=0, multivariate=False, constant_liar=True),
            direction="maximize",
            load_if_exists=True,
        )
        scores += _resumed(study, distilled, space, student)
        scores += _proposed(study, distilled, space, student, evaluate, trials)
        if distilled:
            student = best(space, scores, True).student
    return final_round(space, scores, evaluate, "Optuna's TPE sampler")


def _resumed(study: Any, distilled: bool, space: Space, student: int) -> list[Score]:
    """The scores of earlier calls; what an interruption left unfinished is marked as failed."""
    from optuna.trial import TrialState

    scores = []
    for trial in study.trials:
        if trial.state == TrialState.COMPLETE:
            candidate = _candidate(trial.params, distilled, space, student)
            value, told = float(trial.value or 0), trial.user_attrs
            clean = value if told.get("clean") else None
            scores.append(Score(candidate, told.get("value", value), told["tie"], clean=clean))
        elif not trial.state.is_finished():
            study.tell(trial.number, state=TrialState.FAIL)
    return scores


def _proposed(study: Any, distilled: bool, space: Space, student: int, evaluate: Evaluate, trials: int) -> list[Score]:
    scores: list[Score] = []
    remaining = trials - sum(trial.state.name == "COMPLETE" for trial in study.trials)
    while remaining > 0:
        asked = [study.ask() for _ in range(min(BATCH, remaining))]
        evaluated = evaluate([_propose(trial, distilled, space, student) for trial in asked], 1)
        _record(study, asked, evaluated)
        scores += evaluated
        if len(evaluated) < len(asked):  # the time is up
            break
        remaining -= len(asked)
    return scores


def _record(study: Any, asked: Sequence[Any], scores: Sequence[Score]) -> None:
    from optuna.trial import TrialState

    for trial, score in zip(asked, scores, strict=False):
        if np.isfinite(score.choosing):
            for name, value in (("value", score.value), ("tie", score.tie), ("clean", score.clean is not None)):
                trial.set_user_attr(name, value)
            study.tell(trial, score.choosing)
        else:
            study.tell(trial, state=TrialState.FAIL)
    for trial in asked[len(scores) :]:
        study.tell(trial, state=TrialState.FAIL)


def _propose(trial: Any, distilled: bool, space: Space, student: int) -> Candidate:
    """Ask for a candidate's numbers."""
    if len(space.rates) > 1:
        trial.suggest_float("learning_rate", space.rates[0], space.rates[-1], log=True)
    if not distilled:
        trial.suggest_float("smoothing", 0.0, LARGEST_SMOOTHING)
    else:
        if len(space.alphas) > 1:
            trial.suggest_float("alpha", 0.0, 1.0)
        if len(space.temperatures) > 1:
            trial.suggest_float("temperature", *TEMPERATURE_RANGE, log=True)
        if len(space.losses) > 1:
            trial.suggest_categorical("loss", space.losses)
        if space.students > 1:
            trial.suggest_categorical("student", range(space.students))
    return _candidate(trial.params, distilled, space, student)


def _candidate(numbers: dict[str, Any], distilled: bool, space: Space, student: int) -> Candidate:
    rate = float(f"{numbers.get('learning_rate', space.rates[0]):.4g}")
    if not distilled:
        return Candidate(False, round(1 - numbers["smoothing"], 4), 1.0, rate, student=student)
    alpha = round(numbers.get("alpha", space.alphas[0]), 4)
    temperature = float(f"{numbers.get('temperature', space.temperatures[0]):.4g}")
    loss, student = numbers.get("loss", space.losses[0]), numbers.get("student", student)
    return Candidate(True, alpha, temperature, rate, loss, student)
