"""A study's trial results as curves over alpha, one for each setting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.labels import setting_label
from distillab.errors import RequestError
from distillab.metrics.metric import Metric, metric_named
from distillab.stats import SHARES, intervals_over_seeds
from distillab.study.settings import Settings
from distillab.study.spec import Cell, Spec
from distillab.study.storage.records import TeacherResult, TrialResult

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_TIE = 1e-9
"""Validation means closer than this are the same counts, summed in another order."""


class Divergence(NamedTuple):
    """A student whose loss became infinite or nan."""

    alpha: float
    seed: int
    epoch: int
    """From 1."""
    last_finite_loss: float | None


class Learning(NamedTuple):
    """Learning curves: means over the students that did not diverge; nan where there are none."""

    validation_accuracy: Floats
    """Shape (E, A)."""
    loss: Floats
    """Shape (E, A), of the training batches."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AlphaCurve:
    """The students of one setting: a point on all axes but alpha.

    Args:
        label: distinguishes the setting from the study's others; empty where it is the only one.
        coordinates: its value on every axis but alpha.
        settings: of the setting; its alpha is the study's first.
        alphas: shape (A,), ascending.
        seeds: the R seeds that the study asks for.
        trials: the setting's results of these seeds.
        table: the same, by seed and alpha.
        metric: the metric that alphas are compared by.
        test: shape (R, A), that metric on the test set; nan where a student is missing or diverged.
        validation: shape (R, A), the same on the validation split.
        scores: shape (R, A), what chooses alpha on the validation split, more being better; None: `validation`.
        diverged: every diverged student.
        missing: how many of the R * A students are not recorded yet.
        teacher: the teacher's metric on the test set; None where it is not known.
        learning: the learning curves.
    """

    label: str
    coordinates: Mapping[str, Any]
    settings: Settings
    alphas: Floats
    seeds: tuple[int, ...]
    trials: Sequence[TrialResult]
    table: TrialTable
    metric: Metric
    test: Floats
    validation: Floats
    diverged: tuple[Divergence, ...]
    missing: int
    teacher: float | None
    learning: Learning
    scores: Floats | None = None

    def chosen(self, scores: Floats | None = None) -> float:
        """The sound alpha with the best mean score over the complete seeds, of equal ones the nearest to 1.

        Args:
            scores: shape (R, A); None: those that choose.
        """
        sound = np.flatnonzero(self.sound)
        values = self.selection if scores is None else scores
        return float(chosen_alpha(self.alphas[sound], values[np.ix_(self.complete, sound)].mean(axis=0)))

    @property
    def selection(self) -> Floats:
        """The scores that choose alpha, shape (R, A); more is better."""
        return self.metric.sign * self.validation if self.scores is None else self.scores

    @cached_property
    def diverged_count(self) -> NDArray[np.intp]:
        """Diverged students, shape (A,)."""
        return np.array([sum(d.alpha == alpha for d in self.diverged) for alpha in self.alphas], dtype=np.intp)

    @cached_property
    def sound(self) -> Flags:
        """Which alphas have no diverged student, shape (A,): only these are compared and chosen from."""
        return np.asarray(self.diverged_count == 0)

    @cached_property
    def complete(self) -> Flags:
        """Which seeds have every sound alpha, shape (R,): only these are paired."""
        if not self.sound.any():
            return np.zeros(len(self.seeds), dtype=np.bool_)
        return np.asarray(np.isfinite(self.test[:, self.sound]).all(axis=1))

    @cached_property
    def intervals(self) -> tuple[tuple[int, float, float, float], ...]:
        """`finite_intervals` of the test metric at each alpha.

        Over the complete seeds, so that all alphas are averaged over the same ones; over all recorded seeds where none
        is complete or the alpha has diverged students.
        """
        used = np.isfinite(self.test)
        used[np.ix_(~self.complete, self.sound & self.complete.any())] = False
        intervals = finite_intervals(np.where(used, self.test, np.nan))
        if self.metric.unit != "%":
            return intervals
        return tuple((n, middle, *within(low, high, SHARES)) for n, middle, low, high in intervals)


