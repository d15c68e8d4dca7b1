"""How sure students are, and how often right, at each alpha: what a reliability diagram shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, rows_of
from distillab.study.spec import Spec
from distillab.study.storage.records import TrialResult


class Reliability(NamedTuple):
    """Test answers of all seeds together, in bins of confidence; shape (A, bins) each, nan where a bin is empty."""

    counts: Floats
    confidence: Floats
    """Mean in the bin."""
    right: Floats
    """Share of right answers."""


def reliability(
    spec: Spec,
    curves: Sequence[AlphaCurve],
    trials: Iterable[TrialResult],
    bins: Mapping[str, Sequence[Sequence[float]]],
) -> tuple[Reliability | None, ...]:
    """Pool the recorded bins of each setting's students by alpha.

    Formula: per bin, with counts n, confidences c and shares r of the seeds: `sum n`, `sum n c / sum n`,
    `sum n r / sum n`.

    Args:
        spec: the study.
        curves: one for each setting.
        trials: the rows of its students.
        bins: by trial, as in `distillab.metrics.reliability`.

    Returns:
        One for each setting; None where nothing was recorded.
    """
    grouped = rows_of(spec, trials).values()
    return tuple(_pooled(*pair, bins) for pair in zip(curves, grouped, strict=True))


def _pooled(
    curve: AlphaCurve, trials: Sequence[TrialResult], bins: Mapping[str, Sequence[Sequence[float]]]
) -> Reliability | None:
    known = [(trial.alpha, np.asarray(bins[trial.id], np.float64)) for trial in trials if trial.id in bins]
    if not known:
        return None
    shape = (len(curve.alphas), len(known[0][1]))
    count, sure, right = (np.zeros(shape) for _ in range(3))
    for alpha, rows in known:
        (place,) = np.flatnonzero(curve.alphas == alpha)
        count[place] += rows[:, 0]
        sure[place] += rows[:, 0] * rows[:, 1]
        right[place] += rows[:, 0] * rows[:, 2]
    there = count > 0
    means = [np.divide(total, count, out=np.full(shape, np.nan), where=there) for total in (sure, right)]
    return Reliability(count, *means)
