"""The likely clean labels of validation examples: of independent labels and of yes or no."""

from __future__ import annotations

import numpy as np

from distillab.study.clean_labels import clean_labels
from distillab.study.storage.records import ValidationExamples, ValidationPredictions

V = 200


def test_independent_labels_are_judged_one_by_one_without_unknown_entries():
    rng = np.random.default_rng(2)
    truth = (rng.random((V, 3)) < 0.3).astype(np.int16)
    given = np.where((truth == 1) & (rng.random((V, 3)) < 0.3), 0, truth).astype(np.int16)  # missed tags
    given[:10, 1] = -1
    yes = (0.05 + 0.9 * truth + 0.0 * rng.random((V, 3))).astype(np.float16)
    good, missing = (ValidationPredictions(p, given) for p in (yes, np.where(given == 1, yes, np.float16(0.05))))
    clean = clean_labels([good, good, missing], ValidationExamples(yes, np.zeros(V, bool)))
    scores = clean.score([good.probabilities, missing.probabilities])
    assert scores[0] > scores[1]
    assert [len(posterior) for posterior in clean.posterior] == [V, V - 10, V]
    wrong = ((given != truth) & (given >= 0)).sum() / (given >= 0).sum()
    assert clean.share.low < wrong < clean.share.high


def test_one_independent_label_is_yes_or_no():
    yes = np.array([[0.9], [0.2], [0.8]], np.float16)
    given = np.array([[1], [0], [1]], np.int16)
    clean = clean_labels([ValidationPredictions(yes, given)], ValidationExamples(yes, np.zeros(3, bool)))
    assert clean.posterior[0].shape == (3, 2)
