"""Which examples are shown: counted by hand on students whose predictions are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distillab.analysis import alpha_curves, compare_alphas
from distillab.analysis.gallery import EACH, Gallery, galleries
from distillab.study.storage.records import GalleryExamples, GalleryPredictions

CLEAN = np.array([0, 1, 2, 0, 1, 2], np.int16)
K, C = len(CLEAN), 3


def logits_for(predictions: np.ndarray) -> np.ndarray:
    return (4 * np.eye(C)[predictions]).astype(np.float16)


def gallery_of(rows: Any, *, given: Any, predictions: Any, teacher: Any = None, **changes: Any) -> Gallery | None:
    """The gallery of a study whose students predict `predictions(alpha, seed)` from labels `given(seed)`."""
    spec = rows.spec(**changes)
    trials = rows.trials(spec, lambda alpha, seed: 0.9 + 0.05 * (alpha == 0.5))
    curves = alpha_curves(spec, trials, {})
    examples = GalleryExamples(np.zeros((K, 2, 2), np.float32), CLEAN, 1.0)
    shown = {
        trial.id: GalleryPredictions(
            examples.id, np.asarray(given(trial.seed), np.int16), logits_for(predictions(trial.alpha, trial.seed))
        )
        for trial in trials
    }
    theirs = np.zeros((K, C), np.float32) if teacher is None else teacher
    names = {(trial.teacher, examples.id): theirs for trial in trials}
    settings = [compare_alphas(curve, margin=0.001) for curve in curves]
    return galleries(curves, settings, {examples.id: examples}, shown, names)[0]


def test_the_examples_put_right_by_most_students_come_first(rows):
    def given(seed: int) -> np.ndarray:  # the first is wrong for all three seeds, the second for one, the third for two
        wrong = [seed >= 0, seed == 0, seed != 0]
        return np.where([*wrong, False, False, False], (CLEAN + 1) % C, CLEAN)

    def predictions(alpha: float, seed: int) -> np.ndarray:
        # At the chosen alpha the first is put right twice, the second once, the third never.
        return (
            np.where([seed == 2, False, True, False, False, False], (CLEAN + 1) % C, CLEAN)
            if alpha == 0.5
            else given(seed)
        )

    gallery = gallery_of(rows, given=given, predictions=predictions)
    assert gallery is not None
    assert gallery.alphas == (0.0, 0.5, 1.0)
    first, second = gallery.recovered
    assert (first.place, second.place) == (0, 1)
    assert [(exhibit.matching, exhibit.among) for exhibit in (first, second)] == [(2, 3), (1, 1)]
    assert (first.clean, first.given, first.seed) == (0, 1, 0)
    assert [exhibit.place for exhibit in gallery.wrong] == [2, 0]
    assert (gallery.wrong[0].matching, gallery.wrong[0].among, gallery.chosen) == (3, 3, 0.5)
    assert gallery.wrong[1].seed == 2  # the seed whose student is wrong


def test_of_examples_put_right_as_often_those_that_labels_alone_repeat_come_first(rows):
    given = (CLEAN + 1) % C

    def predictions(alpha: float, seed: int) -> np.ndarray:
        return np.where(np.arange(K) >= 4, given, CLEAN) if alpha == 1 else CLEAN

    gallery = gallery_of(rows, given=lambda seed: given, predictions=predictions)
    assert gallery is not None
    assert [exhibit.place for exhibit in gallery.recovered] == [4, 5, 0, 1, 2, 3]
    assert gallery.wrong == ()


def test_the_least_certain_prediction_of_the_teacher_is_most_informative(rows):
    teacher = np.array([[9, 0, 0], [1, 1, 1], [9, 9, 0], [9, 0, 0], [9, 0, 0], [9, 0, 0]], np.float32)
    gallery = gallery_of(rows, given=lambda seed: CLEAN, predictions=lambda alpha, seed: CLEAN, teacher=teacher)
    assert gallery is not None
    assert [exhibit.place for exhibit in gallery.informative[:2]] == [1, 2]
    assert gallery.informative[0].spread == pytest.approx(3.0)
    assert len(gallery.informative) == EACH
    assert gallery.recovered == ()
    np.testing.assert_array_equal(gallery.informative[0].teacher, [1, 1, 1])


def test_adding_a_constant_to_the_teachers_logits_changes_no_choice(rows):
    teacher = np.random.default_rng(0).normal(size=(K, C)).astype(np.float32)
    galleries = [
        gallery_of(rows, given=lambda seed: CLEAN, predictions=lambda alpha, seed: CLEAN, teacher=teacher + constant)
        for constant in (0, 50)
    ]
    places = [[exhibit.place for exhibit in gallery.informative] for gallery in galleries if gallery]
    assert places[0] == places[1]


@pytest.mark.parametrize("changes", [{"label_loss": "squared", "loss": "logit_mse"}])
def test_students_trained_by_squared_error_have_no_logits_to_soften(rows, changes):
    assert gallery_of(rows, given=lambda seed: CLEAN, predictions=lambda alpha, seed: CLEAN, **changes) is None


def test_the_bars_are_of_the_student_named(rows):
    gallery = gallery_of(
        rows, given=lambda seed: CLEAN, predictions=lambda alpha, seed: np.full(K, {0.0: 0, 0.5: 1, 1.0: 2}[alpha])
    )
    assert gallery is not None
    for exhibit in gallery.informative:
        assert [int(np.argmax(logits)) for logits in exhibit.students] == [0, 1, 2]
