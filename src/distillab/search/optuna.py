"""Searching with Optuna: its sampler proposes, a cohort a batch is trained, its own SQLite storage remembers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distillab.errors import RequestError
from distillab.search.grid import Evaluate, Found, Scores, final_round
from distillab.search.space import Candidate, Space, best_of

BATCH = 8
"""Proposals trained side by side."""

SMOOTHED_AT_MOST = 0.4


def check_optuna() -> None:
    """Refuse to begin without Optuna.

    Raises:
        RequestError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise RequestError("--search optuna needs Optuna. Install it: pip install 'distillab[optuna]'.")


def ask_optuna(space: Space, evaluate: Evaluate, *, epochs: int, trials: int, storage: Path | None = None) -> Found:
    """Search alpha, temperature, learning rate, loss and architecture by Optuna's TPE.

    Without a teacher: smoothing and learning rate, of the architecture that was best with one.

    Args:
        space: what may vary; learning rates between the least and the largest.
        evaluate: trains and scores candidates.
        epochs: of each training.
        trials: proposals for the student, and as many for its baseline; finished ones of an earlier call count.
        storage: an SQLite file for Optuna's dashboard; None: in memory.

    Source: Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", 2019; Bergstra et al.,
    "Algorithms for Hyper-Parameter Optimization", 2011, for TPE.
    """
    check_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scores: Scores = []
    student = 0
    for taught in (True, False):
        study = optuna.create_study(
            study_name="with a teacher" if taught else f"student {student} without a teacher",
            storage=None if storage is None else f"sqlite:///{storage.resolve()}",
            sampler=optuna.samplers.TPESampler(seed=0, multivariate=False, constant_liar=True),
            direction="maximize",
            load_if_exists=True,
        )
        done = [trial for trial in study.trials if trial.state.is_finished() and trial.state.name == "COMPLETE"]
        for trial in study.trials:
            if not trial.state.is_finished():  # left behind by an interruption
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        scores += [
            (_read(trial.params, taught, space, student), float(trial.value or 0), trial.user_attrs["nll"])
            for trial in done
        ]
        left = trials - len(done)
        while left > 0:
            asked = [study.ask() for _ in range(min(BATCH, left))]
            wanted = [_propose(trial, taught, space, student) for trial in asked]
            told = evaluate(wanted, epochs, 1)
            _tell(study, asked, told)
            scores += told
            left -= len(asked)
        if taught:
            student = best_of(scores).student
    last, cost = final_round(scores, evaluate, epochs)
    best = {taught: best_of([one for one in last if one[0].taught is taught]) for taught in (True, False)}
    return Found(best[True], best[False], scores, trials, trials, 2 * trials + cost, "Optuna's TPE sampler")


def _tell(study: Any, asked: Sequence[Any], told: Scores) -> None:
    from optuna.trial import TrialState

    for trial, (_, score, nll) in zip(asked, told, strict=True):
        if np.isfinite(score):
            trial.set_user_attr("nll", nll)
            study.tell(trial, score)
        else:
            study.tell(trial, state=TrialState.FAIL)


def _propose(trial: Any, taught: bool, space: Space, student: int) -> Candidate:
    """Ask for a candidate's numbers."""
    rate = space.rates[0]
    if len(space.rates) > 1:
        rate = trial.suggest_float("learning_rate", space.rates[0], space.rates[-1], log=True)
    if not taught:
        trial.suggest_float("smoothing", 0.0, SMOOTHED_AT_MOST)
    else:
        if len(space.alphas) > 1:
            trial.suggest_float("alpha", 0.0, 1.0)
        if len(space.temperatures) > 1:
            trial.suggest_float("temperature", 1.0, 20.0, log=True)
        if len(space.losses) > 1:
            trial.suggest_categorical("loss", space.losses)
        if space.students > 1:
            trial.suggest_categorical("student", range(space.students))
    return _read({"learning_rate": rate, **trial.params}, taught, space, student)


def _read(numbers: dict[str, Any], taught: bool, space: Space, student: int) -> Candidate:
    rate = float(f"{numbers.get('learning_rate', space.rates[0]):.4g}")
    if not taught:
        return Candidate(False, round(1 - numbers["smoothing"], 4), 1.0, rate, student=student)
    alpha = round(numbers.get("alpha", space.alphas[0]), 4)
    temperature = float(f"{numbers.get('temperature', space.temperatures[0]):.4g}")
    return Candidate(
        True, alpha, temperature, rate, numbers.get("loss", space.losses[0]), numbers.get("student", student)
    )
