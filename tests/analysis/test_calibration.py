"""Reliability pooled over seeds: counted by hand, and the same whatever the order of the rows."""

from __future__ import annotations

import numpy as np

from distillab.analysis import alpha_curves
from distillab.analysis.calibration import reliability


def test_bins_are_pooled_by_their_counts(rows):
    spec = rows.spec(seeds=2)
    trials = rows.trials(spec, lambda alpha, seed: 0.9)
    curves = alpha_curves(spec, trials, {})
    bins = {
        trial.id: [[0, 0.0, 0.0], [1, 0.6, 1.0]] if trial.seed else [[0, 0.0, 0.0], [3, 0.8, 0.5]] for trial in trials
    }
    (pooled,) = reliability(curves, bins)
    assert pooled is not None
    # (3 * 0.8 + 1 * 0.6) / 4 = 0.75 and (3 * 0.5 + 1 * 1) / 4 = 0.625
    np.testing.assert_array_equal(pooled.counts, [[0, 4]] * 3)
    np.testing.assert_allclose(pooled.confidence[:, 1], 0.75)
    np.testing.assert_allclose(pooled.accuracy[:, 1], 0.625)
    assert np.isnan(pooled.confidence[:, 0]).all()
    (again,) = reliability(alpha_curves(spec, trials[::-1], {}), bins)
    assert again is not None
    np.testing.assert_allclose(again.accuracy[:, 1], pooled.accuracy[:, 1])


def test_alphas_are_not_mixed_and_students_without_bins_are_left_out(rows):
    spec = rows.spec(seeds=2)
    trials = rows.trials(spec, lambda alpha, seed: 0.9)
    bins = {trial.id: [[10, trial.alpha, 1.0]] for trial in trials if trial.seed == 0}
    (pooled,) = reliability(alpha_curves(spec, trials, {}), bins)
    assert pooled is not None
    assert pooled.counts[:, 0].tolist() == [10, 10, 10]
    assert pooled.confidence[:, 0].tolist() == [0.0, 0.5, 1.0]


def test_a_setting_without_any_has_none(rows):
    spec = rows.spec(noise={"rate": [0.0, 0.1]})
    trials = rows.trials(spec, lambda alpha, seed: 0.9)
    bins = {trial.id: [[1, 0.5, 1.0]] for trial in trials if trial.settings["noise"]["rate"] == 0.1}
    first, second = reliability(alpha_curves(spec, trials, {}), bins)
    assert first is None
    assert second is not None
