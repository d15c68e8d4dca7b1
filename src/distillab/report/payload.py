"""What the page's charts show, as plain numbers: aggregated here, so that the page has nothing to work out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.analysis import Finding, alpha_curves
from distillab.analysis.calibration import Reliability, reliability
from distillab.analysis.curves import AlphaCurve
from distillab.analysis.denoising import SHARES, Denoising
from distillab.analysis.gallery import Exhibit, Gallery, galleries
from distillab.analysis.prediction import Prediction
from distillab.analysis.setting import chosen_alpha
from distillab.analysis.trend import AxisTrend
from distillab.metrics import precision_recall_f1
from distillab.metrics.metric import METRICS, Metric
from distillab.report.accuracy_vs_alpha import spans
from distillab.report.picture import pictures
from distillab.report.results import Results
from distillab.report.view.gallery import exhibit_reason
from distillab.stats import holm, paired_t, t_interval

MOST_GALLERIES = 12
"""Settings whose examples are shown; pictures are large."""

MOST_NUMBERS = 100_000
"""Of confusion matrices in a page, and of single students' dots: both are most of it in a large study."""

MOST_ROWS = 20_000
"""Alphas of all settings, times the metrics that are shown."""

DIGITS = 5
KINDS = {
    "informative": "Most informative",
    "recovered": "Most often put right",
    "wrong": "Most often wrong",
}


