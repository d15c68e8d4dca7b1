"""Several studies side by side, as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from distillab.analysis import Finding, SettingResult, answer
from distillab.analysis.curves import AlphaCurve
from distillab.analysis.numerals import alphas_in_words, counted
from distillab.errors import RequestError
from distillab.metrics.metric import METRICS, NOTHING
from distillab.report.charts.comparison import SHOWN, comparison_chart, comparison_data, comparison_title
from distillab.report.charts.layers import template
from distillab.report.payload import Compact, curves_by
from distillab.report.results import Results, read_results
from distillab.report.shell import chart, controls, document, select, table
from distillab.report.write import write_files
from distillab.study.folder import Folder

MOST_LINES = 10
"""More could not be told apart."""

NOTE = (
    "Each study is judged on its own, and nothing is tested between them. Differences to labels alone can be set side "
    "by side; values only where data and test set are the same."
)


class Study(NamedTuple):
    """One of the studies compared."""

    name: str
    results: Results
    answer: Finding


def write_comparison(folders: Sequence[Folder], to: Path) -> tuple[Path, ...]:
    """Write the page that sets studies side by side.

    Args:
        folders: of two studies or more, finished or not.
        to: the file to write.

    Returns:
        The file.

    Raises:
        RequestError: a folder holds no study, or is named twice; `to` is a folder.
        WorkError: the file cannot be written.
    """
    places = [folder.path.resolve() for folder in folders]
    twice = next((place for index, place in enumerate(places) if place in places[:index]), None)
    if twice is not None:
        raise RequestError(f"{twice.name} is named twice. Name each study once.")
    if to.is_dir():
        raise RequestError(f"{to} is a folder. Name a file with --out, such as {to / 'comparison.html'}.")
    studies = []
    for folder, name in zip(folders, _names(places), strict=True):
        results = read_results(folder)
        found = answer(results.spec, results.trials, results.teachers, classes=results.classes)
        studies.append(Study(name, results, found))
    files = {to: comparison_page(studies).encode()}
    write_files(files)
    return tuple(files)


def comparison_page(studies: Sequence[Study]) -> str:
    """Write the page, as text."""
    metrics, compact = _common(studies), Compact()
    names, curves = _lines(studies, metrics)
    lines = {
        metric: {
            shown: compact.encode(
                "comparison",
                comparison_data(list(zip(names, curves[metric], strict=True)), shown),
                y=comparison_title(curves[metric][0], shown),
            )
            for shown in SHOWN
        }
        for metric in metrics
    }
    left_out = max(0, sum(len(study.answer.findings) for study in studies) - MOST_LINES)
    more = f" The first settings of each study; {left_out} more stand in the table." if left_out else ""
    sections = [
        ("studies", "Answers", _answers(studies)),
        (
            "curves",
            "Against alpha",
            controls(select("metric", "Metric"), select("shown", "Shown", tuple(SHOWN.items())))
            + chart("comparison", "Each study's students against alpha; the table above holds the chosen ones")
            + f'<p class="soft">Means over the seeds with 95 % intervals.{more} {escape(NOTE)}</p>',
        ),
        ("provenance", "Where they come from", _provenance(studies)),
    ]
    title = (
        f"{counted(len(studies), 'study').replace('studys', 'studies')}: {', '.join(study.name for study in studies)}"
    )
    data = {
        "charts": {"comparison": template(comparison_chart(names=names))},
        "fields": compact.fields,
        "measures": {name: METRICS[name].label for name in metrics},
        "lines": lines,
    }
    return document(title, "", sections, "", data, script="comparison.js")


def _names(places: Sequence[Path]) -> list[str]:
    """The folders' names, with so much of the path before them as tells them apart."""
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        names = ["/".join(place.parts[-depth:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]


def _common(studies: Sequence[Study]) -> list[str]:
    """Metrics that every study with results has recorded."""
    recorded = [
        {name for part, name in study.results.trials[0].metrics if part == "test"}
        for study in studies
        if study.results.trials
    ]
    common = set.intersection(*recorded) if recorded else set()
    return [name for name in METRICS if name in common] or ["accuracy"]


def _lines(studies: Sequence[Study], metrics: Sequence[str]) -> tuple[list[str], dict[str, list[AlphaCurve]]]:
    """Names and curves of the settings shown: of every study the first, then of every study the second, as far as
    there is room; curves by metric."""
    by_metric = [{name: curves_by(study.results, name) for name in metrics} for study in studies]
    places = [(index, place) for place, study in enumerate(studies) for index in range(len(study.answer.findings))]
    shown = sorted(sorted(places)[:MOST_LINES], key=lambda pair: (pair[1], pair[0]))
    names = [_called(studies[place], studies[place].answer.findings[index]) for index, place in shown]
    return names, {name: [by_metric[place][name][index] for index, place in shown] for name in metrics}


def _called(study: Study, finding: SettingResult) -> str:
    return f"{study.name}: {finding.label}" if finding.label else study.name


def _answers(studies: Sequence[Study]) -> str:
    head = ("study", "verdict", "alpha", "test", "to labels alone", "interval", "optimal range", "teacher", "students")
    rows = [_answer(study, finding) for study in studies for finding in study.answer.findings]
    caption = "Alpha is chosen on each study's validation data; differences are paired by seed, with 95 % intervals."
    return table("answers", caption, head, rows, words=2)


def _answer(study: Study, finding: SettingResult) -> tuple[str, ...]:
    measure, best = study.answer.measure, finding.best
    gain = best.over_labels if best else None
    grid = [row.alpha for row in finding.rows]
    return (
        _called(study, finding),
        finding.kind,
        f"{best.alpha:g}" if best else NOTHING,
        measure.value(best.test) if best else NOTHING,
        measure.difference(gain.difference) if gain else NOTHING,
        measure.span(gain.low, gain.high, signed=True) if gain else NOTHING,
        alphas_in_words(finding.optimal_range, grid) if finding.optimal_range else NOTHING,
        measure.value(finding.teacher) if finding.teacher is not None else NOTHING,
        f"{finding.students - finding.missing:,} of {finding.students:,}",
    )


def _provenance(studies: Sequence[Study]) -> str:
    rows = []
    for study in studies:
        runs: Sequence[Mapping[str, Any]] = study.results.runs
        last = runs[-1] if runs else {}
        seconds, _ = study.results.cost
        trained = len(study.results.trials)
        speed = f"{seconds / trained:.2f} s" if trained else NOTHING
        rows.append((study.name, study.answer.question, str(last.get("command") or NOTHING), speed))
    head = ("study", "question", "command", "a student")
    return table("provenance", "What was asked, what ran last, and what a student took to train.", head, rows, words=3)
