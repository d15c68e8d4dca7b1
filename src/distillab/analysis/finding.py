"""What one setting of a study shows, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from distillab.analysis.curves import AlphaCurve, Divergence, Floats
from distillab.stats import Comparison, Verdict, VerdictKind, compare_to, model_confidence_set, verdict

SEEDS_FOR_A_RANGE = 6
"""Fewer seeds than this cannot exclude any alpha at 95 %: R seeds give no sign-flip p below 2^(1-R)."""

_TIE = 1e-9
"""Validation means closer than this are the same counts, summed in another order."""


class Gain(NamedTuple):
    """One alpha minus another on the test set, seed by seed, in the metric's own numbers."""

    difference: float
    low: float
    high: float
    n: int
    p: float
    """Two-sided paired t."""
    p_holm: float
    """The same after Holm over all alphas compared."""
    p_sign_flip: float


class Row(NamedTuple):
    """One alpha."""

    alpha: float
    n: int
    mean: float
    low: float
    high: float
    validation: float
    """Mean over the same seeds."""
    over_labels: Gain | None
    """Against alpha = 1."""
    over_teacher: Gain | None
    """Against alpha = 0."""
    in_range: bool | None
    """Whether it is in the optimal range; None where that is not known."""
    diverged: int


class Choice(NamedTuple):
    """The alpha with the best mean on the validation split; of equal ones the largest, nearest to plain labels."""

    alpha: float
    validation: float
    test: float
    low: float
    high: float
    over_labels: Gain | None
    over_teacher: Gain | None


@dataclass(frozen=True, kw_only=True)
class SettingResult:
    """What one setting shows.

    Args:
        label: what tells it from the study's other settings; empty where it is the only one.
        verdict: on the sound alphas and complete seeds; None where nothing can be compared.
        best: None where no seed is complete.
        optimal_range: the alphas of the 95 % model confidence set, ascending; None where there are too few seeds to
            exclude any, or alphas to compare.
        rows: one for each alpha, ascending.
        teacher: its metric on the test set.
        seeds: that the study asks for.
        complete: seeds in which every sound alpha is finished.
        students: that the study asks for.
        missing: students not there yet.
        diverged: every diverged student.
        perturbed: whether labels are wrong on purpose.
        dataset, loss, noise_kind, noise_rate, temperature, teacher_labels, validation_labels: of the setting.
    """

    label: str
    verdict: Verdict | None
    best: Choice | None
    optimal_range: tuple[float, ...] | None
    rows: tuple[Row, ...]
    teacher: float | None
    seeds: int
    complete: int
    students: int
    missing: int
    diverged: tuple[Divergence, ...]
    dataset: str
    loss: str
    noise_kind: str
    noise_rate: float
    perturbed: bool
    temperature: float
    teacher_labels: str
    validation_labels: str

    @property
    def kind(self) -> VerdictKind:
        """The verdict in a word."""
        return self.verdict.kind if self.verdict else "undecided"

    @property
    def teacher_alone(self) -> str:
        """What a student at alpha = 0 listens to."""
        return "the virtual teacher alone" if self.loss == "teacher_free" else "the teacher alone"

    @property
    def noise(self) -> str:
        """The wrong labels in words, to follow "with": such as "10 % of the training labels perturbed (shift)"."""
        if not self.perturbed:
            return "clean labels"
        share = "training labels" if self.noise_kind == "matrix" else f"{100 * self.noise_rate:g} % of training labels"
        return f"{share} perturbed ({self.noise_kind})"

    @property
    def finished(self) -> int:
        """Students that were trained to their end."""
        return self.students - self.missing - len(self.diverged)

    def row(self, alpha: float) -> Row | None:
        """The row of one alpha, if the study has it."""
        return next((row for row in self.rows if row.alpha == alpha), None)

    def unsound(self, alpha: float) -> bool:
        """Whether any student at this alpha diverged."""
        return any(student.alpha == alpha for student in self.diverged)