def within(low: float, high: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """Cut an interval of a share to the values that it can have, which loses no coverage.

    Args:
        low, high: ends; nan stays.
        bounds: of the share, or of a difference of shares.
    """
    return (low, high) if math.isnan(low) else (max(low, bounds[0]), min(high, bounds[1]))


def chosen_alpha(alphas: Floats, scores: Floats) -> Floats:
    """The alpha with the best mean on the validation data; of equal ones the one nearest to labels alone.

    Args:
        alphas: shape (A,).
        scores: shape (..., A), of which more is better; the result has shape (...).
    """
    best = scores >= scores.max(axis=-1, keepdims=True) - _TIE
    return np.asarray(alphas[np.where(best, np.abs(alphas - 1), np.inf).argmin(axis=-1)])


def finite_intervals(values: Floats) -> tuple[tuple[int, float, float, float], ...]:
    """n, mean, and the ends of `intervals_over_seeds` of the finite values of each column; nan where it has none.

    Args:
        values: shape (R, A).
    """
    known = np.isfinite(values)
    intervals = [(0, math.nan, math.nan, math.nan)] * values.shape[1]
    # Columns with the same seeds, as most have, are computed together.
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(which == number)
        if pattern.any():
            for column, t in zip(columns, intervals_over_seeds(values[np.ix_(pattern, columns)]), strict=True):
                intervals[column] = t.n, t.estimate, t.low, t.high
    return tuple(intervals)


def alpha_curves(
    spec: Spec, trials: Iterable[TrialResult], teachers: Mapping[str, TeacherResult]
) -> tuple[AlphaCurve, ...]:
    """Sort a study's trial results into one curve for each setting, in the order of the study's grid.

    Args:
        spec: the study. Results of seeds beyond those it asks for are ignored.
        trials: in any order.
        teachers: by identity.

    Raises:
        RequestError: a result that belongs to no setting of the study, or two of the same trial.
    """
    grouped = _by_setting(spec, trials)
    values = next((axis.values for axis in spec.axes if axis.key == "alpha"), (spec.base.alpha,))
    alphas = np.array(sorted(values), dtype=np.float64)
    return tuple(_curve(spec, cell, alphas, grouped[_key(cell.coordinates)], teachers) for cell in _settings(spec))


def _settings(spec: Spec) -> Iterator[Cell]:
    """The study's grid without alpha, which has its first value."""
    return Spec(spec.objective, spec.base, tuple(axis for axis in spec.axes if axis.key != "alpha")).cells()


def _by_setting(spec: Spec, trials: Iterable[TrialResult]) -> dict[str, list[TrialResult]]:
    """Group trial results by setting, in the order of the study's grid."""
    grouped: dict[str, list[TrialResult]] = {_key(cell.coordinates): [] for cell in _settings(spec)}
    cells: dict[int, list[TrialResult]] = {}  # by identity: the store gives students of one cell the same mapping
    held = list(trials)  # keeps the mappings alive, so that no identity is used twice
    for trial in held:
        if trial.seed < spec.objective.seeds:
            cells.setdefault(id(trial.coordinates), []).append(trial)
    keys: dict[str, str] = {}
    students: dict[tuple[str, float], list[TrialResult]] = {}
    for cell in cells.values():
        recorded = json.dumps(cell[0].coordinates, sort_keys=True)
        if recorded not in keys:
            keys[recorded] = _key(_completed(cell[0].coordinates))
        key = keys[recorded]
        if key not in grouped:
            raise RequestError(
                f"Student {cell[0].id} belongs to no setting of this study: it was recorded at {recorded}."
            )
        grouped[key] += cell
        students.setdefault((key, cell[0].alpha), []).extend(cell)
    for same_alpha in students.values():
        first: dict[int, TrialResult] = {}
        for trial in same_alpha:
            if first.setdefault(trial.seed, trial) is not trial:
                recorded = json.dumps(trial.coordinates, sort_keys=True)
                raise RequestError(
                    f"Student {trial.id} is a second with seed {trial.seed} at {recorded}: the folder mixes students "
                    "of different data or versions. Run the study in a new folder with --out."
                )
    return grouped


def _key(coordinates: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in coordinates.items() if key != "alpha"}, sort_keys=True)


