"""Which maps are shown: counted by hand on students whose predictions are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from distillab.analysis import alpha_curves, compare_alphas
from distillab.analysis.gallery import galleries
from distillab.analysis.map_gallery import MapGallery, map_galleries
from distillab.study.storage.records import GalleryExamples, GalleryPredictions

CLEAN = np.array([[0, 0, 1, 1], [1, 1, 0, -1], [0, 1, 0, 1]], np.int16)  # three maps of four positions


def shown(rows: Any, predict: Any, gallery: Any = map_galleries) -> MapGallery | None:
    spec = rows.spec()
    trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.05 * (alpha == 0.5))
    (curve,) = alpha_curves(spec, trials, {})
    examples = GalleryExamples(np.zeros((3, 2, 2, 1), np.float32), CLEAN, 1.0)
    predictions = {
        trial.id: GalleryPredictions(examples.id, CLEAN, np.asarray(predict(trial.alpha, trial.seed), np.float16))
        for trial in trials
    }
    teachers = {(trial.teacher, examples.id): np.maximum(CLEAN, 0).astype(np.float16) for trial in trials}
    settings = [compare_alphas(curve, margin=0.001)]
    return gallery([curve], settings, {examples.id: examples}, predictions, teachers)[0]


def test_the_maps_that_students_at_the_chosen_alpha_predict_worst_come_first(rows):
    def predict(alpha: float, seed: int) -> np.ndarray:
        maps = np.maximum(CLEAN, 0)
        if alpha == 0.5:  # the third map is wrong at two of four positions, for one seed of three at all four
            maps[2, :2] = 1 - maps[2, :2]
            maps[2, 2:] = 1 - maps[2, 2:] if seed == 1 else maps[2, 2:]
            maps[1, 0] = 0  # one of three known positions
        return maps

    gallery = shown(rows, predict)
    assert gallery is not None
    assert (gallery.alphas, gallery.chosen) == ((0.0, 0.5, 1.0), 0.5)
    assert [exhibit.place for exhibit in gallery.exhibits] == [2, 1, 0]
    np.testing.assert_allclose([exhibit.wrong for exhibit in gallery.exhibits], [(0.5 + 1 + 0.5) / 3, 1 / 3, 0])
    first = gallery.exhibits[0]
    np.testing.assert_array_equal(first.students[1], [1, 0, 0, 1])
    np.testing.assert_array_equal(first.clean, CLEAN[2])


def test_maps_are_not_shown_as_examples_of_one_class(rows):
    assert shown(rows, lambda alpha, seed: np.maximum(CLEAN, 0), galleries) is None
