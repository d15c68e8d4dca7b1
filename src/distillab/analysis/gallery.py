"""Single examples worth looking at: what the teacher knows of them, and what students make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, softmax

from distillab.analysis.curves import AlphaCurve, rows_of
from distillab.analysis.finding import SettingResult
from distillab.analysis.numerals import counted
from distillab.study.spec import Spec
from distillab.study.storage.records import GalleryExamples, GalleryPredictions, TrialResult

EACH = 6
"""Examples of a kind."""

Logits = NDArray[np.floating]


class Exhibit(NamedTuple):
    """One example."""

    place: int
    """Among the shown examples."""
    clean: int
    given: int
    """The label that this seed's students learned from."""
    seed: int
    """Of the students whose answers these are."""
    teacher: Logits
    """Shape (C,)."""
    students: tuple[Logits, ...]
    """One for each of the gallery's alphas."""
    told: str
    """Why it is here."""


class Gallery(NamedTuple):
    """The examples of one setting."""

    examples: str
    """Which shown examples: `GalleryExamples.id`."""
    alphas: tuple[float, ...]
    """Labels alone, teacher alone and the chosen one, as far as the study has them; ascending."""
    temperature: float
    informative: tuple[Exhibit, ...]
    """The teacher's softened answer is least sure of a single class: highest entropy first."""
    recovered: tuple[Exhibit, ...]
    """A wrong label that students at the chosen alpha most often put right."""
    wrong: tuple[Exhibit, ...]
    """Students at the chosen alpha most often answer it wrong."""


class _Class(NamedTuple):
    """What the seeds of a setting make of the shown examples; R seeds, A alphas, K examples."""

    seeds: tuple[int, ...]
    given: NDArray[np.integer]
    """(R, K)."""
    logits: Logits
    """(R, A, K, C)."""


def galleries(
    spec: Spec,
    curves: Sequence[AlphaCurve],
    findings: Sequence[SettingResult],
    trials: Iterable[TrialResult],
    examples: Mapping[str, GalleryExamples],
    shown: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> tuple[Gallery | None, ...]:
    """Choose the examples of each setting, always the same for the same rows.

    Args:
        spec: the study.
        curves: one for each setting.
        findings: what they show.
        trials: the rows of its students.
        examples: those that are shown.
        shown: students' answers to them, by trial.
        teachers: teachers' logits for them, by teacher and examples.

    Returns:
        One for each setting; None where nothing was recorded, no alpha could be chosen, or students were trained by
        squared error, whose outputs are no logits.
    """
    grouped = rows_of(spec, trials).values()
    return tuple(
        _of_setting(curve, finding, rows, examples, shown, teachers)
        for curve, finding, rows in zip(curves, findings, grouped, strict=True)
    )


def _of_setting(
    curve: AlphaCurve,
    finding: SettingResult,
    trials: Sequence[TrialResult],
    examples: Mapping[str, GalleryExamples],
    shown: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> Gallery | None:
    if finding.best is None or curve.settings.label_loss == "squared":
        return None
    grid = curve.alphas[curve.sound].tolist()
    alphas = tuple(sorted({grid[0], finding.best.alpha, grid[-1]}))
    seats = {(trial.seed, trial.alpha): trial for trial in trials if trial.id in shown}
    whole = [seed for seed in curve.seeds if all((seed, alpha) in seats for alpha in alphas)]
    if not whole:
        return None
    first = seats[whole[0], alphas[0]]
    name = shown[first.id].examples
    if name not in examples or (first.teacher, name) not in teachers:
        return None
    answers = [[shown[seats[seed, alpha].id] for alpha in alphas] for seed in whole]
    room = _Class(
        tuple(whole),
        np.stack([row[0].labels for row in answers]),
        np.stack([[one.logits for one in row] for row in answers]),
    )
    choose = _Choice(
        room,
        examples[name].labels,
        teachers[first.teacher, name],
        best=alphas.index(finding.best.alpha),
        alpha=finding.best.alpha,
        temperature=curve.settings.temperature,
    )
    return Gallery(name, alphas, curve.settings.temperature, choose.informative(), choose.recovered(), choose.wrong())


class _Choice:
    """Chooses the examples of one setting."""

    def __init__(
        self,
        room: _Class,
        clean: NDArray[np.integer],
        teacher: Logits,
        *,
        best: int,
        alpha: float,
        temperature: float,
    ) -> None:
        self.room, self.clean, self.teacher, self.alpha, self.temperature = room, clean, teacher, alpha, temperature
        answers = room.logits.argmax(-1)  # (R, A, K)
        self.chosen, self.labels_alone = answers[:, best], answers[:, -1]
        self.mislabelled = room.given != clean

    def informative(self) -> tuple[Exhibit, ...]:
        soft = softmax(self.teacher.astype(np.float64) / self.temperature, axis=-1)
        spread = entr(soft).sum(axis=-1)
        told = f"the teacher's answer at T = {self.temperature:g} spreads over {{:.1f}} classes"
        return tuple(
            self._exhibit(place, 0, told.format(np.exp(spread[place])))
            for place in _first(spread, np.ones_like(spread))
        )

    def recovered(self) -> tuple[Exhibit, ...]:
        right = self.mislabelled & (self.chosen == self.clean)
        repeated = self.mislabelled & (self.labels_alone == self.room.given)
        count, wrong = right.sum(0), self.mislabelled.sum(0)
        found = []
        for place in _first(count, count > 0, tie=repeated.sum(0)):
            who = f"{_of(count[place], wrong[place])} that were given a wrong label"
            told = f"put right by {who}, at alpha = {self.alpha:g}"
            found.append(self._exhibit(place, int(np.flatnonzero(right[:, place])[0]), told))
        return tuple(found)

    def wrong(self) -> tuple[Exhibit, ...]:
        missed = self.chosen != self.clean
        count = missed.sum(0)
        found = []
        for place in _first(count, count > 0):
            told = f"answered wrong by {_of(count[place], len(missed))} at alpha = {self.alpha:g}"
            found.append(self._exhibit(place, int(np.flatnonzero(missed[:, place])[0]), told))
        return tuple(found)

    def _exhibit(self, place: int, row: int, told: str) -> Exhibit:
        room = self.room
        return Exhibit(
            place=place,
            clean=int(self.clean[place]),
            given=int(room.given[row, place]),
            seed=room.seeds[row],
            teacher=self.teacher[place],
            students=tuple(room.logits[row, :, place]),
            told=told,
        )


def _of(count: int, among: int) -> str:
    return f"{count} of {counted(int(among), 'student')}"


def _first(
    score: NDArray[np.number], allowed: NDArray[np.generic], *, tie: NDArray[np.number] | None = None
) -> list[int]:
    """The places of the highest scores, at most `EACH`; of equal ones by `tie`, then in order."""
    order = np.lexsort((np.arange(len(score)), *([] if tie is None else [-tie]), -score))
    return [int(place) for place in order if allowed[place]][:EACH]
