"""The numbers of a page: those of the settings and of the store, and no more than a page can hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import alpha_curves, analyse
from distillab.report import payload as module
from distillab.report.payload import metric_numbers, study_payload
from distillab.report.picture import pictures
from distillab.report.results import Results
from distillab.study.storage.records import GalleryExamples


def wavy(alpha: float, seed: int) -> float:
    return 0.9 + 0.04 * alpha * (1 - alpha) + 0.003 * ((seed * 5 + round(10 * alpha) * 3) % 7)


def results_of(spec, trials, teachers) -> Results:
    return Results(spec, trials, teachers, [], (1.0, 1), 2, {}, {}, {}, {}, {}, {})


def payload_of(spec, trials, teachers):
    curves = alpha_curves(spec, trials, teachers)
    return study_payload(results_of(spec, trials, teachers), curves, analyse(spec, trials, teachers, curves=curves))


def test_means_intervals_and_p_are_those_of_the_finding(rows):
    spec = rows.spec(alpha=[0, 0.2, 0.5, 0.8, 1], seeds=7)
    trials, teachers = rows.trials(spec, wavy), rows.teachers()
    (curve,) = alpha_curves(spec, trials, teachers)
    (finding,) = analyse(spec, trials, teachers).settings
    found = metric_numbers(curve)
    assert found["best"] == finding.best.alpha
    assert found["teacher"] == 0.99
    for shown, row in zip(found["rows"], finding.alphas, strict=True):
        n, mean, low, high, to_labels, to_teacher = shown
        assert n == row.n
        assert [mean, low, high] == pytest.approx([row.mean, row.low, row.high], rel=1e-4)
        for told, gain in ((to_labels, row.over_labels), (to_teacher, row.over_teacher)):
            if gain is None:
                assert told is None
            else:
                assert told[:3] == pytest.approx([gain.difference, gain.low, gain.high], rel=1e-4, abs=1e-9)
                assert told[3] == pytest.approx(gain.p_holm, rel=0.06)  # two digits


def test_a_diverged_student_takes_its_alpha_out_of_choice_and_comparison(rows):
    spec = rows.spec(alpha=[0, 0.5, 1], seeds=7)
    trials = rows.trials(spec, wavy, diverged={(0.5, 3)})
    found = payload_of(spec, trials, rows.teachers())["settings"][0]
    rows_shown = found["metrics"]["accuracy"]["rows"]
    assert [row[0] for row in rows_shown] == [7, 6, 7]
    assert rows_shown[1][4] is None
    assert found["metrics"]["accuracy"]["best"] in (0, 1)
    assert found["diverged"] == [0, 1, 0]
    assert found["metrics"]["accuracy"]["dots"][3][1] is None


def test_it_is_plain_json_however_little_there_is(rows):
    spec = rows.spec()
    for done in (0, 1, 5, 9):
        text = json.dumps(payload_of(spec, rows.trials(spec, wavy)[:done], {}), allow_nan=False)
        assert "NaN" not in text


def test_in_a_large_study_only_the_studys_own_metric_has_dots(rows, monkeypatch):
    spec = rows.spec(metric="f1_macro")
    trials = rows.trials(spec, wavy)
    for trial in trials:
        trial.metrics.update({(part, "f1_macro"): 0.5 for part in ("test", "validation")})
    dotted = {
        name: found["dots"] is not None
        for name, found in payload_of(spec, trials, {})["settings"][0]["metrics"].items()
    }
    assert dotted == {"f1_macro": True, "accuracy": True}
    monkeypatch.setattr(module, "MOST_NUMBERS", 10)
    found = payload_of(spec, trials, {})["settings"][0]["metrics"]
    assert {name: one["dots"] is not None for name, one in found.items()} == {"f1_macro": True, "accuracy": False}
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    assert list(payload_of(spec, trials, {})["settings"][0]["metrics"]) == ["f1_macro"]


def test_images_are_drawn_from_what_models_see():
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    labels = np.zeros(2, np.int16)
    inputs = np.array([[[0, 51], [102, 255]], [[0, 0], [0, 0]]], np.uint8)
    found = pictures(GalleryExamples(inputs, labels, 1 / 255), [0])
    image = Image.open(BytesIO(b64decode(found[0].removeprefix("data:image/png;base64,"))))
    np.testing.assert_array_equal(np.asarray(image), inputs[0])
    colour = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    image = Image.open(BytesIO(b64decode(pictures(GalleryExamples(colour, labels, 1.0), [1])[1].split(",")[1])))
    np.testing.assert_allclose(np.asarray(image) / 255, colour[1], atol=0.5 / 255 + 1e-6)


def test_what_is_no_image_is_not_drawn():
    assert pictures(GalleryExamples(np.zeros((2, 5), np.float32), np.zeros(2, np.int16), 1.0), [0]) is None
    assert pictures(GalleryExamples(np.zeros((2, 5, 5, 7), np.float32), np.zeros(2, np.int16), 1.0), [0]) is None
