"""What one setting of a study shows: its alphas compared, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.choice import BY_METRIC, Choice, Score
from distillab.analysis.curves import AlphaCurve, Divergence, Floats, within
from distillab.analysis.over_both import OverBoth, gain_over_both
from distillab.metrics.metric import Metric
from distillab.stats import (
    DIFFERENCES,
    Comparison,
    Interval,
    Verdict,
    VerdictKind,
    compare_to,
    intervals_over_seeds,
    model_confidence_set,
    verdict,
)
from distillab.study.clean_labels import looks_wrong

SEEDS_FOR_A_RANGE = 6
"""Fewer seeds than this cannot exclude any alpha at 95 %: R seeds give no sign-flip p below 2^(1-R)."""


class Gain(NamedTuple):
    """One alpha minus another on the test set, paired by seed, in the metric's own numbers."""

    difference: float
    low: float
    """Ends of the 95 % t interval; with two or three seeds the least and the largest difference."""
    high: float
    n: int
    p: float
    """Two-sided paired t."""
    p_holm: float
    """The same after Holm over all alphas compared."""
    p_sign_flip: float


class AlphaResult(NamedTuple):
    """The students at one alpha."""

    alpha: float
    n: int
    mean: float
    low: float
    """As in `Gain`."""
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


@dataclass(frozen=True, kw_only=True)
class SettingResult:
    """What one setting shows.

    Args:
        label: distinguishes it from the study's other settings; empty where it is the only one.
        verdict: on the sound alphas and complete seeds; None where nothing can be compared.
        best: the alpha with the best mean of the score that chooses on the validation split, of equal ones the largest
            (nearest to labels alone); None where no seed is complete.
        score: what chose it: the metric itself, or "robust", how well students predict the likely clean labels.
        robust: the alpha that "robust" chooses, whatever chose; None where it is not known.
        wrong_labels: the estimated share of wrong validation labels; None where it is not known.
        optimal_range: the alphas of the 95 % model confidence set, ascending; None where there are too few seeds to
            exclude any, or too few alphas to compare.
        alphas: one result for each alpha, ascending.
        teacher: the teacher's metric on the test set; None where it is not known.
        seeds: the number of seeds that the study asks for.
        complete: seeds in which every sound alpha is finished.
        students: the number of students that the study asks for.
        missing: students not recorded yet.
        diverged: every diverged student.
        perturbed: whether training labels are perturbed.
        over_labels, over_teacher: the gain of the chosen alpha for other seeds and other test examples, over alpha = 1
            and over alpha = 0; None where it is not known (`gain_over_both`).
        dataset, task, loss, noise_kind, noise_rate, temperature, teacher_labels, validation_labels: of the setting.
    """

    label: str
    verdict: Verdict | None
    best: AlphaResult | None
    optimal_range: tuple[float, ...] | None
    alphas: tuple[AlphaResult, ...]
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
    task: str = "categorical"
    over_labels: OverBoth | None = None
    over_teacher: OverBoth | None = None
    score: Score = "metric"
    robust: float | None = None
    wrong_labels: Interval | None = None

    @property
    def labels_look_wrong(self) -> bool:
        """Whether validation labels look wrong."""
        return self.wrong_labels is not None and looks_wrong(self.wrong_labels)

    @property
    def kind(self) -> VerdictKind:
        """The verdict's kind; "undecided" where nothing can be compared."""
        return self.verdict.kind if self.verdict else "undecided"

    @property
    def finished(self) -> int:
        """Students that were trained to the end."""
        return self.students - self.missing - len(self.diverged)

    @property
    def grid(self) -> list[float]:
        """Every alpha of the study, ascending."""
        return [result.alpha for result in self.alphas]

    def at(self, alpha: float) -> AlphaResult | None:
        """The result of one alpha.

        Args:
            alpha: of the study's grid; None is returned for any other.
        """
        return next((result for result in self.alphas if result.alpha == alpha), None)


