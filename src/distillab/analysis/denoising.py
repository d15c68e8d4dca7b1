"""Students' predictions for training examples with wrong labels, at each alpha: corrected or memorised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, finite_intervals
from distillab.data.noise import transition_matrix
from distillab.stats import holm, paired_ts
from distillab.study.settings import Settings
from distillab.theory import flip_threshold

SHARES = ("recovered", "memorised")
SIGNIFICANCE = 0.05


class Band(NamedTuple):
    """Means over the seeds with their 95 % t intervals, shape (A,) each; nan where there are no students."""

    mean: Floats
    low: Floats
    high: Floats


class Denoising(NamedTuple):
    """The wrong labels of one setting, as shares of the training examples whose label is wrong."""

    label: str
    alphas: Floats
    recovered: Floats
    """Shape (R, A): predicted as the clean label; nan where a student is missing or diverged."""
    memorised: Floats
    """Shape (R, A): predicted as the wrong label."""
    teacher_recovered: float
    """The teacher's own, mean over the seeds; nan where it is not known."""
    teacher_memorised: float
    threshold: float
    """The alpha below which an ideal teacher outvotes every wrong label; nan where that is not known."""
    denoises: tuple[float, ...]
    """The alphas at which students are shown to recover more than with labels alone, ascending."""

    def band(self, which: str) -> Band:
        """Means and intervals over the seeds.

        Args:
            which: "recovered" or "memorised".
        """
        values: Floats = getattr(self, which)
        _, *columns = zip(*finite_intervals(values), strict=True)
        return Band(*map(np.array, columns))


def denoising(curves: Sequence[AlphaCurve], classes: int | None) -> tuple[Denoising, ...]:
    """Collect the shares of recovered and memorised labels by setting and alpha, where they were recorded.

    Args:
        curves: one for each setting.
        classes: C, where it is known.
    """
    settings = (_of_setting(curve, classes) for curve in curves)
    return tuple(shares for shares in settings if shares is not None)


def _of_setting(curve: AlphaCurve, classes: int | None) -> Denoising | None:
    table = curve.table
    recovered = table.values(("train", "recovered"))
    if not np.isfinite(recovered).any():
        return None
    return Denoising(
        label=curve.label,
        alphas=curve.alphas,
        recovered=recovered,
        memorised=table.values(("train", "memorised")),
        teacher_recovered=_mean(table.values(("train", "teacher_recovered"))),
        teacher_memorised=_mean(table.values(("train", "teacher_memorised"))),
        threshold=threshold(curve.settings, classes),
        denoises=_denoises(curve.alphas, recovered[curve.complete]),
    )


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def threshold(settings: Settings, classes: int | None) -> float:
    """The alpha below which an ideal teacher of these labels outvotes every wrong one; nan where that is not known.

    Formula: `T d_T / (1 + T d_T)`, see `flip_threshold`; for squared errors, which have no temperature, at T = 1.

    Args:
        settings: noise, temperature and losses.
        classes: C, where it is known.
    """
    noise, squared = settings.noise, settings.squared
    if settings.task in ("binary", "multilabel"):
        classes = 2  # of each label
    if not noise.perturbs or not (squared or settings.loss in ("kl", "cross_entropy")):
        return math.nan
    temperature = 1.0 if squared else settings.temperature
    if settings.teacher.labels == "clean":  # the clean class has the whole lead: d_T = 1
        return temperature / (1 + temperature)
    if classes is None:
        return math.nan
    transition = transition_matrix(noise.kind, classes=classes, rate=noise.rate, matrix=noise.matrix)
    return math.nan if transition is None else flip_threshold(transition, temperature=temperature)


def _denoises(alphas: Floats, recovered: Floats) -> tuple[float, ...]:
    """The alphas whose students recover more than those at alpha = 1, by a paired t test after Holm."""
    complete = np.isfinite(recovered).all(axis=0)
    labels_alone = np.flatnonzero((alphas == 1.0) & complete)
    others = np.flatnonzero((alphas != 1.0) & complete)
    if not len(labels_alone) or len(recovered) < 2 or not len(others):
        return ()
    tests = paired_ts(recovered[:, others] - recovered[:, labels_alone])
    adjusted = holm([test.p for test in tests])
    more = [test.difference > 0 and p <= SIGNIFICANCE for test, p in zip(tests, adjusted, strict=True)]
    return tuple(alphas[others[more]].tolist())
