"""The best alpha predicted from the students at alpha = 0 and alpha = 1, compared with the one that the sweep chose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distillab.analysis.choice import Choice
from distillab.analysis.curves import AlphaCurve, Floats, finite_intervals
from distillab.analysis.setting import SettingResult
from distillab.stats import intervals_over_seeds, paired_t
from distillab.study.storage.records import ValidationPredictions
from distillab.theory import RiskCoefficients, alpha_from_endpoints, alpha_star

FEWEST_SEEDS = 2
"""Seeds for an interval."""


class Shortfall(NamedTuple):
    """The metric at the predicted alpha minus that at the swept one, paired by seed."""

    difference: float
    low: float
    high: float
    p: float
    """Two-sided paired t."""
    n: int
    """Seeds."""


class MeasuredRisk(NamedTuple):
    """The squared error to the labels of the prediction of the students at one alpha, over the seeds with both ends."""

    alpha: float
    mean: float
    low: float
    """95 % t interval; nan with a single seed."""
    high: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The alpha predicted from both ends of a setting, and its cost compared with the swept one.

    Args:
        label: the setting's.
        seeds: the number with students at both ends.
        free: the alpha of least squared error to the validation labels, if predictions were linear in alpha.
        alpha: the same from 0 to 1.
        nearest: the alpha of the study nearest to it, of two equally near the larger.
        departure: how far students at alpha = 0.5 lie from the line between the ends, as a share of its length; nan
            where there are none.
        swept: the alpha that the validation data chose.
        test: what the prediction costs on the test set; None with fewer than two complete seeds.
        validation: the same on the validation data.
        risk: the squared error to the validation labels predicted from the ends, a parabola in alpha.
        measured: the measured squared error at each alpha.
    """

    label: str
    seeds: int
    free: float
    alpha: float
    nearest: float
    departure: float
    swept: float
    test: Shortfall | None
    validation: Shortfall | None
    risk: RiskCoefficients
    measured: tuple[MeasuredRisk, ...]


def predict_alphas(
    curves: Sequence[AlphaCurve],
    settings: Sequence[SettingResult],
    choices: Sequence[Choice],
    predictions: Mapping[str, ValidationPredictions],
) -> tuple[Prediction, ...]:
    """Predict the best alpha of every setting of classes with a seed whose predictions at both ends were kept.

    Formula: with the probabilities `p0` and `p1` of a seed's two students and the one-hot labels y, squared errors are
    summed over the seeds and alpha is `-sum (p0 - y)(p1 - p0) / sum (p1 - p0)^2`. Where "robust" chooses, the posterior
    of the clean class takes the place of y: the squared error to wrong labels prefers students that learned them.

    Args:
        curves: one for each setting.
        settings: their results.
        choices: what chooses their alphas.
        predictions: students' kept predictions on the validation split, by trial.

    Source: the parabola of `distillab.theory.alpha_from_endpoints`.
    """
    if not predictions:
        return ()
    predicted = (_of_setting(*setting, predictions) for setting in zip(curves, settings, choices, strict=True))
    return tuple(prediction for prediction in predicted if prediction is not None)


def _of_setting(
    curve: AlphaCurve, result: SettingResult, choice: Choice, predictions: Mapping[str, ValidationPredictions]
) -> Prediction | None:
    if curve.settings.task != "categorical":
        return None
    kept = {(trial.seed, trial.alpha): predictions[trial.id] for trial in curve.trials if trial.id in predictions}
    seeds = [seed for seed in curve.seeds if (seed, 0.0) in kept and (seed, 1.0) in kept]
    if not seeds or result.best is None:
        return None
    total, departures, robust = np.zeros(3), [], choice.score == "robust"
    for seed in seeds:
        first, last, middle = kept[seed, 0.0], kept[seed, 1.0], kept.get((seed, 0.5))
        target = choice.clean[seed].posterior[0] if robust else np.eye(first.probabilities.shape[1])[first.labels]
        between = None if middle is None else (0.5, middle.probabilities)
        ends = alpha_from_endpoints(first.probabilities, last.probabilities, target, between=between)
        total += np.array(ends.risk)
        departures.append(ends.departure)
    errors = curve.table.values(("validation", "brier"))  # recorded for every student
    if robust:
        errors = _errors_to_clean(curve, choice, predictions)
    risk = RiskCoefficients(*(total / len(seeds)).tolist())
    best = alpha_star(risk)
    if math.isnan(best.free):
        return None
    sound = curve.alphas[curve.sound]
    # Within 0 to 1, or as far beyond as the study's own alphas reach.
    predicted = float(np.clip(best.free, min(0.0, sound.min()), max(1.0, sound.max())))
    nearest = max(sound.tolist(), key=lambda alpha: (-round(abs(alpha - predicted), 9), alpha))
    return Prediction(
        label=curve.label,
        seeds=len(seeds),
        free=best.free,
        alpha=predicted,
        nearest=nearest,
        departure=float(np.mean(departures)),
        swept=result.best.alpha,
        test=_shortfall(curve, curve.test, nearest, result.best.alpha),
        validation=_shortfall(curve, curve.validation, nearest, result.best.alpha),
        risk=risk,
        measured=_measured(curve, errors, seeds),
    )


def _measured(curve: AlphaCurve, errors: Floats, seeds: Sequence[int]) -> tuple[MeasuredRisk, ...]:
    """The mean of the squared errors of every student, (R, A), at each alpha."""
    intervals = finite_intervals(errors[list(seeds)])
    by_alpha = zip(curve.alphas.tolist(), intervals, strict=True)
    return tuple(MeasuredRisk(alpha, mean, low, high) for alpha, (n, mean, low, high) in by_alpha if n)


def _errors_to_clean(curve: AlphaCurve, choice: Choice, predictions: Mapping[str, ValidationPredictions]) -> Floats:
    """The squared errors to the likely clean labels, (R, A); nan where a student's predictions were not kept."""
    errors = np.full(curve.validation.shape, np.nan)
    for trial, seed, column in zip(curve.table.trials, curve.table.rows, curve.table.columns, strict=True):
        if trial.id in predictions and seed in choice.clean:
            chances = predictions[trial.id].probabilities.astype(np.float64)
            errors[seed, column] = np.square(chances - choice.clean[seed].posterior[0]).sum(axis=1).mean()
    return errors


def _shortfall(curve: AlphaCurve, values: Floats, predicted: float, swept: float) -> Shortfall | None:
    columns = [int(np.flatnonzero(curve.alphas == alpha)[0]) for alpha in (predicted, swept)]
    pairs = values[curve.complete][:, columns]
    if len(pairs) < FEWEST_SEEDS:
        return None
    differences = pairs[:, 0] - pairs[:, 1]
    test, interval = paired_t(differences), intervals_over_seeds(differences[:, None])[0]
    return Shortfall(test.difference, interval.low, interval.high, test.p, test.n)
