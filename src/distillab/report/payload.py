"""What a study's page embeds: its charts, and their data for every choice of the controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from altair.utils.schemapi import debug_mode
from numpy.typing import NDArray

import distillab.report.formatting as fmt
from distillab.analysis import AlphaCurve, Finding, alpha_curves, with_metric
from distillab.analysis.calibration import reliability
from distillab.analysis.details import CHOSEN, compared_details
from distillab.analysis.gallery import Exhibit, Gallery, galleries
from distillab.analysis.map_gallery import MapExhibit, MapGallery, map_galleries
from distillab.analysis.trend import AxisTrend
from distillab.metrics import precision_recall_f1
from distillab.metrics.metric import METRICS, Metric, metric_named
from distillab.report.charts.accuracy_vs_alpha import accuracy_vs_alpha_chart, accuracy_vs_alpha_data, mean_chart, spans
from distillab.report.charts.axis_trend import ROW, axis_trend_data, chosen_chart, gain_chart, gain_title, surface_chart
from distillab.report.charts.confusion import confusion_chart, confusion_data
from distillab.report.charts.denoising import NOISE, WRONG, denoising_chart, denoising_data
from distillab.report.charts.differences import differences_chart, differences_data
from distillab.report.charts.layers import Tables, template
from distillab.report.charts.learning_curves import curve_titles, learning_curves_chart, learning_curves_data
from distillab.report.charts.metric_numbers import MetricNumbers, metric_numbers
from distillab.report.charts.predicted import predicted_chart, predicted_data
from distillab.report.charts.ranking import CURVES, ranking_chart, ranking_data
from distillab.report.charts.reliability import reliability_chart, reliability_data
from distillab.report.charts.residuals import pairs_chart, residuals_chart, residuals_data
from distillab.report.charts.theme import CURVE, LABELS, TEACHER_ALONE
from distillab.report.picture import map_picture, pictures
from distillab.report.results import Results
from distillab.report.view.table import Table
from distillab.report.view.tables import labels_table
from distillab.stats import FEW_SEEDS

MOST_GALLERIES = 12
"""Settings whose examples are shown; pictures are large."""

MOST_NUMBERS = 100_000
"""Of confusion matrices in a page, and of single students' dots: both are most of it in a large study."""

MOST_ROWS = 20_000
"""Alphas of all settings, times the metrics that are shown."""

DIGITS = 5
EXACT = ("alpha", "epoch", "n", "count")
"""Fields that are not rounded."""

DETAILS = ("roc", "pr", "pairs", "residuals")
"""Charts of test predictions, which some tasks have."""

KINDS = {"informative": "Most informative", "recovered": "Most often put right", "wrong": "Most often wrong"}


COLOURS = {CHOSEN: CURVE, "labels alone": LABELS, "teacher alone": TEACHER_ALONE}


