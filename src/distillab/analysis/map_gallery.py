"""Training examples worth showing where every position has a class: their maps, the teacher's and students'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distillab.analysis.curves import AlphaCurve
from distillab.analysis.gallery import EACH, Logits, recorded_predictions
from distillab.analysis.setting import SettingResult
from distillab.study.storage.records import GalleryExamples, GalleryPredictions

Map = NDArray[np.integer]


class MapExhibit(NamedTuple):
    """One example; a map has shape (positions,), class numbers, -1 where the label is unknown."""

    place: int
    """Among the gallery's examples."""
    clean: Map
    given: Map
    """The labels that this seed's students were trained on."""
    teacher: Map
    students: tuple[Map, ...]
    """One for each of the gallery's alphas, of one seed."""
    wrong: float
    """Share of the positions that students at the chosen alpha predict wrongly, mean over the seeds."""


class MapGallery(NamedTuple):
    """The examples of one setting that students at the chosen alpha predict worst."""

    examples: str
    """The identity of the set of examples: `GalleryExamples.id`."""
    alphas: tuple[float, ...]
    chosen: float
    exhibits: tuple[MapExhibit, ...]


def map_galleries(
    curves: Sequence[AlphaCurve],
    settings: Sequence[SettingResult],
    examples: Mapping[str, GalleryExamples],
    predictions: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> tuple[MapGallery | None, ...]:
    """Choose the examples of each setting, always the same for the same results.

    Args:
        curves, settings, examples, predictions, teachers: as in `galleries`.

    Returns:
        One for each setting; None where nothing was recorded, or examples have one label.
    """
    pairs = zip(curves, settings, strict=True)
    return tuple(_of_setting(*pair, examples, predictions, teachers) for pair in pairs)


def _of_setting(
    curve: AlphaCurve,
    result: SettingResult,
    examples: Mapping[str, GalleryExamples],
    predictions: Mapping[str, GalleryPredictions],
    teachers: Mapping[tuple[str, str], Logits],
) -> MapGallery | None:
    kept = recorded_predictions(curve, result, examples, predictions, teachers)
    if kept is None or kept.clean.ndim == 1 or curve.settings.task == "multilabel":
        return None
    decided, chosen = kept.logits.astype(np.int16), kept.alphas.index(kept.chosen)
    known = kept.clean >= 0
    wrong = ((decided[:, chosen] != kept.clean) & known).sum(-1) / np.maximum(1, known.sum(-1))  # (R, K)
    shares = wrong.mean(axis=0)
    worst = np.argsort(-shares, kind="stable")[:EACH]
    teacher = kept.teacher.astype(np.int16)
    exhibits = (
        MapExhibit(
            int(place), kept.clean[place], kept.given[0, place], teacher[place], tuple(decided[0, :, place]),
            float(shares[place]),
        )
        for place in worst
    )  # fmt: skip
    return MapGallery(kept.examples, kept.alphas, kept.chosen, tuple(exhibits))