def compare_alphas(
    curve: AlphaCurve,
    *,
    margin: float,
    choice: Choice | None = None,
    correct: Mapping[str, NDArray[np.bool_]] | None = None,
) -> SettingResult:
    """Compare the alphas of one setting.

    An alpha with a diverged student is neither chosen nor compared: the mean of its surviving seeds would flatter it.

    Args:
        curve: the setting's students.
        margin: > 0, the largest gain that does not matter, as a proportion.
        choice: where the curve's scores come from; None: the metric on the validation labels as given.
        correct: whether each test prediction is right, by trial.
    """
    sound = np.flatnonzero(curve.sound)
    sign = curve.metric.sign  # the statistics take more for better
    paired = sign * curve.test[np.ix_(curve.complete, sound)]
    alphas = curve.alphas[sound]
    mixtures = (alphas >= 0) & (alphas <= 1)
    asked = paired[:, mixtures]  # the verdict is about mixtures
    results = _results(curve, paired, sound)
    settings, choice = curve.settings, choice or BY_METRIC
    best = next(result for result in results if result.alpha == curve.chosen()) if paired.size else None
    over = {} if best is None else {end: gain_over_both(curve, best.alpha, end, correct or {}) for end in (0.0, 1.0)}
    return SettingResult(
        label=curve.label,
        verdict=verdict(asked, alphas[mixtures], margin=margin, shares=False) if asked.size else None,
        best=best,
        optimal_range=_optimal_range(results),
        alphas=results,
        teacher=curve.teacher,
        seeds=len(curve.seeds),
        complete=int(curve.complete.sum()),
        students=curve.test.size,
        missing=curve.missing,
        diverged=curve.diverged,
        dataset=settings.dataset,
        task=settings.task,
        loss=settings.loss,
        noise_kind=settings.noise.kind,
        noise_rate=settings.noise.rate,
        perturbed=settings.noise.perturbs,
        temperature=settings.temperature,
        teacher_labels=settings.teacher.labels,
        validation_labels=settings.validation.labels,
        score=choice.score,
        robust=curve.chosen(choice.robust) if paired.size and choice.robust is not None else None,
        wrong_labels=choice.share,
        over_labels=over.get(1.0),
        over_teacher=over.get(0.0),
    )


def _results(curve: AlphaCurve, paired: Floats, sound: NDArray[np.intp]) -> tuple[AlphaResult, ...]:
    """The students at each alpha, the sound ones compared: `paired` has their scores, shape (R, number of sound)."""
    alphas = curve.alphas[sound]
    in_range: dict[int, bool] = {}
    if len(paired) >= SEEDS_FOR_A_RANGE and len(alphas) > 1:
        included = model_confidence_set(paired, rng=np.random.default_rng(0)).included
        in_range = dict(zip(sound.tolist(), included.tolist(), strict=True))
    over_labels, over_teacher = (_gains(paired, alphas, sound, reference, curve.metric) for reference in (1.0, 0.0))
    results = []
    for index, alpha in enumerate(curve.alphas.tolist()):
        compared = paired.size > 0 and index in sound
        results.append(
            AlphaResult(
                alpha,
                *curve.intervals[index],
                validation=_mean(curve.validation[:, index], curve.complete if compared else None),
                over_labels=over_labels.get(index),
                over_teacher=over_teacher.get(index),
                in_range=in_range.get(index),
                diverged=int(curve.diverged_count[index]),
            )
        )
    return tuple(results)


def _optimal_range(results: Sequence[AlphaResult]) -> tuple[float, ...] | None:
    known = any(result.in_range is not None for result in results)
    return tuple(result.alpha for result in results if result.in_range) if known else None


def _gains(paired: Floats, alphas: Floats, columns: np.ndarray, reference: float, metric: Metric) -> dict[int, Gain]:
    """Every other alpha minus the reference, by the alpha's index in the grid."""
    column = np.flatnonzero(alphas == reference)
    if not paired.size or not len(column) or len(alphas) < 2:
        return {}
    compared = compare_to(paired, int(column[0]), rng=np.random.default_rng(0), bootstrap=False)
    ends = intervals_over_seeds(paired - paired[:, column[:1]])
    return {int(columns[one.column]): _gain(one, ends[one.column], metric.sign, metric.unit == "%") for one in compared}


def _gain(comparison: Comparison, interval: Interval, sign: int, share: bool) -> Gain:
    test = comparison.paired_t
    low, high = sorted((sign * interval.low, sign * interval.high))
    if share:
        low, high = within(low, high, DIFFERENCES)
    return Gain(sign * test.difference, low, high, test.n, test.p, comparison.p_adjusted, comparison.sign_flip.p)


def _mean(values: Floats, chosen: np.ndarray | None) -> float:
    used = values[chosen] if chosen is not None else values[np.isfinite(values)]
    return float(used.mean()) if len(used) else math.nan