class Compact:
    """Tables as rows without field names, which `fields` keeps once by chart and table."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, list[str]]] = {}

    def encode(self, chart: str, tables: Tables, **values: str | float) -> dict[str, Any]:
        """The data of one chart: "tables", rows as lists with numbers rounded to `DIGITS` digits, and "values".

        Args:
            chart: its name on the page.
            tables: its data.
            **values: in place of the chart's placeholders: `y` for "$y".
        """
        fields = self.fields.setdefault(chart, {})
        for name, table in tables.items():
            fields[name] = fields.get(name) or (list(table[0]) if table else [])
        rows = {name: [self._row(fields[name], row) for row in table] for name, table in tables.items() if table}
        return {"tables": rows, "values": values}

    @staticmethod
    def _row(fields: Sequence[str], row: Mapping[str, Any]) -> list[Any]:
        return [_rounded(row[name]) if name not in EXACT else row[name] for name in fields]


def study_payload(results: Results, curves: Sequence[AlphaCurve], finding: Finding) -> dict[str, Any]:
    """What a study's page embeds, as plain JSON.

    Args:
        results: what the folder holds.
        curves: one for each setting, of the study's metric.
        finding: what they show.

    Returns:
        "charts": Vega-Lite specifications over named tables; "fields" of the tables; "settings", each with the data of
        its charts as `Compact.encode` gives them; "across": the same for each setting of the axes besides the longest;
        "measures", "classes" and "metric" for the controls.
    """
    compact, names, classes = Compact(), _shown_metrics(results, curves), results.class_names
    with debug_mode(False):  # without a validation of every part, which the tests do
        charts = _charts(finding, classes)
    return {
        "metric": names[0],
        "measures": {name: metric_named(name).label for name in names},
        "classes": classes,
        "settings": _settings(results, curves, finding, names, compact),
        "across": [_trend(trend, finding.metric, compact) for trend in finding.trends],
        "charts": charts,
        "fields": compact.fields,
    }


def _settings(
    results: Results, curves: Sequence[AlphaCurve], finding: Finding, names: Sequence[str], compact: Compact
) -> list[dict[str, Any]]:
    """The data of every setting's charts, by the metrics of these names."""
    by_metric = {names[0]: curves} | {name: curves_by(results, name) for name in names[1:]}
    dotted = names if len(results.trials) * len(names) <= MOST_NUMBERS else names[:1]
    shown = galleries(
        curves, finding.settings, results.examples, results.example_predictions, results.teacher_example_predictions
    )
    maps = map_galleries(
        curves, finding.settings, results.examples, results.example_predictions, results.teacher_example_predictions
    )
    bins, matrices = reliability(curves, results.reliability), _confusions(results, curves, compact)
    denoised = {shares.label: shares for shares in finding.denoising}
    predicted = {prediction.label: prediction for prediction in finding.predictions}
    settings = []
    for index, (curve, setting) in enumerate(zip(curves, finding.settings, strict=True)):
        best = setting.best.alpha if setting.best else None
        optimal = {names[0]: spans(curve.alphas, np.array([row.in_range is True for row in setting.alphas]))}
        pooled, wrong, ends = bins[index], denoised.get(setting.label), predicted.get(setting.label)
        settings.append(
            {
                "label": setting.label,
                "alphas": curve.alphas.tolist(),
                "best": best,
                "metrics": {
                    name: _metric(
                        of[index],
                        compact,
                        best=best if name == names[0] else None,
                        optimal=optimal.get(name, ()),
                        dots=name in dotted,
                    )
                    for name, of in by_metric.items()
                },
                "learning": {
                    which: compact.encode("learning", learning_curves_data(curve, which), y=title)
                    for which, title in curve_titles(setting.task).items()
                },
                "confusion": matrices[index],
                "reliability": pooled and compact.encode("reliability", reliability_data(pooled, curve.alphas, best)),
                "denoising": wrong
                and compact.encode(
                    "denoising", denoising_data(wrong), y=NOISE if setting.task == "regression" else WRONG
                ),
                "predicted": ends and compact.encode("predicted", predicted_data(ends)),
                "gallery": (_gallery(shown[index], results) or _map_gallery(maps[index], results))
                if index < MOST_GALLERIES
                else None,
                **_details(compared_details(curve, setting, results.details), compact),
            }
        )
    return settings


