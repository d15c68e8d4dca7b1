"""The best alpha, predicted from the students at alpha = 0 and alpha = 1, beside the one that the sweep chose."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, finite_intervals, seated
from distillab.analysis.finding import SettingResult
from distillab.metrics.metric import NOTHING, Metric
from distillab.stats import paired_t, t_interval
from distillab.study.storage.records import TrialResult, ValidationPredictions
from distillab.theory import RiskCoefficients, alpha_from_endpoints, alpha_star

FEWEST = 2
"""Seeds for an interval."""


class Loss(NamedTuple):
    """The metric at the predicted alpha less that at the swept one, seed by seed."""

    difference: float
    low: float
    high: float
    p: float
    """Two-sided paired t."""


class Measured(NamedTuple):
    """The squared error to the validation labels of the students at one alpha, over the seeds with both ends."""

    alpha: float
    mean: float
    low: float
    """95 % t interval; nan with a single seed."""
    high: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the two ends of a setting predict, and what following them would cost.

    Args:
        label: what tells the setting from the study's others.
        seeds: that have students at both ends.
        free: the alpha of least squared error to the validation labels, were answers linear in alpha.
        alpha: the same from 0 to 1.
        nearest: the alpha of the study nearest to it, of two as near the larger.
        departure: how far students at alpha = 0.5 lie from the line between the ends, as a share of its length; nan
            where there are none.
        swept: the alpha that the validation data chose.
        test: what following the prediction costs on the test set; None where it cannot be told.
        validation: the same on the validation data.
        risk: the squared error to the validation labels as the ends predict it, a parabola in alpha.
        measured: what it is, at each alpha.
    """

    label: str
    seeds: int
    free: float
    alpha: float
    nearest: float
    departure: float
    swept: float
    test: Loss | None
    validation: Loss | None
    risk: RiskCoefficients
    measured: tuple[Measured, ...]


def predictions(
    curves: Sequence[AlphaCurve],
    findings: Sequence[SettingResult],
    rows: Iterable[Sequence[TrialResult]],
    answers: Mapping[str, ValidationPredictions],
) -> tuple[Prediction, ...]:
    """Predict the best alpha of every setting whose ends were kept.

    Formula: with the answers `p0` and `p1` of a seed's two students and the one-hot labels y, squared errors are summed
    over the seeds and alpha is `-sum (p0 - y)(p1 - p0) / sum (p1 - p0)^2`.

    Args:
        curves: one for each setting.
        findings: what they show.
        rows: the students of each setting.
        answers: the validation answers that were kept, by trial.

    Returns:
        One for each setting with at least one seed that has both ends, and an alpha chosen by the sweep.

    Source: the parabola of `distillab.theory.alpha_from_endpoints`.
    """
    if not answers:
        return ()
    found = (_of_setting(*one, answers) for one in zip(curves, findings, rows, strict=True))
    return tuple(one for one in found if one is not None)


def _of_setting(
    curve: AlphaCurve,
    finding: SettingResult,
    trials: Sequence[TrialResult],
    answers: Mapping[str, ValidationPredictions],
) -> Prediction | None:
    kept = {(trial.seed, trial.alpha): answers[trial.id] for trial in trials if trial.id in answers}
    seeds = [seed for seed in curve.seeds if (seed, 0.0) in kept and (seed, 1.0) in kept]
    if not seeds or finding.best is None:
        return None
    total, departures = np.zeros(3), []
    for seed in seeds:
        first, last, middle = (kept.get((seed, alpha)) for alpha in (0.0, 1.0, 0.5))
        if first is None or last is None:
            continue
        target = np.eye(first.probabilities.shape[1])[first.labels]
        between = None if middle is None else (0.5, middle.probabilities)
        ends = alpha_from_endpoints(first.probabilities, last.probabilities, target, between=between)
        total += np.array(ends.risk)
        departures.append(ends.departure)
    risk = RiskCoefficients(*(total / len(seeds)).tolist())
    best = alpha_star(risk)
    if math.isnan(best.free):
        return None
    sound = curve.alphas[curve.sound]
    nearest = max(sound.tolist(), key=lambda alpha: (-round(abs(alpha - best.clipped), 9), alpha))
    return Prediction(
        label=curve.label,
        seeds=len(seeds),
        free=best.free,
        alpha=best.clipped,
        nearest=nearest,
        departure=float(np.mean(departures)),
        swept=finding.best.alpha,
        test=_loss(curve, curve.test, nearest, finding.best.alpha),
        validation=_loss(curve, curve.validation, nearest, finding.best.alpha),
        risk=risk,
        measured=_measured(curve, trials, seeds),
    )


def _measured(curve: AlphaCurve, trials: Sequence[TrialResult], seeds: Sequence[int]) -> tuple[Measured, ...]:
    """The Brier score on the validation data, which was recorded for every student."""
    scores = seated(trials, curve.alphas).table((len(curve.seeds), len(curve.alphas)), ("validation", "brier"))
    found = finite_intervals(scores[list(seeds)])
    return tuple(
        Measured(alpha, mean, low, high)
        for alpha, (n, mean, low, high) in zip(curve.alphas.tolist(), found, strict=True)
        if n
    )


def _loss(curve: AlphaCurve, values: Floats, predicted: float, swept: float) -> Loss | None:
    columns = [int(np.flatnonzero(curve.alphas == alpha)[0]) for alpha in (predicted, swept)]
    pairs = values[curve.complete][:, columns]
    if len(pairs) < FEWEST:
        return None
    apart = pairs[:, 0] - pairs[:, 1]
    test, interval = paired_t(apart), t_interval(apart)
    return Loss(test.difference, interval.low, interval.high, test.p)


HEADINGS = (
    "setting",
    "predicted",
    "free",
    "nearest",
    "swept",
    "to the sweep",
    "interval",
    "on validation",
    "off the line",
)
NOTE = (
    "predicted: the alpha of least squared error on the validation labels, from the students at alpha = 0 and 1 alone; "
    "nearest: of the study's; to the sweep: its test result less that of the swept alpha; off the line: how far "
    "students at alpha = 0.5 lie from what the ends predict of them."
)


def cells(one: Prediction, measure: Metric) -> tuple[str, ...]:
    """A setting as a row of a table."""
    return (
        one.label or "all",
        f"{one.alpha:.2f}",
        f"{one.free:.2f}",
        f"{one.nearest:g}",
        f"{one.swept:g}",
        NOTHING if one.test is None else measure.difference(one.test.difference),
        NOTHING if one.test is None else measure.span(one.test.low, one.test.high, signed=True),
        NOTHING if one.validation is None else measure.difference(one.validation.difference),
        NOTHING if math.isnan(one.departure) else f"{100 * one.departure:.0f} %",
    )


def in_a_sentence(one: Prediction, measure: Metric) -> str:
    """What a prediction is worth, to follow the setting's name."""
    told = f"the students at both ends predict alpha = {one.alpha:.2f}, the sweep chose {one.swept:g}"
    if one.nearest == one.swept:
        return f"{told}, the study's nearest: following the prediction costs nothing."
    if one.test is None:
        return f"{told}; what following the prediction costs takes two complete seeds to tell."
    return (
        f"{told}; with the prediction (alpha = {one.nearest:g} of the study's) the test {measure.label} is "
        f"{measure.difference(one.test.difference)} {measure.difference_unit}".rstrip()
        + f" ({measure.span(one.test.low, one.test.high, signed=True)})."
    )
