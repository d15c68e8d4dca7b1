"""A distillation's page and model card: one view of its finding, two templates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distillab.report.charts.confusion import confusion_chart, confusion_data
from distillab.report.charts.distillation import search_chart, search_data, seeds_chart, seeds_data
from distillab.report.charts.layers import template
from distillab.report.charts.ranking import CURVES, ranking_chart, ranking_data
from distillab.report.charts.residuals import pairs_chart, residuals_chart, residuals_data
from distillab.report.charts.theme import CURVE, LABELS, TEACHER
from distillab.report.payload import MOST_NUMBERS, Compact
from distillab.report.rendering import render_markdown, render_page
from distillab.report.view.distillation import DistillationView, distillation_view
from distillab.report.write import write_files
from distillab.study.folder import Folder

COLOURS = {"student": CURVE, "without a teacher": LABELS, "teacher": TEACHER}


def write_distillation_report(
    folder: Folder, finding: Mapping[str, Any], out: str | os.PathLike[str] | None = None
) -> tuple[Path, ...]:
    """Write the page of a distillation into its folder, or elsewhere, and return its path.

    Args:
        folder: of the distillation.
        finding: the content of its `answer.json`.
        out: the page's file instead.

    Raises:
        WorkError: the file cannot be written.
    """
    file, view = Path(out or folder.report), distillation_view(finding)
    data = _chart_data(view)
    drawn = {name for name in data["charts"] if data[name]}
    page = render_page("distillation.html.j2", script="distillation.js", data=data, view=view, drawn=drawn)
    write_files({file: page.encode()})
    return (file,)


def _chart_data(view: DistillationView) -> dict[str, Any]:
    """The page's charts and their data; null for a chart that has none."""
    seeds, search, compact = view.seeds, view.candidates, Compact()
    charts = {
        "seeds": seeds_chart(),
        "search": search_chart(colour=search["colour"]),
        "pairs": pairs_chart(),
        "residuals": residuals_chart(),
        "confusion": confusion_chart(None, view.classes),
    }
    charts |= {which: ranking_chart(which, COLOURS) for which in CURVES}
    student = view.detail.get("student", {})
    counts = np.array(student.get("confusion") or [])
    return {
        "charts": {name: template(chart) for name, chart in charts.items()},
        "seeds": seeds and compact.encode("seeds", seeds_data(view.metric, **seeds), y=f"test {view.metric.axis}"),
        **{
            which: compact.encode(which, ranking_data(view.detail, which)) if student.get(which) else None
            for which in CURVES
        },
        **{
            name: compact.encode(name, residuals_data(student)) if "pairs" in student else None
            for name in ("pairs", "residuals")
        },
        "confusion": compact.encode("confusion", confusion_data(counts)) if 0 < counts.size <= MOST_NUMBERS else None,
        "search": compact.encode("search", search_data(search), y=f"validation {search['metric']}")
        if search["distilled"]
        else None,
        "fields": compact.fields,
    }


def model_card(result: Mapping[str, Any]) -> str:
    """Write the model card, as Markdown.

    Args:
        result: the content of `answer.json`.
    """
    return render_markdown("model_card.md.j2", view=distillation_view(result))
