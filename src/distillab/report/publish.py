"""A study as a page of a repository: Markdown with its figures beside it, and a table of all such pages.

Everything on a page comes from the run's folder: nothing is typed by hand, and the same folder gives the same page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distillab.analysis import Finding, alpha_curves, answer, prediction
from distillab.analysis.advice import advice, caveats, circumstances
from distillab.analysis.movement import cells, headings, in_brief, movement
from distillab.analysis.numerals import alphas_in_words, counted
from distillab.analysis.other_metrics import HEADINGS, Asked, by_every_metric, per_class
from distillab.analysis.other_metrics import cells as metric_cells
from distillab.analysis.other_metrics import in_a_sentence as compared
from distillab.analysis.sentences import sentences
from distillab.analysis.text import ACROSS_NOTE, WRONG_LABELS, columns, note
from distillab.errors import RequestError
from distillab.metrics.metric import NOTHING
from distillab.report.charts.render import render
from distillab.report.figures import study_charts
from distillab.report.results import read_results
from distillab.report.write import check_folder, write_files
from distillab.study.folder import Folder
from distillab.study.spec import Spec
from distillab.study.storage.records import TeacherResult

ANSWER = "**Answer.** "
INDEX = "README.md"
MADE_BY = "A row a study; every page is made by `distillab publish` from the folder of a run."


def publish(folder: Folder, to: Path) -> tuple[Path, ...]:
    """Write a study's page and figures, and bring the table of pages up to date.

    Args:
        folder: of a study with results.
        to: where the pages lie, such as docs/results.

    Returns:
        The files written: page, figures, table.

    Raises:
        RequestError: the folder holds no study, or no student is trained yet; or a file that is no such page stands in
            the way of one.
        WorkError: a file cannot be written.
    """
    name = folder.path.resolve().name
    check_folder(to, "--to")
    _check_place(to, name)
    results = read_results(folder)
    spec, trials, teachers, runs, cost, classes, confusions, answers, *_ = results
    if not trials:
        raise RequestError(f"{folder.path} holds no trained student yet. Run 'distillab run' first.")
    curves = alpha_curves(spec, trials, teachers)
    found = answer(spec, trials, teachers, classes=classes, answers=answers, curves=curves)
    figures = {
        to / f"{name}_{figure}.png": render(chart, "png")
        for figure, chart in study_charts(curves, found).items()
        if figure != "learning_curves"
    }
    settings = sorted({0, len(found.findings) - 1})  # the first and the last of the grid
    metrics = {index: by_every_metric(spec, trials, teachers, index) for index in settings}
    grid = curves[0].alphas.tolist()
    by_class = {}
    for index in settings:
        best = found.findings[index].best
        shown = sorted({grid[0], grid[-1], *([best.alpha] if best else [])})
        by_class[index] = per_class(spec, trials, confusions, index, shown)
    names = (runs[-1].get("data", {}).get("classes") if runs else None) or []
    parts = [
        [f"# {found.question}"],
        [ANSWER + headline(found)],
        [f"![{path.stem}]({path.name})" for path in figures],
        ["## What was found", *_items(_found(found))],
        *_across(found),
        *_wrong_labels(found),
        *_predictions(found),
        *_settings(found),
        *_metrics(found, metrics),
        *_classes(found, by_class, names),
        ["## What this rests on", *_items(caveats(found))],
        ["## Protocol", *_items(_protocol(spec, found, teachers))],
        ["## Cost and provenance", *_items(_provenance(runs, cost, trained=len(trials)))],
        ["## Specification", "```yaml", spec.to_yaml().strip(), "```"],
    ]
    page = "\n\n".join("\n".join(_spaced(part)) for part in parts) + "\n"
    files: dict[Path, bytes] = {to / f"{name}.md": page.encode(), **figures}
    write_files(files)
    table = {to / INDEX: _index(to).encode()}
    write_files(table)
    return (*files, *table)


def _check_place(to: Path, name: str) -> None:
    """Refuse to write over what `publish` did not write."""
    if f"{name}.md" == INDEX:
        raise RequestError(f"A study in a folder called {name!r} has no page: {INDEX} is the table. Rename the folder.")
    for path, mark in ((to / f"{name}.md", f"\n{ANSWER}"), (to / INDEX, f"\n{MADE_BY}\n")):
        try:
            foreign = path.exists() and mark not in path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            foreign = True
        if foreign:
            raise RequestError(f"{path} was not made by 'distillab publish'. Choose another folder with --to.")


def headline(found: Finding) -> str:
    """The answer in one line."""
    if not found.across:
        return " ".join(sentences(found, found.findings[0])[:1])
    parts = []
    for one in found.across:
        told = in_brief(one, found.measure)
        parts.append(f"With {one.among}: {told}" if one.among else told)
    return " ".join(parts)


def _found(found: Finding) -> list[str]:
    """Every setting's verdict and choice."""
    told = []
    for finding in found.findings:
        words = sentences(found, finding)
        told.append(" ".join([f"**{finding.label}.**", *words] if finding.label else words))
        told += [f"What to do: {todo}" for todo in advice(found, finding)]
    return told


