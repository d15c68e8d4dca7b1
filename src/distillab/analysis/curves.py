"""A study's rows as curves over alpha, one for each setting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.labels import setting_label
from distillab.analysis.measures import MEASURES, Measure
from distillab.errors import RequestError
from distillab.stats import t_interval
from distillab.study.settings import Settings
from distillab.study.spec import Spec
from distillab.study.store import TeacherRecord, TrialRecord

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
    measure: Measure
    test: Floats
    validation: Floats
    diverged: tuple[Divergence, ...]
    missing: int
    teacher: float | None
    learning: Learning

    @property
    def diverged_count(self) -> NDArray[np.intp]:
        """Diverged students, shape (A,)."""
        return np.array([sum(d.alpha == alpha for d in self.diverged) for alpha in self.alphas], dtype=np.intp)

    @property
    def sound(self) -> Flags:
        """Which alphas have no diverged student, shape (A,): only these are compared and chosen from."""
        return np.asarray(self.diverged_count == 0)

    @property
    def complete(self) -> Flags:
        """Which seeds have every sound alpha, shape (R,): only these are paired."""
        if not self.sound.any():
            return np.zeros(len(self.seeds), dtype=np.bool_)
        return np.asarray(np.isfinite(self.test[:, self.sound]).all(axis=1))

    def interval(self, column: int) -> tuple[int, float, float, float]:
        """Mean of the test metric at one alpha, with its 95 % t interval.

        Over the complete seeds, so that all alphas are averaged over the same ones; over all seeds there are where
        none is complete or the alpha has diverged students.

        Returns:
            n, mean, low, high; nan where there is nothing to tell.
        """
        values = self.test[:, column]
        if self.sound[column] and self.complete.any():
            values = values[self.complete]
        values = values[np.isfinite(values)]
        if not len(values):
            return 0, math.nan, math.nan, math.nan
        found = t_interval(values)
        return found.n, found.estimate, found.low, found.high


def alpha_curves(
    spec: Spec, trials: Iterable[TrialRecord], teachers: Mapping[str, TeacherRecord]
) -> tuple[AlphaCurve, ...]:
    """Sort a study's rows into one curve for each setting, in the order of the study's grid.

    Args:
        spec: the study. Rows of seeds it does not ask for are left aside.
        trials: the rows, in any order.
        teachers: by identity.

    Returns:
        One curve for each setting, with or without results.
    """
    found = rows_of(spec, trials)
    first: dict[str, tuple[Settings, dict[str, Any]]] = {}
    for cell in spec.cells():
        first.setdefault(_place(cell.coordinates), (cell.settings, dict(cell.coordinates)))
    on_axis = [axis.values for axis in spec.axes if axis.key == "alpha"]
    alphas = sorted(on_axis[0] if on_axis else [spec.base.alpha])
    others = [axis for axis in spec.axes if axis.key != "alpha"]
    return tuple(
        _curve(
            spec,
            settings,
            setting_label(others, place),
            {axis.key: place[axis.key] for axis in others},
            np.array(alphas, dtype=np.float64),
            found[key],
            teachers,
        )
        for key, (settings, place) in first.items()
    )


def rows_of(spec: Spec, trials: Iterable[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """Sort a study's rows by setting, in the order of its grid; rows of seeds it does not ask for are left aside.

    Raises:
        RequestError: a row that has no place in the study, or two that have the same.
    """
    found: dict[str, list[TrialRecord]] = {_place(cell.coordinates): [] for cell in spec.cells()}
    places: dict[str, str] = {}
    seen: dict[int, str] = {}  # by identity: the store gives students of one cell the same mapping
    taken: set[tuple[str, float, int]] = set()
    held = list(trials)  # an identity is one only as long as the mapping is there
    for trial in held:
        if trial.seed >= spec.frame.seeds:
            continue
        told = seen.get(id(trial.coordinates))
        if told is None:
            told = seen[id(trial.coordinates)] = json.dumps(trial.coordinates, sort_keys=True)
        if told not in places:
            places[told] = _place(_completed(trial.coordinates))
        place = places[told]
        if place not in found:
            raise RequestError(f"Student {trial.id} has no place in this study: it was recorded at {told}.")
        seat = place, trial.alpha, trial.seed
        if seat in taken:
            raise RequestError(
                f"Student {trial.id} is the second with seed {trial.seed} at {told}: the folder mixes students of "
                "different data or versions. Run the study in a new folder with --out."
            )
        taken.add(seat)
        found[place].append(trial)
    return found


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
    trials: list[TrialRecord],
    teachers: Mapping[str, TeacherRecord],
) -> AlphaCurve:
    metric, seeds = spec.frame.metric, tuple(range(spec.frame.seeds))
    column = {float(alpha): index for index, alpha in enumerate(alphas)}
    test = np.full((len(seeds), len(alphas)), np.nan)
    validation, diverged = test.copy(), []
    progress = np.full((len(seeds), len(alphas), settings.epochs, 2), np.nan)
    for trial in trials:
        if trial.alpha not in column:
            continue
        seat = trial.seed, column[float(trial.alpha)]
        if trial.diverged_epoch is not None:
            diverged.append(Divergence(trial.alpha, trial.seed, trial.diverged_epoch + 1, trial.last_finite_loss))
            continue
        both = trial.metrics.get(("test", metric), math.nan), trial.metrics.get(("validation", metric), math.nan)
        if all(math.isfinite(value) for value in both):
            test[seat], validation[seat] = both
        for epoch, (loss, _, _, reached) in enumerate(trial.epochs[: settings.epochs]):
            progress[seat][epoch] = reached, loss
    there = np.isfinite(progress)
    counts = there.sum(axis=0)
    sums = np.where(there, progress, 0.0).sum(axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    known = {trial.teacher for trial in trials} & set(teachers)
    scores = [teachers[name].metrics[metric] for name in sorted(known) if metric in teachers[name].metrics]
    return AlphaCurve(
        label=label,
        place=place,
        settings=settings,
        alphas=alphas,
        seeds=seeds,
        measure=MEASURES[metric],
        test=test,
        validation=validation,
        diverged=tuple(sorted(diverged, key=lambda d: (d.alpha, d.seed))),
        missing=int(test.size - np.isfinite(test).sum() - len(diverged)),
        teacher=float(np.mean(scores)) if scores else None,
        learning=Learning(means[..., 0].T, means[..., 1].T),
    )