def find(curve: AlphaCurve, *, margin: float, significance: float = 0.05) -> SettingResult:
    """Compare the alphas of one setting.

    An alpha with a diverged student is neither chosen nor compared: the mean of its surviving seeds would flatter it.

    Args:
        curve: the setting's students.
        margin: > 0, the largest gain that does not matter, as a proportion.
        significance: of the verdict.

    Returns:
        `Finding`, the same at every call: what is drawn at random is drawn from a fixed seed.
    """
    sound = np.flatnonzero(curve.sound)
    sign = curve.measure.sign  # the statistics take more for better
    paired = sign * curve.test[np.ix_(curve.complete, sound)]
    alphas = curve.alphas[sound]
    gains: dict[float, dict[int, Gain]] = {1.0: {}, 0.0: {}}
    ruling, within = None, np.zeros(len(sound), dtype=np.bool_)
    telling = len(paired) >= SEEDS_FOR_A_RANGE and len(alphas) > 1
    if paired.size:
        ruling = verdict(paired, alphas, margin=margin, significance=significance, shares=False)
        if telling:
            within = model_confidence_set(paired, rng=np.random.default_rng(0)).included
        for reference, found in gains.items():
            found |= _gains(paired, alphas, sound, reference, sign)
    rows = []
    for index, alpha in enumerate(curve.alphas.tolist()):
        n, mean, low, high = curve.intervals[index]
        known = paired.size > 0 and index in sound
        rows.append(
            Row(
                alpha=alpha,
                n=n,
                mean=mean,
                low=low,
                high=high,
                validation=_mean(curve.validation[:, index], curve.complete if known else None),
                over_labels=gains[1.0].get(index),
                over_teacher=gains[0.0].get(index),
                in_range=bool(within[np.flatnonzero(sound == index)[0]]) if telling and known else None,
                diverged=int(curve.diverged_count[index]),
            )
        )
    settings = curve.settings
    return SettingResult(
        label=curve.label,
        verdict=ruling,
        best=_choose([rows[index] for index in sound], sign) if paired.size else None,
        optimal_range=tuple(alphas[within].tolist()) if telling else None,
        rows=tuple(rows),
        teacher=curve.teacher,
        seeds=len(curve.seeds),
        complete=int(curve.complete.sum()),
        students=curve.test.size,
        missing=curve.missing,
        diverged=curve.diverged,
        dataset=settings.dataset,
        loss=settings.loss,
        noise_kind=settings.noise.kind,
        noise_rate=settings.noise.rate,
        perturbed=settings.noise.perturbs,
        temperature=settings.temperature,
        teacher_labels=settings.teacher.labels,
        validation_labels=settings.validation.labels,
    )


def _gains(paired: Floats, alphas: Floats, columns: np.ndarray, reference: float, sign: int) -> dict[int, Gain]:
    place = np.flatnonzero(alphas == reference)
    if not len(place) or len(alphas) < 2:
        return {}
    compared = compare_to(paired, int(place[0]), rng=np.random.default_rng(0), bootstrap=False)
    return {int(columns[one.column]): _gain(one, sign) for one in compared}


def _gain(one: Comparison, sign: int) -> Gain:
    interval, test = one.t_interval, one.paired_t
    low, high = sorted((sign * interval.low, sign * interval.high))
    return Gain(sign * test.difference, low, high, test.n, test.p, one.p_adjusted, one.sign_flip.p)


def chosen_alpha(alphas: Floats, validation: Floats) -> float:
    """The alpha with the best mean on the validation data; of equal ones the largest, nearest to plain labels.

    Args:
        alphas: shape (A,).
        validation: shape (A,), of which more is better.
    """
    return float(chosen_alphas(alphas, validation[None])[0])


def chosen_alphas(alphas: Floats, validation: Floats) -> Floats:
    """The same for every row of validation means, shape (N, A)."""
    best = validation >= validation.max(axis=1, keepdims=True) - _TIE
    return np.asarray(np.where(best, alphas, -np.inf).max(axis=1))


def _choose(rows: list[Row], sign: int) -> Choice:
    alphas = np.array([row.alpha for row in rows])
    alpha = chosen_alpha(alphas, sign * np.array([row.validation for row in rows]))
    best = next(row for row in rows if row.alpha == alpha)
    return Choice(best.alpha, best.validation, best.mean, best.low, best.high, best.over_labels, best.over_teacher)


def _mean(values: Floats, chosen: np.ndarray | None) -> float:
    used = values[chosen] if chosen is not None else values[np.isfinite(values)]
    return float(used.mean()) if len(used) else math.nan
