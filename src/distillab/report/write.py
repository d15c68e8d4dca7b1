"""The report's files, each written in full or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from distillab.analysis import alpha_curves, answer
from distillab.errors import RequestError, cannot_write
from distillab.io import replace_file
from distillab.report.charts.render import FORMS, render
from distillab.report.figures import study_charts
from distillab.report.page import page
from distillab.report.payload import study_payload
from distillab.report.results import Results, read_results
from distillab.study.folder import Folder


def write_report(folder: Folder, out: Path | None = None) -> tuple[Path, ...]:
    """Write a study's figures, answer and page into its folder, or the page alone elsewhere.

    Args:
        folder: of a study, finished or not.
        out: where the page goes instead, as from a folder that cannot be written.

    Returns:
        The files: see `study_files`.

    Raises:
        RequestError: the folder holds no study.
        WorkError: a file cannot be written.
    """
    files = study_files(folder, read_results(folder))
    if out is not None:
        files = {out: files[folder.report]}
    write_files(files)
    return tuple(files)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each in full or not at all.

    Raises:
        WorkError: a file cannot be written.
    """
    for path, content in files.items():
        try:
            replace_file(path, lambda place, content=content: place.write_bytes(content))  # type: ignore[misc]
        except OSError as error:
            raise cannot_write(path, error) from error


def check_folder(path: Path, name: str) -> None:
    """Refuse a folder for files where a file is in its way, before there is anything to write.

    Raises:
        RequestError: it is a file, or lies in one.
    """
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise RequestError(f"{place} is a file. Choose another folder with {name}.")
            return


def figures_as_png(results: Results) -> dict[str, bytes]:
    """Draw a study's figures, as PNG by name."""
    curves = alpha_curves(results.spec, results.trials, results.teachers)
    found = answer(
        results.spec,
        results.trials,
        results.teachers,
        classes=results.classes,
        answers=results.answers,
        curves=curves,
    )
    return {name: render(chart, "png") for name, chart in study_charts(curves, found).items()}


def study_files(folder: Folder, results: Results) -> dict[Path, bytes]:
    """Draw a study's figures and write its answer and page, in memory.

    Args:
        folder: of a study, finished or not.
        results: what it holds.

    Returns:
        Contents by place: the figures of `study_charts` (PNG, SVG), `answer.json` and `report.html`.
    """
    spec, trials, teachers = results.spec, results.trials, results.teachers
    curves = alpha_curves(spec, trials, teachers)
    found = answer(spec, trials, teachers, classes=results.classes, answers=results.answers, curves=curves)
    files: dict[Path, bytes] = {}
    for name, chart in study_charts(curves, found).items():
        for form in FORMS:
            files[folder.figures / f"{name}.{form}"] = render(chart, form)
    files[folder.answer] = (json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n").encode()
    files[folder.report] = page(results, found, study_payload(results, curves, found)).encode()
    return files