def _shown_metrics(results: Results, curves: Sequence[AlphaCurve]) -> list[str]:
    """The study's metric, then the others recorded, as far as there is room."""
    recorded = {name for trial in results.trials for part, name in trial.metrics if part == "test"}
    main = results.spec.objective.metric
    names = [main, *(name for name in METRICS if name in recorded and name != main)]
    return names[: max(1, MOST_ROWS // sum(len(curve.alphas) for curve in curves))]


def _charts(finding: Finding, classes: Sequence[str]) -> dict[str, Any]:
    """Every chart of the page by name, over named tables."""
    axis = finding.trends[0].name if finding.trends else ""
    charts = {
        "metric": accuracy_vs_alpha_chart().properties(height=320),
        "differences": differences_chart(),
        "surface": surface_chart(axis=axis),
        "chosen": chosen_chart(axis=axis),
        "gain": gain_chart(axis=axis, title=gain_title(finding.metric)),
        "denoising": denoising_chart(),
        "confusion": confusion_chart(None, classes),
        "learning": learning_curves_chart(),
        "reliability": reliability_chart(),
        "mean": mean_chart(),
        "predicted": predicted_chart(),
        **{which: ranking_chart(which, COLOURS) for which in CURVES},
        "pairs": pairs_chart(),
        "residuals": residuals_chart(),
    }
    return {name: template(chart) for name, chart in charts.items()}


def curves_by(results: Results, metric: str) -> tuple[AlphaCurve, ...]:
    """A study's curves by another metric than its own.

    Args:
        results: what the folder holds.
        metric: one of `METRICS`.
    """
    return alpha_curves(with_metric(results.spec, metric, results.trials), results.trials, results.teachers)


def _metric(
    curve: AlphaCurve,
    compact: Compact,
    *,
    best: float | None,
    optimal: Sequence[tuple[float, float]],
    dots: bool,
) -> dict[str, Any]:
    """One metric of one setting: the chart, its legend, and the differences to both references."""
    metric, numbers = curve.metric, metric_numbers(curve, best)
    tables = accuracy_vs_alpha_data(curve, numbers, optimal=optimal, dots=dots)
    title = f"difference ({metric.difference_unit})" if metric.difference_unit else "difference"
    differences = {
        name: compact.encode("differences", differences_data(curve, numbers, name, optimal=optimal), y=title)
        for name in numbers.differences
    }
    return {
        "metric": compact.encode("metric", tables, y=f"student's test {metric.axis}"),
        "differences": differences,
        "legend": _legend(numbers, tables),
        "axis": metric.axis,
    }


def _legend(numbers: MetricNumbers, tables: Tables) -> list[tuple[str, str]]:
    """Marks of the chart by the class of their sample, and what they are."""
    counts = sorted({n for n in numbers.n if n})
    entries = []
    if counts:
        many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        band = "range seen" if counts[-1] <= FEW_SEEDS else "95 % interval"
        entries.append(("curve", f"mean of {many} seed{'' if counts[-1] == 1 else 's'}, {band}"))
    for row in tables["labels"]:
        text = row["text"].removesuffix("▲").removesuffix("▼").rstrip()
        entries.append((row["name"].replace(" ", "-"), text if row["inside"] else f"{text} (beyond the axis)"))
    if numbers.best is not None:
        entries.append(("choice", f"chosen on validation data: alpha = {numbers.best:g}"))
    if tables["ranges"]:
        entries.append(("range", "optimal range"))
    return entries


def _trend(trend: AxisTrend, metric: Metric, compact: Compact) -> dict[str, Any]:
    """The three charts along an axis share their tables."""
    tables = axis_trend_data(trend, metric)
    return {"among": trend.others, **compact.encode("across", tables, height=ROW * len(trend.points))}


def _confusions(results: Results, curves: Sequence[AlphaCurve], compact: Compact) -> list[dict[str, Any] | None]:
    """Counts of all seeds together and the mean precision, recall and F1 of the classes, by alpha; first settings first
    where not all have room."""
    room, settings = MOST_NUMBERS, list[dict[str, Any] | None]()
    for curve in curves:
        known: dict[float, list[NDArray[np.int64]]] = {}
        for trial in curve.trials:
            if trial.id in results.confusions:
                known.setdefault(trial.alpha, []).append(np.asarray(results.confusions[trial.id]))
        size = sum(counts[0].size for counts in known.values())
        if not known or size > room:
            settings.append(None)
            continue
        room -= size
        grid = [known.get(alpha) for alpha in curve.alphas.tolist()]
        charts = [counts and compact.encode("confusion", confusion_data(np.sum(counts, axis=0))) for counts in grid]
        scores = [counts and _rounded(np.mean(list(map(precision_recall_f1, counts)), axis=0)) for counts in grid]
        settings.append({"charts": charts, "scores": scores})
    return settings


def _details(models: Mapping[str, Mapping[str, Any]], compact: Compact) -> dict[str, Any]:
    """The data of the charts of test predictions, None for those that the task does not have."""
    chosen = models.get(CHOSEN, {})
    return {
        **{
            which: compact.encode(which, ranking_data(models, which)) if chosen.get(which) else None for which in CURVES
        },
        **{
            name: compact.encode(name, residuals_data(chosen)) if "pairs" in chosen else None
            for name in ("pairs", "residuals")
        },
    }


def label_tables(results: Results, finding: Finding) -> list[Table | None]:
    """A table of the single labels of each setting; None where an example has one label.

    Args:
        results: what the folder holds.
        finding: of these results.
    """
    if not results.details:
        return [None] * len(finding.settings)
    curves = alpha_curves(results.spec, results.trials, results.teachers)
    return [
        setting.best and labels_table(curve, setting.best.alpha, results.details, results.class_names)
        for curve, setting in zip(curves, finding.settings, strict=True)
    ]


def _gallery(gallery: Gallery | None, results: Results) -> dict[str, Any] | None:
    if gallery is None:
        return None
    exhibits = {kind: getattr(gallery, kind) for kind in KINDS}
    shown = sorted({exhibit.place for several in exhibits.values() for exhibit in several})
    return {
        "alphas": list(gallery.alphas),
        "temperature": gallery.temperature,
        "images": pictures(results.examples[gallery.examples], shown),
        "kinds": [
            {"title": title, "exhibits": [_exhibit(kind, exhibit, gallery) for exhibit in exhibits[kind]]}
            for kind, title in KINDS.items()
        ],
    }


def _map_gallery(gallery: MapGallery | None, results: Results) -> dict[str, Any] | None:
    """Examples whose label is a map: every map as a picture."""
    if gallery is None:
        return None
    examples = results.examples[gallery.examples]
    images = pictures(examples, [exhibit.place for exhibit in gallery.exhibits]) or {}
    sides = examples.inputs.shape[1:3]
    positions = examples.labels.shape[1]
    shape = (sides[0], sides[1]) if len(sides) == 2 and math.prod(sides) == positions else (1, positions)

    def shown(exhibit: MapExhibit) -> list[tuple[str, str]]:
        maps = [("label", exhibit.clean), ("given label", exhibit.given), ("teacher", exhibit.teacher)]
        maps += [(f"α {alpha:g}", of) for alpha, of in zip(gallery.alphas, exhibit.students, strict=True)]
        drawn = [(name, map_picture(of, exhibit.clean, shape)) for name, of in maps]
        return [*([("input", images[exhibit.place])] if images else []), *drawn]

    return {
        "maps": [
            {
                "told": f"students at alpha = {gallery.chosen:g} predict {100 * exhibit.wrong:.1f} % of the positions "
                "wrongly",
                "pictures": shown(exhibit),
            }
            for exhibit in gallery.exhibits
        ]
    }


def _exhibit(kind: str, exhibit: Exhibit, gallery: Gallery) -> dict[str, Any]:
    facts = ("place", "clean", "given", "seed", "teacher", "students")
    return {name: _rounded(getattr(exhibit, name)) for name in facts} | {"told": _reason(kind, exhibit, gallery)}


def _reason(kind: str, exhibit: Exhibit, gallery: Gallery) -> str:
    """Why an example is in the gallery."""
    students = f"{exhibit.matching} of {fmt.counted(exhibit.among, 'student')}"
    if kind == "informative":
        return f"the teacher's prediction at T = {gallery.temperature:g} spreads over {exhibit.spread:.1f} classes"
    if kind == "recovered":
        return f"corrected by {students} trained on a wrong label, at alpha = {gallery.chosen:g}"
    return f"predicted wrongly by {students} at alpha = {gallery.chosen:g}"


def _rounded(value: Any) -> Any:
    """Numbers, nested or not, to `DIGITS` digits; those that are not finite are null; all else as it is."""
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, np.ndarray | list | tuple):
        return [_rounded(part) for part in value]
    return value