def study_payload(results: Results, curves: Sequence[AlphaCurve], answer: Finding) -> dict[str, Any]:
    """Gather the numbers of a study's page.

    Args:
        results: what the folder holds.
        curves: one for each setting, of the study's metric.
        answer: what they show.

    Returns:
        Plain lists, mappings, numbers and strings; null for what is not there.
    """
    spec, trials = results.spec, results.trials
    recorded = {name for trial in trials for part, name in trial.metrics if part == "test"}
    main = spec.objective.metric
    names = [main, *(name for name in METRICS if name in recorded and name != main)]
    names = names[: max(1, MOST_ROWS // sum(len(curve.alphas) for curve in curves))]
    dotted = names if len(trials) * len(names) <= MOST_NUMBERS else [main]
    by_metric = {name: curves if name == main else curves_by(results, name) for name in names}
    shown = galleries(
        curves, answer.settings, results.examples, results.example_predictions, results.teacher_example_predictions
    )
    bins = reliability(curves, results.reliability)
    matrices = _confusions(results, curves)
    denoised = {one.label: one for one in answer.denoising}
    foretold = {one.label: one for one in answer.predictions}
    settings = []
    for index, (curve, finding) in enumerate(zip(curves, answer.settings, strict=True)):
        gallery = shown[index] if index < MOST_GALLERIES else None
        settings.append(
            {
                "label": finding.label,
                "alphas": curve.alphas.tolist(),
                "optimal": spans(curve.alphas, np.array([row.in_range is True for row in finding.alphas])),
                "best": finding.best.alpha if finding.best else None,
                "diverged": curve.diverged_count.tolist() if curve.diverged else None,
                "metrics": {name: metric_numbers(by_metric[name][index], dots=name in dotted) for name in names},
                "learning": _learning(curve),
                "confusion": matrices[index],
                "reliability": _reliability(bins[index]),
                "denoising": _denoising(denoised.get(finding.label)),
                "predicted": _predicted(foretold.get(finding.label)),
                "gallery": _gallery(gallery, results),
            }
        )
    return {
        "metric": main,
        "measures": {name: measure_words(METRICS[name]) for name in names},
        "classes": class_names(results),
        "settings": settings,
        "across": [_across(one, answer.metric) for one in answer.trends],
        "axis": answer.trends[0].name if answer.trends else None,
    }


def class_names(results: Results) -> list[str]:
    """The names of the classes, as far as they are known."""
    return results.class_names or [str(number) for number in range(results.classes or 0)]


def metric_numbers(curve: AlphaCurve, *, dots: bool = True) -> dict[str, Any]:
    """One metric of one setting at each alpha.

    Formula: intervals are Student's t; p is of the paired t test over the complete seeds, after Holm over the sound
    alphas compared with the same reference, as in `Finding`.

    Args:
        curve: the setting's students by that metric.
        dots: whether single students are wanted.

    Returns:
        "rows": for each alpha n, mean, low, high, and the differences to alpha = 1 and to alpha = 0, each as
        difference, low, high, p, or null; "dots": (R, A); "teacher"; "best", the alpha that this metric chooses on the
        validation data.
    """
    sound, paired = np.flatnonzero(curve.sound), curve.test[curve.complete]
    against = [_differences(curve, paired, sound, reference) for reference in (1.0, 0.0)]
    rows = []
    for index in range(len(curve.alphas)):
        n, *values = curve.intervals[index]
        rows.append([n, *_rounded(values), *(found.get(index) for found in against)])
    validation = curve.validation[np.ix_(curve.complete, sound)]
    chosen = len(validation) > 0 and len(sound) > 0 and bool(np.isfinite(validation).all())
    return {
        "rows": rows,
        "dots": _rounded(curve.test) if dots else None,
        "teacher": _number(curve.teacher),
        "best": chosen_alpha(curve.alphas[sound], curve.metric.sign * validation.mean(axis=0)) if chosen else None,
    }


def _differences(
    curve: AlphaCurve, paired: NDArray[np.float64], sound: NDArray[np.intp], reference: float
) -> dict[int, list[Any]]:
    """Every other sound alpha less the reference, by its place."""
    place = [int(index) for index in sound if curve.alphas[index] == reference]
    others = [int(index) for index in sound if curve.alphas[index] != reference]
    if not place or not others or not len(paired):
        return {}
    apart = {index: paired[:, index] - paired[:, place[0]] for index in others}
    if len(paired) < 2:
        return {index: [_number(float(values[0])), None, None, None] for index, values in apart.items()}
    adjusted = holm([paired_t(values).p for values in apart.values()])
    told = {}
    for (index, values), p in zip(apart.items(), adjusted, strict=True):
        interval = t_interval(values)
        told[index] = [*_rounded([float(values.mean()), interval.low, interval.high]), _number(float(p), 2)]
    return told


def curves_by(results: Results, metric: str) -> tuple[AlphaCurve, ...]:
    """A study's curves by another metric than its own."""
    spec = results.spec
    asked = dataclasses.replace(spec, objective=spec.objective.model_copy(update={"metric": metric}))
    return alpha_curves(asked, results.trials, results.teachers)


def measure_words(measure: Metric) -> dict[str, Any]:
    """How a metric is called and written, for the page's script."""
    return {
        "label": measure.label,
        "axis": measure.axis,
        "unit": measure.unit,
        "difference": measure.difference_unit,
        "factor": measure.factor,
        "lower": measure.lower_is_better,
    }


def _learning(curve: AlphaCurve) -> dict[str, Any]:
    """Means by epoch, (E, A) each."""
    return {name: _rounded(getattr(curve.learning, name)) for name in ("validation_accuracy", "loss")}


def _confusions(results: Results, curves: Sequence[AlphaCurve]) -> list[dict[str, Any] | None]:
    """Counts of all seeds together and the mean precision, recall and F1 of the classes, by alpha; first settings first
    where not all have room."""
    room = MOST_NUMBERS
    told: list[dict[str, Any] | None] = []
    for curve in curves:
        known: dict[float, list[NDArray[np.int64]]] = {}
        for trial in curve.trials:
            if trial.id in results.confusions:
                known.setdefault(trial.alpha, []).append(np.asarray(results.confusions[trial.id]))
        size = sum(counts[0].size for counts in known.values())
        if not known or size > room:
            told.append(None)
            continue
        room -= size
        grid = [known.get(alpha) for alpha in curve.alphas.tolist()]
        told.append(
            {
                "counts": [None if counts is None else np.sum(counts, axis=0).tolist() for counts in grid],
                "scores": [
                    None if counts is None else _rounded(np.mean([precision_recall_f1(one) for one in counts], axis=0))
                    for counts in grid
                ],
            }
        )
    return told


def _reliability(one: Reliability | None) -> list[Any] | None:
    """For each alpha its bins that are not empty: count, mean confidence, share that is right."""
    if one is None:
        return None
    return [
        [[int(n), *_rounded([sure, right])] for n, sure, right in zip(*columns, strict=True) if n]
        for columns in zip(*one, strict=True)
    ]


def _denoising(one: Denoising | None) -> dict[str, Any] | None:
    if one is None:
        return None
    bands = {which: [_rounded(part) for part in zip(*one.band(which), strict=True)] for which in SHARES}
    teachers = {f"teacher_{which}": _number(getattr(one, f"teacher_{which}")) for which in SHARES}
    return {**bands, **teachers, "threshold": _number(one.threshold)}


def _predicted(one: Prediction | None) -> dict[str, Any] | None:
    if one is None:
        return None
    grid = np.linspace(0, 1, 41)
    return {
        "line": [_rounded(pair) for pair in zip(grid, one.risk.at(grid), strict=True)],
        "measured": [_rounded(row) for row in one.measured],
        "alpha": _number(one.alpha),
        "swept": one.swept,
    }


def _across(one: AxisTrend, measure: Metric) -> dict[str, Any]:
    surface = measure.factor * one.surface
    return {
        "among": one.others,
        "name": one.name,
        "ordered": one.ordered,
        "alphas": one.alphas.tolist(),
        "surface": _rounded(surface),
        "values": [
            {
                "value": point.value,
                "alpha": point.alpha,
                "low": _number(point.alpha_low),
                "high": _number(point.alpha_high),
                "range": list(point.result.optimal_range or ()),
                "gain": None
                if point.gain is None
                else _rounded(
                    [measure.factor * part for part in (point.gain.difference, point.gain.low, point.gain.high)]
                ),
            }
            for point in one.points
        ],
    }


def _gallery(one: Gallery | None, results: Results) -> dict[str, Any] | None:
    if one is None:
        return None
    exhibits = {kind: getattr(one, kind) for kind in KINDS}
    places = sorted({exhibit.place for several in exhibits.values() for exhibit in several})
    return {
        "alphas": list(one.alphas),
        "temperature": one.temperature,
        "images": pictures(results.examples[one.examples], places),
        "kinds": [
            {"title": title, "exhibits": [_exhibit(kind, exhibit, one) for exhibit in exhibits[kind]]}
            for kind, title in KINDS.items()
        ],
    }


def _exhibit(kind: str, one: Exhibit, gallery: Gallery) -> dict[str, Any]:
    return {
        "place": one.place,
        "clean": one.clean,
        "given": one.given,
        "seed": one.seed,
        "teacher": _rounded(one.teacher),
        "students": [_rounded(logits) for logits in one.students],
        "told": exhibit_reason(kind, one, gallery),
    }


def _rounded(values: Iterable[Any]) -> list[Any]:
    """Nested numbers, each to `DIGITS` digits; what is not finite is null."""
    return [_rounded(value) if np.ndim(value) else _number(float(value)) for value in values]


def _number(value: float | None, digits: int = DIGITS) -> float | None:
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None
