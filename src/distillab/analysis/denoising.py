"""What becomes of wrong training labels, at each alpha: put right, or repeated?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Floats, finite_intervals, seated
from distillab.analysis.numerals import alphas_in_words, percent
from distillab.data.noise import transition_matrix
from distillab.stats import holm, paired_ts
from distillab.study.settings import Settings
from distillab.study.storage.records import TrialResult
from distillab.theory import flip_threshold

SHARES = ("recovered", "memorised")
SIGNIFICANCE = 0.05


class Band(NamedTuple):
    """Means over the seeds with their 95 % t intervals, shape (A,) each; nan where there is nothing."""

    mean: Floats
    low: Floats
    high: Floats


class Denoising(NamedTuple):
    """The wrong labels of one setting.

    Shares of the training examples whose label is wrong.
    """

    label: str
    alphas: Floats
    recovered: Floats
    """Shape (R, A): answered with the clean label; nan where a student is missing or diverged."""
    memorised: Floats
    """Shape (R, A): answered with the wrong one."""
    teacher_recovered: float
    """The teacher's own, mean over the seeds; nan where it is not known."""
    teacher_memorised: float
    threshold: float
    """The alpha below which an ideal teacher outvotes every wrong label; nan where that is not known."""
    denoises: tuple[float, ...]
    """The alphas at which students are shown to recover more than with labels alone, ascending."""

    def band(self, which: str) -> Band:
        """`recovered` or `memorised`, over the seeds."""
        values: Floats = getattr(self, which)
        return Band(*(np.array(told) for told in list(zip(*finite_intervals(values), strict=True))[1:]))


def denoising(
    curves: Sequence[AlphaCurve], rows: Iterable[Sequence[TrialResult]], classes: int | None
) -> tuple[Denoising, ...]:
    """Sort the shares of recovered and memorised labels by setting and alpha.

    Args:
        curves: one for each setting.
        rows: the students of each setting.
        classes: C, where it is known.

    Returns:
        One for each setting with wrong labels and with students that were asked about them.
    """
    return tuple(
        told
        for curve, trials in zip(curves, rows, strict=True)
        if (told := _of_setting(curve, trials, classes)) is not None
    )


def _of_setting(curve: AlphaCurve, trials: Sequence[TrialResult], classes: int | None) -> Denoising | None:
    seats, shape = seated(trials, curve.alphas), (len(curve.seeds), len(curve.alphas))
    recovered = seats.table(shape, ("train", "recovered"))
    if not np.isfinite(recovered).any():
        return None
    return Denoising(
        label=curve.label,
        alphas=curve.alphas,
        recovered=recovered,
        memorised=seats.table(shape, ("train", "memorised")),
        teacher_recovered=_mean(seats.table(shape, ("train", "teacher_recovered"))),
        teacher_memorised=_mean(seats.table(shape, ("train", "teacher_memorised"))),
        threshold=threshold(curve.settings, classes),
        denoises=_denoises(curve.alphas, recovered[curve.complete]),
    )


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def threshold(settings: Settings, classes: int | None) -> float:
    """The alpha below which an ideal teacher of these labels outvotes every wrong one; nan where that is not known.

    Formula: `T d_T / (1 + T d_T)`, see `flip_threshold`; for squared errors, which know no temperature, at T = 1.
    """
    noise, squared = settings.noise, settings.label_loss == "squared"
    if not noise.perturbs or not (squared or settings.loss in ("kl", "cross_entropy")):
        return math.nan
    temperature = 1.0 if squared else settings.temperature
    if settings.teacher.labels == "clean":  # it leads by all there is
        return temperature / (1 + temperature)
    if classes is None:
        return math.nan
    transition = transition_matrix(noise.kind, classes=classes, rate=noise.rate, matrix=noise.matrix)
    return math.nan if transition is None else flip_threshold(transition, temperature=temperature)


def _denoises(alphas: Floats, recovered: Floats) -> tuple[float, ...]:
    """The alphas whose students recover more than those at alpha = 1, by a paired t test after Holm."""
    whole = np.isfinite(recovered).all(axis=0)
    hard = np.flatnonzero((alphas == 1.0) & whole)
    columns = np.flatnonzero(whole)
    if not len(hard) or len(recovered) < 2 or len(columns) < 2:
        return ()
    place = int(np.flatnonzero(columns == hard[0])[0])
    others = np.delete(columns, place)
    tests = paired_ts(recovered[:, others] - recovered[:, hard])
    adjusted = holm([test.p for test in tests])
    return tuple(
        sorted(
            float(alphas[column])
            for column, test, p in zip(others, tests, adjusted, strict=True)
            if test.difference > 0 and p <= SIGNIFICANCE
        )
    )


def in_a_sentence(one: Denoising) -> str:
    """What becomes of the wrong labels of a setting, to follow its name."""
    band, memorised = one.band("recovered"), one.band("memorised")
    ends = [index for index in dict.fromkeys((0, len(one.alphas) - 1)) if math.isfinite(band.mean[index])]
    shares = [(f"{one.alphas[i]:g}", percent(band.mean[i], 1), percent(memorised.mean[i], 1)) for i in ends]
    told = " and ".join(f"{right} at alpha = {alpha} (and repeat {wrong})" for alpha, right, wrong in shares)
    if not told:
        return "no student at either end of the grid was asked yet."
    sentence = f"students put right {told}"
    if math.isfinite(one.teacher_recovered):
        sentence += f", their teacher {percent(one.teacher_recovered, 1)}"
    if one.denoises:
        sentence += f"; more than labels alone do at alpha = {alphas_in_words(one.denoises, one.alphas.tolist())}"
    elif 1.0 in one.alphas:
        sentence += "; at no alpha is it shown to be more than labels alone do"
    if math.isfinite(one.threshold):
        sentence += f" (ideal threshold {one.threshold:.3g})"
    return f"{sentence}."
