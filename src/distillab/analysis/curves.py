"""A study's rows as curves over alpha, one for each setting."""

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
from distillab.metrics.metric import METRICS, Metric
from distillab.stats import t_intervals
from distillab.study.settings import Settings
from distillab.study.spec import Cell, Spec
from distillab.study.storage.records import TeacherResult, TrialResult

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Divergence(NamedTuple):
    """A student whose loss ceased to be finite."""

    alpha: float
    seed: int
    epoch: int
    """From 1."""
    last_finite_loss: float | None


class Learning(NamedTuple):
    """Means over the students that did not diverge; nan where there is none."""

    validation_accuracy: Floats
    """Shape (E, A)."""
    loss: Floats
    """Shape (E, A), of the training batches."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AlphaCurve:
    """The students of one setting: a point on all axes but alpha.

    Args:
        label: what tells the setting from the study's others; empty where it is the only one.
        place: its value on every axis but alpha.
        settings: of the setting; its alpha is the study's first.
        alphas: shape (A,), ascending.
        seeds: the R seeds that the study asks for.
        measure: the study's metric.
        test: shape (R, A), that metric on the test set; nan where a student is missing or diverged.
        validation: shape (R, A), the same on the validation split.
        diverged: every diverged student.
        missing: how many of the R * A students are not there yet.
        teacher: the teacher's metric on the test set; None where it is not known.
        learning: the learning curves.
    """

    label: str
    place: Mapping[str, Any]
    settings: Settings
    alphas: Floats
    seeds: tuple[int, ...]
    measure: Metric
    test: Floats
    validation: Floats
    diverged: tuple[Divergence, ...]
    missing: int
    teacher: float | None
    learning: Learning

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
        """Mean of the test metric at each alpha, with its 95 % t interval.

        Over the complete seeds, so that all alphas are averaged over the same ones; over all seeds there are where
        none is complete or the alpha has diverged students.

        Returns:
            n, mean, low, high; nan where there is nothing to tell.
        """
        used = np.isfinite(self.test)
        used[np.ix_(~self.complete, self.sound & self.complete.any())] = False
        return finite_intervals(np.where(used, self.test, np.nan))


def finite_intervals(values: Floats) -> tuple[tuple[int, float, float, float], ...]:
    """n, mean and 95 % t interval of the finite values of each column, shape (R, A); nan where there are none."""
    there = np.isfinite(values)
    found = [(0, math.nan, math.nan, math.nan)] * values.shape[1]
    # Columns that have the same seeds, as most have, are taken together.
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(which == number)
        if pattern.any():
            for column, one in zip(columns, t_intervals(values[np.ix_(pattern, columns)]), strict=True):
                found[column] = one.n, one.estimate, one.low, one.high
    return tuple(found)


def alpha_curves(
    spec: Spec,
    trials: Iterable[TrialResult],
    teachers: Mapping[str, TeacherResult],
    *,
    rows: Mapping[str, Sequence[TrialResult]] | None = None,
) -> tuple[AlphaCurve, ...]:
    """Sort a study's rows into one curve for each setting, in the order of the study's grid.

    Args:
        spec: the study. Rows of seeds it does not ask for are left aside.
        trials: the rows, in any order.
        teachers: by identity.
        rows: `rows_of` the trials, where the caller has them.

    Returns:
        One curve for each setting, with or without results.
    """
    found = rows_of(spec, trials) if rows is None else rows
    on_axis = [axis.values for axis in spec.axes if axis.key == "alpha"]
    alphas = sorted(on_axis[0] if on_axis else [spec.base.alpha])
    others = [axis for axis in spec.axes if axis.key != "alpha"]
    return tuple(
        _curve(
            spec,
            cell.settings,
            setting_label(others, cell.coordinates),
            {axis.key: cell.coordinates[axis.key] for axis in others},
            np.array(alphas, dtype=np.float64),
            found[_place(cell.coordinates)],
            teachers,
        )
        for cell in _settings(spec)
    )


def _settings(spec: Spec) -> Iterator[Cell]:
    """The study's grid without alpha, which stands at its first value."""
    return Spec(spec.objective, spec.base, tuple(axis for axis in spec.axes if axis.key != "alpha")).cells()


def rows_of(spec: Spec, trials: Iterable[TrialResult]) -> dict[str, list[TrialResult]]:
    """Sort a study's rows by setting, in the order of its grid; rows of seeds it does not ask for are left aside.

    Raises:
        RequestError: a row that has no place in the study, or two that have the same.
    """
    found: dict[str, list[TrialResult]] = {_place(cell.coordinates): [] for cell in _settings(spec)}
    groups: dict[int, list[TrialResult]] = {}  # by identity: the store gives students of one cell the same mapping
    held = list(trials)  # an identity is one only as long as the mapping is there
    for trial in held:
        if trial.seed < spec.objective.seeds:
            groups.setdefault(id(trial.coordinates), []).append(trial)
    places: dict[str, str] = {}
    students: dict[tuple[str, float], list[TrialResult]] = {}
    for group in groups.values():
        told = json.dumps(group[0].coordinates, sort_keys=True)
        if told not in places:
            places[told] = _place(_completed(group[0].coordinates))
        if places[told] not in found:
            raise RequestError(f"Student {group[0].id} has no place in this study: it was recorded at {told}.")
        found[places[told]] += group
        students.setdefault((places[told], group[0].alpha), []).extend(group)
    for rows in students.values():
        if len({trial.seed for trial in rows}) < len(rows):
            raise _crowded(rows)
    return found