def _completed(coordinates: Mapping[str, Any]) -> dict[str, Any]:
    """Coordinates whose groups also hold the keys added since they were recorded, with their defaults."""
    completed = dict(coordinates)
    for key, value in coordinates.items():
        if isinstance(value, Mapping):
            group = getattr(Settings(dataset=""), key)
            completed[key] = type(group).model_validate(value).model_dump()
    return completed


def _curve(
    spec: Spec, cell: Cell, alphas: Floats, trials: Sequence[TrialResult], teachers: Mapping[str, TeacherResult]
) -> AlphaCurve:
    others = [axis for axis in spec.axes if axis.key != "alpha"]
    metric, seeds = spec.objective.metric, tuple(range(spec.objective.seeds))
    table = TrialTable(trials, alphas, len(seeds))
    test, validation = table.values(("test", metric)), table.values(("validation", metric))
    finished = np.isfinite(test) & np.isfinite(validation) & ~table.diverged
    test, validation = np.where(finished, test, np.nan), np.where(finished, validation, np.nan)
    diverged = [
        Divergence(trial.alpha, trial.seed, trial.diverged_epoch + 1, trial.last_finite_loss)
        for trial in table.trials
        if trial.diverged_epoch is not None
    ]
    known = {trial.teacher for trial in trials} & set(teachers)
    scores = [teachers[name].metrics[metric] for name in sorted(known) if metric in teachers[name].metrics]
    return AlphaCurve(
        label=setting_label(others, cell.coordinates),
        coordinates={axis.key: cell.coordinates[axis.key] for axis in others},
        settings=cell.settings,
        alphas=alphas,
        seeds=seeds,
        trials=trials,
        table=table,
        metric=metric_named(metric),
        test=test,
        validation=validation,
        diverged=tuple(sorted(diverged, key=lambda d: (d.alpha, d.seed))),
        missing=int(test.size - finished.sum() - len(diverged)),
        teacher=float(np.mean(scores)) if scores else None,
        learning=_learning(table, cell.settings.epochs),
    )


class TrialTable:
    """The trials of one setting in a table of R seeds and A alphas; those at other alphas are ignored.

    Args:
        trials: of the setting.
        alphas: shape (A,).
        seeds: R.
    """

    def __init__(self, trials: Iterable[TrialResult], alphas: Floats, seeds: int) -> None:
        column = {alpha: index for index, alpha in enumerate(alphas.tolist())}
        self.trials = [trial for trial in trials if trial.alpha in column]
        self.rows = [trial.seed for trial in self.trials]
        self.columns = [column[trial.alpha] for trial in self.trials]
        self.shape = seeds, len(alphas)

    @property
    def diverged(self) -> Flags:
        """Which students diverged, shape (R, A)."""
        flags = np.zeros(self.shape, dtype=np.bool_)
        flags[self.rows, self.columns] = [trial.diverged_epoch is not None for trial in self.trials]
        return flags

    def values(self, key: tuple[str, str]) -> Floats:
        """One metric, shape (R, A); nan where a student is missing or has no such metric.

        Args:
            key: split and metric name.
        """
        values = np.full(self.shape, np.nan)
        if self.trials:
            values[self.rows, self.columns] = [trial.metrics.get(key, math.nan) for trial in self.trials]
        return values


def _learning(table: TrialTable, epochs: int) -> Learning:
    """Means over the students that did not diverge, epoch by epoch."""
    if not any(trial.epochs for trial in table.trials):
        return Learning(*np.full((2, epochs, table.shape[1]), np.nan))
    progress = np.full((*table.shape, epochs, 2), np.nan)
    for trial, row, column in zip(table.trials, table.rows, table.columns, strict=True):
        if trial.diverged_epoch is None:
            for epoch, (loss, _, _, accuracy) in enumerate(trial.epochs[:epochs]):
                progress[row, column, epoch] = accuracy, loss
    finite = np.isfinite(progress)
    return Learning(*mean(np.where(finite, progress, 0.0).sum(axis=0), finite.sum(axis=0)).T)


def mean(total: Floats, count: NDArray[Any]) -> Floats:
    """`total / count`, nan where the count is 0.

    Args:
        total: of any shape.
        count: of the same shape.
    """
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
