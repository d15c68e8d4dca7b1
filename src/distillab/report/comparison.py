"""Several studies side by side, as one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import distillab.report.formatting as fmt
from distillab.analysis.finding import Finding
from distillab.errors import RequestError
from distillab.metrics.metric import METRICS, metric_named
from distillab.report.charts.comparison import SHOWN, comparison_chart, comparison_data, comparison_title
from distillab.report.charts.layers import template
from distillab.report.payload import Compact, curves_by
from distillab.report.rendering import render_page
from distillab.report.results import Results, finding_of, read_results
from distillab.report.view.table import Table
from distillab.report.view.tables import setting_cells
from distillab.report.write import write_files
from distillab.study.folder import Folder

MOST_LINES = 10
"""More lines cannot be told apart in one chart."""

NOTE = (
    "Each study is judged on its own, and nothing is tested between them. Differences to labels alone can be compared "
    "between studies; values only where data and test set are the same."
)


class _Study(NamedTuple):
    name: str
    results: Results
    finding: Finding

    def line_names(self) -> list[str]:
        """The settings' names among all studies, in the order of the grid."""
        return [f"{self.name}: {setting.label}" if setting.label else self.name for setting in self.finding.settings]


def write_comparison(folders: Sequence[Folder], to: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write the page that sets studies side by side, and return its path.

    Args:
        folders: of two studies or more, finished or not.
        to: the file to write.

    Raises:
        RequestError: a folder holds no study, or is given twice; `to` is a folder.
        WorkError: the file cannot be written.
    """
    to = Path(to)
    paths = [folder.path.resolve() for folder in folders]
    twice = next((path for index, path in enumerate(paths) if path in paths[:index]), None)
    if twice is not None:
        raise RequestError(f"{twice.name} is given twice. Name each study once.")
    if to.is_dir():
        raise RequestError(f"{to} is a folder. Name a file with --out, such as {to / 'comparison.html'}.")
    results = [read_results(folder) for folder in folders]
    studies = [_Study(name, of, finding_of(of)) for name, of in zip(_names(paths), results, strict=True)]
    write_files({to: _page(studies).encode()})
    return (to,)


def _page(studies: Sequence[_Study]) -> str:
    settings = sum(len(study.finding.settings) for study in studies)
    return render_page(
        "comparison.html.j2",
        script="comparison.js",
        data=_chart_data(studies),
        title=f"{fmt.counted(len(studies), 'study', 'studies')}: {', '.join(study.name for study in studies)}",
        results=_results(studies),
        provenance=_provenance(studies),
        omitted=max(0, settings - MOST_LINES),
        note=NOTE,
        shown=tuple(SHOWN.items()),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, each with as much of its path as makes them differ."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _common_metrics(studies: Sequence[_Study]) -> list[str]:
    """Metrics that every study with results has recorded."""
    recorded = [
        {name for split, name in study.results.trials[0].metrics if split == "test"}
        for study in studies
        if study.results.trials
    ]
    common = set.intersection(*recorded) if recorded else set()
    return [name for name in METRICS if name in common] or ["accuracy"]


def _chart_data(studies: Sequence[_Study]) -> dict[str, Any]:
    """The chart, and its data for every choice of the page's controls."""
    metrics, compact, lines = _common_metrics(studies), Compact(), _lines(studies)
    names = [studies[index].line_names()[setting] for index, setting in lines]
    by_metric: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        curves = [curves_by(study.results, metric) for study in studies]
        shown = [curves[index][setting] for index, setting in lines]
        by_metric[metric] = {
            form: compact.encode(
                "comparison",
                comparison_data(list(zip(names, shown, strict=True)), form),
                y=comparison_title(metric_named(metric), form),
            )
            for form in SHOWN
        }
    return {
        "charts": {"comparison": template(comparison_chart(names=names))},
        "fields": compact.fields,
        "measures": {name: metric_named(name).label for name in metrics},
        "lines": by_metric,
    }


def _lines(studies: Sequence[_Study]) -> list[tuple[int, int]]:
    """Study and setting of each line: the first setting of every study, then the second, up to `MOST_LINES`."""
    lines = [(setting, index) for index, study in enumerate(studies) for setting in range(len(study.finding.settings))]
    return sorted((index, setting) for setting, index in sorted(lines)[:MOST_LINES])


def _results(studies: Sequence[_Study]) -> Table:
    columns = ("verdict", "alpha", "test", "to labels alone", "interval", "optimal range", "teacher", "students")
    rows = []
    for study in studies:
        for line_name, setting in zip(study.line_names(), study.finding.settings, strict=True):
            cells = setting_cells(study.finding.metric, setting)
            rows.append((line_name, *(cells[name] for name in columns)))
    caption = "Alpha is chosen on each study's validation data; differences are paired by seed, with 95 % intervals."
    return Table("answers", caption, ("study", *columns), tuple(rows), words=2)


def _provenance(studies: Sequence[_Study]) -> Table:
    rows = []
    for study in studies:
        runs, (seconds, _), trained = study.results.runs, study.results.cost, len(study.results.trials)
        command = str(runs[-1].get("command") or fmt.NOTHING) if runs else fmt.NOTHING
        rows.append(
            (study.name, study.finding.question, command, f"{seconds / trained:.2f} s" if trained else fmt.NOTHING)
        )
    head = ("study", "question", "last command", "training time per student")
    return Table("provenance", "The question, the last command and the cost of each study.", head, tuple(rows), words=3)