def _wrong_labels(found: Finding) -> Iterable[list[str]]:
    if not found.denoising:
        return
    ends = (0, -1)
    alphas = [f"{found.denoising[0].alphas[end]:g}" for end in ends]
    head = ["setting", *(f"{what} at {alpha} (%)" for alpha in alphas for what in ("put right", "repeated"))]
    head += ["the teacher's own (%)", "more than labels alone at alpha", "ideal threshold"]
    rows = []
    for one in found.denoising:
        bands = one.band("recovered"), one.band("memorised")
        shares = [_share(band.mean[end]) for end in ends for band in bands]
        teacher = _share(one.teacher_recovered)
        more = alphas_in_words(one.denoises, one.alphas.tolist()) if one.denoises else "none"
        ideal = NOTHING if math.isnan(one.threshold) else f"{one.threshold:.3g}"
        rows.append([one.label or "all", *shares, teacher, more, ideal])
    yield ["## What becomes of wrong labels", WRONG_LABELS + ".", "", *_table(head, rows)]


def _share(share: float) -> str:
    return f"{100 * share:.1f}" if math.isfinite(share) else NOTHING


def _across(found: Finding) -> Iterable[list[str]]:
    for one in found.across:
        among = f", {one.among}" if one.among else ""
        yield [
            f"## Along the {one.name}{among}",
            " ".join(movement(one, found.measure)),
            "",
            *_table(headings(one, found.measure), cells(one, found.measure)),
            "",
            ACROSS_NOTE.replace("\n", " "),
        ]


def _predictions(found: Finding) -> Iterable[list[str]]:
    if found.predicted:
        rows = [prediction.cells(one, found.measure) for one in found.predicted]
        yield ["## Alpha predicted from both ends", *_table(prediction.HEADINGS, rows), "", prediction.NOTE]


def _settings(found: Finding) -> Iterable[list[str]]:
    """Every alpha of every setting; folded away where there are many."""
    for finding in found.findings:
        shown = columns(found, finding)
        best = finding.best.alpha if finding.best else None
        rows = []
        for row in finding.rows:
            alpha, *rest = (cell(row) for cell in shown.values())
            rows.append([f"**{alpha}** *" if row.alpha == best else alpha, *rest])
        table = [*_table([name.strip() for name in shown], rows), "", note(found).replace("*", "\\*", 1)]
        facts = circumstances(finding)
        if len(found.findings) == 1:
            yield ["## Every alpha", facts, "", *table]
        else:
            yield [f"<details><summary>Every alpha: {finding.label}</summary>", "", facts, "", *table, "", "</details>"]


def _metrics(found: Finding, metrics: Mapping[int, Any]) -> Iterable[list[str]]:
    for index, asked in metrics.items():
        label = found.findings[index].label
        title = f"## Asked by other metrics{f': {label}' if label else ''}"
        yield [title, *_table(HEADINGS, metric_cells(asked)), "", _of_metrics(found, asked)]


def _of_metrics(found: Finding, asked: Sequence[Asked]) -> str:
    return f"{compared(asked)} Verdicts with the study's margin of {found.margin:g}, in each metric's own unit.".strip()


