"""A study as a page of a repository: Markdown with its figures, and an index of all such pages.

Everything on a page comes from the run's folder: the same folder gives the same page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import distillab.report.formatting as fmt
from distillab.analysis.curves import AlphaCurve, alpha_curves
from distillab.analysis.finding import Finding
from distillab.analysis.other_metrics import class_scores, compare_metrics
from distillab.errors import RequestError
from distillab.metrics.metric import metric_named
from distillab.report.charts.render import render
from distillab.report.figures import study_charts
from distillab.report.payload import label_tables
from distillab.report.rendering import render_markdown
from distillab.report.results import Results, finding_of, read_results
from distillab.report.view.study import study_view, wrong_labels
from distillab.report.view.table import Table
from distillab.report.view.tables import classes_table, metrics_sentence, metrics_table
from distillab.report.write import check_folder, write_files
from distillab.study.folder import Folder
from distillab.tasks import task_named

ANSWER = "**Answer.** "
INDEX = "README.md"
MADE_BY = "One row for each study; every page is made by `distillab publish` from the folder of a run."
MOST_CLASSES = 100
"""Tables of more classes are left out."""


def publish(folder: Folder, to: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a study's page and figures, update the index of pages, and return the paths of all these files.

    Args:
        folder: of a study with results.
        to: the folder of the pages, such as docs/results.

    Raises:
        RequestError: the folder holds no study, or no trained student; or a file that `publish` did not write has the
            page's or the index's name.
        WorkError: a file cannot be written.
    """
    to = Path(to)
    name = folder.path.resolve().name
    check_folder(to, "--to")
    _check_names(to, name)
    results = read_results(folder)
    if not results.trials:
        raise RequestError(f"{folder.path} holds no trained student. Run 'distillab run' first.")
    curves = alpha_curves(results.spec, results.trials, results.teachers)
    finding = finding_of(results, curves)
    figures = {
        to / f"{name}_{figure}.png": render(chart, "png")
        for figure, chart in study_charts(curves, finding).items()
        if figure != "learning_curves"
    }
    files = {to / f"{name}.md": _page(results, finding, curves, list(figures)).encode(), **figures}
    write_files(files)
    index = {to / INDEX: _index(to).encode()}
    write_files(index)
    return (*files, *index)


def _check_names(to: Path, name: str) -> None:
    """Refuse to overwrite what `publish` did not write."""
    if f"{name}.md" == INDEX:
        raise RequestError(f"A study in a folder called {name!r} has no page: {INDEX} is the index. Rename the folder.")
    for path, mark in ((to / f"{name}.md", f"\n{ANSWER}"), (to / INDEX, f"\n{MADE_BY}\n")):
        try:
            foreign = path.exists() and mark not in path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            foreign = True
        if foreign:
            raise RequestError(f"{path} was not made by 'distillab publish'. Choose another folder with --to.")


class _Details(NamedTuple):
    """Further tables of one setting."""

    label: str
    metrics: Table
    metrics_sentence: str
    classes: Table | None
    labels: Table | None


def _page(results: Results, finding: Finding, curves: Sequence[AlphaCurve], figures: Sequence[Path]) -> str:
    return render_markdown(
        "study.md.j2",
        view=study_view(finding),
        figures=figures,
        wrong_labels=wrong_labels(finding),
        details=list(_details(results, finding, curves)),
        margin=finding.margin,
        in_label_unit=finding.metric.in_label_unit,
        protocol=list(_protocol(results, finding)),
        cost=_cost(results),
        runs=results.runs,
        specification=results.spec.to_yaml(),
    )


def _details(results: Results, finding: Finding, curves: Sequence[AlphaCurve]) -> Iterator[_Details]:
    """Of the first and the last setting of the grid."""
    for index in sorted({0, len(finding.settings) - 1}):
        setting = finding.settings[index]
        metrics = compare_metrics(results.spec, results.trials, results.teachers, index)
        shown = sorted({setting.grid[0], setting.grid[-1], *([setting.best.alpha] if setting.best else [])})
        scores = class_scores(curves[index], results.confusions, shown)
        few = scores and scores.f1.shape[1] <= MOST_CLASSES
        yield _Details(
            label=setting.label,
            metrics=metrics_table(metrics),
            metrics_sentence=metrics_sentence(metrics),
            classes=classes_table(scores, results.class_names) if scores and few else None,
            labels=label_tables(results, finding)[index],
        )


def _protocol(results: Results, finding: Finding) -> Iterator[str]:
    spec, base = results.spec, results.spec.base
    sizes = sorted({cell.settings.train_size for cell in spec.cells()}, key=lambda size: size or 0)
    examples = ", ".join("all" if size is None else f"{size:,}" for size in sizes)
    axes = "; ".join(f"{axis.key}: {len(axis.values)} values" for axis in spec.axes)
    yield (
        f"Data: {base.dataset}, {examples} training examples, {100 * base.validation.share:g} % of them held out for "
        "choosing alpha; the whole test set, read once."
    )
    yield (
        f"{fmt.counted(finding.students, 'student')}: {fmt.counted(finding.seeds, 'seed')} for every point of the grid "
        f"({axes})."
    )
    task = task_named(base.task)
    for teacher in sorted(results.teachers.values(), key=lambda teacher: str(teacher.settings)):
        settings = teacher.settings
        metric = next(name for name in (task.map_metrics[0], *task.metrics) if name in teacher.metrics)
        snapshot = f", snapshot after {settings['snapshot']:g}" if settings.get("snapshot") is not None else ""
        yield (
            f"Teacher {settings['model']}, {settings['labels']} labels, {teacher.examples:,} examples, "
            f"{settings['epochs']} epochs{snapshot}: test {metric_named(metric).shown(teacher.metrics[metric])}."
        )


def _cost(results: Results) -> str:
    seconds, examples = results.cost
    return (
        f"{fmt.counted(len(results.trials), 'recorded student')}, trained in {seconds:,.0f} s of wall time without "
        f"teachers: {seconds / max(examples, 1) * 60_000:.2f} s per student and 60,000 examples, compilation and "
        "evaluation included."
    )


def _index(to: Path) -> str:
    """The index of all pages in a folder, from the pages themselves."""
    entries = []
    for path in sorted(to.glob("*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        answer = next((line.removeprefix(ANSWER) for line in lines if line.startswith(ANSWER)), None)
        if answer is not None and lines[0].startswith("# "):
            entries.append({"path": path, "question": lines[0].removeprefix("# "), "answer": answer})
    return render_markdown("index.md.j2", entries=entries, made_by=MADE_BY)
