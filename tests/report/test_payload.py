"""The numbers of a page: those of the settings and of the store, and no more than a page can hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distillab.analysis import alpha_curves, analyse
from distillab.report import payload as module
from distillab.report.charts.metric_numbers import metric_numbers
from distillab.report.payload import study_payload
from distillab.report.picture import pictures
from distillab.report.results import Results
from distillab.study.storage.records import GalleryExamples


def wavy(alpha: float, seed: int) -> float:
    return 0.9 + 0.04 * alpha * (1 - alpha) + 0.003 * ((seed * 5 + round(10 * alpha) * 3) % 7)


def results_of(spec, trials, teachers) -> Results:
    return Results(spec, trials, teachers, [], (1.0, 1), 2, {}, {}, {}, {}, {}, {}, {}, {})


def payload_of(spec, trials, teachers):
    curves = alpha_curves(spec, trials, teachers)
    return study_payload(results_of(spec, trials, teachers), curves, analyse(spec, trials, teachers, curves=curves))


def rows_in(payload, encoded, chart: str, table: str) -> list[dict]:
    """A table of a chart as the page reads it."""
    fields = payload["fields"][chart][table]
    return [dict(zip(fields, row, strict=True)) for row in encoded["tables"].get(table, [])]


def test_means_intervals_and_p_are_those_of_the_finding(rows):
    spec = rows.spec(alpha=[0, 0.2, 0.5, 0.8, 1], seeds=7)
    trials, teachers = rows.trials(spec, wavy), rows.teachers()
    (curve,) = alpha_curves(spec, trials, teachers)
    (finding,) = analyse(spec, trials, teachers).settings
    numbers = metric_numbers(curve)
    assert numbers.best == finding.best.alpha
    for index, row in enumerate(finding.alphas):
        assert (numbers.n[index], numbers.mean[index], numbers.low[index], numbers.high[index]) == row[1:5]
        for reference, gain in (("labels", row.over_labels), ("teacher", row.over_teacher)):
            difference = numbers.differences[reference].get(index)
            if gain is None:
                assert difference is None
            else:
                assert difference == pytest.approx((gain.difference, gain.low, gain.high, gain.p_holm))
    shown = payload_of(spec, trials, teachers)
    metric = shown["settings"][0]["metrics"]["accuracy"]
    means = [row["value"] for row in rows_in(shown, metric["metric"], "metric", "rows")]
    assert means == pytest.approx([100 * row.mean for row in finding.alphas], rel=1e-4)
    gains = [row["value"] for row in rows_in(shown, metric["differences"]["labels"], "differences", "rows")]
    assert gains == pytest.approx([100 * row.over_labels.difference for row in finding.alphas[:-1]], rel=1e-4, abs=1e-9)


def test_a_diverged_student_takes_its_alpha_out_of_choice_and_comparison(rows):
    spec = rows.spec(alpha=[0, 0.5, 1], seeds=7)
    trials = rows.trials(spec, wavy, diverged={(0.5, 3)})
    payload = payload_of(spec, trials, rows.teachers())
    metric = payload["settings"][0]["metrics"]["accuracy"]
    shown = rows_in(payload, metric["metric"], "metric", "rows")
    assert [(row["n"], row["diverged"]) for row in shown] == [(7, 0), (6, 1), (7, 0)]
    assert shown[1]["to labels alone"] == "-"
    assert rows_in(payload, metric["metric"], "metric", "choice")[0]["alpha"] in (0, 1)
    assert len(rows_in(payload, metric["metric"], "metric", "dots")) == 20
    assert {row["alpha"] for row in rows_in(payload, metric["differences"]["labels"], "differences", "rows")} == {0}


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
        name: "dots" in metric["metric"]["tables"]
        for name, metric in payload_of(spec, trials, {})["settings"][0]["metrics"].items()
    }
    assert dotted == {"f1_macro": True, "accuracy": True}
    monkeypatch.setattr(module, "MOST_NUMBERS", 10)
    metrics = payload_of(spec, trials, {})["settings"][0]["metrics"]
    dotted = {name: "dots" in metric["metric"]["tables"] for name, metric in metrics.items()}
    assert dotted == {"f1_macro": True, "accuracy": False}
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    assert list(payload_of(spec, trials, {})["settings"][0]["metrics"]) == ["f1_macro"]


def test_images_are_drawn_from_what_models_see():
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    labels = np.zeros(2, np.int16)
    inputs = np.array([[[0, 51], [102, 255]], [[0, 0], [0, 0]]], np.uint8)
    metrics = pictures(GalleryExamples(inputs, labels, 1 / 255), [0])
    image = Image.open(BytesIO(b64decode(metrics[0].removeprefix("data:image/png;base64,"))))
    np.testing.assert_array_equal(np.asarray(image), inputs[0])
    colour = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    image = Image.open(BytesIO(b64decode(pictures(GalleryExamples(colour, labels, 1.0), [1])[1].split(",")[1])))
    np.testing.assert_allclose(np.asarray(image) / 255, colour[1], atol=0.5 / 255 + 1e-6)


def test_what_is_no_image_is_not_drawn():
    assert pictures(GalleryExamples(np.zeros((2, 5), np.float32), np.zeros(2, np.int16), 1.0), [0]) is None
    assert pictures(GalleryExamples(np.zeros((2, 5, 5, 7), np.float32), np.zeros(2, np.int16), 1.0), [0]) is None