def _classes(found: Finding, by_class: Mapping[int, Any], names: Sequence[str]) -> Iterable[list[str]]:
    for index, told in by_class.items():
        if told is None or told.f1.shape[1] > 100:
            continue
        label = found.findings[index].label
        head = ["class", *(f"{what} at {a:g}" for what in ("precision", "recall", "F1") for a in told.alphas)]
        rows = [
            [
                names[number] if number < len(names) else str(number),
                *(
                    f"{100 * value:.2f}"
                    for values in (told.precision, told.recall, told.f1)
                    for value in values[:, number]
                ),
            ]
            for number in range(told.f1.shape[1])
        ]
        yield [
            f"<details><summary>Precision, recall and F1 by class (%){f': {label}' if label else ''}</summary>",
            "",
            *_table(head, rows),
            "",
            "Means over the seeds, at the ends of the grid and at the chosen alpha.",
            "",
            "</details>",
        ]


def _protocol(spec: Spec, found: Finding, teachers: Mapping[str, TeacherResult]) -> list[str]:
    base = spec.base
    size = {cell.settings.train_size for cell in spec.cells()}
    examples = ", ".join("all" if one is None else f"{one:,}" for one in sorted(size, key=lambda one: one or 0))
    axes = "; ".join(f"{axis.key}: {len(axis.values)} values" for axis in spec.axes)
    told = [
        f"Data: {base.dataset}, {examples} training examples, {100 * base.validation.share:g} % of them held out for "
        "choosing alpha; the whole test set, read once.",
        f"{counted(found.students, 'student')}: {counted(found.seeds, 'seed')} times every point of the grid ({axes}).",
    ]
    for record in sorted(teachers.values(), key=lambda one: str(one.settings)):
        how = record.settings
        snapshot = f", taken after {how['snapshot']:g}" if how.get("snapshot") is not None else ""
        told.append(
            f"Teacher {how['model']}, {how['labels']} labels, {record.examples:,} examples, {how['epochs']} epochs"
            f"{snapshot}: test accuracy {record.metrics['accuracy']:.2%}."
        )
    return told


def _provenance(runs: Sequence[Mapping[str, Any]], cost: tuple[float, int], trained: int) -> list[str]:
    seconds, examples = cost
    told = [
        f"{counted(trained, 'recorded student')}, trained in {seconds:,.0f} s of wall time, teachers apart: "
        f"{seconds / max(examples, 1) * 60_000:.2f} s per student and 60,000 examples, compilation and evaluation "
        "included."
    ]
    if not runs:
        return told
    last = runs[-1]
    told.append(f"Command: `{last.get('command')}`")
    told.append(f"Runs: {len(runs)}, from {runs[0].get('started')} to {last.get('finished') or 'not finished'}")
    told.append(f"Data: {last['data']['name']}, digest `{last['data']['digest']}`")
    told += [
        f"{key.capitalize()}: " + ", ".join(f"{name} {value}" for name, value in last[key].items())
        for key in ("versions", "machine")
    ]
    told.append(f"Commit: {last.get('commit')}")
    return told


def _index(to: Path) -> str:
    """The table of all pages in a folder, read from the pages themselves."""
    rows = []
    for path in sorted(to.glob("*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        told = next((line.removeprefix(ANSWER) for line in lines if line.startswith(ANSWER)), None)
        if told is not None and lines[0].startswith("# "):
            rows.append([f"[{path.stem}]({path.name})", lines[0].removeprefix("# "), told])
    return "\n".join(
        [
            "# Results",
            "",
            MADE_BY,
            "",
            *_table(["study", "question", "answer"], rows),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(parts: Sequence[str]) -> str:
        return "| " + " | ".join(re.sub(r"\s+", " ", part).replace("|", "\\|") for part in parts) + " |"

    return [line(head), line(["---"] * len(head)), *(line(row) for row in rows)]


def _items(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _spaced(part: list[str]) -> list[str]:
    """A heading and what follows, with a blank line between."""
    head, *rest = part
    return [head, "", *rest] if rest and head.startswith("#") else part
