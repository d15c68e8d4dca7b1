"""Students' confidence and accuracy at each alpha: the data of a reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, mean


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
        bins: by trial, as in `distillab.metrics.reliability`; a setting without any gets None.
    """
    return tuple(_pooled(curve, bins) for curve in curves)


def _pooled(curve: AlphaCurve, bins: Mapping[str, Sequence[Sequence[float]]]) -> Reliability | None:
    recorded = [(trial.alpha, np.array(bins[trial.id], np.float64).T) for trial in curve.trials if trial.id in bins]
    if not recorded:
        return None
    totals = np.zeros((3, len(curve.alphas), recorded[0][1].shape[1]))
    for alpha, (counts, confidence, correct) in recorded:
        totals[:, curve.alphas == alpha] += np.stack([counts, counts * confidence, counts * correct])[:, None]
    return Reliability(totals[0], *(mean(total, totals[0]) for total in totals[1:]))
