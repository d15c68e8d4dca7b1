"""What chooses alpha on the validation data: the study's metric, or how well students predict the clean labels."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Literal, NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats
from distillab.stats import Interval, smoothed
from distillab.study.clean_labels import CleanLabels, clean_labels, looks_wrong, mean_interval
from distillab.study.storage.records import TrialResult, ValidationResults

_SHARE, _DOUBTED = attrgetter("share"), attrgetter("doubted")

Score = Literal["metric", "robust"]
"""What chooses."""


class Choice(NamedTuple):
    """What chooses the alpha of a setting."""

    score: Score
    """What chooses."""
    share: Interval | None
    """Of wrong validation labels, the mean over seeds; None where it is not known."""
    robust: Floats | None
    """How well students predict the clean labels, smoothed over alpha, shape (R, A); None where it is not known."""
    clean: Mapping[int, CleanLabels]
    """By seed."""


BY_METRIC = Choice("metric", None, None, {})
"""The metric on the validation labels as they are; of these nothing more is known."""


def choice_of(curve: AlphaCurve, choose: Score, validation: ValidationResults) -> Choice:
    """Score the students of a setting on the validation data.

    The clean labels count where that is asked for and given ones are doubted: from right ones the metric itself has
    nothing to fear, and it is what was asked about.

    Args:
        curve: of the setting.
        choose: what is to choose.
        validation: what was recorded of the validation data.
    """
    robust, clean = np.full(curve.validation.shape, np.nan), dict[int, CleanLabels]()
    by_seed: dict[int, dict[int, TrialResult]] = {}
    for trial, seed, column in zip(curve.table.trials, curve.table.rows, curve.table.columns, strict=True):
        if trial.id in validation.predictions and curve.sound[column]:
            by_seed.setdefault(seed, {})[column] = trial
    for seed, trials in by_seed.items():
        columns = sorted(trials)
        key = trials[columns[0]].teacher, curve.settings.validation_rows
        if key not in validation.examples:
            continue
        students = [validation.predictions[trials[column].id] for column in columns]
        clean[seed] = clean_labels(students, validation.examples[key])
        robust[seed, columns] = smoothed(clean[seed].score([each.probabilities for each in students]))
    informed = [labels.informed for labels in clean.values()]
    if not informed or np.mean(informed) <= 0.5 or not np.isfinite(robust[np.ix_(curve.complete, curve.sound)]).all():
        return BY_METRIC
    share, doubted = (mean_interval([of(labels) for labels in clean.values()]) for of in (_SHARE, _DOUBTED))
    return Choice("robust" if choose == "robust" and looks_wrong(doubted) else "metric", share, robust, clean)
