"""Training examples worth showing: the teacher's predictions for them, and students'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, softmax

from distillab.analysis.curves import AlphaCurve
from distillab.analysis.setting import SettingResult
from distillab.study.storage.records import GalleryExamples, GalleryPredictions

EACH = 6
"""Examples of a kind."""

Logits = NDArray[np.floating]


class Exhibit(NamedTuple):
    """One example."""

    place: int
    """Among the gallery's examples."""
    clean: int
    given: int
    """The label that this seed's students were trained on."""
    seed: int
    """Of the students whose predictions these are."""
    teacher: Logits
    """Shape (C,)."""
    students: tuple[Logits, ...]
    """One for each of the gallery's alphas."""
    spread: float
    """Effective number of classes of the teacher's softened prediction: exp(entropy), from 1 to C."""
    matching: int
    """How many students at the chosen alpha correct the label (recovered) or predict wrongly (wrong)."""
    among: int
    """Of how many students."""


class Gallery(NamedTuple):
    """The examples of one setting."""

    examples: str
    """The identity of the set of examples: `GalleryExamples.id`."""
    alphas: tuple[float, ...]
    """Teacher alone, the chosen one and labels alone, where the study has them; ascending."""
    chosen: float
    """The alpha chosen on the validation data."""
    temperature: float
    informative: tuple[Exhibit, ...]
    """The teacher's softened predictions of highest entropy."""
    recovered: tuple[Exhibit, ...]
    """Wrong labels that most students at the chosen alpha correct."""
    wrong: tuple[Exhibit, ...]
    """Examples that most students at the chosen alpha predict wrongly."""


class Recorded(NamedTuple):
    """What was recorded of the gallery's K examples for one setting, by R seeds and A alphas."""

    examples: str
    alphas: tuple[float, ...]
    chosen: float
    seeds: list[int]
    clean: NDArray[np.int16]
    """Shape (K,), or (K, ...) where an example has several labels or a map."""
    given: NDArray[np.int16]
    """Shape (R, K, ...)."""
    logits: Logits
    """Shape (R, A, K, C)."""
    teacher: Logits
    """Shape (K, C)."""


def galleries(
    curves: Sequence[AlphaCurve],
    settings: Sequence[SettingResult],
    examples: Mapping[str, GalleryExamples],
    predictions: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> tuple[Gallery | None, ...]:
    """Choose the examples of each setting, always the same for the same results.

    Args:
        curves: one for each setting.
        settings: their results.
        examples: the sets of examples, by identity.
        predictions: students' predictions for them, by trial.
        teachers: teachers' logits for them, shape (K, C), by teacher and set of examples.

    Returns:
        One for each setting; None where nothing was recorded, no alpha could be chosen, or students were trained by
        squared error, whose outputs are no logits.
    """
    pairs = zip(curves, settings, strict=True)
    return tuple(_of_setting(*pair, examples, predictions, teachers) for pair in pairs)


def recorded_predictions(
    curve: AlphaCurve,
    result: SettingResult,
    examples: Mapping[str, GalleryExamples],
    predictions: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> Recorded | None:
    """What was recorded of one setting's gallery, at the chosen alpha and both ends of the grid.

    Args:
        curve, result: of the setting.
        examples, predictions, teachers: as in `galleries`.

    Returns:
        None where nothing was recorded, or no alpha could be chosen.
    """
    if result.best is None:
        return None
    grid, chosen = curve.alphas[curve.sound].tolist(), result.best.alpha
    alphas = tuple(sorted({grid[0], chosen, grid[-1]}))
    recorded = {(trial.seed, trial.alpha): trial for trial in curve.trials if trial.id in predictions}
    seeds = [seed for seed in curve.seeds if all((seed, alpha) in recorded for alpha in alphas)]
    if not seeds:
        return None
    first = recorded[seeds[0], alphas[0]]
    name = predictions[first.id].examples
    if name not in examples or (first.teacher, name) not in teachers:
        return None
    by_seed = [[predictions[recorded[seed, alpha].id] for alpha in alphas] for seed in seeds]
    given = np.stack([row[0].labels for row in by_seed])  # (R, K)
    logits = np.stack([[student.logits for student in row] for row in by_seed])  # (R, A, K, C)
    return Recorded(name, alphas, chosen, seeds, examples[name].labels, given, logits, teachers[first.teacher, name])


def _of_setting(
    curve: AlphaCurve,
    result: SettingResult,
    examples: Mapping[str, GalleryExamples],
    predictions: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> Gallery | None:
    kept = recorded_predictions(curve, result, examples, predictions, teachers)
    # Maps have a gallery of their own (`map_galleries`), and several labels no single class to show.
    if kept is None or curve.settings.squared or kept.clean.ndim > 1:
        return None
    name, alphas, chosen, seeds, clean, given, logits, teacher = kept
    temperature = curve.settings.temperature
    predicted = logits.argmax(-1)  # (R, A, K)
    at_chosen, at_labels_alone = predicted[:, alphas.index(chosen)], predicted[:, -1]
    perturbed = given != clean
    corrected, missed = perturbed & (at_chosen == clean), at_chosen != clean
    repeated = perturbed & (at_labels_alone == given)
    entropy = entr(softmax(teacher.astype(np.float64) / temperature, axis=-1)).sum(axis=-1)

    def exhibit(example: int, students: NDArray[np.bool_], among: int) -> Exhibit:
        """An example, with the predictions of the first of these students, shape (R, K)."""
        row = int(np.argmax(students[:, example]))
        return Exhibit(
            place=example,
            clean=int(clean[example]),
            given=int(given[row, example]),
            seed=seeds[row],
            teacher=teacher[example],
            students=tuple(logits[row, :, example]),
            spread=float(np.exp(entropy[example])),
            matching=int(students[:, example].sum()),
            among=among,
        )

    informative, recovered = _first(entropy), _first(corrected.sum(0), tie=repeated.sum(0), least=1)
    return Gallery(
        examples=name,
        alphas=alphas,
        chosen=chosen,
        temperature=temperature,
        informative=tuple(exhibit(index, np.ones_like(missed), len(seeds)) for index in informative),
        recovered=tuple(exhibit(index, corrected, int(perturbed[:, index].sum())) for index in recovered),
        wrong=tuple(exhibit(index, missed, len(seeds)) for index in _first(missed.sum(0), least=1)),
    )


def _first(score: NDArray[np.number], *, tie: NDArray[np.number] | None = None, least: float = -np.inf) -> list[int]:
    """The indices of the highest scores from `least`, at most `EACH`; of equal ones by `tie`, then in order."""
    order = np.lexsort((np.arange(len(score)), *([] if tie is None else [-tie]), -score))
    return [int(index) for index in order if score[index] >= least][:EACH]