def _crowded(rows: Sequence[TrialResult]) -> RequestError:
    """What is wrong where two students have the same place."""
    taken: set[int] = set()
    for trial in rows:
        if trial.seed in taken:
            break
        taken.add(trial.seed)
    told = json.dumps(trial.coordinates, sort_keys=True)
    return RequestError(
        f"Student {trial.id} is the second with seed {trial.seed} at {told}: the folder mixes students of different "
        "data or versions. Run the study in a new folder with --out."
    )


def _place(coordinates: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in coordinates.items() if key != "alpha"}, sort_keys=True)


def _completed(coordinates: Mapping[str, Any]) -> dict[str, Any]:
    """Groups among them filled up with the defaults of keys that have joined since they were recorded."""
    whole = dict(coordinates)
    for key, value in coordinates.items():
        if isinstance(value, Mapping):
            group = getattr(Settings(dataset=""), key)
            whole[key] = type(group).model_validate(value).model_dump()
    return whole


def _curve(
    spec: Spec,
    settings: Settings,
    label: str,
    place: Mapping[str, Any],
    alphas: Floats,
    trials: Sequence[TrialResult],
    teachers: Mapping[str, TeacherResult],
) -> AlphaCurve:
    metric, seeds = spec.objective.metric, tuple(range(spec.objective.seeds))
    seats = seated(trials, alphas)
    diverged = [
        Divergence(trial.alpha, trial.seed, trial.diverged_epoch + 1, trial.last_finite_loss)
        for trial in seats.trials
        if trial.diverged_epoch is not None
    ]
    shape = len(seeds), len(alphas)
    test, validation = (seats.table(shape, (part, metric)) for part in ("test", "validation"))
    whole = np.isfinite(test) & np.isfinite(validation)
    for seed, column in zip(*seats.of_diverged, strict=True):
        whole[seed, column] = False
    test, validation = np.where(whole, test, np.nan), np.where(whole, validation, np.nan)
    known = {trial.teacher for trial in trials} & set(teachers)
    scores = [teachers[name].metrics[metric] for name in sorted(known) if metric in teachers[name].metrics]
    return AlphaCurve(
        label=label,
        place=place,
        settings=settings,
        alphas=alphas,
        seeds=seeds,
        measure=METRICS[metric],
        test=test,
        validation=validation,
        diverged=tuple(sorted(diverged, key=lambda d: (d.alpha, d.seed))),
        missing=int(test.size - np.isfinite(test).sum() - len(diverged)),
        teacher=float(np.mean(scores)) if scores else None,
        learning=_learning(seats, shape, settings.epochs),
    )


class Seats(NamedTuple):
    """Students with their places in tables of seeds and alphas."""

    trials: list[TrialResult]
    rows: list[int]
    columns: list[int]

    @property
    def of_diverged(self) -> tuple[list[int], list[int]]:
        """Rows and columns of the diverged students."""
        ill = [index for index, trial in enumerate(self.trials) if trial.diverged_epoch is not None]
        return [self.rows[index] for index in ill], [self.columns[index] for index in ill]

    def table(self, shape: tuple[int, int], key: tuple[str, str]) -> Floats:
        """One metric, shape (R, A); nan where a student is missing or was not asked."""
        values = np.full(shape, np.nan)
        if self.trials:
            nan = math.nan
            values[self.rows, self.columns] = [trial.metrics.get(key, nan) for trial in self.trials]
        return values


def seated(trials: Iterable[TrialResult], alphas: Floats) -> Seats:
    """Find the students' places; a row is a seed, and those at other alphas are left aside."""
    column = {alpha: index for index, alpha in enumerate(alphas.tolist())}
    there = [trial for trial in trials if trial.alpha in column]
    return Seats(there, [trial.seed for trial in there], [column[trial.alpha] for trial in there])


def _learning(seats: Seats, shape: tuple[int, int], epochs: int) -> Learning:
    """Means over the students that did not diverge, epoch by epoch."""
    if not any(trial.epochs for trial in seats.trials):
        return Learning(*np.full((2, epochs, shape[1]), np.nan))
    progress = np.full((*shape, epochs, 2), np.nan)
    for trial, row, column in zip(*seats, strict=True):
        if trial.diverged_epoch is None:
            for epoch, (loss, _, _, reached) in enumerate(trial.epochs[:epochs]):
                progress[row, column, epoch] = reached, loss
    there = np.isfinite(progress)
    counts = there.sum(axis=0)
    sums = np.where(there, progress, 0.0).sum(axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Learning(means[..., 0].T, means[..., 1].T)
