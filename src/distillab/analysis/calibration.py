"""Students' confidence and accuracy at each alpha: the data of a reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats


class Reliability(NamedTuple):
    """Test predictions of all seeds together, in bins of confidence; shape (A, bins) each, nan where a bin is empty."""

    counts: Floats
    confidence: Floats
    """Mean in the bin."""
    accuracy: Floats
    """Share of correct predictions in the bin."""


def reliability(
    curves: Sequence[AlphaCurve], bins: Mapping[str, Sequence[Sequence[float]]]
) -> tuple[Reliability | None, ...]:
    """Pool the recorded bins of each setting's students by alpha.

    Formula: per bin, with counts n, confidences c and shares r of the seeds: `sum n`, `sum n c / sum n`,
    `sum n r / sum n`.

    Args:
        curves: one for each setting.
        bins: by trial, as in `distillab.metrics.reliability`.

    Returns:
        One for each setting; None where nothing was recorded.
    """
    return tuple(_pooled(curve, bins) for curve in curves)


def _pooled(curve: AlphaCurve, bins: Mapping[str, Sequence[Sequence[float]]]) -> Reliability | None:
    recorded = [(trial.alpha, np.asarray(bins[trial.id], np.float64)) for trial in curve.trials if trial.id in bins]
    if not recorded:
        return None
    shape = (len(curve.alphas), len(recorded[0][1]))
    counts, confidence, correct = (np.zeros(shape) for _ in range(3))
    for alpha, rows in recorded:
        (index,) = np.flatnonzero(curve.alphas == alpha)
        counts[index] += rows[:, 0]
        confidence[index] += rows[:, 0] * rows[:, 1]
        correct[index] += rows[:, 0] * rows[:, 2]
    means = [np.divide(total, counts, out=np.full(shape, np.nan), where=counts > 0) for total in (confidence, correct)]
    return Reliability(counts, *means)
