"""What becomes of wrong labels: shares sorted by alpha, the largest alpha that still helps, the ideal threshold."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from distillab.analysis import analyse
from distillab.analysis.denoising import threshold
from distillab.study.settings import Settings

ALPHAS = [0, 0.25, 0.5, 0.75, 1]


def recovered(settings: Settings, seed: int) -> float:
    """Falls with alpha; from 0.75 on it is that of labels alone, but for a jitter."""
    return 0.9 - 0.4 * min(settings.alpha, 0.75) + 0.001 * ((seed * (1 + 4 * settings.alpha)) % 3)


def level(alpha: float, seed: int) -> float:
    return 0.9


def finding_of(rows, **keys):
    spec = rows.spec(**{"seeds": 8, "alpha": ALPHAS} | keys)
    return analyse(spec, rows.trials(spec, level, shares=recovered), rows.teachers(), classes=10)


def test_shares_are_sorted_by_seed_and_alpha_with_their_intervals(rows) -> None:
    (shares,) = finding_of(rows).denoising
    assert shares.recovered.shape == (8, 5)
    assert shares.recovered[2, 0] == pytest.approx(0.902)
    np.testing.assert_allclose(shares.memorised, 1 - shares.recovered)
    band = shares.band("recovered")
    assert band.mean[0] == pytest.approx(shares.recovered[:, 0].mean())
    assert band.low[0] < band.mean[0] < band.high[0]
    assert (shares.teacher_recovered, shares.teacher_memorised) == (0.9, pytest.approx(0.05))


def test_a_study_of_clean_and_wrong_labels_tells_of_the_wrong_ones(rows) -> None:
    spec = rows.spec(seeds=3, noise={"rate": [0, 0.2]})

    def only_wrong(settings: Settings, seed: int) -> float:
        return recovered(settings, seed) if settings.noise.rate else math.nan

    finding = analyse(spec, rows.trials(spec, level, shares=only_wrong), {})
    assert [shares.label for shares in finding.denoising] == ["noise rate 0.2"]


@pytest.mark.parametrize(
    ("noise", "labels", "expected"),
    [
        ({"kind": "symmetric", "rate": 0.4}, "noisy", 5 / 14),
        ({"kind": "symmetric", "rate": 0.4}, "own", 5 / 14),
        ({"kind": "symmetric", "rate": 0.4}, "clean", 0.5),
        ({"kind": "shift", "rate": 0.2}, "noisy", 0.375),
        ({"kind": "margin", "rate": 0.2}, "clean", 0.5),
        ({"kind": "matrix", "matrix": [[0.7, 0.3], [0.0, 1.0]]}, "noisy", 0.4 / 1.4),
        ({"kind": "shift", "rate": 0.0}, "clean", math.nan),
    ],
)
def test_the_ideal_threshold_follows_the_noise_and_what_the_teacher_saw(rows, noise, labels, expected) -> None:
    cell = rows.spec(noise=noise, teacher={"labels": labels}, temperature=1).base
    classes = 2 if noise["kind"] == "matrix" else 10
    assert threshold(cell, classes) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"temperature": 3}, 3 / 4),
        ({"temperature": 3, "loss": "cross_entropy"}, 3 / 4),
        ({"temperature": 3, "loss": "dist"}, math.nan),
        ({"temperature": 3, "loss": "logit_mse"}, math.nan),
        ({"temperature": 3, "loss": "logit_mse", "label_loss": "squared"}, 1 / 2),
        # 0.8 and 0.2 softened at T = 2 are as 2 to 1: a lead of 1/3, twice as heavy.
        (
            {"temperature": 2, "teacher": {"labels": "noisy"}, "noise": {"kind": "shift", "rate": 0.2}},
            (2 / 3) / (5 / 3),
        ),
    ],
)
def test_the_ideal_threshold_follows_temperature_and_loss(rows, keys, expected) -> None:
    cell = rows.spec(**{"noise": {"kind": "shift", "rate": 0.2}} | keys).base
    assert threshold(cell, 10) == pytest.approx(expected, nan_ok=True)


def test_an_alpha_that_recovers_no_more_is_not_counted_with_larger_ones_that_do(rows) -> None:
    """Only alpha = 0.5 recovers more than labels alone: smaller ones follow a poor teacher."""
    spec = rows.spec(seeds=8, alpha=ALPHAS)

    def only_in_the_middle(settings: Settings, seed: int) -> float:
        return 0.5 + 0.3 * (settings.alpha == 0.5) + 0.001 * ((seed * (1 + 4 * settings.alpha)) % 3)

    (shares,) = analyse(spec, rows.trials(spec, level, shares=only_in_the_middle), {}).denoising
    assert shares.denoises == (0.5,)


def test_the_shares_are_plain_json(rows) -> None:
    (shares,) = json.loads(json.dumps(finding_of(rows).to_json(), allow_nan=False))["denoising"]
    assert shares["alphas"] == ALPHAS
    assert len(shares["recovered"]["mean"]) == 5
    assert shares["denoises"] == [0, 0.25, 0.5]
